"""The page of an order: the whole deal from events alone, whichever came first, bounded however much there is."""

from datetime import date, datetime
from decimal import Decimal
from random import Random
from typing import Any, NamedTuple
from uuid import UUID

import httpx
import pytest
from ltc_chassis.clock import FixedClock
from ltc_chassis.db import Database
from ltc_chassis.ids import new_id
from ltc_chassis.testing import Deliver, record_of
from ltc_contracts.events import ContractSigned, Event

from order_svc.consumers import consumers
from order_svc.tests.builders import (
    a_contract,
    a_line,
    allocated,
    completed,
    credited,
    decided,
    eur,
    issued,
    paid,
    promised,
    refunded,
)
from order_svc.tests.rig import Parked, check_out, order_id, receive
from order_svc.tests.told import (
    at,
    came_back,
    failed,
    handed_over,
    overdue,
    production_cancelled,
    production_changed,
    production_completed,
    production_failed,
    production_ordered,
    quote_accepted,
    quote_sent,
    ticket_opened,
    ticket_reopened,
    ticket_resolved,
)
from order_svc.tests.wishes import TWO_LINES, assess, change, confirm, lines_of, wished


class Told(NamedTuple):
    """An event and when it happened."""

    event: Event
    at: datetime


async def page_of(client: httpx.AsyncClient, order: dict[str, Any], **params: int) -> dict[str, Any]:
    reply = await client.get(f"/v1/orders/{order['id']}/page", params=params)
    assert reply.status_code == 200, reply.text
    found = reply.json()
    assert isinstance(found, dict)
    return found


def a_whole_deal(contract: ContractSigned, order: dict[str, Any]) -> list[Told]:
    """Offered, signed, promised, made late, promised anew, tried in vain, handed over in two parts, one back, invoiced, paid late, credited."""
    order_uuid, delivery, [line] = order_id(order), new_id(), contract.lines
    invoice, ticket, production = new_id(), new_id(), new_id()
    first = handed_over(order_uuid, line, "2", delivery_id=delivery, net=eur("668.83"))
    rest = handed_over(
        order_uuid,
        line,
        "1",
        before="2",
        delivery_id=delivery,
        number=2,
        net=eur("334.42"),
        handed_over_at=at(13),
        last=True,
        proof_sha256=None,
    )
    again = {"promised_on": date(2026, 1, 20), "promise_version": 2, "was": date(2026, 1, 15), "reason": "a part is missing"}
    return [
        Told(quote_sent(contract), at(-9)),
        Told(quote_accepted(contract), at(-5)),
        Told(promised(order_uuid, delivery_id=delivery), at(1)),
        Told(promised(order_uuid, delivery_id=delivery, **again), at(9)),
        Told(production_ordered(order_uuid, line, production), at(1)),
        Told(production_changed(order_uuid, line, production, needed_by=date(2026, 1, 13)), at(9)),
        Told(production_completed(order_uuid, line, production, needed_by=date(2026, 1, 13), late=False), at(10)),
        Told(failed(order_uuid, delivery_id=delivery), at(11)),
        Told(first, at(12)),
        Told(rest, at(13)),
        Told(completed(order_uuid, delivery_id=delivery, lines=contract.lines, completed_at=at(13), parts_told=True), at(13)),
        Told(came_back(order_uuid, line, "1", delivery_id=delivery), at(14)),
        Told(issued(order_uuid, invoice_id=invoice), at(15)),
        Told(overdue(order_uuid, invoice, "1223.97"), at(50)),
        Told(allocated(order_uuid, invoice, "1223.97", payment_id=new_id()), at(60)),
        Told(paid(order_uuid, invoice_id=invoice), at(60)),
        Told(credited(order_uuid, invoice, "408.00", "334.43", cause="return"), at(61)),
        Told(refunded(order_uuid, invoice, "408.00"), at(62)),
        Told(ticket_opened(order_uuid, ticket), at(63)),
        Told(ticket_resolved(order_uuid, ticket), at(64)),
        Told(ticket_reopened(ticket), at(65)),
        Told(ticket_resolved(order_uuid, ticket, reopened=1), at(66)),
    ]


async def test_an_order_has_one_page_from_quote_to_ticket(deliver: Deliver, client: httpx.AsyncClient, clock: FixedClock) -> None:
    contract = a_contract()
    order = await receive(deliver, client, contract)
    for event, moment in a_whole_deal(contract, order):
        assert await deliver(consumers, event, occurred_at=moment) == "processed", event
    clock.advance(days=80)
    page = await page_of(client, order)
    assert (page["order"]["number"], page["order"]["state"]) == ("O-2026-000001", "closed")
    assert page["quote"] == {
        "quote_id": str(contract.quote_id),
        "number": "Q-2026-000001",
        "quote_version": 2,
        "net": {"amount": "1003.25", "currency": "EUR"},
        "valid_until": "2026-01-31",
        "sent_at": "2025-12-23T00:00:00Z",
        "accepted_at": "2025-12-27T00:00:00Z",
        "via": "link",
    }
    signed = page["contract"]
    assert (signed["number"], signed["signed_by"], signed["document_sha256"]) == ("C-2026-000001", "Ada Nordwind", "ab" * 32)
    assert (page["process"]["step"], page["process"]["waiting_for"]) == ("closed", None)
    [line] = page["lines"]
    assert [line[name] for name in ("ordered", "handed_over", "returned", "delivered")] == ["3", "3", "1", "2"]
    delivery = page["delivery"]
    assert [(each["promise_version"], each["promised_on"], each["reason"]) for each in delivery["promises"]["items"]] == [
        (1, "2026-01-15", None),
        (2, "2026-01-20", "a part is missing"),
    ]
    assert [(each["number"], each["lines"][0]["quantity"], each["last"]) for each in delivery["hand_overs"]["items"]] == [
        (1, "2", False),
        (2, "1", True),
    ]
    [made] = delivery["productions"]["items"]
    assert (made["state"], made["first_needed_by"], made["needed_by"], made["late"]) == (
        "completed",
        "2026-01-08",
        "2026-01-13",
        False,
    )
    assert (made["quantity_good"], made["quantity_scrap"], made["ordered_at"][:10]) == ("3", "1", "2026-01-02")
    assert [each["proof_sha256"] for each in delivery["hand_overs"]["items"]] == ["7e" * 32, None]
    assert [each["code"] for each in delivery["failures"]["items"]] == ["absent"]
    assert [each["lines"][0]["treatment"] for each in delivery["returns"]["items"]] == ["restock"]
    assert (delivery["completed_at"], delivery["on_time"]) == ("2026-01-14T00:00:00Z", True)
    [invoice] = page["invoices"]["items"]
    assert (invoice["gross"]["amount"], invoice["credited"]["amount"], invoice["open"]["amount"]) == ("1223.97", "408.00", "0.00")
    assert (invoice["due_on"], invoice["paid_on"], invoice["overdue"]) == ("2026-02-19", "2026-01-20", False)
    assert [(each["number"], each["cause"]) for each in page["credit_notes"]["items"]] == [("CN-2026-000001", "return")]
    assert [each["amount"]["amount"] for each in page["allocations"]["items"]] == ["1223.97"]
    assert [each["amount"]["amount"] for each in page["refunds"]["items"]] == ["408.00"]
    [ticket] = page["tickets"]["items"]
    assert (ticket["number"], ticket["state"], ticket["resolved_at"]) == ("T-2026-000001", "resolved", "2026-03-08T00:00:00Z")


@pytest.mark.parametrize("seed", range(6))
async def test_the_page_is_the_same_whichever_event_came_first_and_however_often(
    deliver: Deliver, client: httpx.AsyncClient, parked: Parked, seed: int
) -> None:
    random, contract = Random(seed), a_contract()
    offered = [quote_sent(contract), quote_accepted(contract)]
    before = random.sample(offered, random.randrange(3))
    for event in before:
        assert await deliver(consumers, event, occurred_at=at(-9)) == "processed"
    order = await receive(deliver, client, contract)
    told = a_whole_deal(contract, order)[2:]
    story = [(each, new_id()) for each in [*told, *(Told(event, at(-9)) for event in offered if event not in before)]]
    for each, event_id in random.sample(story, len(story)):
        assert await deliver(consumers, each.event, event_id=event_id, occurred_at=each.at) == "processed"
    found = await page_of(client, order, timeline=500)
    for each, event_id in random.choices(story, k=8):
        # Again as the same event, and as another one about the same fact, where the fact has an id of its own.
        assert await deliver(consumers, each.event, event_id=event_id, occurred_at=each.at) == "duplicate"
        if each.event.TOPIC != "payment.allocated":
            await deliver(consumers, each.event, occurred_at=each.at)
    after = await page_of(client, order, timeline=500)
    assert await parked() == []
    # When the order moved is when it was told, so that is another story each time.
    assert {**after, "order": None, "process": None} == {**found, "order": None, "process": None}
    assert found["quote"]["accepted_at"] is not None
    assert [
        item["what"] for item in found["timeline"]["items"] if not item["what"].startswith(("order.", "quote.", "contract."))
    ] == [each.event.TOPIC for each in sorted(told, key=lambda each: (each.at, each.event.TOPIC))]


async def test_each_production_shows_its_latest_day_how_it_ended_and_whether_it_is_late(
    deliver: Deliver, client: httpx.AsyncClient, clock: FixedClock
) -> None:
    contract = a_contract()
    order, [line] = await receive(deliver, client, contract), contract.lines
    short, again, dropped, open_one = (new_id() for _ in range(4))
    order_uuid = order_id(order)
    for event, day, version in (
        # The latest change counts, whichever comes first.
        (production_changed(order_uuid, line, short, quantity=Decimal(2)), 4, 3),
        (production_changed(order_uuid, line, short, quantity=Decimal(5)), 3, 2),
        (production_ordered(order_uuid, line, short), 1, 1),
        (production_failed(order_uuid, line, short), 9, 4),
        (production_ordered(order_uuid, line, again, reorder_of=short, needed_by=date(2026, 1, 20)), 10, 1),
        (production_completed(order_uuid, line, again), 12, 2),
        (production_failed(order_uuid, line, again), 11, 2),
        (production_ordered(order_uuid, line, dropped), 13, 1),
        (production_cancelled(order_uuid, dropped), 14, 2),
        (production_ordered(order_uuid, line, open_one, needed_by=date(2026, 2, 1)), 15, 1),
    ):
        assert await deliver(consumers, event, occurred_at=at(day), sequence=version) == "processed"

    async def shown() -> list[tuple[Any, ...]]:
        names = ("state", "needed_by", "late", "reason", "reordered")
        return [
            tuple(each[name] for name in names) for each in (await page_of(client, order))["delivery"]["productions"]["items"]
        ]

    clock.set(at(31))
    ended = [
        ("failed", "2026-01-08", True, "a crack", True),
        ("completed", "2026-01-10", True, None, None),
        ("cancelled", "2026-01-08", False, "taken from stock", None),
    ]
    assert await shown() == [*ended, ("ordered", "2026-02-01", False, None, None)]
    clock.set(at(32))
    assert await shown() == [*ended, ("ordered", "2026-02-01", True, None, None)]
    first = (await page_of(client, order))["delivery"]["productions"]["items"][0]
    assert (first["ordered_at"][:10], first["ended_at"][:10], first["code"]) == ("2026-01-02", "2026-01-10", "short")


async def test_a_quote_is_on_the_page_of_the_order_whose_contract_names_it_only(
    deliver: Deliver, client: httpx.AsyncClient
) -> None:
    mine, other = a_contract(), a_contract()
    await deliver(consumers, quote_sent(other, number="Q-2026-000002"), occurred_at=at(-3))
    order = await receive(deliver, client, mine)
    assert (await page_of(client, order))["quote"] is None
    await deliver(consumers, quote_sent(mine), occurred_at=at(-4))
    quote = (await page_of(client, order))["quote"]
    assert (quote["number"], quote["sent_at"], quote["accepted_at"]) == ("Q-2026-000001", "2025-12-28T00:00:00Z", None)


async def test_an_order_of_a_shop_has_a_page_without_quote_and_contract(client: httpx.AsyncClient) -> None:
    page = await page_of(client, await check_out(client))
    assert (page["quote"], page["contract"], page["process"]["step"]) == (None, None, "promise")
    assert [item["what"] for item in page["timeline"]["items"]] == ["order.received", "order.confirmed"]


async def test_an_invoice_is_overdue_from_the_day_after_it_was_due_until_nothing_is_open(
    deliver: Deliver, client: httpx.AsyncClient, clock: FixedClock
) -> None:
    order = await receive(deliver, client)
    invoice = new_id()
    await deliver(consumers, issued(order_id(order), invoice_id=invoice, due_on=date(2026, 2, 19)))

    async def now() -> tuple[str, bool]:
        [found] = (await page_of(client, order))["invoices"]["items"]
        return found["open"]["amount"], found["overdue"]

    clock.set(datetime.fromisoformat("2026-02-19T23:59:59Z"))
    assert await now() == ("1223.97", False)
    clock.advance(seconds=1)
    assert await now() == ("1223.97", True)
    await deliver(consumers, allocated(order_id(order), invoice, "1000.00"))
    assert await now() == ("223.97", True)
    await deliver(consumers, credited(order_id(order), invoice, "223.97", "183.58"))
    assert await now() == ("0.00", False)


async def test_a_ticket_is_done_when_it_was_resolved_as_often_as_it_came_back(
    deliver: Deliver, client: httpx.AsyncClient
) -> None:
    order, ticket = await receive(deliver, client), new_id()

    async def now() -> list[str]:
        return [each["state"] for each in (await page_of(client, order))["tickets"]["items"]]

    await deliver(consumers, ticket_reopened(ticket), occurred_at=at(3))
    assert await now() == []
    await deliver(consumers, ticket_opened(order_id(order), ticket), occurred_at=at(1))
    assert await now() == ["open"]
    await deliver(consumers, ticket_resolved(order_id(order), ticket), occurred_at=at(2))
    assert await now() == ["open"]
    await deliver(consumers, ticket_resolved(order_id(order), ticket, reopened=1), occurred_at=at(4))
    assert await now() == ["resolved"]
    assert await deliver(consumers, ticket_opened(None, new_id())) == "processed"
    assert await now() == ["resolved"]


async def test_the_timeline_goes_page_by_page_in_the_order_of_what_happened(deliver: Deliver, client: httpx.AsyncClient) -> None:
    contract = a_contract()
    order = await receive(deliver, client, contract)
    told = a_whole_deal(contract, order)
    await deliver.records(consumers, [record_of(each.event, flow_id=None, occurred_at=each.at) for each in reversed(told)])
    whole = (await client.get(f"/v1/orders/{order['id']}/timeline", params={"limit": 500})).json()
    assert whole["next"] is None
    moments = [item["at"] for item in whole["items"]]
    assert moments == sorted(moments)
    # The contract, and the states that the order went through by what was told: received, confirmed, fulfilled, closed.
    assert len(whole["items"]) == len(told) + 1 + 4
    seen, cursor = [], None
    while True:
        params = {"limit": 4} | ({"cursor": cursor} if cursor else {})
        part = (await client.get(f"/v1/orders/{order['id']}/timeline", params=params)).json()
        assert len(part["items"]) <= 4
        seen += part["items"]
        cursor = part["next"]
        if cursor is None:
            break
    assert seen == whole["items"]
    first = (await page_of(client, order, timeline=3))["timeline"]
    assert first["items"] == whole["items"][:3]
    rest = await client.get(f"/v1/orders/{order['id']}/timeline", params={"cursor": first["next"], "limit": 500})
    assert rest.json()["items"] == whole["items"][3:]


async def test_a_page_of_very_many_parts_shows_the_latest_hundred_and_counts_all(
    deliver: Deliver, client: httpx.AsyncClient, db: Database
) -> None:
    line = a_line(quantity=Decimal(1000), unit_price=eur("1.00"), discount_percent=Decimal(0), net=eur("1000.00"))
    order = await receive(deliver, client, a_contract(lines=(line,)))
    parts = [
        handed_over(order_id(order), line, "1", before=str(n), number=n + 1, net=eur("1.00"), handed_over_at=at(1 + n / 1000))
        for n in range(300)
    ]
    await deliver.records(
        consumers, [record_of(part, flow_id=None, occurred_at=part.handed_over_at) for part in Random(1).sample(parts, 300)]
    )
    async with db.connection() as conn:
        assert await conn.fetchval("SELECT count(*) FROM order_fact WHERE topic = 'delivery.handed_over'") == 300
    page = await page_of(client, order)
    shown = page["delivery"]["hand_overs"]
    assert (shown["total"], [each["number"] for each in shown["items"]]) == (300, list(range(201, 301)))
    assert page["lines"][0]["delivered"] == "300"
    assert (len(page["timeline"]["items"]), page["timeline"]["next"] is None) == (50, False)


async def test_what_is_no_order_or_no_cursor_is_said(deliver: Deliver, client: httpx.AsyncClient) -> None:
    for name in ("page", "timeline"):
        assert (await client.get(f"/v1/orders/{new_id()}/{name}")).status_code == 404
    order = await receive(deliver, client)
    for cursor in ("x", "MjAyNnw", "!!!"):
        assert (await client.get(f"/v1/orders/{order['id']}/timeline", params={"cursor": cursor})).status_code == 400


async def test_what_was_changed_and_by_whom_is_on_the_page_and_in_the_timeline(
    deliver: Deliver, client: httpx.AsyncClient, clock: FixedClock
) -> None:
    order = await check_out(client, **TWO_LINES)
    pump, _ = lines_of(order)
    clock.advance(days=1)
    assessed = await assess(client, order, change((pump, "2")))
    # What nobody confirmed is no change.
    assert (await page_of(client, order))["changes"] == {"total": 0, "items": []}
    assert (await confirm(client, assessed)).status_code == 202
    refused = await wished_after(deliver, client, clock, order, UUID(assessed["id"]))
    page = await page_of(client, order)
    assert [(each["state"], each["by"], each["reason"], each["lines_version"]) for each in page["changes"]["items"]] == [
        ("granted", "test", "as agreed by phone", 2),
        ("refused", "test", "even less", None),
    ]
    assert page["changes"]["items"][1]["decision"] == "all of it is packed"
    assert [line["ordered"] for line in page["lines"]] == ["2", "2"]
    assert [decision["granted"] for decision in page["delivery"]["change_decisions"]["items"]] == [True, False]
    happened = [(item["what"], item["id"]) for item in page["timeline"]["items"] if "change" in item["what"]]
    granted = assessed["id"]
    assert happened == [
        ("order.change_requested", granted),
        ("delivery.change_decided", granted),
        ("order.changed", granted),
        ("order.change_requested", refused),
        ("delivery.change_decided", refused),
        ("order.change_refused", refused),
    ]


async def wished_after(
    deliver: Deliver, client: httpx.AsyncClient, clock: FixedClock, order: dict[str, Any], granted: UUID
) -> str:
    """Delivery grants the first change; a second one is wished and refused. A day for each. The id of the second."""
    pump, _ = lines_of(order)
    clock.advance(days=1)
    await deliver(consumers, decided(order_id(order), granted), occurred_at=clock.now())
    clock.advance(days=1)
    second = await wished(client, order, change((pump, "1"), reason="even less"))
    clock.advance(days=1)
    no = decided(order_id(order), second, granted=False, reason="all of it is packed")
    await deliver(consumers, no, occurred_at=clock.now())
    return str(second)
