"""billing-svc and metrics-svc with their real consumers and HTTP, each on a database of its own; the broker is played."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import billing_svc.app
import httpx
import metrics_svc.app
import pytest
from ltc_chassis import outbox
from ltc_chassis.clock import FixedClock
from ltc_chassis.runtime import Runtime
from ltc_chassis.scratch import Scratch
from ltc_chassis.testing import Deliver, FakeRecord, KeyPair
from ltc_chassis.testing_routes import share_routes


@dataclass(frozen=True, slots=True)
class Service:
    """One that runs, without its background loops."""

    client: httpx.AsyncClient
    runtime: Runtime
    deliver: Deliver

    async def take_told(self) -> list[FakeRecord]:
        """What it told since it was last asked, as the relay would send it."""
        async with self.runtime.db.connection() as conn:
            rows = await outbox.unsent(conn, list(range(self.runtime.db.settings.relay_shards)), 100_000)
            await outbox.delete(conn, [row["seq"] for row in rows])
        return [
            FakeRecord(
                topic=row["aggregatetype"],
                value=row["payload"].encode(),
                key=row["aggregateid"].encode(),
                headers=list(outbox.envelope_of(row).to_headers()),
            )
            for row in rows
        ]


@dataclass(frozen=True, slots=True)
class Suite:
    """The two services of which a history is about."""

    billing: Service
    metrics: Service
    clock: FixedClock


@pytest.fixture
async def suite(
    make_dsn: Callable[[str], Awaitable[str]],
    keys: KeyPair,
    secrets_dir: Path,
    clock: FixedClock,
    scratch: Scratch,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Suite]:
    monkeypatch.setenv("LTC_AUTH_PUBLIC_KEY", str(keys.public_key))
    monkeypatch.setenv("LTC_SECRETS_DIR", str(secrets_dir))
    monkeypatch.setenv("LTC_PUBLIC_URL", "http://service")
    monkeypatch.delenv("LTC_KAFKA_BOOTSTRAP", raising=False)
    async with AsyncExitStack() as stack:

        async def start(app: ModuleType, package: str) -> Service:
            monkeypatch.setenv("LTC_POSTGRES_DSN", await make_dsn(package))
            made = share_routes(app.create_app())
            runtime: Runtime = made.state.runtime
            runtime.clock = runtime.db.clock = clock
            await scratch.open(runtime.db)
            stack.push_async_callback(scratch.close, runtime.db)
            headers = {"Authorization": f"Bearer {keys.token()}"}
            client = httpx.AsyncClient(transport=httpx.ASGITransport(made), base_url="http://service", headers=headers)
            return Service(await stack.enter_async_context(client), runtime, Deliver(runtime))

        yield Suite(await start(billing_svc.app, "billing_svc"), await start(metrics_svc.app, "metrics_svc"), clock)
