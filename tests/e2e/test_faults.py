"""Deals go on while processes are killed and infrastructure is stopped: nothing lost, nothing doubled, residual 0.00."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from ltc_cli.company.feed import EventFeed
from ltc_cli.company.suite import SERVICES, Suite
from ltc_cli.stack import Stack

from .journey import EVERY_STAGE, Journey, settled

pytestmark = [pytest.mark.fault, pytest.mark.timeout(300)]
DEALS = 12
OUTAGE_S = 20


async def deals_survive(suite: Suite, feed: EventFeed, fault: Callable[[], Awaitable[None]]) -> None:
    """Start deals one after the other, strike in the middle, and count what every flow has at the end."""

    async def play(number: int) -> Journey:
        await asyncio.sleep(number * 0.15)
        journey = await Journey.begin(suite, feed)
        await journey.to_cash()
        return journey

    async def strike() -> None:
        await asyncio.sleep(0.7)
        await fault()

    *journeys, _ = await asyncio.gather(*(play(number) for number in range(DEALS)), strike())
    done = [journey for journey in journeys if journey is not None]
    assert len(done) == DEALS
    await settled(suite, done, "paid")
    for journey in done:
        counts = journey.counts()
        assert {topic: counts.get(topic) for topic in EVERY_STAGE} == dict.fromkeys(EVERY_STAGE, 1)
        flow = await suite.flow(journey.flow_id)
        assert flow["residual"] == "0.00"
    for service in SERVICES:
        parked = await suite.get(service, "/v1/parked", state="dead")
        assert parked["items"] == [], service


@pytest.mark.parametrize("service", SERVICES)
async def test_a_killed_service_loses_and_doubles_nothing(stack: Stack, suite: Suite, feed: EventFeed, service: str) -> None:
    async def kill() -> None:
        await asyncio.to_thread(stack.kill_service, service)
        await asyncio.sleep(0.5)
        await asyncio.to_thread(stack.start_service, service)

    await deals_survive(suite, feed, kill)


async def test_a_stopped_broker_stops_no_write_and_loses_nothing(stack: Stack, suite: Suite, feed: EventFeed) -> None:
    async def outage() -> None:
        await asyncio.to_thread(stack.stop_kafka)
        # Writes go on: that is what the outbox is for.
        leads = [await suite.capture(company=f"During the outage {number}") for number in range(5)]
        assert all(lead["flow_id"] for lead in leads)
        await asyncio.sleep(OUTAGE_S)
        await asyncio.to_thread(stack.start_kafka)

    await deals_survive(suite, feed, outage)


async def test_a_stopped_database_gives_503_and_recovers(stack: Stack, suite: Suite, feed: EventFeed) -> None:
    import httpx

    async def outage() -> None:
        await asyncio.to_thread(stack.stop_postgres)
        async with httpx.AsyncClient(headers={"Authorization": f"Bearer {stack.token()}"}, timeout=15) as http:
            reply = await http.get(f"{stack.url('lead')}/v1/leads")
            assert (reply.status_code, reply.json()["type"]) == (503, "urn:ltc:problem:database-unavailable")
            assert (await http.get(f"{stack.url('lead')}/health/ready")).status_code == 503
        await asyncio.sleep(OUTAGE_S)
        await asyncio.to_thread(stack.start_postgres)

    await deals_survive(suite, feed, outage)
