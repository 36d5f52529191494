"""RULES 1: statuses, reasons, and a lead that sales rejects comes back: it is nurtured and may qualify anew on the same flow."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, get_args
from uuid import UUID

import httpx
import pytest
from ltc_chassis.clock import FixedClock
from ltc_chassis.db import Database
from ltc_chassis.ids import new_id
from ltc_chassis.testing import Deliver, Emitted
from ltc_chassis.timers import Timer
from ltc_contracts.events import OpportunityLost, OpportunityOpened, OpportunityWon
from ltc_contracts.examples import example

from lead_svc.consumers import consumers
from lead_svc.domain.lead import TRANSITIONS, Status
from lead_svc.handlers import disqualification
from lead_svc.timers import TIMERS

Emissions = Callable[[], Awaitable[list[Emitted]]]
Run = Callable[[Timer], Awaitable[int]]
RETURN = next(timer for timer in TIMERS if timer.name == "return-to-nurturing")
LEAD = {"channel": "web", "source": "Google", "company": "Rossi", "contact": {"email": "anna@rossi.example"}}
FIT = {"industry": "software", "company_size": 80, "country": "DE", "website": "https://rossi.example"}


async def capture(client: httpx.AsyncClient, **more: Any) -> Any:
    reply = await client.post("/v1/leads", json={**LEAD, **more})
    assert reply.status_code == 201, reply.text
    return reply.json()


def opened(lead: Any, opportunity_id: UUID) -> OpportunityOpened:
    sample: Any = example("opportunity.opened").event
    return OpportunityOpened(**{**dict(sample), "lead_id": UUID(lead["id"]), "opportunity_id": opportunity_id})


def lost(opportunity_id: UUID, reason: str) -> OpportunityLost:
    sample: Any = example("opportunity.lost").event
    return OpportunityLost(**{**dict(sample), "opportunity_id": opportunity_id, "reason": reason, "owner": "Darcel"})


def won(opportunity_id: UUID) -> OpportunityWon:
    sample: Any = example("opportunity.won").event
    return OpportunityWon(**{**dict(sample), "opportunity_id": opportunity_id})


async def converted(client: httpx.AsyncClient, deliver: Deliver, **more: Any) -> tuple[Any, UUID]:
    """A lead that sales works on, and its opportunity."""
    lead, opportunity_id = await capture(client, **more), new_id()
    await client.post(f"/v1/leads/{lead['id']}/qualify")
    assert await deliver(consumers, opened(lead, opportunity_id), flow_id=UUID(lead["flow_id"])) == "processed"
    return lead, opportunity_id


def test_golden_statuses_go_one_way_and_only_reasons_lead_out_of_it() -> None:
    way = ["new", "contacted", "nurturing", "qualified", "converted"]
    moves = {move: {(before, after) for (before, name), after in TRANSITIONS.items() if name == move} for _, move in TRANSITIONS}
    for move in ("touch", "nurture", "qualify", "convert"):
        forward = [(before, after) for before, after in moves[move] if before in way]
        assert all(after in way and way.index(before) <= way.index(after) for before, after in forward), move
    assert {after for move in ("disqualify", "recycle") for _, after in moves[move]} == {"disqualified"}
    assert {after for _, after in moves["junk"]} == {"junk"}
    assert moves["return"] == {("disqualified", "nurturing")}
    assert {before for before, _ in moves["qualify"]} == {"new", "contacted", "nurturing"}
    assert {before for before, _ in moves["disqualify"]} == {"new", "contacted", "nurturing"}
    assert {before for before, _ in TRANSITIONS} <= set(get_args(Status))


@pytest.mark.parametrize(
    ("body", "status", "kind", "code", "text"),
    [
        ({"code": "no_budget"}, "disqualified", "disqualified", "no_budget", "No budget"),
        ({"code": "no_budget", "reason": "asked twice"}, "disqualified", "disqualified", "no_budget", "asked twice"),
        ({"reason": "no  Budget"}, "disqualified", "disqualified", "no_budget", "no  Budget"),
        ({"reason": "moved to Mars"}, "disqualified", "disqualified", "other", "moved to Mars"),
        ({"code": "spam"}, "junk", "junk", "spam", "Spam"),
        ({"code": "not_now"}, "disqualified", "recycle", "not_now", "Not now"),
    ],
)
async def test_a_lead_is_not_pursued_by_a_reason_of_the_list_or_in_words(
    client: httpx.AsyncClient, emitted: Emissions, body: dict[str, str], status: str, kind: str, code: str, text: str
) -> None:
    lead = await capture(client)
    shown = (await client.post(f"/v1/leads/{lead['id']}/disqualify", json=body)).json()
    assert (shown["status"], shown["disqualified_reason"]) == (status, text)
    event = (await emitted())[-1].event
    assert (event.TOPIC, event.kind, event.code, event.reason) == ("lead.disqualified", kind, code, text)
    assert (event.returns_at is not None) == (kind == "recycle")
    [decision] = (await client.get(f"/v1/leads/{lead['id']}/outcome")).json()["disqualifications"]
    assert (decision["decided_by"], decision["from_status"], decision["ended_at"]) == ("test", "new", None)


async def test_without_a_reason_or_with_an_unknown_one_nothing_happens(client: httpx.AsyncClient, emitted: Emissions) -> None:
    lead = await capture(client)
    path = f"/v1/leads/{lead['id']}/disqualify"
    assert (await client.post(path, json={})).status_code == 422
    assert (await client.post(path, json={"reason": "  "})).status_code == 422
    unknown = await client.post(path, json={"code": "bad_weather"})
    assert (unknown.status_code, unknown.json()["field"]) == (400, "code")
    assert (await client.post(path, json={"reason": "\x00"})).status_code == 400
    assert "lead.disqualified" not in [event.topic for event in await emitted()]


async def test_a_lead_that_is_not_ready_now_is_nurtured_after_its_wait_and_is_free_again(
    client: httpx.AsyncClient, clock: FixedClock, run_timer: Run, emitted: Emissions
) -> None:
    lead = await capture(client)
    assert (await client.post(f"/v1/leads/{lead['id']}/claim", json={"rep": "anna"})).status_code == 201
    await client.post(f"/v1/leads/{lead['id']}/disqualify", json={"code": "no_answer"})
    clock.advance(days=29)
    assert await run_timer(RETURN) == 0
    clock.advance(days=3)
    assert await run_timer(RETURN) == 1
    shown = (await client.get(f"/v1/leads/{lead['id']}")).json()
    assert (shown["status"], shown["disqualified_reason"], shown["owner"]) == ("nurturing", None, None)
    assert [item["id"] for item in (await client.get("/v1/pool")).json()["items"]] == [lead["id"]]
    event = (await emitted())[-1].event
    assert (event.TOPIC, event.code) == ("lead.recycled", "no_answer")
    assert await run_timer(RETURN) == 0


async def test_a_lead_rejected_by_sales_comes_back_and_qualifies_anew_on_the_same_flow_by_what_it_does_then(
    client: httpx.AsyncClient, deliver: Deliver, clock: FixedClock, run_timer: Run, emitted: Emissions
) -> None:
    lead, first = await converted(client, deliver, **FIT, activities=[{"activity": "form"}])
    await client.post(f"/v1/leads/{lead['id']}/activities", json={"activity": "meeting"})
    event = lost(first, "Not  now")
    for _ in range(2):
        assert await deliver(consumers, event, flow_id=UUID(lead["flow_id"]), event_id=UUID(int=7)) in ("processed", "duplicate")
    waiting = (await client.get(f"/v1/leads/{lead['id']}")).json()
    assert (waiting["status"], waiting["disqualified_reason"]) == ("disqualified", "Not  now")

    clock.advance(days=90)
    assert await run_timer(RETURN) == 1
    for timer in TIMERS:
        await run_timer(timer)
    assert (await client.get(f"/v1/leads/{lead['id']}")).json()["status"] == "nurturing"
    path = f"/v1/leads/{lead['id']}/activities"
    assert (await client.post(path, json={"activity": "reply"})).json()["status"] == "nurturing"
    assert (await client.post(path, json={"activity": "meeting"})).json()["status"] == "qualified"
    qualified = [emission for emission in await emitted() if emission.topic == "lead.qualified"]
    assert [emission.event.reason for emission in qualified] == ["person", "score"]
    assert {str(emission.flow_id) for emission in qualified} == {lead["flow_id"]}

    second = new_id()
    assert await deliver(consumers, opened(lead, second), flow_id=UUID(lead["flow_id"])) == "processed"
    assert await deliver(consumers, won(second), flow_id=UUID(lead["flow_id"])) == "processed"
    shown = (await client.get(f"/v1/leads/{lead['id']}/outcome")).json()
    assert (shown["status"], shown["lost_at"]) == ("converted", None)
    assert [(each["state"], each["reason"]) for each in shown["opportunities"]] == [("lost", "Not  now"), ("won", None)]
    assert shown["won_at"]
    [decision] = shown["disqualifications"]
    assert (decision["decided_by"], decision["opportunity_id"], decision["from_status"]) == ("Darcel", str(first), "converted")


async def test_a_qualified_lead_that_sales_never_took_up_is_sent_back_by_a_person(
    client: httpx.AsyncClient, emitted: Emissions
) -> None:
    lead = (await capture(client))["id"]
    assert (await client.post(f"/v1/leads/{lead}/qualify", json={})).is_success
    back = await client.post(f"/v1/leads/{lead}/recycle", json={"code": "not_now", "wait_days": 60})
    assert (back.status_code, back.json()["status"]) == (200, "disqualified")
    told = (await emitted())[-1].event
    assert (told.TOPIC, told.kind) == ("lead.disqualified", "recycle")
    assert (await client.post(f"/v1/leads/{lead}/qualify", json={})).json()["type"] == "urn:ltc:problem:wrong-transition"


async def test_a_deal_lost_for_good_leaves_its_lead_converted_and_a_person_may_recycle_it(
    client: httpx.AsyncClient, deliver: Deliver, run_timer: Run
) -> None:
    lead, opportunity_id = await converted(client, deliver)
    path = f"/v1/leads/{lead['id']}"
    early = await client.post(f"{path}/recycle")
    assert (early.status_code, early.json()["type"]) == (409, "urn:ltc:problem:opportunity-open")
    await deliver(consumers, lost(opportunity_id, "price"), flow_id=UUID(lead["flow_id"]))
    assert (await client.get(path)).json()["status"] == "converted"
    assert (await client.get(f"{path}/outcome")).json()["lost_at"]
    wrong = await client.post(f"{path}/recycle", json={"code": "no_budget"})
    assert (wrong.status_code, wrong.json()["field"]) == (400, "code")
    back = (await client.post(f"{path}/recycle", json={"reason": "new budget in May", "wait_days": 0})).json()
    assert back["status"] == "nurturing"
    assert (await client.get(f"{path}/outcome")).json()["lost_at"] is None
    assert (await client.post(f"{path}/disqualify", json={"code": "no_need"})).json()["status"] == "disqualified"


async def test_an_opportunity_that_sales_opens_after_all_ends_the_wait(
    client: httpx.AsyncClient, deliver: Deliver, clock: FixedClock, run_timer: Run
) -> None:
    lead = await capture(client)
    await client.post(f"/v1/leads/{lead['id']}/qualify")
    await client.post(f"/v1/leads/{lead['id']}/recycle")
    assert await deliver(consumers, opened(lead, new_id()), flow_id=UUID(lead["flow_id"])) == "processed"
    clock.advance(days=365)
    assert await run_timer(RETURN) == 0
    shown = (await client.get(f"/v1/leads/{lead['id']}")).json()
    assert (shown["status"], shown["disqualified_reason"]) == ("converted", None)


async def test_a_loss_that_is_told_before_the_opening_waits_for_it_and_one_without_a_lead_is_passed_over(
    client: httpx.AsyncClient, deliver: Deliver
) -> None:
    lead, opportunity_id = await capture(client), new_id()
    await client.post(f"/v1/leads/{lead['id']}/qualify")
    flow = UUID(lead["flow_id"])
    assert await deliver(consumers, lost(opportunity_id, "not now"), flow_id=flow) == "parked"
    assert await deliver(consumers, opened(lead, opportunity_id), flow_id=flow) == "processed"
    assert await deliver.retry(consumers) >= 1
    assert (await client.get(f"/v1/leads/{lead['id']}")).json()["status"] == "disqualified"
    assert await deliver(consumers, lost(new_id(), "not now"), flow_id=new_id()) == "processed"
    assert await deliver(consumers, won(new_id()), flow_id=new_id()) == "processed"


async def test_another_open_opportunity_keeps_the_lead_with_sales(client: httpx.AsyncClient, deliver: Deliver) -> None:
    lead, first = await converted(client, deliver)
    second, flow = new_id(), UUID(lead["flow_id"])
    await deliver(consumers, opened(lead, second), flow_id=flow)
    await deliver(consumers, lost(first, "not now"), flow_id=flow)
    assert (await client.get(f"/v1/leads/{lead['id']}")).json()["status"] == "converted"
    await deliver(consumers, lost(second, "not now"), flow_id=flow)
    assert (await client.get(f"/v1/leads/{lead['id']}")).json()["status"] == "disqualified"


async def test_two_replicas_bring_each_lead_back_once_and_a_kill_loses_none(
    client: httpx.AsyncClient, db: Database, clock: FixedClock, emitted: Emissions
) -> None:
    for _ in range(12):
        lead = await capture(client)
        await client.post(f"/v1/leads/{lead['id']}/disqualify", json={"code": "not_now"})
    clock.advance(days=90)
    with pytest.raises(RuntimeError):
        await _killed(db)

    async def replica() -> None:
        while True:
            async with db.transaction() as tx:
                if not await disqualification.return_due(tx, limit=2):
                    return

    await asyncio.gather(replica(), replica(), replica())
    assert [event.topic for event in await emitted()].count("lead.recycled") == 12


async def _killed(db: Database) -> None:
    async with db.transaction() as tx:
        assert await disqualification.return_due(tx, limit=5) == 5
        raise RuntimeError("killed before the commit")


async def test_the_list_of_reasons_is_kept_by_the_company_with_every_version(client: httpx.AsyncClient) -> None:
    path = "/v1/disqualification-reasons"
    new = {
        "code": "merger",
        "kind": "recycle",
        "label": "Is being merged",
        "wait_days": 200,
        "sales_reasons": ["Customer  merges"],
    }
    assert (await client.post(path, json=new)).json()["sales_reasons"] == ["customer merges"]
    assert (await client.post(path, json=new)).json()["type"] == "urn:ltc:problem:reason-exists"
    changed = await client.patch(f"{path}/merger", json={"version": 1, "wait_days": 100})
    assert (changed.status_code, changed.json()["wait_days"], changed.json()["version"]) == (200, 100, 2)
    stale = await client.patch(f"{path}/merger", json={"version": 1, "label": "x"})
    assert (stale.status_code, stale.json()["type"]) == (409, "urn:ltc:problem:stale-version")
    await client.patch(f"{path}/merger", json={"version": 2, "active": False})
    shown = (await client.get(f"{path}/merger")).json()
    assert [(row["version"], row["body"]["wait_days"], row["changed_by"]) for row in shown["versions"]] == [
        (3, 100, "test"),
        (2, 100, "test"),
        (1, 200, "test"),
    ]
    lead = await capture(client)
    refused = await client.post(f"/v1/leads/{lead['id']}/disqualify", json={"code": "merger"})
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:ltc:problem:reason-archived")
    assert "merger" in [row["code"] for row in (await client.get(path)).json()]


@pytest.mark.parametrize(
    ("reason", "status", "field"),
    [
        ({"code": "x", "kind": "recycle", "label": "x"}, 400, "wait_days"),
        ({"code": "x", "kind": "junk", "label": "x", "wait_days": 3}, 400, "wait_days"),
        ({"code": "x", "kind": "junk", "label": "x", "sales_reasons": ["price"]}, 400, "sales_reasons"),
        ({"code": "X y", "kind": "junk", "label": "x"}, 422, "code"),
        ({"code": "x", "kind": "lost", "label": "x"}, 422, "kind"),
    ],
)
async def test_a_reason_that_makes_no_sense_is_refused(
    client: httpx.AsyncClient, reason: dict[str, Any], status: int, field: str
) -> None:
    reply = await client.post("/v1/disqualification-reasons", json=reason)
    assert reply.status_code == status
    assert (reply.json()["errors"][0]["field"] if status == 422 else reply.json()["field"]) == field
