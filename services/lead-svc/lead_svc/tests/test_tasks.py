"""L9: follow-up tasks: due in the assignee's hours, changed by version, done or cancelled, overdue once."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from ltc_chassis.clock import FixedClock
from ltc_chassis.ids import new_id
from ltc_chassis.runtime import Runtime
from ltc_chassis.testing import Emitted
from ltc_chassis.testing_mail import MailServer
from ltc_chassis.timers import Timer
from ltc_contracts.errors import WrongTransition

from lead_svc.domain import task as rules
from lead_svc.domain.task import TRANSITIONS
from lead_svc.tests.builders import capture, timer
from lead_svc.tests.responses import BERLIN, SHANGHAI, local, policy

Emissions = Callable[[], Awaitable[list[Emitted]]]
Run = Callable[[Timer], Awaitable[int]]
Send = Callable[[], Awaitable[int]]
As = Callable[..., httpx.AsyncClient]
REMIND = timer("remind-tasks")


async def add(client: httpx.AsyncClient, lead: str, **more: Any) -> httpx.Response:
    return await client.post("/v1/tasks", json={"lead_id": lead, "title": "Call back", "due_in_minutes": 60, **more})


async def made(client: httpx.AsyncClient, lead: str, **more: Any) -> dict[str, Any]:
    reply = await add(client, lead, **more)
    assert reply.status_code == 201, reply.text
    return dict(reply.json())


def test_a_task_moves_by_the_table_only() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    fields: dict[str, Any] = dict.fromkeys(rules.Task.__dataclass_fields__)
    for state in ("open", "done", "cancelled"):
        task = rules.Task(**{**fields, "id": new_id(), "state": state, "version": 1, "due_at": now})
        moves: dict[str, Callable[[], Any]] = {
            "change": lambda task=task: rules.change(task, {"title": "x"}, now),  # type: ignore[misc]
            "complete": lambda task=task: rules.complete(task, None, "anna", now),  # type: ignore[misc]
            "cancel": lambda task=task: rules.cancel(task, "no", "anna", now),  # type: ignore[misc]
            "resume": lambda task=task: rules.resume(task, now),  # type: ignore[misc]
        }
        for move, act in moves.items():
            if (state, move) in TRANSITIONS:
                assert act().state == TRANSITIONS[state, move]
            else:
                with pytest.raises(WrongTransition):
                    act()


async def test_a_task_is_due_in_the_hours_of_who_does_it(client: httpx.AsyncClient, clock: FixedClock) -> None:
    clock.set(local("2026-01-16T16:30", 1))
    lead = await capture(client)
    for rep, calendar in (("anna", BERLIN), ("wei", SHANGHAI)):
        assert (await client.put(f"/v1/desks/rep/{rep}", json={"calendar": calendar})).status_code == 200
    by_hours = await made(client, lead, assignee="anna", due_in_minutes=60)
    assert by_hours["due_at"] == "2026-01-19T08:30:00Z"
    given = await made(client, lead, assignee="wei", due_in_minutes=None, due_at="2026-01-17T09:00:00Z")
    assert given["due_at"] == "2026-01-19T01:00:00Z"
    # Where nobody said when somebody is there, the hours of the queue count, and else any hour does.
    assert (await made(client, lead))["due_at"] == "2026-01-16T16:30:00Z"
    await client.put("/v1/desks/queue/default", json={"calendar": BERLIN})
    assert (await made(client, lead, assignee="berta"))["due_at"] == "2026-01-19T08:30:00Z"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"due_at": "2026-01-05T00:00:00Z"}, 400),
        ({"due_in_minutes": None}, 400),
        ({"title": ""}, 422),
        ({"title": "x" * 201}, 422),
        ({"note": "x" * 2001}, 422),
        ({"type": "party"}, 422),
        ({"due_in_minutes": None, "due_at": "2026-01-05T00:00:00"}, 422),
        ({"title": "a\u0000b"}, 400),
    ],
)
async def test_a_task_that_is_not_well_formed_is_refused(client: httpx.AsyncClient, body: dict[str, Any], status: int) -> None:
    assert (await add(client, await capture(client), **body)).status_code == status
    assert (await add(client, str(new_id()))).status_code == 404


async def test_a_task_changes_in_the_version_that_was_read_and_is_done_once(client: httpx.AsyncClient, seller: As) -> None:
    task = await made(client, await capture(client), assignee="anna", note="about the price")
    path = f"/v1/tasks/{task['id']}"
    change = {"version": 1, "title": "Write", "assignee": "berta", "note": None, "priority": "urgent"}
    changed = (await client.patch(path, json=change)).json()
    assert [changed[name] for name in ("title", "assignee", "note", "priority", "version")] == [
        "Write",
        "berta",
        None,
        "urgent",
        2,
    ]
    stale = await client.patch(path, json={"version": 1, "title": "x"})
    assert (stale.status_code, stale.json()["current_version"]) == (409, 2)
    assert (await client.patch(path, json={"version": 2, "title": None})).status_code == 400
    assert (await seller("berta").post(f"{path}/complete", json={"outcome": "sent", "version": 1})).status_code == 409
    both = await asyncio.gather(*(seller("berta").post(f"{path}/complete", json={"outcome": "sent"}) for _ in range(2)))
    assert sorted(reply.status_code for reply in both) == [200, 409]
    done = (await client.get(path)).json()
    assert (done["state"], done["outcome"], done["closed_by"]) == ("done", "sent", "berta")
    assert (await client.post(f"{path}/cancel", json={"reason": "late"})).status_code == 409


async def test_a_task_is_cancelled_with_its_reason(client: httpx.AsyncClient) -> None:
    task = await made(client, await capture(client))
    assert (await client.post(f"/v1/tasks/{task['id']}/cancel", json={})).status_code == 422
    gone = (await client.post(f"/v1/tasks/{task['id']}/cancel", json={"reason": "they called"})).json()
    assert (gone["state"], gone["cancel_reason"]) == ("cancelled", "they called")


async def test_tasks_are_listed_by_whose_lead_state_and_due_in_pages(client: httpx.AsyncClient, seller: As) -> None:
    lead, other = await capture(client), await capture(client)
    await seller("anna").post(f"/v1/leads/{lead}/claim")
    owners = await made(client, lead)
    named = await made(client, other, assignee="anna", due_in_minutes=600)
    nobodys = await made(client, other)

    async def ids(**params: Any) -> list[str]:
        return [each["id"] for each in (await seller("anna").get("/v1/tasks", params=params)).json()["items"]]

    assert await ids(mine=True) == await ids(assignee="anna") == [owners["id"], named["id"]]
    assert await ids(lead_id=other) == [named["id"], nobodys["id"]]
    assert await ids(nobodys=True) == [nobodys["id"]]
    assert await ids(due_before="2026-01-01T02:00:00Z", mine=True) == [owners["id"]]
    assert (await client.post(f"/v1/tasks/{owners['id']}/complete")).status_code == 200
    assert await ids(mine=True, state="open") == [named["id"]]
    first = (await client.get("/v1/tasks", params={"limit": 2})).json()
    rest = (await client.get("/v1/tasks", params={"limit": 2, "cursor": first["next"]})).json()
    assert [each["id"] for each in (*first["items"], *rest["items"])] == [owners["id"], named["id"], nobodys["id"]]
    assert rest["next"] is None


async def test_an_overdue_task_is_marked_and_reminded_once_and_again_when_it_was_put_off(
    client: httpx.AsyncClient, clock: FixedClock, run_timer: Run, mail_server: MailServer, send_mails: Send
) -> None:
    await client.put("/v1/desks/rep/anna", json={"email": "anna@acme.example"})
    task = await made(client, await capture(client), assignee="anna", title="Ask Ms Rossi")
    clock.advance(minutes=59)
    assert await run_timer(REMIND) == 0
    clock.advance(days=3)
    assert (await run_timer(REMIND), await run_timer(REMIND), await send_mails()) == (1, 0, 1)
    shown = (await client.get(f"/v1/tasks/{task['id']}")).json()
    assert (shown["overdue"], shown["version"]) == (True, 1)
    [mail] = mail_server.to("anna@acme.example")
    assert task["id"] in mail.part("plain")
    assert "Rossi" not in mail.part("plain")
    put_off = await client.patch(f"/v1/tasks/{task['id']}", json={"version": 1, "due_in_minutes": 60})
    assert put_off.json()["overdue"] is False
    clock.advance(hours=2)
    assert (await run_timer(REMIND), await send_mails()) == (1, 1)


async def test_replicas_remind_once(
    client: httpx.AsyncClient, clock: FixedClock, runtime: Runtime, send_mails: Send, mail_server: MailServer
) -> None:
    await client.put("/v1/desks/queue/default", json={"email": "desk@acme.example"})
    lead = await capture(client)
    for _ in range(10):
        await made(client, lead)
    clock.advance(days=1)

    async def replica() -> int:
        async with runtime.db.transaction() as tx:
            return await REMIND.work(tx)

    assert sum(await asyncio.gather(*(replica() for _ in range(4)))) == 10
    assert await send_mails() == 10
    assert len(mail_server.to("desk@acme.example")) == 10


async def test_a_first_response_is_not_put_off_given_away_or_cancelled(client: httpx.AsyncClient) -> None:
    await policy(client)
    lead = await capture(client)
    [task] = (await client.get("/v1/tasks", params={"lead_id": lead})).json()["items"]
    for change in ({"assignee": "berta"}, {"due_in_minutes": 5}):
        reply = await client.patch(f"/v1/tasks/{task['id']}", json={"version": 1, **change})
        assert (reply.status_code, reply.json()["type"]) == (409, "urn:ltc:problem:owners-task")
    assert (await client.post(f"/v1/tasks/{task['id']}/cancel", json={"reason": "no"})).status_code == 409
    assert (await client.patch(f"/v1/tasks/{task['id']}", json={"version": 1, "priority": "urgent"})).status_code == 200


async def test_tasks_go_with_a_merged_lead_and_come_back_with_an_undo(client: httpx.AsyncClient) -> None:
    survivor, merged = await capture(client), await capture(client)
    task = await made(client, merged)
    merge = (await client.post(f"/v1/leads/{merged}/merge", json={"into": survivor})).json()
    assert (await client.get(f"/v1/tasks/{task['id']}")).json()["lead_id"] == survivor
    # A task for a merged lead is one for the lead that it became part of.
    assert (await made(client, merged))["lead_id"] == survivor
    assert (await client.post(f"/v1/merges/{merge['id']}/undo")).status_code == 200
    assert (await client.get(f"/v1/tasks/{task['id']}")).json()["lead_id"] == merged


async def test_desks_have_versions_and_refuse_what_could_not_be_used(client: httpx.AsyncClient) -> None:
    assert (await client.put("/v1/desks/rep/anna", json={"email": "anna@acme.example"})).json()["version"] == 1
    assert (await client.put("/v1/desks/rep/anna", json={"email": "a@acme.example"})).status_code == 409
    assert (await client.put("/v1/desks/rep/anna", json={"email": "a@acme.example", "version": 1})).json()["version"] == 2
    for body in (
        {"email": "no address"},
        {"email": "a@b.example\nBcc: x@y.example"},
        {"calendar": {"timezone": "x"}},
        {"subject": "x"},
    ):
        assert (await client.put("/v1/desks/rep/carl", json=body)).status_code == 400
    assert (await client.put("/v1/desks/team/DACH", json={})).status_code == 400
    assert (await client.put("/v1/desks/team/DACH", json={"subject": "petra"})).status_code == 200
    changes = (await client.get("/v1/desks/rep/anna/changes")).json()
    assert [(each["version"], each["email"]) for each in changes] == [(2, "a@acme.example"), (1, "anna@acme.example")]
    first = (await client.get("/v1/desks", params={"limit": 1})).json()
    rest = (await client.get("/v1/desks", params={"after": first["next"]})).json()
    assert [each["name"] for each in (*first["items"], *rest["items"])] == ["anna", "DACH"]
    both = await asyncio.gather(*(client.put("/v1/desks/queue/night", json={}) for _ in range(2)))
    assert sorted(reply.status_code for reply in both) == [200, 409]


async def test_the_hours_of_a_task_go_over_weekends_and_the_change_of_clocks(
    client: httpx.AsyncClient, clock: FixedClock
) -> None:
    clock.set(local("2026-03-28T12:00", 1))
    await client.put("/v1/desks/rep/anna", json={"calendar": BERLIN})
    task = await made(client, await capture(client), assignee="anna", due_in_minutes=60 * 8 * 3)
    assert datetime.fromisoformat(task["due_at"]) == local("2026-04-01T17:00", 2)
