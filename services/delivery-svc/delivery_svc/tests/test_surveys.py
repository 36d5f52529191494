"""D6: who is asked, when and how often: after deliveries and tickets, by schedule, by request; nobody twice in a quiet period."""

import asyncio
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ltc_chassis.clock import FixedClock
from ltc_chassis.ids import new_id
from ltc_chassis.runtime import Runtime
from ltc_chassis.testing import Deliver, KeyPair
from ltc_chassis.testing_mail import MailServer
from ltc_chassis.timers import run_until_idle

from delivery_svc.domain.survey import turn_of
from delivery_svc.tests.desk import Desk, events
from delivery_svc.tests.panel import ASK, COMMENT, ROUNDS, Panel, delivered, form
from delivery_svc.tests.rig import Emissions

EVA = "eva@nordwind.example"


async def test_a_survey_is_written_as_versions_and_each_is_kept_with_who_wrote_it(panel: Panel, desk: Desk) -> None:
    first = await panel.csat()
    assert (first["version"], first["active_since"]) == (1, "2026-01-01T00:00:00Z")
    await panel.survey("after-delivery", {"kind": "csat", "trigger": "delivery_completed"}, status=409)
    second = await panel.csat(version=1, active=False, texts={"subject": {"en": "How was {number}?"}})
    assert (second["version"], second["active_since"]) == (2, None)
    rows = await desk.call("GET", "/v1/surveys/after-delivery/changes")
    assert [(row["version"], row["active"], row["changed_by"]) for row in rows] == [(2, False, "test"), (1, True, "test")]
    assert rows[1]["questions"][0]["text"]["zh"] == "您有什么建议？"
    assert [each["version"] for each in await desk.call("GET", "/v1/surveys")] == [2]
    await panel.quiet(7)
    rules = await desk.call("GET", "/v1/survey-rule/changes")
    assert [(row["version"], row["quiet_days"], row["changed_by"]) for row in rules] == [(2, 7, "test"), (1, 30, "system")]
    await desk.call("PUT", "/v1/survey-rule", {"quiet_days": 0, "version": 1}, 409)


YES_NO = {"key": "again", "kind": "yes_no", "text": {"en": "Again?"}}


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"kind": "csat", "trigger": "schedule", "every_days": 90}, "trigger"),
        ({"kind": "nps", "trigger": "schedule"}, "every_days"),
        ({"kind": "nps", "trigger": "request", "every_days": 9}, "every_days"),
        ({"kind": "nps", "trigger": "request", "valid_days": 5, "remind_days": 5}, "remind_days"),
        ({"kind": "research", "trigger": "request"}, "questions"),
        ({"questions": [COMMENT, COMMENT]}, "questions.1.key"),
        ({"kind": "nps", "questions": [{**COMMENT, "key": "score"}]}, "questions.0.key"),
        ({"questions": [{**YES_NO, "kind": "single"}]}, "questions.0.choices"),
        ({"questions": [{**YES_NO, "choices": [{"key": "a", "text": {"en": "A"}}]}]}, "questions.0.choices"),
        ({"questions": [{**YES_NO, "kind": "scale", "minimum": 1, "maximum": 11}]}, "questions.0.maximum"),
        ({"questions": [{**YES_NO, "kind": "number", "minimum": 2, "maximum": 1}]}, "questions.0.maximum"),
        ({"questions": [{**YES_NO, "low": {"en": "no"}}]}, "questions.0.low"),
        ({"questions": [{**YES_NO, "when": {"field": "later", "is": "is_set"}}, COMMENT]}, "questions.0.when"),
        ({"questions": [YES_NO, {**COMMENT, "when": {"field": "later", "is": "is_set"}}]}, "questions.1.when.field"),
        ({"questions": [YES_NO, {**COMMENT, "when": {"field": "again", "is": "eq", "value": 7}}]}, "questions.1.when.value"),
    ],
)
async def test_a_survey_that_makes_no_sense_is_refused_by_field(client: httpx.AsyncClient, given: Any, field: str) -> None:
    body = {"name": "x", "kind": "research", "trigger": "request", **given}
    reply = await client.put("/v1/surveys/x", json=body)
    assert (reply.status_code, reply.json()["field"]) == (400, field), reply.text


async def test_a_key_means_for_ever_what_it_meant_first(panel: Panel, client: httpx.AsyncClient) -> None:
    await panel.research(questions=[YES_NO])
    await panel.research(questions=[COMMENT], version=1)
    body = {"name": "x", "kind": "research", "trigger": "request", "questions": [{**COMMENT, "key": "again"}], "version": 2}
    assert (await client.put("/v1/surveys/pumps", json=body)).json()["field"] == "questions.0.kind"
    body = {"name": "x", "kind": "nps", "trigger": "request", "version": 2}
    assert (await client.put("/v1/surveys/pumps", json=body)).json()["field"] == "kind"


async def test_each_route_asks_for_its_scope(panel: Panel, keys: KeyPair, anonymous: httpx.AsyncClient) -> None:
    await panel.research()
    routes = {
        ("PUT", "/v1/surveys/x"): "surveys:configure",
        ("PUT", "/v1/survey-rule"): "surveys:configure",
        ("GET", "/v1/surveys"): "surveys:read",
        ("GET", "/v1/surveys/pumps/results"): "surveys:read",
        ("GET", "/v1/survey-asks"): "surveys:read",
        ("GET", "/v1/surveys/pumps/texts"): "surveys:texts",
        ("POST", "/v1/surveys/pumps/asks"): "surveys:ask",
        ("POST", "/v1/survey-stops"): "surveys:ask",
    }
    scopes = {*routes.values(), "tickets:configure"}
    for (method, path), needed in routes.items():
        others = {"Authorization": f"Bearer {keys.token(' '.join(scopes - {needed}))}"}
        own = {"Authorization": f"Bearer {keys.token(needed)}"}
        assert (await anonymous.request(method, path, headers=others, json={})).status_code == 403, path
        assert (await anonymous.request(method, path, headers=own, json={})).status_code != 403, path


async def test_a_delivery_is_asked_about_after_its_delay_once_on_the_flow_of_the_order(
    panel: Panel, client: httpx.AsyncClient, deliver: Deliver, clock: FixedClock, emitted: Emissions
) -> None:
    await panel.csat(delay_hours=24)
    delivery = await delivered(deliver, client, EVA)
    clock.advance(hours=23)
    assert await panel.mails(EVA) == []
    clock.advance(hours=1)
    [mail] = await panel.mails(EVA)
    assert mail.message["Subject"] == "How was your delivery O-2026-000001?"
    assert (mail.message["To"].addresses[0].addr_spec, "/y/" in mail.part("plain")) == (EVA, True)
    assert mail.message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    await panel.run(ASK)
    [asked] = [each for each in await emitted() if each.topic == "survey.asked"]
    assert (str(asked.flow_id), str(asked.event.delivery_id)) == (delivery["flow_id"], delivery["id"])
    assert (asked.event.kind, asked.event.trigger, asked.sequence) == ("csat", "delivery_completed", 2)
    [view] = await panel.asks(order_id=delivery["order_id"])
    assert (view["state"], view["expires_at"]) == ("asked", "2026-01-16T00:00:00Z")


async def test_no_address_or_a_broken_one_is_nobody_to_ask(panel: Panel, client: httpx.AsyncClient, deliver: Deliver) -> None:
    await panel.csat()
    await delivered(deliver, client, None)
    await delivered(deliver, client, "no address")
    assert await panel.asks() == []


async def test_a_resolved_and_a_closed_ticket_are_asked_about_and_one_that_came_back_is_not(
    panel: Panel, desk: Desk, clock: FixedClock
) -> None:
    await panel.csat("resolved", "ticket_resolved", delay_hours=2)
    await panel.csat("closed", "ticket_closed")
    await panel.quiet(0)
    ticket = await desk.open(language="zh")
    await desk.say(ticket, then="resolve")
    await desk.say(ticket, "It leaks again", author="customer")
    clock.advance(hours=3)
    await panel.run(ASK)
    assert await panel.states() == ["reopened"]
    await desk.move(ticket, "resolve")
    clock.advance(hours=3)
    [mail] = await panel.mails(EVA)
    assert mail.message["Subject"] == "您对请求 T-2026-000001 的处理满意吗？"
    spam = await desk.open(requester_email="spam@x.example")
    await desk.move(spam, "close")
    await desk.move(ticket, "close")
    assert len(await panel.mails(EVA)) == 2
    assert [(each["survey"], each["state"]) for each in await panel.asks(ticket_id=ticket["id"])] == [
        ("resolved", "skipped"),
        ("resolved", "asked"),
        ("closed", "asked"),
    ]
    assert await panel.asks(ticket_id=spam["id"]) == []


async def test_a_customer_who_says_that_it_is_solved_is_asked(panel: Panel, desk: Desk, anonymous: httpx.AsyncClient) -> None:
    await panel.csat("resolved", "ticket_resolved")
    ticket = await desk.open()
    link = (await desk.call("POST", f"/v1/tickets/{ticket['id']}/link"))["url"].removeprefix("http://service")
    for _ in range(2):
        await anonymous.post(link, data={"action": "solved"})
    assert len(await panel.mails(EVA)) == 1


async def test_nobody_is_asked_twice_within_the_quiet_days_by_whatever_survey(
    panel: Panel, client: httpx.AsyncClient, deliver: Deliver, clock: FixedClock
) -> None:
    await panel.csat()
    await panel.research()
    await delivered(deliver, client, EVA)
    assert len(await panel.mails(EVA)) == 1
    # The same address in other letters is the same person.
    assert (await panel.ask("pumps", {"email": "EVA@nordwind.example"}))["accepted"] == 1
    await panel.run(ASK)
    clock.advance(days=29)
    await delivered(deliver, client, EVA)
    assert len(await panel.mails(EVA)) == 1
    assert await panel.states() == ["expired", "quiet", "quiet"]
    assert [each["email"] for each in await panel.asks()] == [EVA, None, None]
    clock.advance(days=1)
    await delivered(deliver, client, EVA)
    assert len(await panel.mails(EVA)) == 2


async def test_however_many_ask_at_once_a_person_is_asked_once(panel: Panel, runtime: Runtime, emitted: Emissions) -> None:
    for number in range(8):
        await panel.research(f"s{number}")
        await panel.ask(f"s{number}", {"email": EVA}, {"email": "max@weber.example"})
    # As eight replicas would, each of which claims some of the rows.
    await asyncio.gather(*(run_until_idle(runtime, ASK) for _ in range(8)))
    assert Counter(await panel.states()) == {"asked": 2, "quiet": 14}
    assert len(events(await emitted(), "survey.asked")) == 2
    await panel.send()
    assert sorted(each.recipients[0] for each in panel.server.received) == [EVA, "max@weber.example"]


async def test_who_does_not_answer_is_reminded_once_and_then_it_is_over(
    panel: Panel, clock: FixedClock, emitted: Emissions, anonymous: httpx.AsyncClient
) -> None:
    await panel.research(valid_days=10, remind_days=4)
    await panel.ask("pumps", {"email": EVA, "language": "zh"}, {"email": "max@weber.example"})
    path = await panel.path("max@weber.example")
    await anonymous.post(path, data=form(seen=["comment"], comment="fine"))
    clock.advance(days=4)
    for _ in range(2):
        assert [each.message["Subject"] for each in await panel.mails(EVA)] == ["诚邀您参与调查", "提醒：诚邀您参与调查"]
    assert len(panel.server.to("max@weber.example")) == 1
    clock.advance(days=6)
    assert len(await panel.mails(EVA)) == 2
    assert await panel.states() == ["expired", "answered"]
    [over] = [each for each in await emitted() if each.topic == "survey.expired"]
    assert (over.sequence, over.event.asked_at) == (4, datetime(2026, 1, 1, tzinfo=UTC))
    assert (await anonymous.get(await panel.path(EVA))).status_code == 410


async def test_who_wants_no_surveys_is_never_asked_again(
    panel: Panel, desk: Desk, client: httpx.AsyncClient, deliver: Deliver, clock: FixedClock
) -> None:
    await panel.quiet(0)
    await panel.csat(valid_days=30, remind_days=5)
    await delivered(deliver, client, EVA)
    await panel.mails(EVA)
    await desk.call("POST", "/v1/survey-stops", {"email": "Eva@Nordwind.example"}, 204)
    await delivered(deliver, client, EVA)
    await panel.research()
    assert await panel.ask("pumps", {"email": EVA}) == {"accepted": 0, "known": 0, "stopped": 1, "refused": []}
    clock.advance(days=10)
    assert len(await panel.mails(EVA)) == 1
    assert await panel.states() == ["declined", "stopped"]


async def test_nobody_is_asked_by_a_survey_that_was_stopped_or_so_late_that_the_link_would_be_over(
    panel: Panel, client: httpx.AsyncClient, deliver: Deliver, clock: FixedClock
) -> None:
    await panel.csat(delay_hours=1)
    await delivered(deliver, client, EVA)
    await panel.csat(version=1, active=False)
    clock.advance(hours=1)
    await panel.run(ASK)
    await panel.csat(version=2, delay_hours=1)
    await delivered(deliver, client, EVA)
    clock.advance(hours=1, days=14)
    assert await panel.mails(EVA) == []
    assert await panel.states() == ["inactive", "late"]


async def test_without_an_address_of_ours_asking_waits(panel: Panel, runtime: Runtime) -> None:
    from ltc_chassis.testing_mail import use

    await panel.research()
    await panel.ask("pumps", {"email": EVA})
    use(runtime, public_url="")
    assert await panel.mails(EVA) == []
    assert await panel.states() == ["waiting"]
    use(runtime, public_url="http://service")
    assert len(await panel.mails(EVA)) == 1


async def test_people_are_asked_by_a_list_once_for_an_occasion(
    panel: Panel, client: httpx.AsyncClient, deliver: Deliver, emitted: Emissions
) -> None:
    await panel.quiet(0)
    await panel.research()
    delivery = await delivered(deliver, client, "info@sz.example", name="深圳设备", country="CN")
    people = [{"email": EVA}, {"customer_id": delivery["customer"]["customer_id"]}, {"customer_id": str(new_id())}]
    done = await panel.ask("pumps", *people)
    assert done == {"accepted": 2, "known": 0, "stopped": 0, "refused": [{"row": 3, "reason": "unknown"}]}
    assert (await panel.ask("pumps", *people))["known"] == 2
    assert (await panel.ask("pumps", *people, occasion="2026-spring"))["accepted"] == 2
    await panel.ask("pumps", {"name": "nobody"}, status=422)
    await panel.csat()
    await panel.ask("after-delivery", {"email": EVA}, status=409)
    [mail, _] = await panel.mails("info@sz.example")
    assert mail.message["Subject"] == "诚邀您参与调查"
    # On the flow of the customer's latest order; who never ordered has one of their own.
    flows = {str(each.flow_id) for each in await emitted() if each.topic == "survey.asked"}
    assert delivery["flow_id"] in flows
    assert len(flows) == 3


async def test_people_are_asked_by_a_file_with_errors_by_row(panel: Panel, client: httpx.AsyncClient) -> None:
    await panel.research()
    content = f"email;name;language\n{EVA};Eva;zh\nno address;x;en\n{EVA.upper()};;\nmax@weber.example;Max;fr\n;Nobody;en\n"
    reply = await client.post("/v1/surveys/pumps/asks/file", files={"file": ("people.csv", content.encode(), "text/csv")})
    assert reply.status_code == 202, reply.text
    told = reply.json()
    assert (told["accepted"], told["known"], [each["row"] for each in told["refused"]]) == (1, 1, [3, 5, 6])
    for wrong in (b"name\nEva\n", b"email,colour\na@b.example,red\n", b"", b"email\n\xff\xfe\n"):
        refused = await client.post("/v1/surveys/pumps/asks/file", files={"file": ("people.csv", wrong, "text/csv")})
        assert (refused.status_code, refused.headers["content-type"]) == (400, "application/problem+json")


async def test_by_schedule_each_customer_has_a_turn_every_so_many_days(
    panel: Panel, client: httpx.AsyncClient, deliver: Deliver, clock: FixedClock
) -> None:
    await panel.nps(every_days=40, valid_days=5)
    customers = {f"c{number}@n.example": new_id() for number in range(6)}
    for email, customer_id in customers.items():
        for _ in range(2):
            await delivered(deliver, client, email, customer_id=customer_id)
    turns: dict[str, list[date]] = {email: [] for email in customers}
    for _ in range(130):
        # From the first day on: whose turn it is then would be asked a day late otherwise.
        await panel.run(ROUNDS)
        await panel.run(ASK)
        clock.advance(days=1)
    for each in await panel.asks(limit=500):
        turns[each["email"]].append(date.fromisoformat(each["asked_at"][:10]))
    for email, days in turns.items():
        assert len(days) in (3, 4), email
        assert {(after - before).days for before, after in pairwise(days)} == {40}
        assert turn_of("recommend", customers[email], 40, 100, days[0])[1] == days[0]


async def test_a_turn_waits_for_the_end_of_a_quiet_period_and_a_day_that_was_missed_is_made_up_for(
    panel: Panel, client: httpx.AsyncClient, deliver: Deliver, clock: FixedClock
) -> None:
    customer_id = UUID("019b0000-0000-7000-8000-000000000001")
    await panel.nps(every_days=60)
    await delivered(deliver, client, EVA, customer_id=customer_id)
    today = date(2026, 1, 1)
    turn = next(
        day for day in (today + timedelta(n) for n in range(60)) if turn_of("recommend", customer_id, 60, 100, day)[1] == day
    )
    await panel.research()
    clock.set(datetime.combine(turn, datetime.min.time(), UTC) - timedelta(days=10))
    await panel.ask("pumps", {"email": EVA})
    await panel.run(ASK)
    # Nothing ran on the day of the turn itself.
    clock.advance(days=12)
    for _ in range(2):
        await panel.run(ROUNDS)
        await panel.run(ASK)
    assert await panel.states(survey="recommend") == ["waiting"]
    clock.advance(days=18)
    await panel.run(ROUNDS)
    await panel.run(ASK)
    assert await panel.states(survey="recommend") == ["asked"]


async def test_a_round_goes_on_where_it_was_and_replicas_share_it(
    panel: Panel,
    runtime: Runtime,
    clock: FixedClock,
    deliver: Deliver,
    client: httpx.AsyncClient,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from delivery_svc.handlers import survey_triggers

    monkeypatch.setattr(survey_triggers, "_PAGE", 3)
    await panel.nps(every_days=1)
    for number in range(10):
        await delivered(deliver, client, f"c{number}@n.example")
    clock.advance(days=1)
    await asyncio.gather(*(run_until_idle(runtime, ROUNDS) for _ in range(4)))
    assert len(await panel.asks()) == 10
    assert await panel.run(ROUNDS) == 0


@given(st.uuids(), st.integers(1, 400), st.dates(date(2020, 1, 1), date(2100, 1, 1)))
def test_a_turn_begins_where_the_one_before_ends(customer_id: UUID, every: int, day: date) -> None:
    number, begun, _ = turn_of("x", customer_id, every, 100, day)
    assert begun <= day < begun + timedelta(days=every)
    assert turn_of("x", customer_id, every, 100, begun)[:2] == (number, begun)
    assert turn_of("x", customer_id, every, 100, begun + timedelta(days=every))[:2] == (number + 1, begun + timedelta(days=every))


def test_of_many_customers_as_many_are_sampled_as_it_says_and_always_the_same() -> None:
    customers = [UUID(int=number) for number in range(4000)]
    sampled = [turn_of("x", each, 90, 25, date(2026, 1, 1))[2] for each in customers]
    assert sampled == [turn_of("x", each, 90, 25, date(2026, 1, 1))[2] for each in customers]
    assert 900 < sum(sampled) < 1100
    begun = Counter(turn_of("x", each, 10, 25, date(2026, 1, 1))[1] for each in customers)
    assert len(begun) == 10
    assert max(begun.values()) < 2 * min(begun.values())


async def test_an_answer_takes_back_a_reminder_that_has_not_left(
    panel: Panel, clock: FixedClock, anonymous: httpx.AsyncClient, mail_server: MailServer
) -> None:
    await panel.research(valid_days=10, remind_days=4)
    await panel.ask("pumps", {"email": EVA})
    path = await panel.path(EVA)
    clock.advance(days=4)
    await panel.run(ASK)
    await anonymous.post(path, data=form(seen=["comment"], comment="fine"))
    await panel.send()
    assert len(mail_server.to(EVA)) == 1
