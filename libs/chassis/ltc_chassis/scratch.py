"""Databases for tests: cloned from a template, and swept clean to be used again, which costs a fiftieth of another clone.

What a server does for the first time on a connection (reading its catalog, planning) costs it more than the work itself, so each
database keeps the connection that sweeps it.
"""

import secrets
from collections.abc import Collection
from dataclasses import dataclass, field
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from ltc_chassis import migrate
from ltc_chassis.connection import DirectConnection
from ltc_chassis.db import Database, connect, is_down

# More connections than the next test will want, and bytes in tables: neither is worth keeping.
_TOO_MANY = 4
_TOO_LARGE = 20 * 1024 * 1024
# Who wrote each row of the catalog (a clone keeps that): what a test changed, added or dropped leaves another sum behind.
_SHAPE = """
    SELECT ARRAY[
        (SELECT sum(hashint8extended(xmin::text::bigint, attrelid::bigint)) FROM pg_attribute),
        (SELECT sum(hashint8extended(xmin::text::bigint, oid::bigint)) FROM pg_class),
        (SELECT sum(hashint8extended(xmin::text::bigint, oid::bigint)) FROM pg_constraint),
        (SELECT sum(hashint8extended(xmin::text::bigint, oid::bigint)) FROM pg_trigger)]::text
"""
_TERMINATE = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND pid <> ALL($1::integer[])
"""
_TABLES = """
    SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' ORDER BY relname
"""
_SEQUENCES = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'S' ORDER BY relname"
_CONTENT = "(SELECT md5(string_agg(each::text, ',' ORDER BY each::text)) FROM \"{table}\" AS each)"


def with_database(dsn: str, name: str) -> str:
    """The same server and role, another database."""
    return urlunsplit(urlsplit(dsn)._replace(path=f"/{name}"))


@dataclass(slots=True)
class _Template:
    """A migrated database and what lies in it from the start. `used` asks which tables and sequences are not as they were."""

    name: str
    shape: str
    used: str
    seeds: dict[str, list[asyncpg.Record]]
    sequences: dict[str, str]
    free: list[str] = field(default_factory=list)


class Scratch:
    """The databases of one test session, by package; all on one event loop."""

    def __init__(self, admin_dsn: str) -> None:
        self._admin_dsn = admin_dsn
        # No process id: several machines may share a server, and a killed session leaves its databases behind.
        self._session = secrets.token_hex(6)
        self._templates: dict[str, _Template] = {}
        self._owner: dict[str, str] = {}
        self._sweepers: dict[str, DirectConnection] = {}
        self._pools: dict[str, tuple[object, asyncpg.Pool[asyncpg.Record]]] = {}

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
        try:
            clean = await self._sweep(name, template)
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            if not is_down(error):
                raise
            # A test cut the connections.
            self._sweepers.pop(name).terminate()
            clean = await self._sweep(name, template)
        if clean:
            template.free.append(name)
        else:
            await self._drop(name)

    async def open(self, db: Database) -> None:
        """Open a pool for `db`, with the connections that an app before it opened to the same database."""
        settings, pool = self._pools.pop(db.settings.postgres_dsn, (None, None))
        if pool is not None and settings == _of(db):
            db._pool = pool
            return
        if pool is not None:
            pool.terminate()
        await db.open()

    async def close(self, db: Database) -> None:
        """Close the pool, or keep its connections for the next app when all of them are idle."""
        dsn, pool = db.settings.postgres_dsn, db._pool
        ours = dsn in {with_database(self._admin_dsn, name) for name in self._owner}
        if pool is None or not ours or pool.get_size() != pool.get_idle_size() or pool.get_size() > _TOO_MANY:
            await db.close()
        else:
            db._pool, self._pools[dsn] = None, (_of(db), pool)

    async def drop(self) -> None:
        """Everything that was made here."""
        for name in (*self._owner, *(template.name for template in self._templates.values())):
            await self._drop(name)

    async def _drop(self, name: str) -> None:
        _, pool = self._pools.pop(with_database(self._admin_dsn, name), (None, None))
        if pool is not None:
            pool.terminate()
        if name in self._sweepers:
            self._sweepers.pop(name).terminate()
        await self._execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    async def _sweep(self, name: str, template: _Template) -> bool:
        kept: list[int] = []
        _, pool = self._pools.get(with_database(self._admin_dsn, name), (None, None))
        if pool is not None:
            held = [await pool.acquire() for _ in range(pool.get_size())]
            kept = [conn.get_server_pid() for conn in held]
            for conn in held:
                await pool.release(conn)
        if name not in self._sweepers or self._sweepers[name].is_closed():
            self._sweepers[name] = await connect(with_database(self._admin_dsn, name), application="tests")
        return await _sweep(self._sweepers[name], template, kept)

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
            return await _read_template(conn, name)
        finally:
            await conn.close()


def _of(db: Database) -> object:
    """What a pool is made of."""
    return db.source, db.settings.pool_size, db.settings.statement_cache_size


async def _read_template(conn: DirectConnection, name: str) -> _Template:
    seeds: dict[str, list[asyncpg.Record]] = {}
    looks: list[str] = []
    # Names of our own migrations: nothing here comes from outside.
    for table in [row["relname"] for row in await conn.fetch(_TABLES)]:
        look = f"SELECT '{table}' AS name, pg_total_relation_size('\"{table}\"') AS size WHERE "
        if rows := await conn.fetch(f'SELECT * FROM "{table}"'):  # noqa: S608 - a name of the catalogue
            seeds[table] = rows
            content = await conn.fetchval("SELECT " + _CONTENT.format(table=table))
            looks.append(f"{look}{_CONTENT.format(table=table)} IS DISTINCT FROM '{content}'")
        else:
            looks.append(f'{look}EXISTS (SELECT FROM "{table}")')
    sequences: dict[str, str] = {}
    for sequence in [row["relname"] for row in await conn.fetch(_SEQUENCES)]:
        value, called = await conn.fetchrow(f'SELECT last_value, is_called FROM "{sequence}"') or (1, False)  # noqa: S608 - as above
        sequences[sequence] = f"SELECT setval('\"{sequence}\"', {value}, {called})"
        looks.append(f"SELECT '{sequence}', 0 FROM \"{sequence}\" WHERE (last_value, is_called) <> ({value}, {called})")  # noqa: S608 - and its numbers
    return _Template(name, await conn.fetchval(_SHAPE), " UNION ALL ".join(looks), seeds, sequences)


async def _sweep(conn: DirectConnection, template: _Template, kept: Collection[int]) -> bool:
    """As after the migrations; False when the database has another shape, or too much in it."""
    # What a test left behind (a killed process, an open transaction) holds locks.
    await conn.execute(_TERMINATE, kept)
    if await conn.fetchval(_SHAPE) != template.shape:
        return False
    found = await conn.fetch(template.used)
    if sum(row["size"] for row in found) > _TOO_LARGE:
        return False
    used = [row["name"] for row in found]
    if not used:
        return True
    # Neither foreign keys nor triggers (append-only tables) stand in the way of a sweep.
    sweep = ["SET LOCAL session_replication_role = replica"]
    sweep += [template.sequences.get(name, f'DELETE FROM "{name}"') for name in used]  # noqa: S608 - as above
    async with conn.transaction():
        await conn.execute(";".join(sweep))
        for table in [name for name in used if name in template.seeds]:
            rows = template.seeds[table]
            await conn.copy_records_to_table(table, records=[tuple(row) for row in rows], columns=list(rows[0].keys()))
    return True
