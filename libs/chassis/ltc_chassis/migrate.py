"""Migrations: plain SQL files, forward only, applied once under an advisory lock, with checksums.

`python -m ltc_chassis.migrate lead_svc` brings the database of LTC_POSTGRES_DSN up to date. The app itself only checks, and
refuses to start on another version than its own.
"""

import asyncio
import hashlib
import importlib.resources
import os
import re
import sys
from dataclasses import dataclass

import asyncpg

from ltc_chassis.db import Connection, connect
from ltc_chassis.inbox import maintain

_NAME = re.compile(r"(?P<version>[0-9]{4})_[a-z0-9_]+\.sql")
_LOCK = 0x4C5443  # "LTC"


class MigrationError(Exception):
    """The database and the migration files disagree; the text says which and what to do."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file. `component` is `ltc_chassis` or the service's package."""

    component: str
    version: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()


def load(package: str) -> list[Migration]:
    """The chassis' migrations, then the package's, each in order of number. Raises on a gap or a misnamed file."""
    found: list[Migration] = []
    for component in ("ltc_chassis", package):
        folder = importlib.resources.files(component) / "migrations"
        names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
        for expected, name in enumerate(names, start=1):
            match = _NAME.fullmatch(name)
            if match is None or int(match["version"]) != expected:
                raise MigrationError(
                    f"{component}/migrations/{name}: expected number {expected:04d} and a name like 0001_what.sql"
                )
            found.append(Migration(component, expected, name, (folder / name).read_text()))
    return found


async def apply(conn: Connection, package: str) -> list[str]:
    """Apply what is missing, each file in its own transaction; returns the names applied."""
    wanted = load(package)
    applied: list[str] = []
    await conn.execute("SELECT pg_advisory_lock($1)", _LOCK)
    try:
        await conn.execute(
            """
            CREATE TABLE IF NOT EXISTS schema_migration (
                component text NOT NULL, version integer NOT NULL, name text NOT NULL, checksum text NOT NULL,
                applied_at timestamptz NOT NULL DEFAULT clock_timestamp(), PRIMARY KEY (component, version))
            """
        )
        present = await _present(conn)
        for migration in wanted:
            known = present.get((migration.component, migration.version))
            if known is not None:
                if known != migration.checksum:
                    raise MigrationError(
                        f"{migration.component}/{migration.name} was changed after it was applied; "
                        "restore the file and write a new migration instead"
                    )
                continue
            async with conn.transaction():
                await conn.execute(migration.sql)
                await conn.execute(
                    "INSERT INTO schema_migration (component, version, name, checksum) VALUES ($1, $2, $3, $4)",
                    migration.component,
                    migration.version,
                    migration.name,
                    migration.checksum,
                )
            applied.append(f"{migration.component}/{migration.name}")
        async with conn.transaction():
            await maintain(conn, keep_days=36_500)
    finally:
        await conn.execute("SELECT pg_advisory_unlock($1)", _LOCK)
    return applied


async def check(conn: Connection, package: str) -> None:
    """Raise `MigrationError` unless the database is exactly at the version of these files."""
    try:
        present = await _present(conn)
    except asyncpg.UndefinedTableError:
        present = {}
    wanted = {(m.component, m.version): m for m in load(package)}
    missing = [f"{m.component}/{m.name}" for key, m in wanted.items() if key not in present]
    if missing:
        raise MigrationError(f"not applied: {', '.join(missing)}; run `python -m ltc_chassis.migrate {package}`")
    changed = [f"{m.component}/{m.name}" for key, m in wanted.items() if present[key] != m.checksum]
    if changed:
        raise MigrationError(f"changed after they were applied: {', '.join(changed)}")
    newer = [f"{component} {version:04d}" for component, version in present if (component, version) not in wanted]
    if newer:
        raise MigrationError(f"the database is ahead of this program ({', '.join(newer)}); deploy the newer version")


async def _present(conn: Connection) -> dict[tuple[str, int], str]:
    rows = await conn.fetch("SELECT component, version, checksum FROM schema_migration")
    return {(row["component"], row["version"]): row["checksum"] for row in rows}


async def _main(package: str, dsn: str) -> int:
    conn = await connect(dsn, application=f"migrate {package}")
    try:
        applied = await apply(conn, package)
    except (MigrationError, asyncpg.PostgresError) as error:
        print(f"migrate {package}: {error}", file=sys.stderr)
        return 1
    finally:
        await conn.close()
    print(f"migrate {package}: {', '.join(applied) if applied else 'nothing to do'}")
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 2 or "LTC_POSTGRES_DSN" not in os.environ:
        print("usage: LTC_POSTGRES_DSN=... python -m ltc_chassis.migrate <package>", file=sys.stderr)
        sys.exit(2)
    sys.exit(asyncio.run(_main(sys.argv[1], os.environ["LTC_POSTGRES_DSN"])))
