"""Production orders on a real database: ordered for a plan, moved by what an MES tells, and what that means for plan and promise."""

import asyncio
import base64
import functools
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from random import Random
from typing import Any
from uuid import UUID

import httpx
import pytest
from ltc_chassis.clock import FixedClock
from ltc_chassis.db import Database
from ltc_chassis.ids import new_id
from ltc_chassis.testing import Deliver, Emitted, record_of

from delivery_svc.consumers import consumers
from delivery_svc.handlers import production as handlers
from delivery_svc.store import deliveries, plans
from delivery_svc.tests.builders import a_request
from delivery_svc.tests.rig import Emissions, Json, Parked, order_of, post, read
from delivery_svc.tests.shop import NEEDED_BY, ordered, report

Make = Callable[..., Awaitable[Json]]
# The tests begin on Thursday, January 1; the pumps are needed by Monday 12, and promised for Thursday 15.
PROMISED_ON = date(2026, 1, 15)


@pytest.fixture
def make(deliver: Deliver, client: httpx.AsyncClient) -> Make:
    """A delivery of ten pumps that have to be made, and the production that was ordered for it."""
    return functools.partial(ordered, deliver, client)


async def of(client: httpx.AsyncClient, delivery: Json, **filters: Any) -> list[Json]:
    reply = await client.get("/v1/productions", params={"delivery_id": delivery["id"], **filters})
    assert reply.status_code == 200, reply.text
    items: list[Json] = reply.json()["items"]
    return items


async def productions(client: httpx.AsyncClient, production: Json) -> list[Json]:
    return await of(client, {"id": production["delivery_id"]})


async def delivery_of(client: httpx.AsyncClient, production: Json) -> Json:
    return await read(client, {"id": production["delivery_id"]})


def at(day: int, hour: int = 12) -> datetime:
    return datetime(2026, 1, day, hour, tzinfo=UTC)


def named(emitted: list[Emitted], prefix: str) -> list[Emitted]:
    return [item for item in emitted if item.topic.startswith(prefix)]


def promises(emitted: list[Emitted]) -> list[tuple[date, date | None]]:
    return [(item.event.promised_on, item.event.was) for item in emitted if item.topic == "delivery.promised"][1:]


async def steps(client: httpx.AsyncClient, production: Json) -> list[Json]:
    found: list[Json] = (await delivery_of(client, production))["steps"]
    return found


async def test_a_production_step_is_ordered_once_with_all_that_an_mes_needs(make: Make, emitted: Emissions, db: Database) -> None:
    production = await make()
    async with db.transaction() as tx:
        delivery = await deliveries.get_delivery_for_update(tx.conn, UUID(production["delivery_id"]))
        assert delivery is not None
        await handlers.follow_plan(tx, delivery, await plans.get_plan(tx.conn, delivery.id))
    [told] = named(await emitted(), "production.")
    assert told.topic == "production.ordered"
    assert told.event.model_dump(include={"number", "sku", "quantity", "needed_by", "priority", "order_number"}) == {
        "number": "P-2026-000001", "sku": "PUMP-10", "quantity": Decimal(10), "needed_by": NEEDED_BY, "priority": 50,
        "order_number": "O-2026-000001",
    }  # fmt: skip
    assert (told.sequence, str(told.flow_id)) == (1, production["flow_id"])
    assert (production["state"], production["job_state"]) == ("ordered", None)


async def test_news_move_it_and_when_all_are_good_the_step_is_done_and_shipment_can_follow(
    make: Make, deliver: Deliver, client: httpx.AsyncClient, emitted: Emissions, clock: FixedClock
) -> None:
    production = await make()
    clock.set(at(9))
    await deliver(consumers, report(production, 1, state="AllowedToStart", expected_end=at(8)))
    assert [step["state"] for step in await steps(client, production)] == ["planned", "planned"]
    await deliver(consumers, report(production, 2, 4, work_center="WC-2", segment="assembly", actual_start=at(2)))
    [now] = await productions(client, production)
    assert (now["state"], now["job_state"], now["quantity_good"], now["missing"]) == ("in_progress", "Running", "4", "6")
    assert [(step["done"], step["state"]) for step in await steps(client, production)] == [("4", "in_progress"), ("0", "planned")]
    await deliver(consumers, report(production, 7, 10, state="Ended", quantity_scrap=Decimal(1), actual_end=at(7)))
    assert [(step["done"], step["state"]) for step in await steps(client, production)] == [("10", "done"), ("0", "planned")]
    [_, done] = named(await emitted(), "production.")
    assert (done.topic, done.event.quantity_scrap, done.event.work_center, done.event.late) == (
        "production.completed",
        1,
        "WC-2",
        False,
    )
    assert (done.event.started_at, done.event.completed_at) == (at(2), at(7))
    assert done.headers["ce_time"].startswith("2026-01-07T12:00")
    delivery = await delivery_of(client, production)
    assert delivery["state"] == "planned", "nothing is delivered yet"
    assert (await post(client, delivery, "complete", {})).status_code == 200


async def test_repetitions_and_old_news_change_nothing(
    make: Make, deliver: Deliver, client: httpx.AsyncClient, emitted: Emissions, clock: FixedClock
) -> None:
    production = await make()
    clock.set(at(9))
    await deliver(consumers, report(production, 3, 6))
    before = await productions(client, production), await delivery_of(client, production), await emitted()
    for old in (report(production, 3, 6), report(production, 2, 10, state="Ended"), report(production, 3, 8)):
        assert await deliver(consumers, old) == "processed"
    assert (await productions(client, production), await delivery_of(client, production), await emitted()) == before


async def test_a_slip_past_what_the_promise_needs_is_promised_anew_with_the_reason_once(
    make: Make, deliver: Deliver, client: httpx.AsyncClient, emitted: Emissions, clock: FixedClock
) -> None:
    """Ready on Wednesday 14 instead of Monday 12: two working days later, and one to spare."""
    production = await make()
    clock.set(at(8))
    await deliver(consumers, report(production, 5, expected_end=at(14), reason="spindle broken"))
    assert promises(await emitted()) == [(date(2026, 1, 20), PROMISED_ON)]
    told = named(await emitted(), "delivery.promised")[-1]
    assert told.event.reason == "Pump, 10 bar will be ready later than planned"
    assert [step["planned_on"] for step in await steps(client, production)] == ["2026-01-15", "2026-01-20"]
    changed = named(await emitted(), "production.changed")
    assert [item.event.needed_by for item in changed] == [date(2026, 1, 15)]
    # The MES corrects itself by hours and by a day, there and back.
    for day, end in enumerate([at(14, 18), at(15, 23), at(14), at(13), at(16, 1), at(15)], start=1):
        await deliver(consumers, report(production, 5 + day / 10, expected_end=end))
    assert len(promises(await emitted())) == 1
    # It really gets worse.
    await deliver(consumers, report(production, 6.5, expected_end=at(19)))
    assert promises(await emitted())[1:] == [(date(2026, 1, 23), date(2026, 1, 20))]
    # And better: nobody is promised an earlier day behind their back.
    await deliver(consumers, report(production, 6.6, expected_end=at(12)))
    assert len(promises(await emitted())) == 2
    assert len(named(await emitted(), "production.changed")) == 2


async def test_within_tolerance_on_a_weekend_and_with_days_to_spare_nobody_is_written_to(
    make: Make, deliver: Deliver, client: httpx.AsyncClient, emitted: Emissions, clock: FixedClock
) -> None:
    production = await make()
    clock.set(at(8))
    await deliver(consumers, report(production, 5.0, expected_end=at(10)))  # a Saturday, before Monday
    await deliver(consumers, report(production, 5.1, expected_end=at(13, 2)))  # two hours past the day
    assert promises(await emitted()) == []
    assert named(await emitted(), "production.changed") == []
    # A person has promised a later day already: the plan has moved, and the shop floor knows.
    delivery = await delivery_of(client, production)
    await post(client, delivery, "promise", {"promised_on": "2026-02-20"})
    await deliver(consumers, report(production, 5.2, expected_end=at(16)))
    assert len(promises(await emitted())) == 1
    assert [step["planned_on"] for step in await steps(client, production)] == ["2026-02-17", "2026-02-20"]
    assert [item.event.needed_by for item in named(await emitted(), "production.changed")] == [date(2026, 2, 17)]


async def test_one_that_ends_late_without_having_said_so_slips_as_well(
    make: Make, deliver: Deliver, emitted: Emissions, clock: FixedClock
) -> None:
    production = await make()
    clock.set(at(14))
    await deliver(consumers, report(production, 13, 10, state="Ended"))
    assert promises(await emitted()) == [(date(2026, 1, 20), PROMISED_ON)]
    clock.set(at(19))
    await deliver(consumers, report(production, 15, 10, state="Ended", quantity_scrap=Decimal(1)))
    assert len(promises(await emitted())) == 1


async def test_what_comes_out_short_is_ordered_anew_and_counts_together(
    make: Make, deliver: Deliver, client: httpx.AsyncClient, emitted: Emissions, clock: FixedClock
) -> None:
    first = await make()
    clock.set(at(9))
    await deliver(consumers, report(first, 3, 7, state="Ended", quantity_scrap=Decimal(5), reason="out of material"))
    failed, second = await productions(client, first)
    assert (failed["state"], failed["failure"], failed["reordered"]) == ("failed", "short", True)
    assert (second["quantity"], second["reorder_of"], second["attempt"], second["priority"]) == ("3", first["id"], 2, 75)
    topics = [item.topic for item in named(await emitted(), "production.")]
    assert topics == ["production.ordered", "production.failed", "production.ordered"]
    await deliver(consumers, report(second, 4, 1))
    assert (await steps(client, first))[0]["done"] == "8"
    await deliver(consumers, report(second, 5, 4, state="Ended"))
    assert ((await steps(client, first))[0]["done"], (await steps(client, first))[0]["state"]) == ("10", "done")
    assert len(await productions(client, first)) == 2


async def test_pieces_that_are_there_after_all_are_not_made_again(
    make: Make, deliver: Deliver, client: httpx.AsyncClient, emitted: Emissions, clock: FixedClock
) -> None:
    first = await make()
    clock.set(at(9))
    await deliver(consumers, report(first, 3, 7, state="Ended"))
    await deliver(consumers, report(first, 4, 8, state="Ended", reason="one was counted as scrap"))
    _, second = await productions(client, first)
    assert second["quantity"] == "2"
    await deliver(consumers, report(first, 5, 10, state="Ended"))
    assert [each["state"] for each in await productions(client, first)] == ["failed", "cancelled"]
    assert (await steps(client, first))[0]["state"] == "done"
    topics = [item.topic for item in named(await emitted(), "production.")]
    assert topics[2:] == ["production.ordered", "production.changed", "production.cancelled"]


async def test_after_three_times_short_or_an_abort_a_person_decides(
    make: Make, deliver: Deliver, client: httpx.AsyncClient, clock: FixedClock
) -> None:
    first = await make()
    clock.set(at(9))
    for attempt in range(1, 4):
        [*_, last] = await productions(client, first)
        assert last["attempt"] == attempt
        await deliver(consumers, report(last, 3, 1, state="Ended"))
    [stuck] = await of(client, {"id": first["delivery_id"]}, waits_for_a_person=True)
    assert (stuck["attempt"], stuck["waits_for_a_person"], len(await productions(client, first))) == (3, True, 3)
    assert (await client.post(f"/v1/productions/{first['id']}/reorder")).status_code == 409
    reply = await client.post(f"/v1/productions/{stuck['id']}/reorder")
    assert (reply.status_code, reply.json()["reordered"]) == (200, True)
    assert (await client.post(f"/v1/productions/{stuck['id']}/reorder")).status_code == 409
    [*_, last] = await productions(client, first)
    assert (last["quantity"], last["state"], last["reorder_of"]) == ("7", "ordered", stuck["id"])
    await deliver(consumers, report(last, 4, 2, state="Aborted", reason="drawing is wrong"))
    [aborted] = await of(client, {"id": first["delivery_id"]}, waits_for_a_person=True)
    assert (aborted["failure"], aborted["reason"]) == ("aborted", "drawing is wrong")
    assert (await client.get(f"/v1/productions/{new_id()}")).status_code == 404


async def test_a_cancelled_order_cancels_what_is_being_made_and_later_news_are_written_down_only(
    make: Make, deliver: Deliver, client: httpx.AsyncClient, emitted: Emissions, clock: FixedClock
) -> None:
    production = await make()
    clock.set(at(9))
    await deliver(consumers, report(production, 3, 4))
    delivery = await delivery_of(client, production)
    await deliver(consumers, a_request(order_of(delivery)), occurred_at=at(9))
    assert (await delivery_of(client, production))["state"] == "cancelled"
    cancelled = named(await emitted(), "production.cancelled")
    assert [item.event.reason for item in cancelled] == ["budget cut"]
    await deliver(consumers, report(production, 5, 10, state="Ended"))
    [now] = await productions(client, production)
    assert (now["state"], now["quantity_good"], now["job_state"]) == ("cancelled", "10", "Ended")
    assert len(named(await emitted(), "production.")) == 2


async def test_an_order_whose_pieces_are_made_is_not_cancelled(
    make: Make, deliver: Deliver, client: httpx.AsyncClient, clock: FixedClock, db: Database
) -> None:
    production = await make()
    clock.set(at(9))
    await deliver(consumers, report(production, 3, 10, state="Ended"))
    delivery = await delivery_of(client, production)
    await deliver(consumers, a_request(order_of(delivery)), occurred_at=at(9))
    now = await delivery_of(client, production)
    assert (now["state"], now["cancellation"]["state"]) == ("planned", "refused")
    async with db.transaction() as tx:
        fewer = {UUID(production["line_id"]): Decimal(6)}
        assert await handlers.why_not(tx, UUID(delivery["id"]), fewer) == "10 of PUMP-10 are made already (P-2026-000001)"


async def test_a_changed_plan_changes_what_is_being_made_and_a_hand_over_ends_it(
    make: Make, client: httpx.AsyncClient, emitted: Emissions, db: Database
) -> None:
    production = await make()
    async with db.transaction() as tx:
        delivery = await deliveries.get_delivery_for_update(tx.conn, UUID(production["delivery_id"]))
        assert delivery is not None
        before = await plans.get_plan(tx.conn, delivery.id)
        step = next(step for step in before.steps if step.kind == "production")
        after = before.with_steps([replace(step, quantity=Decimal(6), planned_on=date(2026, 1, 13))])
        await plans.save_plan(tx.conn, delivery.id, before, after)
        await handlers.follow_plan(tx, delivery, after)
    changed = named(await emitted(), "production.changed")
    assert [(item.event.quantity, item.event.needed_by, item.sequence) for item in changed] == [(6, date(2026, 1, 13), 2)]
    assert (await post(client, await delivery_of(client, production), "complete", {})).status_code == 200
    [now] = await productions(client, production)
    assert now["state"] == "cancelled", "the customer has everything, from stock"
    assert named(await emitted(), "production.cancelled")[0].event.reason == "delivered without it"


async def test_news_of_an_unknown_production_wait_for_it_and_are_dead_with_their_bytes_after_the_deadline(
    deliver: Deliver, client: httpx.AsyncClient, parked: Parked, db: Database
) -> None:
    early = report({"id": str(new_id())}, -1)
    assert await deliver(consumers, early) == "parked"
    assert [(row["state"], row["reason"]) for row in await parked()] == [("waiting", "not_yet")]
    async with db.connection() as conn:
        await conn.execute("UPDATE parked SET first_parked_at = first_parked_at - interval '1 day'")
    await deliver.retry(consumers)
    [dead] = await parked()
    assert (dead["state"], dead["reason"]) == ("dead", "not_yet")
    kept = (await client.get(f"/v1/parked/{dead['id']}")).json()
    assert b64(kept["value"]) == early.model_dump_json().encode()


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (b"\xff\xfe not json", "value"),
        (b'{"production_id": "P-1", "state": "Running"}', "production_id"),
        (b'{"production_id": "%s", "state": "Paused", "quantity_good": "1", "quantity_scrap": "0", "as_of": "2026-01-01T00:00:00Z"}', "state"),
        (b'{"production_id": "%s", "state": "Running", "quantity_good": "-1", "quantity_scrap": "0", "as_of": "2026-01-01T00:00:00Z"}',
         "quantity_good"),
        (b'{"production_id": "%s", "state": "Running", "quantity_good": "NaN", "quantity_scrap": "0", "as_of": "2026-01-01T00:00:00Z"}',
         "quantity_good"),
        (b'{"production_id": "%s", "state": "Running", "quantity_good": "1", "quantity_scrap": "0", "as_of": "2031-01-01T00:00:00Z"}',
         "after now"),
        (b'{"production_id": "%s", "state": "Running", "quantity_good": "1", "quantity_scrap": "0", "as_of": "2026-01-01T00:00:00Z",'
         b' "expected_end": "9999-12-31T23:59:59Z"}', "between 1970 and 2200"),
    ],
)  # fmt: skip
async def test_invalid_news_are_parked_with_their_bytes_and_move_nothing(
    value: bytes, says: str, make: Make, deliver: Deliver, client: httpx.AsyncClient, parked: Parked
) -> None:
    production = await make()
    value = value.replace(b"%s", production["id"].encode())
    record = replace(record_of(report(production, -1), flow_id=None), value=value)
    await deliver.records(consumers, [record])
    [row] = await parked()
    assert (row["state"], row["reason"]) == ("dead", "refused")
    assert says in row["error"]
    kept = (await client.get(f"/v1/parked/{row['id']}")).json()
    assert b64(kept["value"]) == value
    assert await productions(client, production) == [production]


async def test_reports_at_the_same_time_order_the_rest_once(
    make: Make, deliver: Deliver, client: httpx.AsyncClient, clock: FixedClock
) -> None:
    production = await make()
    clock.set(at(9))
    told = [report(production, 3 + n / 10, 6, state="Ended", expected_end=at(14)) for n in range(6)]
    await asyncio.gather(*(deliver(consumers, each) for each in told))
    assert [each["quantity"] for each in await productions(client, production)] == ["10", "4"]


@pytest.mark.parametrize("seed", range(8))
async def test_any_interleaving_and_repetition_ends_in_the_same(
    seed: int, make: Make, deliver: Deliver, client: httpx.AsyncClient, clock: FixedClock, emitted: Emissions, parked: Parked
) -> None:
    production = await make()
    clock.set(at(12))
    random = Random(seed)
    told = [
        *(report(production, 1 + n, n * 2, expected_end=at(12 + n)) for n in range(4)),
        report(production, 6, 10, state="Ended", actual_end=at(7)),
    ]
    for each in random.choices(told, k=8) + random.sample(told, len(told)):
        await deliver(consumers, each)
    assert await parked() == []
    [now] = await productions(client, production)
    assert (now["state"], now["quantity_good"], now["ended_at"]) == ("completed", "10", "2026-01-07T12:00:00Z")
    events = await emitted()
    assert len(named(events, "production.completed")) == 1
    assert (await steps(client, production))[0]["state"] == "done"
    sequences = [item.sequence for item in named(events, "production.")]
    assert sequences == sorted(set(sequences))
    days = [PROMISED_ON, *(day for day, _ in promises(events))]
    assert days == sorted(set(days)), "each new day is promised once, and none is earlier than the last"


def b64(text: str) -> bytes:
    return base64.b64decode(text)
