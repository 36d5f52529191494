"""A past in which much happened, told in time or late, and every KPI's answers about it."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
from ltc_chassis.db import Database
from ltc_chassis.ids import new_id
from ltc_chassis.testing import FakeRecord, record_of
from ltc_contracts.examples import all_examples

from metrics_svc.tests.deals import DEALS, START
from metrics_svc.tests.test_facts import record
from metrics_svc.tests.test_kpis import deal, ordered, told

CUSTOMER = new_id()
# Everything that is kept, but where it stood in the log and when it was taken in.
FACTS = {
    "event": "SELECT id, topic, flow_id, subject, sequence, occurred_at, recorded_at, data FROM event",
    "milestone": "SELECT * FROM milestone",
    "fulfilment": "SELECT * FROM fulfilment",
}


def history() -> list[FakeRecord]:
    """All golden examples; deals in parts, prepaid, changed and cancelled; won and lost ones; orders of one customer; spend."""
    found = [record(sample) for sample in all_examples()]
    for make in DEALS:
        about, events = make()
        found += [
            record_of(event, flow_id=about.flow, occurred_at=START + timedelta(days=day), sequence=sequence)
            for event, day, sequence in events
        ]
    found += deal("2026-01-05", "2026-01-20", won=True, owner="Ada", team="South")
    found += deal("2026-01-05", "2026-02-20", won=False, owner="Bo", team="North")
    flow = new_id()
    found += [
        told("lead.captured", flow, "2026-02-01", channel="web", campaign="spring", country="FR"),
        told("lead.assigned", flow, "2026-02-02", owner="Ada"),
        told("opportunity.opened", flow, "2026-02-03", channel="web", owner="Bo"),
        told("lead.first_responded", flow, "2026-02-03", started_at="2026-02-02T10:00:00Z"),
        told("lead.sla_breached", flow, "2026-02-04", level=1, started_at="2026-02-03T10:00:00Z"),
        ordered(CUSTOMER, flow, "2026-02-10"),
        told("subscription.revenue_moved", flow, "2026-02-11", customer_id=str(CUSTOMER), kind="new"),
        ordered(CUSTOMER, new_id(), "2026-03-05", source="checkout"),
        *(told("campaign.spend_recorded", None, f"2026-0{month}-02", channel="web", campaign="spring") for month in (1, 2, 3)),
    ]
    # A position of its own for each, as in a log.
    return [replace(each, offset=position) for position, each in enumerate(found)]


def id_of(item: FakeRecord) -> UUID:
    return UUID(_header(item, "ce_id"))


def occurred(item: FakeRecord) -> datetime:
    return datetime.fromisoformat(_header(item, "ce_time"))


def recorded_at(item: FakeRecord, moment: datetime) -> FakeRecord:
    """The same, written down at another moment."""
    told_then = ("ce_recordedtime", moment.isoformat().encode())
    return replace(item, headers=[*(each for each in item.headers if each[0] != "ce_recordedtime"), told_then])


def _header(item: FakeRecord, name: str) -> str:
    return next(value for key, value in item.headers if key == name and value is not None).decode()


async def forget(db: Database) -> None:
    """A log that was not read yet."""
    async with db.connection() as conn:
        await conn.execute("TRUNCATE event, milestone, fulfilment, inbox, parked")


async def facts_of(db: Database) -> dict[str, list[str]]:
    """The rows of each table, whatever order they came in."""
    async with db.connection() as conn:
        assert await conn.fetchval("SELECT count(*) FROM parked") == 0
        return {table: sorted(str(tuple(row)) for row in await conn.fetch(sql)) for table, sql in FACTS.items()}


async def ask(client: httpx.AsyncClient, name: str, **params: Any) -> dict[str, Any]:
    reply = await client.get(f"/v1/kpis/{name}", params=params)
    assert reply.status_code == 200, reply.text
    return dict(reply.json())
