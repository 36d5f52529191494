"""One database and one role per service; nobody can open another's."""

import asyncio
import json
import secrets
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
from ltc_chassis import migrate
from ltc_chassis.db import connect


def passwords(home: Path, services: tuple[str, ...]) -> dict[str, str]:
    """A generated password per role, kept in `home`, readable by its owner."""
    path = home / "secrets" / "services.json"
    known: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    missing = [service for service in services if service not in known]
    if missing:
        known.update({service: secrets.token_urlsafe(24) for service in missing})
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=0o600)
        path.write_text(json.dumps(known))
    return known


def dsn(admin_dsn: str, service: str, password: str) -> str:
    """How a service reaches its database."""
    parts = urlsplit(admin_dsn)
    return urlunsplit(parts._replace(netloc=f"ltc_{service}:{password}@{parts.hostname}:{parts.port}", path=f"/ltc_{service}"))


async def prepare(admin_dsn: str, known: dict[str, str]) -> None:
    """Create roles and databases that are missing, and bring every schema up to date, as its own role."""
    admin = await connect(admin_dsn, application="ltc")
    try:
        await admin.execute("REVOKE CONNECT ON DATABASE postgres FROM PUBLIC; REVOKE CONNECT ON DATABASE template1 FROM PUBLIC")
        for service, password in known.items():
            await _database(admin, service, password)
    finally:
        await admin.close()
    await asyncio.gather(*(_migrate(dsn(admin_dsn, service, password), service) for service, password in known.items()))


async def _database(admin: "asyncpg.Connection[asyncpg.Record]", service: str, password: str) -> None:
    name = f"ltc_{service}"
    if not await admin.fetchval("SELECT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = $1)", name):
        await admin.execute(f'CREATE ROLE "{name}" LOGIN')
    # DDL takes no parameters; the password was drawn from a URL-safe alphabet.
    await admin.execute(f"ALTER ROLE \"{name}\" PASSWORD '{password}'")
    if not await admin.fetchval("SELECT EXISTS (SELECT 1 FROM pg_database WHERE datname = $1)", name):
        await admin.execute(f'CREATE DATABASE "{name}" OWNER "{name}"')
    await admin.execute(f'REVOKE CONNECT ON DATABASE "{name}" FROM PUBLIC; GRANT CONNECT ON DATABASE "{name}" TO "{name}"')


async def _migrate(address: str, service: str) -> None:
    conn = await connect(address, application=f"migrate {service}")
    try:
        await migrate.apply(conn, f"{service}_svc")
    finally:
        await conn.close()
