"""A database that goes away and comes back: 503 to callers, patience in the consumer, recovery without a restart."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import httpx
import pytest

from ltc_chassis.consumer import Processor
from ltc_chassis.ids import new_id
from ltc_chassis.runtime import Runtime
from ltc_chassis.testing import record_of
from ltc_chassis.tests.cuttable import Line, line
from ltc_chassis.tests.echo.app import Noted, Pinged, make_consumers


@pytest.fixture
async def wire(dsn: str) -> AsyncIterator[Line]:
    parts = urlsplit(dsn)
    async with line(parts.hostname or "127.0.0.1", parts.port or 5432) as made:
        yield made


@pytest.fixture
def environment(environment: None, dsn: str, wire: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = urlsplit(dsn)
    user = f"{parts.netloc.rpartition('@')[0]}@" if "@" in parts.netloc else ""
    monkeypatch.setenv("LTC_POSTGRES_DSN", urlunsplit(parts._replace(netloc=f"{user}127.0.0.1:{wire.port}")))


async def test_a_dead_database_gives_503_and_recovers_by_itself(client: httpx.AsyncClient, wire: Line) -> None:
    assert (await client.post("/v1/notes", json={"text": "x"})).status_code == 201
    await wire.cut()
    for reply in [await client.post("/v1/notes", json={"text": "x"}), await client.get("/v1/notes")]:
        assert (reply.status_code, reply.json()["type"]) == (503, "urn:ltc:problem:database-unavailable")
        assert reply.headers["retry-after"]
    assert (await client.get("/health/ready")).status_code == 503
    assert (await client.get("/health/live")).status_code == 200
    await wire.mend()
    assert (await client.post("/v1/notes", json={"text": "x"})).status_code == 201
    assert (await client.get("/health/ready")).status_code == 200
    assert len((await client.get("/v1/notes")).json()["items"]) == 2


async def test_the_consumer_waits_while_its_database_is_away_and_parks_nothing(
    runtime: Runtime, client: httpx.AsyncClient, wire: Line, parked: Callable[[], Awaitable[list[asyncpg.Record]]]
) -> None:
    await wire.cut()
    records = [record_of(Pinged(ping_id=new_id(), text="a"), flow_id=new_id())]
    processing = asyncio.create_task(Processor(runtime, make_consumers(Pinged, Noted)).process(records))
    await asyncio.sleep(0.5)
    assert not processing.done()
    await wire.mend()
    async with asyncio.timeout(10):
        await processing
    assert [note["text"] for note in (await client.get("/v1/notes")).json()["items"]] == ["a"]
    assert await parked() == []
