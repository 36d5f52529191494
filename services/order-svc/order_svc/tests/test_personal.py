"""Every column of every table is named as personal or not, and a person who is erased is forgotten here while the order stays."""

from typing import Any
from uuid import UUID

import httpx
import pytest
from ltc_chassis.db import Database
from ltc_chassis.ids import new_id
from ltc_chassis.personal import unnamed
from ltc_chassis.testing import Deliver
from ltc_contracts.events import Line, PersonErased
from ltc_contracts.examples import example
from ltc_contracts.personal import redact

from order_svc.consumers import consumers
from order_svc.domain.order_page import KINDS, fact_of
from order_svc.store.personal import TABLES
from order_svc.tests.builders import a_cart, credited, issued, promised, refunded
from order_svc.tests.rig import order_id, read
from order_svc.tests.told import came_back, failed, handed_over
from order_svc.tests.traces import traces

HOW = """
Every column says in order_svc/store/personal.py whether it is about a person, so that an erasure finds it:
  plain     says nothing about a person (ids, codes, times, amounts, configuration)
  staff     about the company's own people (who wrote it, who held it)
  personal  about a person, each with its treatment: EMPTY, replace("'(erased)'"), keep("why the law wants it kept")
  rows      how a person's rows are found; left out where the table is nobody's (configuration)
An example stands in ltc_chassis/personal.py.
"""


async def test_every_column_of_every_table_is_named_as_personal_or_not(db: Database) -> None:
    async with db.connection() as conn:
        wrong = await unnamed(conn, TABLES)
    assert not wrong, HOW + "\n".join(wrong)


@pytest.mark.parametrize("topic", sorted(kind.TOPIC for kind in KINDS))
async def test_the_database_forgets_of_a_fact_what_the_contracts_say(topic: str, db: Database) -> None:
    event = example(topic).event
    words: dict[str, Any] = {name: "a word about SECRET" for name in ("reason", "note") if name in type(event).model_fields}
    fact = fact_of(event.model_copy(update=words), new_id(), example(topic).envelope.occurred_at, None)
    assert fact is not None
    async with db.connection() as conn:
        assert await conn.fetchval("SELECT without_person($1, $2)", topic, fact.data) == redact(topic, dict(fact.data))


async def an_order_with_words(deliver: Deliver, client: httpx.AsyncClient, name: str) -> dict[str, Any]:
    """Held, released, promised anew, tried in vain, one piece back, credited and refunded, each with words about the customer."""
    flow, customer, email = new_id(), new_id(), f"{name}@nordwind.example"
    cart = a_cart(
        f"W-{name}",
        customer={"name": name, "email": email, "customer_id": str(customer)},
        hold=f"no call from {name}",
        flow_id=str(flow),
    )
    reply = await client.post("/v1/checkout", json=cart, headers={"Idempotency-Key": str(new_id())})
    assert reply.status_code == 201, reply.text
    order: dict[str, Any] = reply.json()
    assert (await client.post(f"/v1/orders/{order['id']}/release", json={"reason": f"{name} answered"})).status_code == 200
    agreed = {"version": 0, "limits": [], "reason": f"{name} wished it"}
    assert (await client.put(f"/v1/customers/{customer}/credit", json=agreed)).status_code == 200
    line, invoice = Line.model_validate(order["lines"][0]), new_id()
    for event in (
        promised(order_id(order), promise_version=2, reason=f"{name} is away"),
        failed(order_id(order), note=f"{name} was not at home"),
        handed_over(order_id(order), line, "3"),
        came_back(order_id(order), line, "1", reason=f"{name} has one too many"),
        issued(order_id(order), invoice_id=invoice),
        credited(order_id(order), invoice, "12.20", "10.00", reason=f"{name} is a good customer"),
        refunded(order_id(order), invoice, "12.20"),
    ):
        assert await deliver(consumers, event, flow_id=flow) == "processed", event
    return order


async def test_what_was_written_about_a_person_goes_and_the_order_with_its_customer_stays(
    deliver: Deliver, client: httpx.AsyncClient, db: Database
) -> None:
    mine = await an_order_with_words(deliver, client, "secret")
    await an_order_with_words(deliver, client, "somebody")
    erased = PersonErased(erasure_id=new_id(), lead_ids=(new_id(),), flow_ids=(UUID(mine["flow_id"]), new_id()))
    async with db.connection() as conn:
        before = {name: await traces(conn, name) for name in ("secret", "somebody")}
    page = (await client.get(f"/v1/orders/{mine['id']}/page")).json()
    assert await deliver(consumers, erased) == "processed"
    assert await deliver(consumers, erased, event_id=new_id()) == "processed"
    async with db.connection() as conn:
        after = {name: await traces(conn, name) for name in ("secret", "somebody")}
    kept = [
        "order_fact.data",
        "outbox.payload",
        "sales_order.customer_email",
        "sales_order.customer_name",
        "sales_order.external_ref",
    ]
    assert (after["secret"], after["somebody"]) == (kept, before["somebody"])
    shown = (await client.get(f"/v1/orders/{mine['id']}/page")).json()
    assert shown["delivery"]["failures"]["items"][0]["note"] == shown["delivery"]["returns"]["items"][0]["reason"] == "(erased)"
    # The books keep what they say, and the numbers are the same.
    assert shown["credit_notes"] == page["credit_notes"]
    assert (shown["invoices"], shown["lines"], shown["quote"]) == (page["invoices"], page["lines"], page["quote"])
    assert (await read(client, mine))["customer"]["name"] == "secret"
    async with db.connection() as conn:
        told = [row["payload"] for row in await conn.fetch("SELECT payload FROM outbox WHERE flowid = $1", UUID(mine["flow_id"]))]
    assert told
    assert not [payload for payload in told if "no call from secret" in payload or "answered" in payload]
