"""D6: the page of a survey: answered once, with questions that follow from answers, by a link that cannot be made up; or asked no more."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import date
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ltc_chassis.clock import FixedClock
from ltc_chassis.testing import Deliver
from ltc_chassis.testing_browser import CHROMIUM, chromium
from ltc_contracts.events import CodedAnswer
from playwright.async_api import Page

from delivery_svc.domain.survey import Choice, Question
from delivery_svc.domain.survey_answer import Reading, read
from delivery_svc.tests.desk import Desk, events
from delivery_svc.tests.panel import HTML, Panel, delivered, form, path_of
from delivery_svc.tests.rig import Emissions

EVA = "eva@nordwind.example"
WHY = {
    "key": "why",
    "kind": "single",
    "text": {"en": "What was wrong?", "zh": "哪里不满意？"},
    "required": True,
    "choices": [
        {"key": "late", "text": {"en": "Too late", "zh": "太晚"}},
        {"key": "broken", "text": {"en": "It was broken", "zh": "有损坏"}},
    ],
    "when": {"field": "score", "is": "lte", "value": 3},
}
WHICH = {
    "key": "which",
    "kind": "multiple",
    "text": {"en": "Which parts?", "zh": "哪些部件？"},
    "choices": [{"key": "hose", "text": {"en": "Hose", "zh": "软管"}}, {"key": "plug", "text": {"en": "Plug", "zh": "插头"}}],
    "when": {"field": "why", "is": "eq", "value": "broken"},
}
DAY = {"key": "day", "kind": "date", "text": {"en": "When did you open it?", "zh": "何时开箱？"}}
COUNT = {
    "key": "count",
    "kind": "number",
    "text": {"en": "How many pumps have you?", "zh": "您有多少台泵？"},
    "minimum": 0,
    "maximum": 500,
}
AGAIN = {"key": "again", "kind": "yes_no", "text": {"en": "Would you buy again?", "zh": "您会再次购买吗？"}}
COMMENT = {"key": "comment", "kind": "text", "text": {"en": "Anything else?", "zh": "还有其他意见吗？"}}
ALL = [WHY, WHICH, DAY, COUNT, AGAIN, COMMENT]
FIRST = ["score", "day", "count", "again", "comment"]


async def asked(panel: Panel, deliver: Deliver, client: httpx.AsyncClient, **more: Any) -> str:
    """The path of the page on which Eva is asked about her delivery."""
    await panel.csat(**{"questions": ALL, **more})
    await delivered(deliver, client, EVA)
    return await panel.path(EVA)


async def test_looking_changes_nothing_and_what_is_shown_is_harmless(
    panel: Panel, deliver: Deliver, client: httpx.AsyncClient, anonymous: httpx.AsyncClient
) -> None:
    texts = {"subject": {"en": "<script>alert(1)</script> {number}"}}
    path = await asked(panel, deliver, client, texts=texts)
    reply = await anonymous.get(path, headers=HTML)
    assert reply.status_code == 200
    assert "<script>alert" not in reply.text
    assert "&lt;script&gt;alert(1)&lt;/script&gt; O-2026-000001" in reply.text
    assert (reply.headers["cache-control"], "default-src 'none'" in reply.headers["content-security-policy"]) == (
        "no-store",
        True,
    )
    assert ("What was wrong?" in reply.text, "How many pumps have you?" in reply.text) == (False, True)
    assert "您的满意程度如何" in (await anonymous.get(f"{path}?lang=zh")).text
    await anonymous.get(path_of(panel.server.to(EVA)[-1], "/stop"), headers=HTML)
    assert await panel.states() == ["asked"]


async def test_it_is_answered_once_and_told_in_codes_only(
    panel: Panel, deliver: Deliver, client: httpx.AsyncClient, anonymous: httpx.AsyncClient, clock: FixedClock, emitted: Emissions
) -> None:
    path = await asked(panel, deliver, client)
    clock.advance(days=2)
    answers = {"score": "5", "day": "2026-01-02", "count": "12,5", "again": "yes", "comment": "All SECRET well\r\n"}
    replies = await asyncio.gather(*(anonymous.post(path, data=form(seen=FIRST, **answers)) for _ in range(4)))
    assert {reply.status_code for reply in replies} == {303}
    page = await anonymous.get(f"/y/{replies[0].headers['location']}", headers=HTML)
    assert ('id="thanks"' in page.text, "<form" in page.text, "SECRET" in page.text) == (True, False, False)
    # Another answer changes nothing.
    assert (await anonymous.post(path, data=form(seen=FIRST, score="1"))).status_code == 303
    told = await emitted()
    [said] = events(told, "survey.answered")
    assert said.answers == (
        CodedAnswer(question="score", number=Decimal(5)),
        CodedAnswer(question="day", day=date(2026, 1, 2)),
        CodedAnswer(question="count", number=Decimal("12.5")),
        CodedAnswer(question="again", yes=True),
        CodedAnswer(question="comment", told=True),
    )
    [csat] = [each for each in told if each.topic == "csat.recorded"]
    assert (csat.event.score, csat.event.about, csat.event.survey_version) == (5, "delivery", 1)
    assert csat.event.asked_at == said.asked_at == events(told, "survey.asked")[0].expires_at.replace(day=1)
    [view] = await panel.asks()
    assert (view["state"], view["score"], view["ended_at"]) == ("answered", 5, "2026-01-03T00:00:00Z")
    assert str(csat.flow_id) == view["flow_id"]


async def test_questions_follow_from_answers_on_the_same_page_and_nothing_is_kept_before(
    panel: Panel, deliver: Deliver, client: httpx.AsyncClient, anonymous: httpx.AsyncClient, emitted: Emissions
) -> None:
    path = await asked(panel, deliver, client)
    given = {"score": "2", "comment": "<b>bad</b>"}
    second = await anonymous.post(path, data=form(seen=FIRST, **given))
    assert second.status_code == 200
    assert ('id="q-why"' in second.text, 'id="q-which"' in second.text) == (True, False)
    assert ("&lt;b&gt;bad&lt;/b&gt;" in second.text, 'value="2" checked' in second.text) == (True, True)
    third = await anonymous.post(path, data=form(seen=[*FIRST, "why"], **given, why="broken"))
    assert (third.status_code, 'id="q-which"' in third.text) == (200, True)
    assert events(await emitted(), "survey.answered") == []
    done = await anonymous.post(path, data=form(seen=[*FIRST, "why", "which"], **given, why="broken", which=["plug", "hose"]))
    assert done.status_code == 303
    [said] = events(await emitted(), "survey.answered")
    assert [(each.question, each.choices) for each in said.answers if each.choices] == [
        ("why", ("broken",)),
        ("which", ("hose", "plug")),
    ]


@pytest.mark.parametrize(
    ("answers", "question", "words"),
    [
        ({}, "score", "Please answer this."),
        ({"score": "6"}, "score", "This is beyond what is asked for."),
        ({"score": "4.5"}, "score", "Please write a number."),
        ({"score": ["5", "1"]}, "", ""),
        ({"score": "5", "count": "many"}, "count", "Please write a number."),
        ({"score": "5", "count": "501"}, "count", "This is beyond what is asked for."),
        ({"score": "5", "count": "9" * 400}, "count", "Please write a number."),
        ({"score": "5", "day": "2026-02-30"}, "day", "Please write the day as year-month-day."),
        ({"score": "5", "day": "9999-12-31"}, "day", "Please write the day as year-month-day."),
        ({"score": "5", "again": "perhaps"}, "again", "Please take one of these."),
        ({"score": "5", "again": ["yes", "no"]}, "again", "Please take one of these."),
    ],
)
async def test_what_does_not_fit_is_asked_for_again_beside_its_question(
    panel: Panel,
    deliver: Deliver,
    client: httpx.AsyncClient,
    anonymous: httpx.AsyncClient,
    answers: dict[str, Any],
    question: str,
    words: str,
) -> None:
    path = await asked(panel, deliver, client)
    reply = await anonymous.post(path, data=form(seen=FIRST, **answers))
    if not question:
        assert reply.status_code == 303
        return
    assert reply.status_code == 400
    assert words in reply.text.partition(f'id="q-{question}" class="wrong"')[2][:400]
    assert await panel.states() == ["asked"]


async def test_what_no_page_of_ours_sends_is_refused(
    panel: Panel, deliver: Deliver, client: httpx.AsyncClient, anonymous: httpx.AsyncClient
) -> None:
    path = await asked(panel, deliver, client)
    assert (await anonymous.post(path, json={"score": 5})).status_code == 400
    assert (await anonymous.post(path, data={f"q.x{number}": "1" for number in range(600)})).status_code == 400
    assert (await anonymous.post(path, data=form(seen=FIRST, comment="x" * 70_000))).status_code == 413
    kept = form(seen=FIRST, score="5", comment="\x00\x07a\u2028b" + "x" * 3000, unknown="1")
    assert (await anonymous.post(path, data=kept)).status_code == 303
    [row] = (await client.get("/v1/surveys/after-delivery/texts")).json()["items"]
    assert (row["texts"]["comment"][:3], len(row["texts"]["comment"])) == ("a\u2028b", 2000)


async def test_a_link_that_is_made_up_old_or_of_another_purpose_opens_nothing(
    panel: Panel, deliver: Deliver, client: httpx.AsyncClient, anonymous: httpx.AsyncClient, clock: FixedClock
) -> None:
    path = await asked(panel, deliver, client)
    stop = path_of(panel.server.to(EVA)[-1], "/stop")
    wrong = (f"{path[:-3]}abc", "/y/x", f"/y/{'x' * 3000}", stop.removesuffix("/stop"), f"{path}/stop", "/y/x/stop")
    for each in wrong:
        assert (await anonymous.get(each, headers=HTML)).status_code == 404, each
        assert (await anonymous.post(each, data=form(seen=FIRST, score="5"))).status_code == 404, each
    clock.advance(days=14)
    # However late the timer is.
    page = await anonymous.get(path, headers={**HTML, "Accept-Language": "zh"})
    assert (page.status_code, "此链接已过期" in page.text) == (410, True)
    assert (await anonymous.post(path, data=form(seen=FIRST, score="5"))).status_code == 410
    assert (await panel.results("after-delivery"))["answered"] == 0
    # The way out stays open.
    assert (await anonymous.get(stop, headers=HTML)).status_code == 200


async def test_one_click_in_the_mail_program_stops_surveys(
    panel: Panel, deliver: Deliver, client: httpx.AsyncClient, anonymous: httpx.AsyncClient, emitted: Emissions
) -> None:
    path = await asked(panel, deliver, client)
    stop = urlsplit(str(panel.server.to(EVA)[-1].message["List-Unsubscribe"]).strip("<>")).path
    for _ in range(2):
        assert (await anonymous.post(stop, data={"List-Unsubscribe": "One-Click"})).status_code == 200
    [declined] = [each for each in await emitted() if each.topic == "survey.declined"]
    assert declined.sequence == 3
    assert await panel.states() == ["declined"]
    assert (await anonymous.get(path, headers=HTML)).status_code == 410
    await panel.quiet(0)
    await delivered(deliver, client, EVA)
    assert len(await panel.mails(EVA)) == 1


async def test_an_answer_about_a_ticket_is_told_with_it(
    panel: Panel, desk: Desk, anonymous: httpx.AsyncClient, emitted: Emissions
) -> None:
    await panel.csat("resolved", "ticket_resolved")
    ticket = await desk.open()
    await desk.say(ticket, then="resolve")
    await anonymous.post(await panel.path(EVA), data=form(seen=["score", "comment"], score="1"))
    [csat] = events(await emitted(), "csat.recorded")
    assert (csat.about, str(csat.ticket_id), csat.order_id, csat.score) == ("ticket", ticket["id"], None, 1)


CHOICES = (Choice("a", {"en": "A"}), Choice("b", {"en": "B"}))
QUESTIONS = (
    Question("score", "scale", {"en": "?"}, True, (), 0, 10),
    Question("why", "single", {"en": "?"}, True, CHOICES, when={"field": "score", "is": "lt", "value": 7}),
    Question("more", "text", {"en": "?"}, when={"field": "why", "is": "eq", "value": "b"}),
    Question("day", "date", {"en": "?"}),
)
SENT = st.one_of(
    st.sampled_from(["", "0", "6", "7", "10", "11", "a", "b", "c", "2026-01-01"]),
    st.text(alphabet="-0159.,e ab泵\x00\n", max_size=8),
)
SAID = st.lists(SENT, max_size=3)


@given(
    st.dictionaries(st.sampled_from(["score", "why", "more", "day", "other"]), SAID),
    st.sets(st.sampled_from(["score", "why", "more", "day"])),
)
def test_whatever_is_sent_only_what_was_asked_and_fits_is_an_answer(said: dict[str, list[str]], seen: set[str]) -> None:
    reading: Reading = read(QUESTIONS, said, seen)
    asked_keys = [question.key for question in reading.asked]
    assert set(reading.answers) <= set(asked_keys)
    assert set(reading.problems) <= seen & set(asked_keys)
    assert not set(reading.answers) & set(reading.problems)
    score = reading.answers.get("score")
    assert ("why" in asked_keys) == (score is not None and score.number is not None and score.number < 7)
    if not reading.open and not reading.problems:
        assert {question.key for question in reading.asked if question.required} <= set(reading.answers)


@contextlib.asynccontextmanager
async def browsing(locale: str, *, scripts: bool) -> AsyncIterator[Page]:
    """A page as wide as a small telephone; at the end nothing may have been complained of."""
    problems: list[str] = []
    async with chromium() as browser:
        context = await browser.new_context(locale=locale, viewport={"width": 360, "height": 740}, java_script_enabled=scripts)
        page = await context.new_page()
        page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: problems.append(str(error)))
        yield page
    # That a page was answered with 400 or 410 is no complaint of ours.
    assert [each for each in problems if "Failed to load resource" not in each] == []


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium: apt-get install chromium")
@pytest.mark.parametrize(
    ("locale", "country", "words"),
    [
        (
            "en-GB",
            "DE",
            ("How was your delivery", "Please answer this.", "A few more questions.", "We have your answer.", "never send you"),
        ),
        (
            "zh-CN",
            "CN",
            (
                "您对订单 O-2026-000001 的交付满意吗？",
                "请回答此问题。",
                "还有几个问题。",
                "您的回答已收到。",
                "不再接收我们的任何调查",
            ),
        ),
    ],
)
@pytest.mark.parametrize("scripts", [True, False])
async def test_it_is_answered_in_a_browser(
    panel: Panel,
    deliver: Deliver,
    client: httpx.AsyncClient,
    clock: FixedClock,
    address: str,
    locale: str,
    country: str,
    words: tuple[str, ...],
    scripts: bool,
) -> None:
    title, missing, more, thanks, really = words
    await panel.csat(questions=ALL)
    await delivered(deliver, client, EVA, country=country)
    path = await panel.path(EVA)
    async with browsing(locale, scripts=scripts) as page:
        await page.goto(f"{address}{path}")
        assert title in await page.inner_text("h1")
        assert await page.locator("html").get_attribute("lang") == locale[:2]
        box = await page.locator("main").bounding_box()
        assert box is not None
        assert box["width"] <= 360
        if scripts:
            assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        await page.click("#send")
        assert missing in await page.inner_text("#q-score")
        await page.check("#q-score input[value='2']")
        await page.fill("#q-comment textarea", "<b>软管</b> leaks")
        await page.click("#send")
        assert more in await page.inner_text("#more")
        assert await page.input_value("#q-comment textarea") == "<b>软管</b> leaks"
        await page.check("#q-why input[value=broken]")
        await page.click("#send")
        await page.check("#q-which input[value=hose]")
        await page.fill("#q-day input", "2026-01-02")
        await page.fill("#q-count input", "3")
        await page.check("#q-again input[value=no]")
        await page.click("#send")
        assert thanks in await page.inner_text("#thanks")
        # Once more is no second answer.
        await page.goto(f"{address}{path}")
        assert thanks in await page.inner_text("#thanks")
        await page.click("#other")
        assert await page.locator("html").get_attribute("lang") == ("en" if locale == "zh-CN" else "zh")
        await page.click("#other")
        await page.click("#stop")
        assert really in await page.inner_text("main p")
        await page.click("#really")
        await page.wait_for_selector("#done")
        tampered = await page.goto(f"{address}{path[:-4]}AAAA")
        assert tampered is not None
        assert (tampered.status, await page.inner_text("h1")) == (404, "页面不存在" if locale == "zh-CN" else "Not found")
        clock.advance(days=14)
        expired = await page.goto(f"{address}{path}")
        assert expired is not None
        assert expired.status == 410
    [view] = await panel.asks()
    assert (view["state"], view["score"]) == ("answered", 2)
    [said] = (await client.get("/v1/surveys/after-delivery/texts")).json()["items"]
    assert said["texts"] == {"comment": "<b>软管</b> leaks"}
