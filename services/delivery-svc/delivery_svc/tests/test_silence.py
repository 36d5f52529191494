"""A silent MES is seen: in time, once, however late and on however many replicas the timer runs; and forgotten once it speaks."""

import asyncio
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import httpx
import pytest
from ltc_chassis.clock import FixedClock
from ltc_chassis.testing import Deliver

from delivery_svc.consumers import consumers
from delivery_svc.domain import production as productions_rules
from delivery_svc.domain.silence import fall_silent, news_due_at
from delivery_svc.tests.desk import Run, timer
from delivery_svc.tests.rig import Emissions, Json, post
from delivery_svc.tests.shop import NEEDED_BY, ordered, report
from delivery_svc.tests.test_production import at, delivery_of, named
from delivery_svc.tests.test_production_domain import NOW, a_production, a_report, learnt

GRACE = timedelta(hours=24)
WATCH = timer("watch-productions")


def test_something_is_to_be_heard_by_the_day_it_begins_or_ends_and_each_report_counts_anew() -> None:
    p = a_production()
    assert (p.start_on, news_due_at(p)) == (date(2026, 1, 6), datetime(2026, 1, 7, tzinfo=UTC)), "not begun by then"
    assert news_due_at(replace(p, created_at=NOW + timedelta(days=9))) == NOW + timedelta(days=9), (
        "ordered when it was late already"
    )
    taken, _ = learnt(p, a_report(p, 1, state="AllowedToStart", expected_end=NOW + timedelta(days=2)))
    assert news_due_at(taken) == datetime(2026, 1, 10, tzinfo=UTC), "it is foreseen, and needed by the 9th"
    foreseen, _ = learnt(taken, a_report(p, 2, expected_end=NOW + timedelta(days=20)))
    assert news_due_at(foreseen) == NOW + timedelta(days=20)
    begun, _ = learnt(p, a_report(p, 24))
    assert news_due_at(begun) == datetime(2026, 1, 10, tzinfo=UTC)
    told, _ = productions_rules.learn(begun, a_report(p, 24 * 6, 5), NOW + timedelta(days=7))
    assert news_due_at(told) == NOW + timedelta(days=6), "late, and heard of"
    ended, _ = learnt(begun, a_report(p, 30, 10, state="Ended"))
    assert news_due_at(ended) is None


def test_it_falls_silent_after_the_grace_once_and_any_newer_word_ends_that() -> None:
    p = a_production()
    due = datetime(2026, 1, 7, tzinfo=UTC)
    assert fall_silent(p, due + GRACE - timedelta(seconds=1), GRACE) == (p, [])
    silent, [told] = fall_silent(p, due + GRACE, GRACE)
    assert (silent.waiting_because, silent.state, silent.version) == ("not_begun", "ordered", 2)
    assert (told.TOPIC, told.model_dump()["priority"], told.model_dump()["quantity"]) == ("production.changed", 75, Decimal(10))
    assert fall_silent(silent, due + GRACE * 9, GRACE) == (silent, [])
    spoken, _ = productions_rules.learn(silent, a_report(p, 24 * 4), NOW + timedelta(days=5))
    assert (spoken.waiting_because, spoken.priority) == (None, 75)
    again, _ = fall_silent(spoken, NOW + timedelta(days=9), GRACE)
    assert again.waiting_because == "not_finished"
    cancelled, _ = productions_rules.cancel(again, "no", NOW)
    changed, _ = productions_rules.change(again, Decimal(3), again.start_on, again.needed_by, NOW)
    assert (cancelled.silence, changed.silence) == (None, None)


async def waiting(client: httpx.AsyncClient) -> list[tuple[str, str]]:
    reply = await client.get("/v1/productions", params={"waits_for_a_person": True})
    assert reply.status_code == 200, reply.text
    assert all(item["waits_for_a_person"] for item in reply.json()["items"])
    return [(item["id"], item["waiting_because"]) for item in reply.json()["items"]]


async def test_what_nothing_is_heard_of_is_on_the_list_with_the_reason_until_something_is(
    deliver: Deliver, client: httpx.AsyncClient, emitted: Emissions, clock: FixedClock, run_timer: Run
) -> None:
    """Five working days to make, needed by Monday 12: to begin on Monday 5, so something is to be heard by the end of Tuesday."""
    silent, begun = [await ordered(deliver, client) for _ in range(2)]
    assert (silent["start_on"], silent["needed_by"]) == ("2026-01-05", NEEDED_BY.isoformat())
    await deliver(consumers, report(begun, 0, 1))
    clock.set(datetime(2026, 1, 6, 23, 59, tzinfo=UTC))
    assert (await run_timer(WATCH), await waiting(client)) == (0, [])
    clock.set(datetime(2026, 1, 7, tzinfo=UTC))
    assert sum(await asyncio.gather(run_timer(WATCH), run_timer(WATCH))) == 1, "once, on two replicas"
    assert await waiting(client) == [(silent["id"], "not_begun")]
    [told] = named(await emitted(), "production.changed")
    assert (str(told.event.production_id), told.event.priority, told.sequence) == (silent["id"], 75, 2)
    # The service was down for weeks: late, and not lost.
    clock.set(at(25))
    assert (await run_timer(WATCH), await run_timer(WATCH)) == (1, 0)
    assert await waiting(client) == [(silent["id"], "not_begun"), (begun["id"], "not_finished")]
    await deliver(consumers, report(silent, 24, 2))
    assert await waiting(client) == [(begun["id"], "not_finished")]
    assert (await post(client, await delivery_of(client, begun), "complete", {})).status_code == 200
    assert await waiting(client) == []
    clock.set(at(27))
    assert await run_timer(WATCH) == 1, "it spoke, and was not heard of again"
    assert await waiting(client) == [(silent["id"], "not_finished")]


@pytest.mark.parametrize("news", ["same", "older"])
async def test_what_is_told_again_is_no_news(
    news: str, deliver: Deliver, client: httpx.AsyncClient, clock: FixedClock, run_timer: Run
) -> None:
    production: Json = await ordered(deliver, client)
    await deliver(consumers, report(production, 0.5, 1))
    clock.set(at(25))
    assert await run_timer(WATCH) == 1
    await deliver(consumers, report(production, 0.5 if news == "same" else 0.2, 1))
    assert await waiting(client) == [(production["id"], "not_finished")]
