"""D6: what came of a survey: response rate, CSAT, NPS, each question; people's words for those who may read them; a file without formulas."""

import csv
import io
from typing import Any

import httpx
import pytest
from ltc_chassis.clock import FixedClock
from ltc_chassis.db import Database
from ltc_chassis.testing import KeyPair

from delivery_svc.domain.survey import csat, nps
from delivery_svc.tests.desk import Desk
from delivery_svc.tests.panel import COMMENT, Panel, form

SPEED = {"key": "speed", "kind": "scale", "text": {"en": "How fast?"}, "minimum": 1, "maximum": 3}
USES = {
    "key": "uses",
    "kind": "multiple",
    "text": {"en": "What for?"},
    "choices": [{"key": key, "text": {"en": key.title()}} for key in ("garden", "cellar", "pool")],
}
AGAIN = {"key": "again", "kind": "yes_no", "text": {"en": "Again?"}}
COUNT = {"key": "count", "kind": "number", "text": {"en": "How many?"}}
DAY = {"key": "day", "kind": "date", "text": {"en": "Since when?"}}
ALL: list[dict[str, Any]] = [SPEED, USES, AGAIN, COUNT, DAY, COMMENT]
SEEN = [str(question["key"]) for question in ALL]


@pytest.mark.parametrize(
    ("scores", "satisfied", "recommended"),
    [
        ({}, None, None),
        ({5: 1, 4: 1, 3: 1, 1: 1}, "50.00", None),
        ({5: 2, 3: 1}, "66.67", None),
        ({10: 3, 9: 2, 8: 4, 6: 1}, None, "40.00"),
        ({0: 1, 6: 1, 7: 1}, None, "-66.67"),
    ],
)
def test_csat_and_nps_as_the_field_counts_them(scores: dict[int, int], satisfied: str | None, recommended: str | None) -> None:
    if satisfied is not None or not scores:
        assert (None if (found := csat(scores)) is None else str(found)) == satisfied
    if recommended is not None or not scores:
        assert (None if (found := nps(scores)) is None else str(found)) == recommended


async def answered(panel: Panel, anonymous: httpx.AsyncClient, code: str, name: str, **answers: Any) -> None:
    """A person is asked and, where there are answers, answers."""
    email = f"{name}@n.example"
    await panel.ask(code, {"email": email})
    path = await panel.path(email)
    if answers:
        assert (await anonymous.post(path, data=form(seen=["score", *SEEN], **answers))).status_code == 303


async def test_numbers_of_those_asked_with_the_response_rate(
    panel: Panel, anonymous: httpx.AsyncClient, clock: FixedClock, desk: Desk
) -> None:
    await panel.nps("likely", trigger="request", every_days=None, questions=ALL)
    assert (await panel.results("likely"))["response_rate"] is None
    given = {"speed": "3", "uses": ["garden", "pool"], "again": "yes", "count": "2", "day": "2025-06-01", "comment": "good"}
    await answered(panel, anonymous, "likely", "a", score="10", **given)
    await answered(panel, anonymous, "likely", "b", score="9", speed="1", uses=["pool"], count="-1.5", day="2025-01-01")
    await answered(panel, anonymous, "likely", "c", score="7", again="no")
    await answered(panel, anonymous, "likely", "d", score="0")
    await answered(panel, anonymous, "likely", "e")
    await desk.call("POST", "/v1/survey-stops", {"email": "e@n.example"}, 204)
    await panel.ask("likely", {"email": "a@n.example"}, occasion="again")
    await answered(panel, anonymous, "likely", "f")
    found = await panel.results("likely")
    counts = ("asked", "delivered", "answered", "declined", "expired", "skipped")
    assert [found[name] for name in counts] == [6, 6, 4, 1, 0, {"quiet": 1}]
    assert (found["response_rate"], found["nps"], found["csat"]) == ("66.67", "25.00", None)
    by = {each["key"]: each for each in found["questions"]}
    assert [each["key"] for each in found["questions"]] == ["score", *SEEN]
    assert [each["count"] for each in by["score"]["counts"]] == [1, 0, 0, 0, 0, 0, 0, 1, 0, 1, 1]
    assert [(each["choice"], each["count"], each["percent"]) for each in by["speed"]["counts"]] == [
        ("1", 1, "50.00"),
        ("2", 0, "0.00"),
        ("3", 1, "50.00"),
    ]
    assert [(each["text"], each["count"]) for each in by["uses"]["counts"]] == [("Garden", 1), ("Cellar", 0), ("Pool", 2)]
    assert [(each["choice"], each["count"]) for each in by["again"]["counts"]] == [("yes", 1), ("no", 1)]
    assert [by["count"][name] for name in ("answers", "mean", "least", "most")] == [2, "0.2500", "-1.5", "2"]
    assert (by["day"]["first"], by["day"]["last"]) == ("2025-01-01", "2025-06-01")
    assert (by["comment"]["answers"], by["comment"]["counts"]) == (1, [])
    window = {"from": "2026-01-02T00:00:00Z"}
    assert (await panel.results("likely", **window))["asked"] == 0
    clock.advance(days=20)
    await panel.mails("f@n.example")
    assert (await panel.results("likely", version=1))["expired"] == 1
    await desk.call("GET", "/v1/surveys/likely/results?version=2", status=404)


async def test_a_mail_that_no_server_took_was_not_delivered(panel: Panel, anonymous: httpx.AsyncClient) -> None:
    await panel.research()
    panel.server.rcpt_answers.append("550 no such mailbox")
    await panel.ask("pumps", {"email": "a@n.example"}, {"email": "b@n.example"})
    await panel.mails("b@n.example")
    found = await panel.results("pumps")
    assert (found["asked"], found["delivered"], found["response_rate"]) == (2, 1, "0.00")


async def test_words_of_people_are_for_those_who_may_read_them(
    panel: Panel, anonymous: httpx.AsyncClient, keys: KeyPair, desk: Desk
) -> None:
    await panel.nps("likely", trigger="request", every_days=None, questions=ALL)
    await answered(panel, anonymous, "likely", "a", score="3", comment='=HYPERLINK("http://x.example")', count="-7")
    await answered(panel, anonymous, "likely", "b", score="4", comment="fine, 很好")
    page = await desk.call("GET", "/v1/surveys/likely/texts?limit=1")
    assert page["items"][0]["texts"] == {"comment": '=HYPERLINK("http://x.example")'}
    more = await desk.call("GET", f"/v1/surveys/likely/texts?cursor={page['next']}&question=comment")
    assert [each["score"] for each in more["items"]] == [4]
    path = "/v1/surveys/likely/answers.csv"
    for scopes, words in (("surveys:read", False), ("surveys:read surveys:texts", True)):
        reply = await anonymous.get(path, headers={"Authorization": f"Bearer {keys.token(scopes)}"})
        rows = list(csv.DictReader(io.StringIO(reply.text.removeprefix("\ufeff"))))
        assert ("comment" in rows[0], [row["score"] for row in rows]) == (words, ["3", "4"])
        # What a spreadsheet would run is text, a negative number is none.
        assert rows[0]["count"] == "-7"
        if words:
            assert [row["comment"] for row in rows] == ['\'=HYPERLINK("http://x.example")', "fine, 很好"]


async def test_nothing_of_a_person_is_left_in_surveys_and_they_are_never_asked_again(
    panel: Panel, anonymous: httpx.AsyncClient, desk: Desk, db: Database
) -> None:
    await panel.quiet(0)
    await panel.nps("likely", trigger="request", every_days=None, questions=ALL)
    await answered(panel, anonymous, "likely", "secret", score="10", comment="SECRET words")
    await answered(panel, anonymous, "likely", "other", score="0", comment="of somebody else")
    people = [{"email": "Secret@n.example", "name": "SECRET"}]
    await desk.call("POST", "/v1/surveys/likely/asks", {"people": people, "occasion": "2"}, headers={"Idempotency-Key": "k"})
    path = await panel.path("Secret@n.example")
    await panel.ask("likely", *people, occasion="3")
    done = await desk.call("POST", "/v1/ticket-erasures", {"email": "secret@n.example"})
    assert {"survey_ask", "survey_answer", "mail"} <= set(done["rows"])
    async with db.connection() as conn:
        for table in ("survey_ask", "survey_answer", "survey_person", "mail", "idempotency_key", "outbox"):
            rows = await conn.fetch(f'SELECT t::text AS row FROM "{table}" AS t')  # noqa: S608 - our own names
            assert not [row["row"] for row in rows if "secret" in row["row"].lower()], table
    assert await panel.states() == ["answered", "answered", "declined", "erased"]
    found = await panel.results("likely")
    assert (found["answered"], found["nps"]) == (2, "0.00")
    assert (await anonymous.get(path)).status_code == 410
    assert (await panel.ask("likely", *people, occasion="4"))["stopped"] == 1
    texts = await desk.call("GET", "/v1/surveys/likely/texts")
    assert [each["texts"]["comment"] for each in texts["items"]] == ["(erased)", "of somebody else"]
    assert (await desk.call("POST", "/v1/ticket-erasures", {"email": "secret@n.example"}))["rows"] == {}
