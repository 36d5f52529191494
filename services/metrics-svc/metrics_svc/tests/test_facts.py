"""From events to numbers: each KPI against the golden deal, replayable to any past instant, and conservation to the cent."""

import random
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import asyncpg
import httpx
import pytest
from ltc_chassis.clock import FixedClock
from ltc_chassis.db import Database
from ltc_chassis.ids import new_id
from ltc_chassis.testing import Deliver, FakeRecord
from ltc_contracts.examples import Example, all_examples, example
from ltc_contracts.topics import BY_NAME

from metrics_svc.consumers import consumers
from metrics_svc.domain.journey import milestone
from metrics_svc.store.kpis import registry

LATER = datetime(2026, 12, 1, tzinfo=UTC)
FLOW = str(example("lead.captured").envelope.flow_id)


def record(sample: Example, **headers: str) -> FakeRecord:
    import orjson

    merged = {**sample.headers, **headers}
    pairs = [(name, value.encode()) for name, value in merged.items()]
    return FakeRecord(sample.topic, orjson.dumps(sample.data), sample.key.encode(), pairs, offset=random.randrange(10**9))


def changed(sample: Example, **data: Any) -> Example:
    fresh = {"ce_id": str(new_id())}
    return Example(sample.topic, {**sample.headers, **fresh}, sample.key, {**sample.data, **data})


@pytest.fixture
async def deal(deliver: Deliver, clock: FixedClock) -> None:
    """All golden examples: a deal paid in part, a lost one, a cancelled one."""
    clock.set(LATER)
    await deliver.records(consumers, [record(sample) for sample in all_examples()])


async def values(client: httpx.AsyncClient, name: str, **params: str) -> dict[str, str]:
    reply = await client.get(f"/v1/kpis/{name}", params=params)
    assert reply.status_code == 200, reply.text
    return {f"{row['key']}.{row['name']}".removeprefix("all."): row["value"] for row in reply.json()["rows"]}


async def residual(client: httpx.AsyncClient) -> str:
    rows = (await client.get("/v1/conservation")).json()["currencies"]
    return str(rows[0]["residual"]) if rows else "0.00"


@pytest.mark.usefixtures("deal")
async def test_every_event_is_kept_once(client: httpx.AsyncClient, deliver: Deliver, db: Database) -> None:
    await deliver.records(consumers, [record(sample) for sample in all_examples()])
    async with db.connection() as conn:
        assert await conn.fetchval("SELECT count(*) FROM event") == len(BY_NAME)
        with pytest.raises(asyncpg.RestrictViolationError):
            await conn.execute("DELETE FROM milestone")


@pytest.mark.usefixtures("deal")
async def test_nothing_of_a_person_is_kept(db: Database) -> None:
    async with db.connection() as conn:
        rows = await conn.fetch("SELECT topic, data::text AS data FROM event")
    known = {"lead.qualified": "contact", "order.confirmed": "customer", "contract.signed": "signed_by"}
    for sample in all_examples():
        if sample.topic in known:
            told = sample.data[known[sample.topic]]
            words = [told] if isinstance(told, str) else [told.get("name"), told.get("email"), told.get("phone")]
            for word in filter(None, words):
                assert not [row for row in rows if row["topic"] == sample.topic and word in row["data"]], (sample.topic, word)


@pytest.mark.usefixtures("deal")
async def test_an_erasure_changes_no_number(client: httpx.AsyncClient, deliver: Deliver) -> None:
    before = {name: await values(client, name) for name in registry()}
    flow = (await client.get(f"/v1/flows/{FLOW}")).json()
    erased = changed(example("person.erased"), lead_ids=[example("lead.captured").data["lead_id"]])
    await deliver.records(consumers, [record(erased)])
    assert {name: await values(client, name) for name in registry()} == before
    assert (await client.get(f"/v1/flows/{FLOW}")).json() == flow
    assert await residual(client) == "0.00"


@pytest.mark.usefixtures("deal")
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("win_rate", {"by_count": "50.0000", "by_value": "50.0000"}),
        ("sales_cycle", {"mean": "11.0000", "median": "11.0000", "p90": "11.0000"}),
        ("lead_conversion_rate", {"rate": "100.0000"}),
        ("on_time_delivery", {"rate": "100.0000"}),
        ("on_time_collection", {"by_amount": "0.0000", "by_count": "0.0000"}),
        ("order_processing_time", {"confirmed_to_first_delivery": "14.0000", "signed_to_confirmed": "0.0000"}),
        ("outstanding", {"EUR": "5027.81"}),
        ("overdue_amount", {"EUR": "5027.81"}),
        ("collected", {"EUR": "1378.00"}),
        ("credited", {"EUR": "244.00"}),
        ("invoiced", {"EUR": "6527.81"}),
        ("deals", {"won": "1", "lost": "1", "won_value_EUR": "5350.66", "lost_value_EUR": "5350.66"}),
        ("marketing_spend", {"EUR": "182.40"}),
        ("cac", {"EUR": "182.40"}),
        ("first_response_time", {"mean": "42.0000", "median": "42.0000", "p90": "42.0000"}),
        ("first_response_in_time", {"rate": "50.0000"}),
        ("csat", {"csat": "100.0000", "response_rate": "100.0000"}),
        ("nps", {"nps": "100.0000", "response_rate": None}),
        ("survey_response_rate", {"csat": "100.0000", "total": "100.0000"}),
    ],
)
async def test_a_kpi_of_the_golden_deal(client: httpx.AsyncClient, name: str, expected: dict[str, str | None]) -> None:
    assert await values(client, name) == expected


@pytest.mark.usefixtures("deal")
async def test_of_a_wait_that_was_late_only_its_target_counts_and_a_response_written_down_later_mends_it(
    client: httpx.AsyncClient, deliver: Deliver
) -> None:
    wait = example("lead.sla_breached")
    await deliver.records(consumers, [record(changed(wait, level=2))])
    assert await values(client, "first_response_in_time") == {"rate": "50.0000"}
    answer = example("lead.first_responded")
    told = {**answer.headers, "ce_id": str(new_id()), "ce_flowid": wait.headers["ce_flowid"]}
    facts = {"lead_id": wait.data["lead_id"], "started_at": wait.data["started_at"]}
    await deliver.records(consumers, [record(Example(answer.topic, told, wait.key, {**answer.data, **facts}))])
    assert await values(client, "first_response_in_time") == {"rate": "100.0000"}


@pytest.mark.usefixtures("deal")
@pytest.mark.parametrize(
    ("dimension", "key"),
    [
        ("owner", "Darcel Schlecht"),
        ("team", "South"),
        ("region", "south"),
        ("product", "SUPPORT"),
        ("segment", "b2b"),
        ("campaign", "spring"),
    ],
)
async def test_deals_can_be_cut_by_what_they_tell(client: httpx.AsyncClient, dimension: str, key: str) -> None:
    assert (await values(client, "deals", by=dimension))[f"{key}.won"] == "1"


@pytest.mark.usefixtures("deal")
async def test_spend_is_cut_by_campaign(client: httpx.AsyncClient) -> None:
    assert await values(client, "cac", by="campaign") == {"spring.EUR": "182.40"}


@pytest.mark.usefixtures("deal")
async def test_the_funnel_counts_flows_that_ever_reached_a_stage(client: httpx.AsyncClient) -> None:
    found = await values(client, "funnel")
    assert found["lead"] == found["won"] == found["paid"] == "1"
    assert (await values(client, "funnel", by="source"))["Google.lead"] == "1"


@pytest.mark.usefixtures("deal")
async def test_a_number_can_be_asked_as_of_any_past_instant(client: httpx.AsyncClient) -> None:
    assert await values(client, "outstanding", as_of="2026-02-15T00:00:00Z") == {"EUR": "6527.81"}
    assert await values(client, "overdue_amount", as_of="2026-02-15T00:00:00Z") == {}
    assert await values(client, "outstanding", as_of="2026-01-10T00:00:00Z") == {}


@pytest.mark.usefixtures("deal")
async def test_a_late_event_changes_only_what_is_known_later(client: httpx.AsyncClient, deliver: Deliver) -> None:
    moments = {"as_of": "2026-04-01T00:00:00Z", "known_at": "2026-04-01T00:00:00Z"}
    before = await values(client, "collected", **moments)
    late = changed(
        example("payment.allocated"),
        amount={"amount": "500.00", "currency": "EUR"},
        open_after={"amount": "4027.81", "currency": "EUR"},
    )
    late = Example(late.topic, {**late.headers, "ce_recordedtime": "2026-06-01T00:00:00.000000Z"}, late.key, late.data)
    await deliver.records(consumers, [record(late)])
    assert await values(client, "collected", **moments) == before == {"EUR": "1378.00"}
    assert await values(client, "collected", as_of=moments["as_of"]) == {"EUR": "1878.00"}


@pytest.mark.usefixtures("deal")
async def test_every_number_opens_to_its_events_and_every_kpi_is_explained(client: httpx.AsyncClient) -> None:
    listed = (await client.get("/v1/kpis")).json()
    assert {kpi["name"] for kpi in listed} == set(registry())
    for kpi in listed:
        assert kpi["definition"].endswith(".")
        assert (await client.get(f"/v1/kpis/{kpi['name']}/events")).json()["items"], kpi["name"]
    unknown = await client.get("/v1/kpis/happiness")
    assert unknown.status_code == 404


@pytest.mark.usefixtures("deal")
async def test_a_journey_shows_every_event_with_service_cause_and_trace(client: httpx.AsyncClient) -> None:
    flow = (await client.get(f"/v1/flows/{FLOW}")).json()
    assert flow["residual"] == "0.00"
    confirmed = next(step for step in flow["journey"] if step["topic"] == "order.confirmed")
    assert (confirmed["service"], confirmed["number"], len(confirmed["trace_id"])) == ("order", "O-2026-000001", 32)
    assert confirmed["causation_id"] == example("contract.signed").headers["ce_id"]
    [found] = (await client.get("/v1/flows", params={"q": "INV-2026-000001"})).json()["items"]
    assert found["flow_id"] == FLOW
    assert (await client.get("/v1/flows/019b0000-0000-7000-8000-000000000000")).status_code == 404
    assert len((await client.get("/v1/flows")).json()["items"]) == 3


async def test_whatever_has_arrived_of_a_correct_deal_the_residual_is_zero(
    client: httpx.AsyncClient, deliver: Deliver, clock: FixedClock
) -> None:
    clock.set(LATER)
    samples = all_examples()
    random.Random(7).shuffle(samples)
    for sample in samples:
        await deliver.records(consumers, [record(sample)])
        assert await residual(client) == "0.00", sample.topic


@pytest.mark.usefixtures("deal")
@pytest.mark.parametrize(
    ("topic", "data", "expected"),
    [
        ("invoice.issued", {"number": "INV-2026-000009"}, Decimal("5350.66")),
        ("order.confirmed", {"net": {"amount": "0.01", "currency": "EUR"}}, Decimal("0.01")),
    ],
)
async def test_a_doubled_invoice_or_a_cent_too_many_shows(
    client: httpx.AsyncClient, deliver: Deliver, topic: str, data: dict[str, Any], expected: Decimal
) -> None:
    await deliver.records(consumers, [record(changed(example(topic), **data))])
    assert Decimal(await residual(client)) >= expected


async def test_what_was_no_contract_or_is_never_confirmed_is_not_in_transit(
    client: httpx.AsyncClient, deliver: Deliver, clock: FixedClock
) -> None:
    clock.set(LATER)
    shop, held = str(new_id()), str(new_id())
    told = [
        record(changed(example("order.confirmed"), source="checkout"), ce_flowid=shop),
        record(changed(example("contract.signed")), ce_flowid=held),
        record(changed(example("order.cancelled")), ce_flowid=held),
    ]
    await deliver.records(consumers, told[:2])
    [row] = (await client.get("/v1/conservation")).json()["currencies"]
    assert (row["in_transit_to_order"], row["in_transit_to_delivery"], row["residual"]) == ("5350.66", "5350.66", "0.00")
    await deliver.records(consumers, told[2:])
    [row] = (await client.get("/v1/conservation")).json()["currencies"]
    assert (row["in_transit_to_order"], row["in_transit_to_delivery"], row["residual"]) == ("0.00", "5350.66", "0.00")


async def test_a_payload_that_cannot_be_read_is_parked_alone(
    deliver: Deliver, parked: Callable[[], Awaitable[list[asyncpg.Record]]], db: Database
) -> None:
    bad = record(
        Example("order.confirmed", {**example("order.confirmed").headers, "ce_id": str(new_id())}, "k", {"order_id": 17})
    )
    await deliver.records(consumers, [record(example("lead.captured")), bad, record(example("order.confirmed"))])
    assert [row["reason"] for row in await parked()] == ["refused"]
    async with db.connection() as conn:
        assert await conn.fetchval("SELECT count(*) FROM event") == 2


def carries_money(data: Any) -> bool:
    if isinstance(data, dict):
        return data.keys() == {"amount", "currency"} or any(carries_money(value) for value in data.values())
    return isinstance(data, list) and any(carries_money(value) for value in data)


def test_every_topic_with_money_or_a_stage_has_a_milestone() -> None:
    silent = {topic for topic in BY_NAME if milestone(topic, example(topic).data) is None}
    with_money = {topic for topic in silent if carries_money(example(topic).data)}
    assert with_money == {
        *("order.received", "erp.order_placed", "order.held"),  # what is ordered counts when it is confirmed
        "erp.customer_changed",  # a limit is no money that moves
        # What we owe our own reps is not the customer's money.
        *("commission.accrued", "commission.vested", "commission.clawed_back", "contract.renewal_due"),
        # Steps of an offer: its value counts when it is sent and when it is accepted.
        *("quote.approval_requested", "quote.approved", "quote.rejected", "quote.expired"),
        # What a subscription orders counts as the order that it is; what it will bring is nothing that happened.
        *(f"subscription.{what}" for what in ("started", "renewed", "changed", "paused", "resumed", "order_lapsed", "ended")),
        "order.change_requested",  # what is wished counts when it is granted
        "journal.posted",  # the books say again what documents and payments said
        # What is reminded of, or promised, is owed already.
        *("dunning.step_taken", "payment.promised", "payment.promise_broken"),
    }
    # Steps between stages. A new topic comes here only when it moves no flow from one stage to another.
    assert silent - with_money == {
        *(
            "lead.engaged",
            "lead.merged",
            "lead.recycled",
            "lead.released",
        ),
        *("lead.scored", "lead.touched", "lead.unmerged", "person.erased", "activity.logged", "dunning.ended"),
        "payment.declined",  # nothing was paid
        *("nurture.enrolled", "nurture.step_sent", "nurture.ended", "opportunity.stage_changed"),
        *("subscription.cancelled", "subscription.cancellation_withdrawn"),
        *("order.cancellation_requested", "order.fulfilled", "order.released", "order.stalled", "erp.stock_changed"),
        *("delivery.promised", "delivery.progressed", "delivery.cancelled", "delivery.failed", "delivery.change_decided"),
        *(f"production.{what}" for what in ("ordered", "changed", "cancelled", "completed", "failed")),
        "mes.production_progressed",
        *("survey.declined", "survey.expired"),  # no answer is what is missing of those asked
        *(f"ticket.{what}" for what in ("opened", "assigned", "escalated", "reopened", "merged")),
    }
