"""One running stack for all end-to-end tests: real PostgreSQL, real Kafka, six services as processes, a day per second."""

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from ltc_chassis.clock import parse_clock
from ltc_cli.company.feed import EventFeed
from ltc_cli.company.suite import SERVICES, Suite
from ltc_cli.stack import Stack

DAY_S = 1.0


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Stack]:
    """Started once, stopped at the end; fault tests start again what they killed. Logs stay when a test failed."""
    home = Path(tmp_path_factory.mktemp("stack"))
    clock = "2026-01-01T00:00Z@86400"
    # A killed consumer's partitions come free after this long; the default is meant for production. What a change of an order would
    # do holds for half a minute: the day of the default is a second here.
    env = {"LTC_CONSUMER_SESSION_TIMEOUT_S": "6", "LTC_ASSESSMENT_HOURS": "720"}
    with Stack(home, ports="free", clock=clock, env=env) as running:
        yield running
        if request.session.testsfailed:
            kept = Path(tempfile.mkdtemp(prefix="ltc-e2e-logs-"))
            shutil.copytree(running.log("lead").parent, kept, dirs_exist_ok=True)
            print(f"\nlogs of the failed run: {kept}")


@pytest.fixture
async def suite(stack: Stack) -> AsyncIterator[Suite]:
    """HTTP to the six services."""
    async with Suite({name: stack.url(name) for name in SERVICES}, stack.token(), patience_s=90) as made:
        yield made


@pytest.fixture
async def feed(stack: Stack) -> AsyncIterator[EventFeed]:
    """Every event, from the beginning."""
    async with EventFeed(stack.kafka_bootstrap) as made:
        yield made


@pytest.fixture
def now(stack: Stack) -> datetime:
    """Business time at the start of the test."""
    return parse_clock(stack.clock, stack.clock_anchor).now().astimezone(UTC)
