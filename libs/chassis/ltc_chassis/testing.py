"""Fixtures for the tests of a service: a real, migrated database per test, its app without background loops, and real records.

A service's conftest says which package it is and how its app is made:

    @pytest.fixture
    def service() -> str: return "lead_svc"
    @pytest.fixture
    def make_app() -> Callable[[], FastAPI]: return create_app

The fixture `infra` (an object with `admin_dsn`) comes from the workspace's conftest. Time stands still until a test moves
`clock`.
"""

import asyncio
import functools
import itertools
import json
import os
import secrets
import socket
import time
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, Protocol
from uuid import UUID

import asyncpg
import httpx
import jwt
import pytest
import uvicorn
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi import FastAPI
from ltc_contracts.envelope import Envelope
from ltc_contracts.events import Event
from ltc_contracts.topics import BY_TYPE

from ltc_chassis import outbox, parking
from ltc_chassis.clock import FixedClock
from ltc_chassis.consumer import Consumers, Processor
from ltc_chassis.db import Database
from ltc_chassis.ids import new_id
from ltc_chassis.runtime import Runtime
from ltc_chassis.scratch import Scratch
from ltc_chassis.testing_routes import share_routes
from ltc_chassis.timers import Errand, Timer, run_until_idle

Outcome = Literal["processed", "duplicate", "parked"]
# Tasks that belong to no single test.
LASTING: weakref.WeakSet[asyncio.Task[Any]] = weakref.WeakSet()
_offsets = itertools.count()


class Infra(Protocol):
    """What these fixtures need of the running infrastructure."""

    @property
    def admin_dsn(self) -> str:
        """A role that may create databases; the path names an existing one."""

    @property
    def kafka_bootstrap(self) -> str:
        """A real broker; started when first asked for."""


@dataclass(frozen=True, slots=True)
class Emitted:
    """One row of the outbox, typed. `event` was checked against the released schema of its topic."""

    topic: str
    event: Any
    flow_id: UUID | None
    sequence: int
    key: str
    headers: dict[str, str]


@dataclass(frozen=True, slots=True)
class FakeRecord:
    """A record as the consumer gets it, without a broker."""

    topic: str
    value: bytes | None
    key: bytes | None
    headers: Sequence[tuple[str, bytes | None]]
    partition: int = 0
    offset: int = 0
    timestamp: int = 0


def record_of(
    event: Event,
    *,
    flow_id: UUID | None,
    event_id: UUID | None = None,
    occurred_at: datetime | None = None,
    sequence: int = 1,
    source: str = "/test",
    traceparent: str | None = None,
    extra_headers: Iterable[tuple[str, bytes | None]] = (),
) -> FakeRecord:
    """The record another service would have published."""
    moment = occurred_at or datetime(2026, 1, 1, tzinfo=UTC)
    identifier = event_id or new_id()
    envelope = Envelope(
        id=identifier,
        source=source,
        type=event.type_name(),
        subject=event.subject,
        occurred_at=moment,
        recorded_at=moment,
        dataschema=event.dataschema(),
        partition_key=str(flow_id) if flow_id else event.subject,
        sequence=sequence,
        flow_id=flow_id,
        correlation_id=str(identifier),
        traceparent=traceparent,
    )
    return FakeRecord(
        topic=event.TOPIC,
        value=event.model_dump_json().encode(),
        key=envelope.partition_key.encode(),
        headers=[*envelope.to_headers(), *extra_headers],
        offset=next(_offsets),
        timestamp=int(time.time() * 1000),
    )


@dataclass(frozen=True, slots=True)
class KeyPair:
    """Signs tokens for tests; `public_key` is a PEM file."""

    public_key: Path
    private_pem: bytes

    def token(self, scopes: str = "*", *, subject: str = "test", ttl_s: float = 3600, **claims: Any) -> str:
        """A token with these scopes (space separated); claims override."""
        payload = {"iss": "ltc-dev", "aud": "ltc", "sub": subject, "exp": time.time() + ttl_s, "scope": scopes, **claims}
        return jwt.encode(payload, self.private_pem, algorithm="EdDSA")


class Deliver:
    """Runs events through the real consumer path (decode, inbox, handler, outbox, parking)."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    async def __call__(
        self,
        consumers: Consumers,
        event: Event,
        *,
        flow_id: UUID | None = None,
        event_id: UUID | None = None,
        occurred_at: datetime | None = None,
        sequence: int = 1,
    ) -> Outcome:
        """Deliver one event; the same `event_id` again is a redelivery."""
        identifier = event_id or new_id()
        async with self._runtime.db.connection() as conn:
            known = await conn.fetchval("SELECT EXISTS (SELECT 1 FROM inbox WHERE event_id = $1)", identifier)
        record = record_of(event, flow_id=flow_id, event_id=identifier, occurred_at=occurred_at, sequence=sequence)
        await self.records(consumers, [record])
        async with self._runtime.db.connection() as conn:
            held = await conn.fetchval("SELECT EXISTS (SELECT 1 FROM parked WHERE event_id = $1)", identifier)
        return "parked" if held else "duplicate" if known else "processed"

    async def records(self, consumers: Consumers, records: Sequence[FakeRecord]) -> None:
        """Deliver records as one batch."""
        await Processor(self._runtime, consumers).process(records)

    async def retry(self, consumers: Consumers) -> int:
        """Make everything that waits due now and try it until nothing moves; returns the number of attempts."""
        async with self._runtime.db.connection() as conn:
            await conn.execute("UPDATE parked SET next_attempt_at = clock_timestamp() WHERE state = 'waiting'")
        attempts = 0
        while await Processor(self._runtime, consumers).retry_due():
            attempts += 1
        return attempts


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> KeyPair:
    """The key pair of this test session."""
    private = Ed25519PrivateKey.generate()
    path = tmp_path_factory.mktemp("keys") / "public.pem"
    path.write_bytes(
        private.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    return KeyPair(
        path,
        private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
    )


@pytest.fixture
def clock() -> FixedClock:
    """Business time: 2026-01-01T00:00Z until the test moves it."""
    return FixedClock()


@pytest.fixture(scope="session")
def kafka_bootstrap(infra: Infra) -> str:
    """The real broker. Tests use topics of their own, since all workers share it."""
    return infra.kafka_bootstrap


@pytest.fixture(scope="session")
async def scratch(infra: Infra) -> AsyncIterator[Scratch]:
    """Databases to use up; dropped at the end of the session."""
    made = Scratch(infra.admin_dsn)
    yield made
    await made.drop()


@pytest.fixture
async def make_dsn(scratch: Scratch) -> AsyncIterator[Callable[[str], Awaitable[str]]]:
    """Gives a migrated database of a package, as empty as its migrations leave it."""
    taken: list[str] = []
    before = asyncio.all_tasks()

    async def make(package: str) -> str:
        # A session fixture may not depend on `service`: it differs by folder, and pytest would keep the first one's value.
        taken.append(await scratch.take(package))
        return taken[-1]

    yield make
    await _end_tasks_but(before)
    for each in taken:
        await scratch.give_back(each)


@pytest.fixture
async def dsn(make_dsn: Callable[[str], Awaitable[str]], service: str) -> str:
    """The database of the service under test."""
    return await make_dsn(service)


@pytest.fixture
def secrets_dir(tmp_path: Path) -> Path:
    """The secrets of the app under test, with a key for links; a test adds one by writing a file of its name."""
    folder = tmp_path / "secrets"
    folder.mkdir()
    (folder / "link-key").write_text(secrets.token_hex(32))
    return folder


@pytest.fixture
def environment(dsn: str, keys: KeyPair, secrets_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings of the app under test, as a deployment gives them; no broker."""
    for name in [name for name in os.environ if name.startswith("LTC_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("LTC_POSTGRES_DSN", dsn)
    monkeypatch.setenv("LTC_AUTH_PUBLIC_KEY", str(keys.public_key))
    monkeypatch.setenv("LTC_SECRETS_DIR", str(secrets_dir))
    monkeypatch.setenv("LTC_PUBLIC_URL", "http://service")


@pytest.fixture
async def app(
    environment: None,  # noqa: ARG001 - it sets the settings
    make_app: Callable[[], FastAPI],
    clock: FixedClock,
    scratch: Scratch,
) -> AsyncIterator[FastAPI]:
    """The service's app on its database, without its background loops."""
    made = share_routes(make_app())
    runtime: Runtime = made.state.runtime
    runtime.clock = runtime.db.clock = clock
    await scratch.open(runtime.db)
    yield made
    await scratch.close(runtime.db)


@pytest.fixture
def runtime(app: FastAPI) -> Runtime:
    """The running service."""
    found: Runtime = app.state.runtime
    return found


@pytest.fixture
def db(runtime: Runtime) -> Database:
    """The service's database."""
    return runtime.db


@pytest.fixture
async def client(app: FastAPI, keys: KeyPair) -> AsyncIterator[httpx.AsyncClient]:
    """HTTP to the app with a token for everything."""
    async with _client(app, {"Authorization": f"Bearer {keys.token()}"}) as made:
        yield made


@pytest.fixture
async def anonymous(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """HTTP to the app without a token."""
    async with _client(app, {}) as made:
        yield made


@pytest.fixture
async def address(app: FastAPI) -> AsyncIterator[str]:
    """The app on a port of its own, for a browser or curl; its database is opened by the fixture `app`."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(app, port=port, lifespan="off", log_level="warning", timeout_graceful_shutdown=2))
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.02)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    await serving


@pytest.fixture
def emitted(db: Database) -> Callable[[], Awaitable[list[Emitted]]]:
    """Everything in the outbox, in order, checked against the released schemas."""

    async def read() -> list[Emitted]:
        async with db.connection() as conn:
            rows = await outbox.unsent(conn, list(range(db.settings.relay_shards)), 100_000)
        return [_emitted(row) for row in rows]

    return read


@pytest.fixture
def deliver(runtime: Runtime) -> Deliver:
    """Delivers events to a service's consumers."""
    return Deliver(runtime)


@pytest.fixture
def parked(db: Database) -> Callable[[], Awaitable[list[asyncpg.Record]]]:
    """The parked records."""

    async def read() -> list[asyncpg.Record]:
        async with db.connection() as conn:
            return await parking.list_parked(conn, state=None, flow_id=None, after=0, limit=10_000)

    return read


@pytest.fixture
def run_timer(runtime: Runtime) -> Callable[[Timer | Errand], Awaitable[int]]:
    """Runs a timer until nothing is due."""
    return functools.partial(run_until_idle, runtime)


async def _end_tasks_but(before: set[asyncio.Task[Any]]) -> None:
    """All tests share a loop; what one of them left running does not run into the next."""
    left = asyncio.all_tasks() - before - {asyncio.current_task()} - set(LASTING)
    if left:
        # Most of them are about to end by themselves.
        await asyncio.wait(left, timeout=0.1)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)


def _client(app: FastAPI, headers: Mapping[str, str]) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service", headers=headers)


def _emitted(row: asyncpg.Record) -> Emitted:
    payload: str = row["payload"]
    if row["type"] in BY_TYPE:
        _check_schema(row["dataschema"], payload)
        event: Any = BY_TYPE[row["type"]].event.model_validate_json(payload)
    else:
        event = json.loads(payload)
    headers = {name: value.decode() for name, value in outbox.envelope_of(row).to_headers()}
    return Emitted(row["aggregatetype"], event, row["flowid"], row["sequence"], row["aggregateid"], headers)


def _check_schema(dataschema: str, payload: str) -> None:
    validator = _validator(dataschema)
    problems = [f"{error.json_path}: {error.message}" for error in validator.iter_errors(json.loads(payload))]
    assert not problems, f"{dataschema}: {problems}"


@functools.cache
def _validator(dataschema: str) -> Any:
    import jsonschema
    import ltc_contracts

    path = Path(ltc_contracts.__file__).parents[1] / dataschema.lstrip("/")
    return jsonschema.Draft202012Validator(json.loads(path.read_text()))
