"""Databases for tests: cloned from a template, and swept clean to be used again, which costs a tenth of another clone."""

import secrets
from dataclasses import dataclass, field
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from ltc_chassis import migrate
from ltc_chassis.connection import DirectConnection
from ltc_chassis.db import connect

# A database that grew beyond this is not worth sweeping.
_TOO_LARGE = 40 * 1024 * 1024
# Names, columns, constraints and the state of triggers: a test that changed any of them leaves another shape behind.
_SHAPE = """
    SELECT md5(string_agg(what, ',' ORDER BY what)) FROM (
        SELECT format('%s %s %s', c.relname, a.attname, a.atttypid) AS what FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
        WHERE c.relnamespace = 'public'::regnamespace AND NOT a.attisdropped
        UNION ALL SELECT format('%s %s', conname, conrelid::regclass) FROM pg_constraint WHERE connamespace = 'public'::regnamespace
        UNION ALL SELECT format('%s %s %s', tgname, tgrelid::regclass, tgenabled) FROM pg_trigger WHERE NOT tgisinternal) AS shape
"""
_TABLES = """
    SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' ORDER BY relname
"""
_SEQUENCES = "SELECT sequencename, last_value FROM pg_sequences WHERE schemaname = 'public'"


def with_database(dsn: str, name: str) -> str:
    """The same server and role, another database."""
    return urlunsplit(urlsplit(dsn)._replace(path=f"/{name}"))


@dataclass(slots=True)
class _Template:
    """A migrated database and what lies in it from the start."""

    name: str
    shape: str
    tables: list[str]
    seeds: dict[str, list[asyncpg.Record]]
    sequences: dict[str, int | None]
    free: list[str] = field(default_factory=list)


class Scratch:
    """The databases of one test session, by package."""

    def __init__(self, admin_dsn: str) -> None:
        self._admin_dsn = admin_dsn
        # No process id: several machines may share a server, and a killed session leaves its databases behind.
        self._session = secrets.token_hex(6)
        self._templates: dict[str, _Template] = {}
        self._owner: dict[str, str] = {}

    async def take(self, package: str) -> str:
        """The DSN of a database as its migrations leave it."""
        if package not in self._templates:
            self._templates[package] = await self._make_template(package)
        template = self._templates[package]
        if template.free:
            return with_database(self._admin_dsn, template.free.pop())
        name = f"ltc_test_{self._session}_{len(self._owner)}"
        self._owner[name] = package
        await self._execute(f'CREATE DATABASE "{name}" TEMPLATE "{template.name}"')
        return with_database(self._admin_dsn, name)

    async def give_back(self, dsn: str) -> None:
        """Sweep it, or drop it where that is not possible."""
        name = urlsplit(dsn).path.lstrip("/")
        template = self._templates[self._owner[name]]
        conn = await connect(dsn, application="tests")
        try:
            clean = await _sweep(conn, template)
        finally:
            await conn.close()
        if clean:
            template.free.append(name)
        else:
            await self._execute(f'DROP DATABASE "{name}" WITH (FORCE)')

    async def drop(self) -> None:
        """Everything that was made here."""
        for name in (*self._owner, *(template.name for template in self._templates.values())):
            await self._execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    async def _execute(self, statement: str) -> None:
        admin = await connect(self._admin_dsn, application="tests")
        try:
            await admin.execute(statement)
        finally:
            await admin.close()

    async def _make_template(self, package: str) -> _Template:
        name = f"ltc_template_{self._session}_{package}"
        await self._execute(f'CREATE DATABASE "{name}"')
        conn = await connect(with_database(self._admin_dsn, name), application="tests")
        try:
            await migrate.apply(conn, package)
            tables = [row["relname"] for row in await conn.fetch(_TABLES)]
            seeds = {table: rows for table in tables if (rows := await conn.fetch(f'SELECT * FROM "{table}"'))}  # noqa: S608 - our own names
            sequences = {row["sequencename"]: row["last_value"] for row in await conn.fetch(_SEQUENCES)}
            return _Template(name, await conn.fetchval(_SHAPE), tables, seeds, sequences)
        finally:
            await conn.close()


async def _sweep(conn: DirectConnection, template: _Template) -> bool:
    """As after the migrations; False when the database has another shape, or too much in it."""
    # What a test left behind (a killed process, an open transaction) holds locks.
    await conn.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    if (
        await conn.fetchval("SELECT pg_database_size(current_database())") > _TOO_LARGE
        or await conn.fetchval(_SHAPE) != template.shape
    ):
        return False
    looks = [f"SELECT '{table}' AS name WHERE EXISTS (SELECT FROM \"{table}\")" for table in template.tables]  # noqa: S608 - our own names
    used = [row["name"] for row in await conn.fetch(" UNION ALL ".join(looks))]
    async with conn.transaction():
        # Neither foreign keys nor triggers (append-only tables) stand in the way of a sweep.
        await conn.execute("SET LOCAL session_replication_role = replica")
        for table in used:
            await conn.execute(f'DELETE FROM "{table}"')  # noqa: S608 - our own names
        for table, rows in template.seeds.items():
            await conn.copy_records_to_table(table, records=[tuple(row) for row in rows], columns=list(rows[0].keys()))
        for row in await conn.fetch(_SEQUENCES):
            began = template.sequences.get(row["sequencename"])
            if row["last_value"] != began:
                await conn.execute(
                    "SELECT setval($1::text::regclass, $2, $3)", row["sequencename"], began or 1, began is not None
                )
    return True
