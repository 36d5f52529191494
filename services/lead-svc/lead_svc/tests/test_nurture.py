"""L8: journeys over HTTP, with a real mail server: who is written to, when, and when it stops."""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from ltc_chassis.db import Database
from ltc_chassis.runtime import Runtime
from ltc_chassis.testing import Emitted
from ltc_chassis.testing_mail import use

from lead_svc.tests.journeys import AGAIN, HELLO, MAILS, STEPS, Nurture, office, plan

Emissions = Callable[[], Awaitable[list[Emitted]]]


async def test_a_lead_is_written_to_step_by_step_in_its_name_and_told_of(nurture: Nurture, emitted: Emissions) -> None:
    await nurture.journey(from_name="Zoë of ACME", reply_to="zoe@acme.example")
    lead = await nurture.lead()
    assert await nurture.work() == 1
    assert await nurture.work(days=1, hours=23) == 1
    assert await nurture.work(hours=1) == 2
    first, second = nurture.server.received
    assert first.message["Subject"] == "Hello Anna"
    assert first.message["From"].addresses[0].display_name == "Zoë of ACME"
    assert first.message["Reply-To"] == "zoe@acme.example"
    text, html = first.part("plain"), first.part("html")
    assert text.startswith("Dear Anna Rossi of Rossi & Figli,\nsee https://acme.example/guide\n")
    assert "ACME GmbH\nBerlin" in text
    assert "Rossi &amp; Figli" in html
    assert 'href="https://acme.example' not in html  # counted, by a link of ours
    for part in (text, html):
        assert "http://service/u/" in part
    assert first.message["List-Unsubscribe"].startswith("<http://service/u/")
    assert first.message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert second.part("plain").startswith("We are.")
    assert (await nurture.client.get(f"/v1/leads/{lead}")).json()["status"] == "nurturing"
    told = [event for event in await emitted() if event.topic.startswith("nurture.")]
    assert [(event.topic, getattr(event.event, "step", None)) for event in told] == [
        ("nurture.enrolled", None),
        ("nurture.step_sent", "hello"),
        ("nurture.ended", None),
        ("nurture.step_sent", "again"),
    ]
    assert (told[0].event.how, told[2].event.reason, told[2].event.mails) == ("rule", "finished", 2)
    assert len({event.flow_id for event in told}) == 1
    assert "anna" not in str([event.event for event in told]).lower()
    numbers = (await nurture.client.get("/v1/journeys/welcome/statistics")).json()
    assert (numbers["enrolled"], numbers["running"], numbers["ended"]) == (1, 0, {"finished": 1})
    assert [(step["step"], step["posted"], step["sent"]) for step in numbers["steps"]] == [("hello", 1, 1), ("again", 1, 1)]


@pytest.mark.parametrize(
    ("country", "more", "first", "second"),
    [
        # Thursday 2026-01-01 00:00 UTC; the second mail is due two days after the first, a Saturday.
        ("DE", {}, "2026-01-01T08:00", "2026-01-05T08:00"),
        ("US", {}, "2026-01-01T14:00", "2026-01-05T14:00"),
        ("DE", {"holidays": True}, "2026-01-02T08:00", "2026-01-05T08:00"),
        ("US", {"of": "company"}, "2026-01-01T08:00", "2026-01-05T08:00"),
    ],
)
async def test_nothing_leaves_in_quiet_hours_of_the_lead(
    nurture: Nurture, country: str, more: dict[str, Any], first: str, second: str
) -> None:
    await nurture.journey(hours={**office(), **more})
    await nurture.lead(country=country)
    arrived: list[str] = []
    while nurture.clock.now() < datetime(2026, 1, 7, tzinfo=UTC):
        for _ in range(await nurture.work() - len(arrived)):
            arrived.append(nurture.clock.now().isoformat()[:16])
        nurture.clock.advance(minutes=30)
    assert arrived == [first, second]


async def test_a_mail_that_missed_its_hours_since_the_server_was_away_waits_for_the_next(
    nurture: Nurture, runtime: Runtime
) -> None:
    use(runtime, smtp_host="")
    await nurture.journey(hours=office())
    await nurture.lead()
    assert await nurture.work(hours=8) == 0  # 09:00 in Berlin
    use(runtime, smtp_host="127.0.0.1")
    assert await nurture.work(hours=8) == 0  # 17:00: closed
    assert await nurture.work(hours=15, minutes=59) == 0
    assert await nurture.work(minutes=1) == 1


async def test_an_address_gets_so_many_mails_in_so_long_whatever_the_journeys(nurture: Nurture) -> None:
    steps = [{"key": f"s{number}", "after": {"hours": 1}, "mail": AGAIN} for number in range(3)]
    for code in ("one", "two"):
        await nurture.journey(code, cap={"mails": 2, "days": 7}, steps=steps, entry=None)
    lead, twin = await nurture.lead(), await nurture.lead("Anna@Rossi.example")
    assert await nurture.enrol(lead, code="one") == [None]
    assert await nurture.enrol(twin, code="two") == [None]
    counts = [await nurture.work(hours=1) for _ in range(5)]
    assert counts == [2, 2, 2, 2, 2]
    assert [await nurture.work(days=1) for _ in range(7)] == [2, 2, 2, 2, 2, 2, 4]
    for _ in range(30):
        await nurture.work(days=1)
    assert len(nurture.server.received) == 6


ENDINGS: list[tuple[str, str, dict[str, Any]]] = [
    ("reply", "activities", {"activity": "reply"}),
    ("meeting", "activities", {"activity": "meeting"}),
    ("qualified", "qualify", {}),
    ("qualified", "activities", {"activity": "demo_request"}),
    ("disqualified", "disqualify", {"code": "no_budget"}),
    ("no_consent", "consents", {"given": False, "wording": "No more", "source": "phone"}),
]


@pytest.mark.parametrize(("by", "path", "body"), ENDINGS)
async def test_whatever_ends_it_nothing_is_sent_any_more_not_even_what_waits(
    nurture: Nurture, runtime: Runtime, emitted: Emissions, by: str, path: str, body: dict[str, Any]
) -> None:
    await nurture.journey()
    lead = await nurture.lead()
    await nurture.work()
    use(runtime, smtp_host="")
    await nurture.work(days=2)  # the second mail is posted and waits for the server
    other = await nurture.lead("bert@rossi.example")
    await nurture.work()
    reply = await nurture.client.post(f"/v1/leads/{lead}/{path}", json=body)
    assert reply.status_code in (200, 201), reply.text
    use(runtime, smtp_host="127.0.0.1")
    await nurture.work(days=10)
    assert len(nurture.server.to("anna@rossi.example")) == 1
    assert len(nurture.server.to("bert@rossi.example")) >= 1
    assert await nurture.ended_by(lead) in ([by], ["finished"])
    assert (await nurture.of(lead))["mails"][0]["outcome"] == "discarded"
    assert await nurture.ended_by(other) == ["finished"]


@pytest.mark.parametrize(("by", "path", "body"), ENDINGS)
async def test_the_end_is_told_with_its_reason(
    nurture: Nurture, emitted: Emissions, by: str, path: str, body: dict[str, Any]
) -> None:
    await nurture.journey()
    lead = await nurture.lead()
    await nurture.work()
    await nurture.client.post(f"/v1/leads/{lead}/{path}", json=body)
    [event] = [event.event for event in await emitted() if event.topic == "nurture.ended"]
    assert (event.reason, event.mails, str(event.lead_id)) == (by, 1, lead)
    assert await nurture.ended_by(lead) == [by]
    assert await nurture.work(days=10) == 1


async def test_a_merged_lead_leaves_and_the_other_is_not_written_to_twice(nurture: Nurture) -> None:
    await nurture.journey()
    kept, gone = await nurture.lead(), await nurture.lead("Anna@rossi.example", company="Rossi SpA")
    assert await nurture.work() == 2
    merged = await nurture.client.post(f"/v1/leads/{gone}/merge", json={"into": kept})
    assert merged.status_code in (200, 201), merged.text
    assert sorted(str(by) for by in await nurture.ended_by(kept)) == ["None", "merged"]
    assert await nurture.work(days=2) == 3


async def test_who_has_not_agreed_or_cannot_be_reached_gets_nothing(nurture: Nurture, emitted: Emissions) -> None:
    await nurture.journey()
    silent = await nurture.lead("s@x.example", consent=False)
    unreachable = await nurture.lead(None)
    odd = await nurture.lead("<odd>@x.example")
    gone = await nurture.lead("g@x.example")
    await nurture.client.post(f"/v1/leads/{gone}/disqualify", json={"code": "no_budget"})
    quiet = await nurture.lead("Q@x.example")
    reply = await nurture.client.post("/v1/mail-suppressions", json={"email": "q@X.example", "why": "by_hand"})
    assert reply.json()["suppressed"] is True
    assert await nurture.work() == 0
    nobody = "019b0000-0000-7000-8000-000000000000"
    assert await nurture.enrol(silent, unreachable, odd, gone, quiet, nobody, silent) == [
        "no_consent",
        "no_address",
        "no_address",
        "not_open",
        "suppressed",
        "no_lead",
    ]
    await nurture.agree(silent)
    assert await nurture.enrol(silent) == [None]
    assert await nurture.enrol(silent) == ["running"]
    await nurture.client.post("/v1/mail-suppressions/lift", json={"email": "Q@x.example"})
    assert (await nurture.client.post("/v1/mail-suppressions/look-up", json={"email": "q@x.example"})).json()[
        "suppressed"
    ] is False
    assert await nurture.enrol(quiet) == [None]
    assert await nurture.work() == 2


async def test_a_condition_branches_skips_or_ends_and_a_goal_stops(nurture: Nurture) -> None:
    def one(key: str, **more: Any) -> dict[str, Any]:
        return {"key": key, "after": {"hours": 1}, "mail": {"subject": key, "text": key}, **more}

    steps = [
        one("first"),
        one("only_us", when={"field": "country", "is": "eq", "value": "US"}),
        {"key": "fork", "when": {"field": "clicked.first", "is": "eq", "value": True}, "otherwise": "cold"},
        one("warm", next="end"),
        one("cold", when={"field": "days_since_capture", "is": "gte", "value": 30}, otherwise="end"),
        one("never"),
    ]
    goal = {"field": "activities", "is": "contains", "value": "webinar"}
    first = {**steps[0], "mail": {**HELLO, "subject": "first"}}
    await nurture.journey(steps=[first, *steps[1:]], goal=goal)
    clicks, waits, ends = await nurture.lead("c@x.example"), await nurture.lead("w@x.example"), await nurture.lead("e@x.example")
    assert await nurture.work(hours=1) == 0
    assert await nurture.work(hours=1) == 3
    html = nurture.server.to("c@x.example")[0].part("html")
    link = html.partition('href="http://service')[2].partition('"')[0]
    assert (await nurture.client.get(link, headers={"User-Agent": "Mozilla/5.0 Firefox/140.0"})).status_code == 302
    await nurture.client.post(f"/v1/leads/{ends}/activities", json={"activity": "webinar"})
    await nurture.work(hours=1)
    await nurture.work(hours=1)
    await nurture.work(hours=1)
    subjects = {to: [str(each.message["Subject"]) for each in nurture.server.to(f"{to}@x.example")] for to in "cwe"}
    assert subjects == {"c": ["first", "warm"], "w": ["first"], "e": ["first"]}
    assert [await nurture.ended_by(lead) for lead in (clicks, waits, ends)] == [["finished"], ["finished"], ["goal"]]


async def test_leads_known_before_are_found_by_the_rule_and_never_twice(nurture: Nurture) -> None:
    old, other = await nurture.lead("o@x.example"), await nurture.lead("f@x.example", country="FR")
    score = {"all": [{"field": "country", "is": "eq", "value": "DE"}, {"field": "activities", "is": "contains", "value": "form"}]}
    await nurture.journey(entry=score, again_after_days=30, steps=[{"key": "a", "mail": AGAIN}])
    assert await nurture.work() == 0
    for lead in (old, other):
        await nurture.client.post(f"/v1/leads/{lead}/activities", json={"activity": "form"})
    assert await nurture.work() == 1
    assert [await nurture.work(days=1) for _ in range(29)] == [1] * 29
    assert await nurture.work(days=1) == 2
    assert await nurture.enrol(old) == ["before"]


async def test_a_version_is_never_edited_and_leads_finish_the_one_they_began(nurture: Nurture) -> None:
    await nurture.journey()
    early = await nurture.lead("e@x.example")
    await nurture.work()
    changed = plan(steps=[{"key": "new", "mail": {"subject": "New", "text": "New"}}])
    made = await nurture.client.post("/v1/journeys/welcome/versions", json=changed)
    assert (made.status_code, made.json()["version"], made.json()["state"]) == (201, 2, "draft")
    await nurture.client.post("/v1/journeys/welcome/versions/2/activate")
    shown = (await nurture.client.get("/v1/journeys/welcome")).json()["versions"]
    assert [(line["version"], line["state"]) for line in shown] == [(2, "active"), (1, "retired")]
    await nurture.lead("l@x.example")
    await nurture.work(days=2)
    assert [str(each.message["Subject"]) for each in nurture.server.to("e@x.example")] == ["Hello Anna", "Still there?"]
    assert [str(each.message["Subject"]) for each in nurture.server.to("l@x.example")] == ["New"]
    assert await nurture.ended_by(early) == ["finished"]
    for version, move, status in (
        (1, "activate", 409),
        (2, "pause", 200),
        (2, "pause", 409),
        (3, "pause", 404),
        (2**40, "pause", 404),
    ):
        reply = await nurture.client.post(f"/v1/journeys/welcome/versions/{version}/{move}")
        assert reply.status_code == status, (version, move)
    moves = (await nurture.client.get("/v1/journeys/welcome/versions/2")).json()["moves"]
    assert [(move["move"], move["by"]) for move in moves] == [("pause", "test"), ("activate", "test")]
    assert (await nurture.client.post("/v1/journeys", json={"code": "welcome", "name": "x", "plan": plan()})).status_code == 409
    assert (await nurture.client.post("/v1/journeys/welcome/enrolments", json={"lead_ids": [early]})).status_code == 409


async def test_paused_nothing_leaves_and_afterwards_it_goes_on_once(nurture: Nurture, runtime: Runtime) -> None:
    await nurture.journey()
    use(runtime, smtp_host="")
    lead, other = await nurture.lead(), await nurture.lead("b@x.example")
    await nurture.work()  # both mails wait for the server
    await nurture.client.post("/v1/journeys/welcome/versions/1/pause")
    use(runtime, smtp_host="127.0.0.1")
    assert await nurture.work(days=5) == 0
    await nurture.client.post(f"/v1/leads/{other}/activities", json={"activity": "reply"})
    await nurture.client.post("/v1/journeys/welcome/versions/1/activate")
    assert await nurture.work() == 1
    assert await nurture.work(days=2) == 2
    assert await nurture.ended_by(lead) == ["finished"]
    await nurture.client.post("/v1/journeys/welcome/versions/1/retire", json={"end_running": True})
    assert (await nurture.client.get("/v1/journeys/welcome/statistics")).json()["ended"] == {"finished": 1, "reply": 1}


async def test_retired_with_its_leads_it_stops_at_once(nurture: Nurture) -> None:
    await nurture.journey()
    lead = await nurture.lead()
    assert await nurture.work() == 1
    await nurture.client.post("/v1/journeys/welcome/versions/1/retire", json={"end_running": True})
    assert await nurture.work(days=5) == 1
    assert await nurture.ended_by(lead) == ["retired"]


async def test_a_person_takes_a_lead_out(nurture: Nurture) -> None:
    await nurture.journey()
    lead = await nurture.lead()
    await nurture.work()
    [enrolment] = (await nurture.client.get("/v1/journeys/welcome/enrolments", params={"state": "running"})).json()["items"]
    assert enrolment["lead_id"] == lead
    assert (await nurture.client.post(f"/v1/enrolments/{enrolment['id']}/end")).json()["ended_by"] == "by_hand"
    assert (await nurture.client.post(f"/v1/enrolments/{enrolment['id']}/end")).status_code == 409
    assert await nurture.work(days=5) == 1


async def test_two_replicas_at_once_post_each_mail_once(nurture: Nurture, db: Database) -> None:
    await nurture.journey(entry=None, steps=[{"key": "a", "mail": AGAIN}])
    leads = [await nurture.lead(f"n{number}@x.example") for number in range(12)]
    await nurture.enrol(*leads)

    async def replica() -> None:
        for _ in range(4):
            async with db.transaction() as tx:
                await STEPS.work(tx)

    await asyncio.gather(replica(), replica(), replica())
    assert await nurture.work() == 12
    assert len({each.recipients[0] for each in nurture.server.received}) == 12


@pytest.mark.parametrize("place", ["posting", "sending"])
async def test_no_mail_twice_after_a_crash(nurture: Nurture, db: Database, runtime: Runtime, dsn: str, place: str) -> None:
    """A process is killed (SIGKILL): before the step commits, or after the server took the mail and before that is written down."""
    await nurture.journey()
    lead = await nurture.lead()
    await nurture.run(next(timer for timer in (STEPS, MAILS) if timer is MAILS))
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("LTC_")},
        "LTC_POSTGRES_DSN": dsn,
        "LTC_AUTH_PUBLIC_KEY": str(runtime.settings.auth_public_key),
        "LTC_SECRETS_DIR": str(runtime.settings.secrets_dir),
        "LTC_PUBLIC_URL": "http://service",
        "LTC_CLOCK": "2026-01-01T00:00Z@1",
        **{f"LTC_{name.upper()}": str(value) for name, value in nurture.server.settings.items()},
    }
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "lead_svc.tests.nurture_crash_child", place, env=environment
    )
    assert await child.wait() == -signal.SIGKILL
    assert len(nurture.server.received) == (0 if place == "posting" else 1)
    await nurture.work(minutes=10)
    async with db.connection() as conn:
        await conn.execute("UPDATE mail SET taken_until = clock_timestamp() - interval '1 second' WHERE taken_until IS NOT NULL")
    assert await nurture.work() == 1
    [mail] = (await nurture.of(lead))["mails"]
    assert mail["outcome"] == ("sent" if place == "posting" else "in_doubt")
    assert await nurture.work(days=2) == 2
