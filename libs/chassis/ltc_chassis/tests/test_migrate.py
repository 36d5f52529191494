import asyncio
import importlib
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from ltc_chassis import migrate
from ltc_chassis.db import connect
from ltc_chassis.scratch import with_database
from ltc_chassis.testing import Infra


@pytest.fixture
async def empty(infra: Infra) -> AsyncIterator[str]:
    admin = await connect(infra.admin_dsn, application="tests")
    name = f"ltc_migrate_{id(admin)}"
    await admin.execute(f'CREATE DATABASE "{name}"')
    yield with_database(infra.admin_dsn, name)
    await admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    await admin.close()


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package `shop_svc` with one migration; returns its migrations folder."""
    folder = tmp_path / "shop_svc" / "migrations"
    folder.mkdir(parents=True)
    (tmp_path / "shop_svc" / "__init__.py").touch()
    (folder / "0001_thing.sql").write_text("CREATE TABLE thing (id int);")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "shop_svc", raising=False)
    importlib.invalidate_caches()
    return folder


async def test_migrations_apply_once_and_the_check_is_content(empty: str, package: Path) -> None:
    conn = await connect(empty, application="tests")
    with pytest.raises(migrate.MigrationError, match="not applied"):
        await migrate.check(conn, "shop_svc")
    assert "shop_svc/0001_thing.sql" in await migrate.apply(conn, "shop_svc")
    assert await migrate.apply(conn, "shop_svc") == []
    await migrate.check(conn, "shop_svc")
    await conn.close()


async def test_two_deployments_at_once_apply_each_file_once(empty: str, package: Path) -> None:
    conns = [await connect(empty, application="tests") for _ in range(4)]
    applied = await asyncio.gather(*(migrate.apply(conn, "shop_svc") for conn in conns))
    assert sum("shop_svc/0001_thing.sql" in names for names in applied) == 1
    for conn in conns:
        await conn.close()


async def test_an_applied_file_may_not_change(empty: str, package: Path) -> None:
    conn = await connect(empty, application="tests")
    await migrate.apply(conn, "shop_svc")
    (package / "0001_thing.sql").write_text("CREATE TABLE thing (id bigint);")
    with pytest.raises(migrate.MigrationError, match="changed after it was applied"):
        await migrate.apply(conn, "shop_svc")
    with pytest.raises(migrate.MigrationError, match="changed after they were applied"):
        await migrate.check(conn, "shop_svc")
    await conn.close()


async def test_a_failing_file_leaves_nothing_half_done(empty: str, package: Path) -> None:
    (package / "0002_bad.sql").write_text("CREATE TABLE other (id int); SELECT 1/0;")
    conn = await connect(empty, application="tests")
    with pytest.raises(asyncpg.DivisionByZeroError):
        await migrate.apply(conn, "shop_svc")
    assert await conn.fetchval("SELECT to_regclass('other') IS NULL AND to_regclass('thing') IS NOT NULL")
    (package / "0002_bad.sql").write_text("CREATE TABLE other (id int);")
    assert await migrate.apply(conn, "shop_svc") == ["shop_svc/0002_bad.sql"]
    await conn.close()


async def test_a_gap_or_a_misnamed_file_is_refused(package: Path) -> None:
    (package / "0003_later.sql").write_text("SELECT 1;")
    with pytest.raises(migrate.MigrationError, match="expected number 0002"):
        migrate.load("shop_svc")


async def test_a_program_older_than_the_database_refuses_to_start(empty: str, package: Path) -> None:
    (package / "0002_more.sql").write_text("CREATE TABLE more (id int);")
    conn = await connect(empty, application="tests")
    await migrate.apply(conn, "shop_svc")
    (package / "0002_more.sql").unlink()
    with pytest.raises(migrate.MigrationError, match="ahead of this program"):
        await migrate.check(conn, "shop_svc")
    await conn.close()
