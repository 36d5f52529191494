"""Every KPI of every past day: as it was known then, whatever came since, came twice or came in another order; and what is behind it."""

import random
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ltc_chassis.clock import FixedClock
from ltc_chassis.db import Database
from ltc_chassis.testing import Deliver, FakeRecord

from metrics_svc.consumers import consumers
from metrics_svc.store.kpis import registry, versions
from metrics_svc.tests.pasts import ask, facts_of, forget, history, id_of, occurred, recorded_at
from metrics_svc.tests.test_facts import LATER

HISTORY = history()
DAYS = [datetime(2026, month, day, tzinfo=UTC) for month, day in ((2, 6), (2, 21), (3, 4), (3, 7), (3, 20), (5, 1))]
CUT = ("channel", "campaign", "country", "rep", "product")
HALF = {"from": "2026-01-10T00:00:00Z", "to": "2026-03-06T00:00:00Z", "as_of": "2026-03-20T00:00:00Z"}
bounded = settings(
    max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


def late(seed: int) -> list[FakeRecord]:
    """Written down at once, or hours or weeks after it happened; what happened first in the year, months after."""
    choice = random.Random(seed)
    delays = (timedelta(0), timedelta(hours=7), timedelta(days=20))
    first = [each for each in HISTORY if each.topic == "opportunity.won" and occurred(each) < DAYS[0]]
    return [
        recorded_at(each, LATER - timedelta(days=9) if each in first else occurred(each) + choice.choices(delays, (6, 2, 2))[0])
        for each in HISTORY
    ]


def moment_of(item: FakeRecord) -> datetime:
    return max(datetime.fromisoformat(value.decode()) for name, value in item.headers if name == "ce_recordedtime" and value)


@pytest.mark.timeout(240)
@bounded
@given(seed=st.integers(0, 2**32), days=st.lists(st.sampled_from(DAYS), min_size=2, max_size=2, unique=True).map(sorted))
async def test_what_was_known_live_on_a_day_is_what_is_told_of_it_later(
    seed: int, days: list[datetime], client: httpx.AsyncClient, deliver: Deliver, db: Database, clock: FixedClock
) -> None:
    await forget(db)
    choice, waiting = random.Random(seed), late(seed)
    told: list[FakeRecord] = []
    live = {}
    for day in days:
        new = [each for each in waiting if moment_of(each) <= day]
        waiting = [each for each in waiting if moment_of(each) > day]
        # Of what was told before some is told again, and nothing comes in the order in which it happened.
        batch = new + choice.sample(told, min(len(told), 9))
        choice.shuffle(batch)
        cut = choice.randrange(len(batch) + 1)
        await deliver.records(consumers, batch[:cut])
        await deliver.records(consumers, batch[cut:])
        told += new
        clock.set(day)
        cut_by = {"by": "channel"} if day == days[0] else {}
        live[day] = {name: await ask(client, name, **cut_by) for name in registry()}
    clock.set(LATER)
    await deliver.records(consumers, waiting)
    for day, answers in live.items():
        then = {"as_of": day.isoformat(), "known_at": day.isoformat()} | ({"by": "channel"} if day == days[0] else {})
        for name, answer in answers.items():
            assert await ask(client, name, **then) == answer, (name, day)
    # What came late does change what is known of that day by now.
    by_now = await ask(client, "deals", as_of=days[-1].isoformat())
    assert by_now["rows"] != live[days[-1]]["deals"]["rows"]


@bounded
@given(seed=st.integers(0, 2**32), size=st.integers(1, 90))
async def test_whatever_the_order_the_batches_and_the_repetitions_the_facts_are_the_same(
    seed: int, size: int, deliver: Deliver, db: Database
) -> None:
    await forget(db)
    await deliver.records(consumers, HISTORY)
    in_order = await facts_of(db)
    assert len(in_order["event"]) == len(HISTORY)
    await forget(db)
    choice = random.Random(seed)
    again = HISTORY + choice.sample(HISTORY, len(HISTORY) // 3)
    choice.shuffle(again)
    for begin in range(0, len(again), size):
        await deliver.records(consumers, again[begin : begin + size])
    assert await facts_of(db) == in_order


async def behind(client: httpx.AsyncClient, name: str, **params: str) -> set[str]:
    """The ids of the events of a cell, page by page."""
    found: set[str] = set()
    cursor = None
    while True:
        page = {**params, "limit": "50"} | ({"cursor": cursor} if cursor else {})
        reply = await client.get(f"/v1/kpis/{name}/events", params=page)
        assert reply.status_code == 200, reply.text
        items = [item["id"] for item in reply.json()["items"]]
        assert not found & set(items)
        found |= set(items)
        cursor = reply.json()["next"]
        if not cursor:
            return found


@pytest.mark.timeout(240)
async def test_the_events_behind_a_cell_alone_give_it_again(
    client: httpx.AsyncClient, deliver: Deliver, db: Database, clock: FixedClock
) -> None:
    clock.set(LATER)
    await deliver.records(consumers, HISTORY)
    cells = []
    for name, of_it in versions().items():
        for version, kpi in of_it.items():
            about = {**HALF, "version": str(version)}
            # Each dimension for some: they are all found in the same way.
            known = [each for each in CUT if each in kpi.dimensions]
            for cut in ({}, {"by": known[(len(name) + version) % len(known)]}):
                rows = (await ask(client, name, **about, **cut))["rows"]
                for key in sorted({row["key"] for row in rows})[:3]:
                    opened = {"key": key} if cut else {}
                    ids = await behind(client, name, **about, **cut, **opened)
                    cells.append((name, {**about, **cut}, key, [row for row in rows if row["key"] == key], ids))
    assert {name for name, *_ in cells} == registry().keys()
    by_id = {str(id_of(each)): each for each in HISTORY}
    for name, params, key, rows, ids in cells:
        await forget(db)
        await deliver.records(consumers, [by_id[each] for each in ids])
        again = [row for row in (await ask(client, name, **params))["rows"] if row["key"] == key]
        assert again == rows, (name, params, key)
        assert ids, name


async def test_a_cell_opens_to_what_was_counted_and_not_to_everything(
    client: httpx.AsyncClient, deliver: Deliver, clock: FixedClock
) -> None:
    clock.set(LATER)
    await deliver.records(consumers, HISTORY)
    january = {"from": "2026-01-01T00:00:00Z", "until": "2026-02-01T00:00:00Z"}
    counted = (await client.get("/v1/kpis/deals/events", params=january)).json()["items"]
    assert {each["kind"] for each in counted} == {"won", "lost"}
    of_ada = (await client.get("/v1/kpis/deals/events", params={**january, "by": "rep", "key": "Ada"})).json()["items"]
    # Of the one deal, what was counted and what told whose it is.
    assert (sorted(each["kind"] for each in of_ada), len({each["flow_id"] for each in of_ada})) == (["opportunity", "won"], 1)
    everything = {str(id_of(each)) for each in HISTORY}
    for name in registry():
        assert await behind(client, name, **january) < everything
