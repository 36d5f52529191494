"""A person asks to be forgotten: the request, its preview, the erasure, and what must not come back."""

import asyncio
import contextlib
import dataclasses
import io
import json
import logging
import signal
import sys
from collections.abc import Awaitable, Callable
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import pytest
from ltc_chassis.clock import FixedClock
from ltc_chassis.db import Database, Transaction
from ltc_chassis.ids import new_id
from ltc_chassis.runtime import Runtime
from ltc_chassis.telemetry import log_handler
from ltc_chassis.testing import Deliver, Emitted, record_of
from ltc_chassis.timers import Timer, loop
from ltc_contracts.examples import example

from lead_svc.consumers import consumers
from lead_svc.domain.privacy import due_on
from lead_svc.handlers import privacy as handlers
from lead_svc.tests.builders import capture, import_form, timer
from lead_svc.tests.journeys import Nurture
from lead_svc.tests.persons import ADDRESS, CONTACT, ERASE, MARKS, PHONE, REQUESTS, Persons, Run, known_everywhere

Emissions = Callable[[], Awaitable[list[Emitted]]]


async def test_nothing_of_a_person_is_left_anywhere_and_the_lead_stays_as_a_row(
    nurture: Nurture, persons: Persons, run_timer: Run, db: Database, emitted: Emissions
) -> None:
    lead_id, visitor = await known_everywhere(nurture, run_timer, db)
    before = (await persons.client.get(f"/v1/leads/{lead_id}")).json()
    assert len({line.split(":")[0] for line in await persons.traces(visitor)}) >= 14
    done = await persons.erase()
    assert await persons.traces(visitor) == []
    # A company is no person: events go on with its name, since sales and billing know it as theirs. The lead forgets it.
    assert {line.split(":")[0] for line in await persons.traces("rossi")} <= {"outbox"}
    after = (await persons.client.get(f"/v1/leads/{lead_id}")).json()
    gone = ("contact", "company", "website", "external_ref", "attributes", "custom", "disqualified_reason")
    kept = ("flow_id", "status", "channel", "source", "country", "industry", "captured_via", "created_at", "segments")
    assert {name: after[name] for name in gone} == {
        **dict.fromkeys(gone[:4]),
        "attributes": {},
        "custom": {},
        "disqualified_reason": "(erased)",
    }
    assert {name: after[name] for name in kept} == {name: before[name] for name in kept}
    [event] = [each for each in await emitted() if each.topic == "person.erased"]
    assert (str(event.event.erasure_id), len(event.event.lead_ids)) == (done["id"], 2)
    assert before["flow_id"] in {str(flow_id) for flow_id in event.event.flow_ids}
    assert done["outcome"]["leads"] == 2
    assert (done["preview"], done["lead_ids"]) == (None, [])


async def test_a_preview_counts_by_table_says_what_is_kept_and_changes_nothing(
    nurture: Nurture, persons: Persons, run_timer: Run, db: Database
) -> None:
    lead_id, visitor = await known_everywhere(nurture, run_timer, db)
    before = await persons.traces(visitor)
    shown = (await persons.preview(await persons.ask()))["preview"]
    tables = {each["table"]: each for each in shown["tables"]}
    assert lead_id in shown["leads"]
    assert (tables["lead"]["rows"], tables["lead"]["columns"]["contact"]) == (2, "empty")
    assert tables["lead_key"]["deleted"]
    assert "asked properly" in tables["lead_consent"]["kept"]["wording"]
    assert "unsubscribe" in tables["nurture_delivery"]["kept"]["address_hash"]
    assert "tax law" in shown["elsewhere"]["order-svc, billing-svc"]
    request_tables = ("privacy_request",)
    assert [each for each in await persons.traces(visitor) if not each.startswith(request_tables)] == before


async def test_an_erasure_needs_the_digest_of_a_preview_that_still_holds(persons: Persons) -> None:
    await capture(persons.client, contact=CONTACT)
    request = await persons.ask()
    assert (await persons.confirm({**request, "digest": "0" * 64})).status_code == 409
    request = await persons.preview(request)
    assert (await persons.confirm({**request, "digest": "0" * 64})).status_code == 409
    await capture(persons.client, contact={"email": ADDRESS})
    changed = await persons.confirm(request)
    assert (changed.status_code, changed.json()["type"]) == (409, "urn:ltc:problem:data-changed")
    assert await persons.run(ERASE) == 0
    again = await persons.preview(request)
    assert len(again["preview"]["leads"]) == 2
    assert (await persons.confirm(again)).status_code == 202


async def test_an_erasure_asked_for_confirmed_and_done_again_changes_nothing_more(persons: Persons, emitted: Emissions) -> None:
    await capture(persons.client, contact=CONTACT)
    request = await persons.preview(await persons.ask())
    answers = [(await persons.confirm(request)).status_code for _ in range(2)]
    assert answers == [202, 202]
    assert await persons.run(ERASE) == 1
    assert (await persons.confirm(request)).json()["state"] == "done"
    assert await persons.run(ERASE) == 0
    second = await persons.erase()
    assert second["outcome"]["leads"] == 0
    assert len([each for each in await emitted() if each.topic == "person.erased"]) == 1


async def test_two_who_erase_the_same_person_at_once_do_it_once(persons: Persons, db: Database, emitted: Emissions) -> None:
    lead_id = await capture(persons.client, contact=CONTACT)
    subjects: list[dict[str, Any]] = [{"email": ADDRESS}, {"phone": PHONE}, {"lead_ids": [lead_id]}]
    replies = await asyncio.gather(*(persons.client.post(REQUESTS, json={"kind": "erase", **each}) for each in subjects))
    assert sorted(reply.status_code for reply in replies) == [201, 409, 409]
    request = await persons.preview(next(reply.json() for reply in replies if reply.status_code == 201))
    assert [reply.status_code for reply in await asyncio.gather(persons.confirm(request), persons.confirm(request))] == [202, 202]

    async def work() -> int:
        async with db.transaction() as tx:
            return await handlers.erase_due(tx)

    assert sorted(await asyncio.gather(work(), work())) == [0, 1]
    assert await persons.traces() == []
    [event] = [each.event for each in await emitted() if each.topic == "person.erased"]
    assert [str(each) for each in event.lead_ids] == [lead_id]


async def test_a_kill_in_the_middle_leaves_everything_as_it_was_and_the_erasure_goes_on(
    persons: Persons, emitted: Emissions
) -> None:
    await capture(persons.client, contact=CONTACT)
    request = await persons.preview(await persons.ask())
    await persons.confirm(request)
    before = await persons.traces()
    child = await asyncio.create_subprocess_exec(sys.executable, "-m", "lead_svc.tests.erasure_crash_child")
    assert await child.wait() == -signal.SIGKILL
    assert (await persons.get(request))["state"] == "confirmed"
    assert await persons.traces() == before != []
    assert [each for each in await emitted() if each.topic == "person.erased"] == []
    # The server notices a dead client within moments; until then its transaction holds the request.
    for _ in range(100):
        if await persons.run(ERASE):
            break
        await asyncio.sleep(0.1)
    assert (await persons.get(request))["state"] == "done"
    assert await persons.traces() == []


async def test_an_erased_lead_is_left_alone_by_time_and_rules(persons: Persons, clock: FixedClock, emitted: Emissions) -> None:
    client = persons.client
    rep = {"version": 0, "name": "Ina", "max_per_30_days": 300, "languages": ["en"]}
    lead_id = await capture(
        client,
        contact=CONTACT,
        country="DE",
        industry="software",
        activities=[{"activity": "demo_request"}, {"activity": "meeting"}],
    )
    open_id = await capture(client, contact=CONTACT, country="DE")
    await persons.erase()
    known = len(await emitted())
    before = [(await client.get(f"/v1/leads/{each}")).json()["status"] for each in (lead_id, open_id)]
    pool = (await client.get("/v1/pool")).json()
    assert open_id not in str(pool)
    await client.put("/v1/reps/ina", json=rep)
    clock.advance(days=200)
    for name in ("score-due", "segments", "assign-leads", "enter-journeys", "return-to-pool"):
        await persons.run(timer(name))
    assert [each.topic for each in (await emitted())[known:] if each.topic != "lead.released"] == []
    assert [(await client.get(f"/v1/leads/{each}")).json()["status"] for each in (lead_id, open_id)] == before
    for path, body in (("disqualify", {"code": "other"}), ("recycle", {}), ("claim", {})):
        assert (await client.post(f"/v1/leads/{open_id}/{path}", json=body)).status_code in (409, 410), path
    said = await client.put(f"/v1/leads/{open_id}/score/manual", json={"value": 5, "reason": "Zyxanna"})
    assert said.status_code == 410
    other = await capture(client, contact={"email": "bert@other.example"})
    assert (await client.post(f"/v1/leads/{open_id}/merge", json={"into": other})).status_code == 410
    assert await persons.traces() == []


async def test_a_colleague_behind_the_same_phone_is_left_alone_unless_named(persons: Persons) -> None:
    await capture(persons.client, contact=CONTACT)
    colleague = await capture(persons.client, contact={"name": "Bert", "email": "bert@other.example", "phone": PHONE})
    nameless = await capture(persons.client, contact={"phone": PHONE})
    shown = await persons.preview(await persons.ask(email=ADDRESS, phone=PHONE))
    assert (len(shown["preview"]["leads"]), shown["preview"]["doubtful"]) == (2, [colleague])
    assert nameless in shown["preview"]["leads"]
    await persons.confirm(shown)
    await persons.run(ERASE)
    kept = (await persons.client.get(f"/v1/leads/{colleague}")).json()
    assert kept["contact"]["email"] == "bert@other.example"
    named = await persons.preview(await persons.ask(lead_ids=[colleague]))
    assert named["preview"]["leads"] == [colleague]


async def test_of_two_persons_whose_leads_were_merged_one_is_erased_and_the_merge_cannot_be_undone(persons: Persons) -> None:
    client = persons.client
    own = await capture(client, contact=CONTACT, company="Rossi")
    other = await capture(client, contact={"name": "Bert Brecht", "email": "bert@other.example"}, company="Rossi")
    merged = (await client.post(f"/v1/leads/{own}/merge", json={"into": other, "take": []})).json()
    shown = await persons.preview(await persons.ask())
    assert (shown["preview"]["leads"], shown["preview"]["doubtful"]) == ([own], [other])
    await persons.confirm(shown)
    await persons.run(ERASE)
    kept = (await client.get(f"/v1/leads/{other}")).json()
    assert (kept["contact"]["email"], kept["company"]) == ("bert@other.example", "Rossi")
    # The phone that it took from the other one is given back, too.
    assert (kept["contact"]["phone"], kept["contact"]["name"]) == (None, "Bert Brecht")
    assert await persons.traces() == []
    undone = await client.post(f"/v1/merges/{merged['id']}/undo")
    assert (undone.status_code, undone.json()["type"]) == (409, "urn:ltc:problem:undo-prevented")
    found = await persons.preview(await persons.ask(email="bert@other.example"))
    assert other in found["preview"]["leads"]


async def test_by_a_phone_alone_it_is_the_one_person_whose_address_the_leads_have(persons: Persons) -> None:
    first = await capture(persons.client, contact=CONTACT)
    second = await capture(persons.client, contact={"email": ADDRESS})
    shown = await persons.preview(await persons.ask(phone="030 7654321", country="DE"))
    assert shown["preview"]["leads"] == sorted([first, second])


async def test_a_late_capture_touch_or_change_of_an_erased_person_brings_nobody_back(
    persons: Persons, nurture: Nurture, run_timer: Run, db: Database
) -> None:
    lead_id, visitor = await known_everywhere(nurture, run_timer, db)
    version = (await persons.client.get(f"/v1/leads/{lead_id}")).json()["version"]
    await persons.erase()
    client = persons.client
    late = await client.post("/v1/leads", json={"channel": "web", "source": "ads", "external_ref": "quux-1", "contact": CONTACT})
    assert (late.status_code, late.json()["type"]) == (410, "urn:ltc:problem:lead-erased")
    retried = await client.patch(f"/v1/leads/{lead_id}", json={"version": version, "contact": CONTACT})
    assert retried.status_code == 409
    now = (await client.get(f"/v1/leads/{lead_id}")).json()["version"]
    for path, body in (
        ("consents", {"given": True, "wording": "yes", "source": "form"}),
        ("activities", {"activity": "form"}),
        ("qualify", None),
    ):
        assert (await client.post(f"/v1/leads/{lead_id}/{path}", json=body)).status_code == 410, path
    changed = await client.patch(f"/v1/leads/{lead_id}", json={"version": now, "contact": CONTACT})
    assert changed.status_code == 410
    form = import_form(
        f"Ref,Email\nquux-1,{ADDRESS}\n",
        {"external_ref": "Ref", "contact.email": "Email"},
        defaults={"channel": "web", "source": "x"},
    )
    imported = (await client.post("/v1/imports", **form)).json()
    await run_timer(timer("import-rows"))
    counts = (await client.get(f"/v1/imports/{imported['id']}")).json()
    assert (counts["imported"], counts["duplicates"]) == (0, 1)
    page = {"site": "shop", "url": "https://www.shop.example/prices?gclid=Zyxanna2", "visitor": visitor}
    browser = {"origin": "https://www.shop.example", "user-agent": "Mozilla/5.0 Firefox/140.0", "content-type": "text/plain"}
    assert (await client.post("/t", content=json.dumps(page), headers=browser)).status_code < 300
    assert await persons.traces(visitor) == []


async def test_who_comes_again_is_a_new_lead_and_gets_mails_only_after_agreeing_anew(
    persons: Persons, nurture: Nurture, clock: FixedClock
) -> None:
    old = await nurture.lead(ADDRESS)
    await persons.erase()
    clock.advance(days=1)
    new = await nurture.lead(ADDRESS, consent=False)
    assert new != old
    await nurture.journey()
    assert await nurture.enrol(new) == ["suppressed"]
    looked = await persons.client.post("/v1/mail-suppressions/look-up", json={"email": ADDRESS})
    assert (looked.json()["suppressed"], looked.json()["why"]) == (True, "erased")
    await nurture.agree(new)
    assert await nurture.enrol(new) == [None]


async def test_an_import_that_names_the_person_is_waited_for(persons: Persons, clock: FixedClock) -> None:
    await capture(persons.client, contact=CONTACT)
    request = await persons.preview(await persons.ask())
    await persons.confirm(request)
    form = import_form(f"Email\n{ADDRESS}\n", {"contact.email": "Email"}, defaults={"channel": "web", "source": "x"})
    await persons.client.post("/v1/imports", **form)
    await persons.run(ERASE)
    assert (await persons.get(request))["state"] == "confirmed"
    await persons.run(timer("import-rows"))
    clock.advance(seconds=6)
    await persons.run(ERASE)
    assert (await persons.get(request))["state"] == "done"
    assert await persons.traces() == []


async def test_a_request_is_due_in_a_month_may_be_extended_once_and_refused_with_a_reason(
    persons: Persons, clock: FixedClock
) -> None:
    request = await persons.ask()
    assert request["due_on"] == "2026-02-01"
    path = f"{REQUESTS}/{request['id']}"
    assert (await persons.client.post(f"{path}/extend", json={"reason": "complex"})).json()["due_on"] == "2026-04-01"
    assert (await persons.client.post(f"{path}/extend", json={"reason": "complex"})).status_code == 409
    due = {"due_until": "2026-04-01"}
    assert [each["id"] for each in (await persons.client.get(REQUESTS, params=due)).json()["items"]] == [request["id"]]
    refused = await persons.client.post(f"{path}/refuse", json={"reason": "identity_not_proven"})
    assert (refused.json()["state"], refused.json()["refusal"]) == ("refused", "identity_not_proven")
    assert (await persons.confirm({**request, "digest": "0" * 64})).status_code == 409
    assert (await persons.client.post(f"{path}/preview")).status_code == 409
    moves = [each["move"] for each in (await persons.client.get(f"{path}/history")).json()]
    assert moves == ["receive", "extend", "refuse"]
    assert await persons.traces() == []
    clock.advance(days=1)
    assert (await persons.client.get(REQUESTS, params=due)).json()["items"] == []


async def test_a_closed_request_is_found_by_the_person_and_by_nobody_else(persons: Persons, secrets_dir: Path) -> None:
    done = await persons.erase()
    look = f"{REQUESTS}/look-up"
    assert [each["id"] for each in (await persons.client.post(look, json={"email": ADDRESS.lower()})).json()] == [done["id"]]
    assert (await persons.client.post(look, json={"email": "bert@other.example"})).json() == []
    assert (await persons.client.post(look, json={})).status_code == 400


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"email": "nobody"}, 400),
        ({"phone": "030 7654321"}, 400),
        ({"lead_ids": [str(new_id())]}, 404),
        ({"email": ADDRESS, "kind": "forget"}, 422),
        ({"email": ADDRESS, "reference": "Anna Rossi"}, 422),
        ({"email": "x" * 300}, 422),
    ],
)
async def test_a_bad_request_is_refused_with_its_field(persons: Persons, body: dict[str, Any], status: int) -> None:
    reply = await persons.client.post(REQUESTS, json={"kind": "erase", **body})
    assert reply.status_code == status, reply.text


async def test_requests_need_a_scope_of_their_own(persons: Persons, rep: Callable[..., httpx.AsyncClient]) -> None:
    request = await persons.ask()
    async with rep("ina") as seller, rep("dpo", "privacy:read") as reader:
        assert (await seller.get(REQUESTS)).status_code == 403
        assert (await seller.post(f"{REQUESTS}/look-up", json={"email": ADDRESS})).status_code == 403
        assert (await reader.get(f"{REQUESTS}/{request['id']}")).status_code == 200
        assert (await reader.post(f"{REQUESTS}/{request['id']}/preview")).status_code == 403


async def test_nothing_personal_is_logged(
    nurture: Nurture, persons: Persons, run_timer: Run, db: Database, runtime: Runtime, deliver: Deliver
) -> None:
    printed, root = io.StringIO(), logging.getLogger()
    handler, level = log_handler("lead", printed), root.level
    handler.addFilter(lambda record: not record.name.startswith("mail."))  # the mail server of the tests
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        lead_id, _ = await known_everywhere(nurture, run_timer, db)
        late = {"channel": "web", "source": "ads", "external_ref": "quux-1", "contact": CONTACT}
        assert (await persons.client.post("/v1/leads", json=late)).status_code == 409
        # What fails, fails with the person's data in hand: a row that is refused, an event that cannot be read.
        await _fails(runtime, lead_id)
        sample = record_of(example("opportunity.lost").event, flow_id=new_id())
        await deliver.records(consumers, [dataclasses.replace(sample, value=b'{"reason": 5, "opportunity_id": "Zyxanna"}')])
        await persons.erase()
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
    logged = printed.getvalue().lower()
    assert "checkviolationerror" in logged
    assert "opportunity.lost" in logged
    assert [line for line in logged.splitlines() if any(mark in line for mark in MARKS)] == []


async def _fails(runtime: Runtime, lead_id: str) -> None:
    async def work(tx: Transaction) -> int:
        await tx.conn.execute("UPDATE lead SET status = 'lost' WHERE id = $1", lead_id)
        return 0

    task = asyncio.create_task(loop(runtime, Timer("fails", work)))
    await asyncio.sleep(0.3)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


def test_a_month_ends_on_the_same_day_or_the_last_of_the_month() -> None:
    assert due_on(date(2026, 1, 31)) == date(2026, 2, 28)
    assert due_on(date(2026, 12, 15)) == date(2027, 1, 15)
    assert due_on(date(2026, 11, 30), 3) == date(2027, 2, 28)
