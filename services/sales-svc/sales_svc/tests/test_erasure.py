"""A person is forgotten in sales; what the law has kept stays, and so do the numbers."""

import dataclasses
import io
import logging
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import asyncpg
import httpx
from ltc_chassis.db import Database
from ltc_chassis.ids import new_id
from ltc_chassis.personal import unnamed
from ltc_chassis.telemetry import log_handler
from ltc_chassis.testing import Deliver, Emitted, record_of
from ltc_contracts.events import Contact, LeadQualified, PersonErased

from sales_svc.consumers import consumers
from sales_svc.store.personal import TABLES
from sales_svc.tests.builders import lead_qualified, quote_body
from sales_svc.tests.deals import Json, ok

Emissions = Callable[[], Awaitable[list[Emitted]]]
PERSON = Contact(name="Zyxanna Quuxova", email="Zyxanna@Quux.example", phone="+49 30 7654321")
MARKS = ("zyxanna", "quux", "7654321")
HOW = """
Every column says in sales_svc/store/personal.py whether it is about a person, so that an erasure finds it:
  plain     says nothing about a person (ids, codes, times, amounts, configuration, companies)
  staff     about the company's own people (who wrote it, owner)
  personal  about a customer's person, each with its treatment: EMPTY, replace("'(erased)'"), keep("why the law wants it kept")
  rows      how a person's rows are found, mostly by the deal of a lead; left out where the table is nobody's (configuration)
An example stands in ltc_chassis/personal.py.
"""


async def test_every_column_of_every_table_is_named_as_personal_or_not(db: Database) -> None:
    async with db.connection() as conn:
        wrong = await unnamed(conn, TABLES)
    assert not wrong, HOW + "\n".join(wrong)


async def traces(db: Database) -> set[str]:
    """Tables in which something of the person stands, as text, JSON or bytes."""
    wanted = [*MARKS, *(mark.encode().hex() for mark in MARKS)]
    found = set()
    async with db.connection() as conn:
        for (name,) in await conn.fetch(
            "SELECT relname AS name FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' ORDER BY 1"
        ):
            for row in await conn.fetch(f'SELECT to_jsonb(t)::text AS line FROM "{name}" t'):  # noqa: S608 - names of the catalogue
                if any(mark in row["line"].lower() for mark in wanted):
                    found.add(str(name))
    return found


async def known(client: httpx.AsyncClient, deliver: Deliver, db: Database) -> tuple[LeadQualified, Json]:
    """A private person with a deal, words about it, and a draft of an offer; the lead and the deal."""
    lead = lead_qualified(company=None, contact=PERSON, source="Fair")
    await deliver(consumers, lead, flow_id=new_id())
    [deal] = (await client.get("/v1/opportunities")).json()["items"]
    contact = {"contact_id": deal["contact_id"], "opportunity_id": deal["id"]}
    for about in (contact, {"opportunity_id": deal["id"]}):
        body = {"type": "call", "subject": "Called Zyxanna", "body": "Zyxanna is ill", "by": "Ben", **about}
        await ok(client, "POST", "/v1/activities", body)
    shown = await ok(client, "GET", f"/v1/opportunities/{deal['id']}")
    changed = {
        "version": shown["version"],
        "next_step": "Ring Zyxanna",
        "next_step_due": "2026-02-01T00:00:00Z",
        "name": "Zyxanna's house",
    }
    await ok(client, "PATCH", f"/v1/opportunities/{deal['id']}", changed)
    customer = {"name": PERSON.name, "country": "DE", "email": PERSON.email}
    await ok(client, "POST", f"/v1/opportunities/{deal['id']}/quotes", quote_body(customer=customer))
    async with db.transaction() as tx:
        await tx.conn.execute(
            """
            INSERT INTO parked (topic, partition, "offset", published_at, header_names, header_values, value, flow_id, state, reason, error)
            VALUES ('lead.qualified', 0, 1, now(), '{}', '{}', $1, $2, 'dead', 'error', 'input_value=Zyxanna')
            """,
            lead.model_dump_json().encode(),
            UUID(deal["flow_id"]),
        )
    return lead, deal


async def test_nothing_of_a_person_is_left_and_the_deal_stays(
    client: httpx.AsyncClient, deliver: Deliver, db: Database, emitted: Emissions
) -> None:
    lead, deal = await known(client, deliver, db)
    assert {"contact", "opportunity", "activity", "quote", "change_log", "parked"} <= await traces(db)
    before = await ok(client, "GET", f"/v1/opportunities/{deal['id']}")
    told = len(await emitted())
    erased = PersonErased(erasure_id=new_id(), lead_ids=(lead.lead_id,))
    assert await deliver(consumers, erased) == "processed"
    assert await traces(db) == set()
    after = await ok(client, "GET", f"/v1/opportunities/{deal['id']}")
    assert (after["name"], after["next_step"]) == ("erased", "erased")
    same = ("flow_id", "stage", "value", "owner", "probability", "opened_at", "source", "channel")
    assert {name: after[name] for name in same} == {name: before[name] for name in same}
    assert len(await emitted()) == told
    # Told again under another id, nothing changes.
    version = after["version"]
    assert await deliver(consumers, PersonErased(erasure_id=new_id(), lead_ids=(lead.lead_id,))) == "processed"
    assert (await ok(client, "GET", f"/v1/opportunities/{deal['id']}"))["version"] == version


async def test_what_was_sent_or_signed_keeps_its_parties_and_the_rest_goes(
    client: httpx.AsyncClient, deliver: Deliver, db: Database
) -> None:
    lead, deal = await known(client, deliver, db)
    [draft] = (await ok(client, "GET", f"/v1/quotes?opportunity_id={deal['id']}"))["items"]
    await ok(client, "POST", f"/v1/quotes/{draft['id']}/send")
    await ok(client, "POST", f"/v1/quotes/{draft['id']}/accept")
    contract = await ok(client, "POST", f"/v1/quotes/{draft['id']}/contract")
    signed = await ok(client, "POST", f"/v1/contracts/{contract['id']}/sign", {"signed_by": PERSON.name})
    assert await deliver(consumers, PersonErased(erasure_id=new_id(), lead_ids=(lead.lead_id,))) == "processed"
    kept = {name for name, table in TABLES.items() if any(each.how == "keep" for each in table.personal.values())}
    left = await traces(db) - {"outbox"}  # `contract.signed` goes on to who delivers and bills
    # A private customer who signed is the other party of the contract, by name.
    assert {"contract", "quote", "account"} <= left <= kept | {"quote", "account", "account_identity"}
    proof = await ok(client, "GET", f"/v1/contracts/{contract['id']}")
    assert (proof["document_sha256"], proof["signed_by"]) == (signed["document_sha256"], PERSON.name)
    assert (await ok(client, "GET", f"/v1/contacts/{deal['contact_id']}"))["name"] == "erased"


async def test_the_person_is_erased_as_a_contact_of_other_customers_too(
    client: httpx.AsyncClient, deliver: Deliver, db: Database
) -> None:
    lead, _ = await known(client, deliver, db)
    account = await ok(client, "POST", "/v1/accounts", {"name": "Rossi", "country": "IT"})
    await ok(client, "POST", f"/v1/accounts/{account['id']}/contacts", {"name": "Zyxanna Q.", "email": "zyxanna@quux.example"})
    other = await ok(client, "POST", f"/v1/accounts/{account['id']}/contacts", {"name": "Bert", "email": "bert@rossi.example"})
    await deliver(consumers, PersonErased(erasure_id=new_id(), lead_ids=(lead.lead_id,)))
    assert await traces(db) == set()
    assert (await ok(client, "GET", f"/v1/contacts/{other['id']}"))["name"] == "Bert"


async def test_an_import_that_names_the_person_is_waited_for(
    client: httpx.AsyncClient, deliver: Deliver, db: Database, parked: Callable[[], Awaitable[list[asyncpg.Record]]]
) -> None:
    lead, _ = await known(client, deliver, db)
    async with db.transaction() as tx:
        import_id: UUID = await tx.conn.fetchval(
            """
            INSERT INTO import (id, kind, file_name, header, layout, state, total, processed, imported, duplicates, refused, created_by,
                                created_at)
            VALUES (gen_random_uuid(), (SELECT regexp_replace(split_part(pg_get_constraintdef(oid), '''', 2), '''', '') FROM pg_constraint
                    WHERE conrelid = 'import'::regclass AND pg_get_constraintdef(oid) LIKE '%kind%' LIMIT 1),
                    'x.csv', '{Email}', '{}', 'waiting', 1, 0, 0, 0, 0, 'x', now()) RETURNING id
            """
        )
        chunk: Any = b'[[2, "Zyxanna@quux.example"]]'
        await tx.conn.execute("INSERT INTO import_chunk (import_id, number, records) VALUES ($1, 1, $2)", import_id, chunk)
    erased = PersonErased(erasure_id=new_id(), lead_ids=(lead.lead_id,))
    assert await deliver(consumers, erased) == "parked"
    assert "contact" in await traces(db)
    async with db.transaction() as tx:
        await tx.conn.execute("DELETE FROM import_chunk")
    await deliver.retry(consumers)
    assert await traces(db) == set()


async def test_nothing_personal_is_logged(client: httpx.AsyncClient, deliver: Deliver, db: Database) -> None:
    printed, root = io.StringIO(), logging.getLogger()
    handler, level = log_handler("sales", printed), root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        lead, _ = await known(client, deliver, db)
        unreadable = record_of(lead, flow_id=new_id())
        broken = b'{"contact": {"name": "Zyxanna", "email": 5}, "lead_id": "Zyxanna"}'
        await deliver.records(consumers, [dataclasses.replace(unreadable, value=broken)])
        await deliver(consumers, PersonErased(erasure_id=new_id(), lead_ids=(lead.lead_id,)))
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
    logged = printed.getvalue().lower()
    assert "lead.qualified" in logged  # the record that cannot be read is told of
    assert [line for line in logged.splitlines() if any(mark in line for mark in MARKS)] == []
