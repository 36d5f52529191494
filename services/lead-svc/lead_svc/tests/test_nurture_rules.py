"""L8: what a journey may be, what a template may say, and what a stranger's words become in our mail."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ltc_contracts.errors import Invalid
from ltc_contracts.events import Contact
from ltc_rules.calendar import calendar_of

from lead_svc.domain import nurture as rules
from lead_svc.domain.consent import address_hash
from lead_svc.domain.nurture import Cap, Hours, Template, plan_of
from lead_svc.handlers import nurture_text
from lead_svc.tests.builders import lead
from lead_svc.tests.journeys import AGAIN, Nurture, office, plan

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"steps": [{"key": "Bad key", "mail": AGAIN}]}, "steps.0.key"),
        ({"steps": [{"key": "end", "mail": AGAIN}]}, "steps.0.key"),
        ({"steps": [{"key": "a", "mail": AGAIN}, {"key": "a", "mail": AGAIN}]}, "steps.1.key"),
        ({"steps": [{"key": "a", "next": "end"}]}, "steps"),
        ({"steps": [{"key": "a"}, {"key": "b", "mail": AGAIN}]}, "steps.0"),
        ({"steps": [{"key": "a", "mail": AGAIN, "next": "a"}]}, "steps.0.next"),
        ({"steps": [{"key": "b", "mail": AGAIN}, {"key": "a", "mail": AGAIN, "next": "b"}]}, "steps.1.next"),
        ({"steps": [{"key": "a", "mail": AGAIN, "otherwise": "end"}]}, "steps.0.otherwise"),
        ({"steps": [{"key": "a", "mail": AGAIN, "after": {"days": 365, "hours": 1}}]}, "steps.0.after"),
        (
            {"steps": [{"key": "a", "mail": AGAIN, "when": {"field": "clicked.a", "is": "eq", "value": True}}]},
            "steps.0.when.field",
        ),
        ({"steps": [{"key": "a", "mail": {"subject": "{{ nmae }}", "text": "x"}}]}, "steps.0.mail.subject"),
        ({"steps": [{"key": "a", "mail": {"subject": "x", "text": "{% for a in name %}{% endfor %}"}}]}, "steps.0.mail.text"),
        ({"entry": {"field": "shoe_size", "is": "eq", "value": 1}}, "entry.field"),
        ({"entry": {"field": "opened.hello", "is": "eq", "value": True}}, "entry.field"),
        ({"goal": {"any": []}}, "goal.any"),
        ({"hours": office(timezone="Mars/Olympus")}, "timezone"),
        ({"hours": {**office(), "week": {"mon": [["17:00", "09:00"]]}}}, "week.mon"),
        ({"from_name": "ACME\r\nBcc: all@x.example"}, "from_name"),
        ({"reply_to": "not an address"}, "reply_to"),
    ],
)
async def test_a_plan_that_makes_no_sense_is_refused_by_its_place(nurture: Nurture, changed: dict[str, Any], field: str) -> None:
    body = {"code": "welcome", "name": "Welcome", "plan": plan(**changed)}
    refused = await nurture.client.post("/v1/journeys", json=body)
    assert (refused.status_code, refused.json().get("field")) == (400, field), refused.text
    assert (await nurture.client.get("/v1/journeys")).json()["items"] == []


@pytest.mark.parametrize(
    "changed", [{"steps": []}, {"steps": [{"key": "a", "mail": AGAIN}] * 51}, {"unknown": 1}, {"cap": {"mails": 0}}]
)
async def test_a_plan_of_the_wrong_shape_is_malformed(nurture: Nurture, changed: dict[str, Any]) -> None:
    body = {"code": "welcome", "name": "Welcome", "plan": plan(**changed)}
    assert (await nurture.client.post("/v1/journeys", json=body)).status_code == 422


@pytest.mark.parametrize(
    "source",
    [
        *("{{ name.__class__ }}", "{{ ''.__class__.__mro__ }}", "{{ attributes.x.y }}", "{{ name() }}", "{{ 'a' * 1000000000 }}"),
        *(
            "{{ 10 ** 10 ** 10 }}",
            "{% set a = 1 %}",
            "{% include 'x' %}",
            "{% macro m() %}{% endmacro %}",
            "{{ name | attr('x') }}",
        ),
        *(
            "{{ range(9) }}",
            "{{ name | map('upper') }}",
            "{{ self }}",
            "{% raw %}{{ name }}",
            "{{ name",
            "{{ attributes[name] }}",
        ),
        *(
            "{{ name | truncate('x') }}",
            "{% if name is callable %}{% endif %}",
            "{{ config }}",
            "{% extends 'x' %}",
            "x\x00",
            " ",
        ),
        "{{ " + "(" * 3000 + "name" + ")" * 3000 + " }}",
    ],
)
def test_a_template_runs_nothing_and_names_what_there_is(source: str) -> None:
    with pytest.raises(Invalid) as refused:
        nurture_text.check(Template("x", source, None), at="mail")
    assert refused.value.field == "mail.text"


@pytest.mark.parametrize(
    "html", ["<script>x</script>", "<p onclick='x'>", "<iframe src=x>", "<form>", '<a href="javascript:x">y</a>']
)
def test_a_mail_carries_nothing_active(html: str) -> None:
    with pytest.raises(Invalid):
        nurture_text.check(Template("x", "x", html), at="mail")


def test_what_a_lead_lacks_is_empty_or_a_default_and_a_dot_is_never_a_method() -> None:
    text = "{{ first_name | default('you') }}|{{ company | d('your company') | upper }}|{{ attributes.items }}|{{ custom.size | d('-') }}"
    template = Template("{{ name }}", text, "<p>{% if attributes['Job Title'] == 'CEO' %}Boss{% else %}Hi{% endif %}</p>")
    nurture_text.check(template, at="mail")
    empty = nurture_text.fill(template, lead(attributes={"items": "3", "Job Title": "CEO"}), {"size": ["a", "b"]})
    assert (empty.subject, empty.text, empty.html) == ("-", "you|YOUR COMPANY|3|a, b", "<p>Boss</p>")


def test_a_strangers_words_stay_words() -> None:
    template = Template("For {{ name }}", "{{ company }}", '<a href="{{ attributes.site }}">{{ company }}</a>')
    contact = Contact(name="Anna\r\nBcc: all@x.example", email="a@x.example")
    evil = lead(contact=contact, company="<b>R&D</b>{{ 7*7 }}", attributes={"site": "javascript:alert(1)"})
    filled = nurture_text.fill(template, evil, {})
    assert filled.subject == "For Anna Bcc: all@x.example"
    assert filled.text == "<b>R&D</b>{{ 7*7 }}"
    text, html = nurture_text.finish(filled, plan_of(plan()), unsubscribe="https://u", pixel="https://o", clicks={})
    assert html is not None
    assert "&lt;b&gt;R&amp;D&lt;/b&gt;{{ 7*7 }}" in html
    assert "javascript" not in html
    assert "https://u" in text
    for advertisement in ("WIN http://evil.example", "see www.evil.example now", "evil.com/x"):
        shown = nurture_text.fill(template, lead(contact=Contact(name=advertisement), company=advertisement), {})
        assert "evil" not in shown.subject + shown.text


def test_links_are_counted_wherever_they_stand_and_others_left_alone() -> None:
    html = (
        "<body><A class=x HREF='https://a.example/?x=1&amp;y=2'>a</A><a href=https://b.example>b</a>"
        '<a href="mailto:x@a.example">m</a><a href="https://a.example/?x=1&amp;y=2">a</a><img src="https://img.example/i.png"></body>'
    )
    found = nurture_text.links_of(html)
    assert found == ["https://a.example/?x=1&y=2", "https://b.example"]
    clicks = {url: f"https://t.example/{number}?a&b" for number, url in enumerate(found)}
    _, done = nurture_text.finish(
        Template("s", "t", html), plan_of(plan()), unsubscribe="https://u", pixel="https://o", clicks=clicks
    )
    assert done is not None
    assert done.count('"https://t.example/0?a&amp;b"') == 2
    assert 'href="mailto:x@a.example"' in done
    assert "https://img.example/i.png" in done
    assert done.endswith('<img src="https://o" width="1" height="1" alt=""></body>')


@given(st.text(max_size=200), st.text(max_size=200))
def test_whatever_a_lead_is_called_the_mail_can_be_written(name: str, company: str) -> None:
    template = Template("Hello {{ first_name }}", "{{ name }} {{ company | title | truncate(9) }}", "<p>{{ name }}</p>")
    filled = nurture_text.fill(template, lead(contact=Contact(name=name[:200] or None), company=company), {})
    assert filled.subject.strip()
    assert not nurture_text._CONTROL.search(filled.subject)
    assert "<" not in (filled.html or "")[3:-4]


@pytest.mark.parametrize(
    ("country", "timezone", "zone"),
    [
        ("DE", None, "Europe/Berlin"),
        ("CN", None, "Asia/Shanghai"),
        ("US", "America/Los_Angeles", "America/Los_Angeles"),
        ("US", "my zone", "America/New_York"),
        (None, None, "Europe/Rome"),
        ("AQ", None, "Europe/Rome"),
    ],
)
def test_hours_are_those_of_the_lead_as_far_as_it_is_known_where_it_is(
    country: str | None, timezone: str | None, zone: str
) -> None:
    own = calendar_of({"timezone": "Europe/Rome", "week": {"mon": [["09:00", "17:00"]]}})
    for holidays in (True, False):
        found = rules.calendar_for(Hours("lead", own, holidays), country=country, timezone=timezone)
        assert found.timezone == zone
    assert rules.calendar_for(Hours("company", own, True), country=country, timezone=timezone) == own


@given(st.lists(st.integers(0, 60), max_size=12), st.integers(1, 4), st.integers(1, 20))
def test_the_cap_is_never_exceeded_and_never_waits_longer_than_it_must(hours: list[int], most: int, days: int) -> None:
    within = timedelta(hours=days)
    chosen = rules.Plan(None, None, None, None, None, "en", "", None, Cap(most, within), plan_of(plan()).steps)
    sent = [NOW - timedelta(hours=hour) for hour in hours]
    moment = rules.may_leave_at(chosen, None, sent, NOW)
    assert moment >= NOW
    if len([each for each in sent if each > NOW - within]) <= most:  # as it always was under the cap
        assert len([each for each in sent if each > moment - within]) < most
        earlier = moment - timedelta(seconds=1)
        assert moment == NOW or len([each for each in sent if each > earlier - within]) >= most


@given(st.integers(0, 3), st.booleans(), st.booleans())
def test_every_lead_comes_to_an_end_by_going_forward(start: int, us: bool, clicked: bool) -> None:
    steps: list[dict[str, Any]] = [
        {"key": "a", "mail": AGAIN, "when": {"field": "country", "is": "eq", "value": "US"}, "otherwise": "c"},
        {"key": "b", "mail": AGAIN, "next": "d"},
        {"key": "c", "when": {"field": "clicked.a", "is": "eq", "value": True}, "otherwise": "end"},
        {"key": "d", "mail": AGAIN},
    ]
    chosen = rules.check(plan(steps=steps), {"country": "text"})
    position: int | None = start
    for _ in range(5):
        if position is None:
            break
        follows = rules.decide(chosen, position, {"country": "US" if us else "DE", "clicked.a": clicked}).position
        assert follows is None or follows > position
        position = follows
    assert position is None


def test_an_address_is_silenced_however_it_is_written() -> None:
    assert address_hash(" Anna.Rossi+news@GMail.com ") == address_hash("annarossi@googlemail.com")
    assert address_hash("a@x.example") != address_hash("b@x.example")
    assert address_hash("nobody") is None


async def test_a_preview_shows_the_mail_and_why_it_would_not_leave(nurture: Nurture) -> None:
    steps = [{"key": "a", "mail": plan()["steps"][0]["mail"], "when": {"field": "engagement", "is": "gte", "value": 10}}]
    await nurture.journey(active=False, steps=steps, hours=office())
    lead_id = await nurture.lead(consent=False)
    path = "/v1/journeys/welcome/versions/1/preview"
    shown = (await nurture.client.post(path, json={"lead_id": lead_id, "step": "a"})).json()
    assert (shown["fits"], shown["refusal"], shown["leaves_at"]) == (False, "no_consent", "2026-01-01T08:00:00Z")
    assert shown["reasons"] == ["engagement must be at least 10"]
    assert shown["subject"] == "Hello Anna"
    assert 'href="https://acme.example/guide?a=1&amp;b=2"' in shown["html"]
    assert (await nurture.client.post(path, json={"lead_id": lead_id, "step": "b"})).status_code == 400
    assert (await nurture.work()) == 0
    assert (await nurture.of(lead_id))["mails"] == []


async def test_without_a_key_or_an_address_for_links_a_journey_cannot_begin(nurture: Nurture, secrets_dir: Any) -> None:
    await nurture.journey(active=False)
    (secrets_dir / "link-key").unlink()
    refused = await nurture.client.post("/v1/journeys/welcome/versions/1/activate")
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:ltc:problem:secret-missing")


async def test_a_consent_is_kept_with_its_proof_and_the_latest_word_counts(nurture: Nurture) -> None:
    lead_id = await nurture.lead()
    old = {"given": False, "wording": "No", "source": "phone", "said_at": "2025-12-01T00:00:00Z"}
    assert (await nurture.client.post(f"/v1/leads/{lead_id}/consents", json=old)).status_code == 201
    late = {**old, "said_at": "2026-02-01T00:00:00Z"}
    assert (await nurture.client.post(f"/v1/leads/{lead_id}/consents", json=late)).status_code == 400
    shown = (await nurture.client.get(f"/v1/leads/{lead_id}/consents")).json()
    assert [(each["given"], each["source"], each["recorded_by"]) for each in shown] == [
        (True, "form", "test"),
        (False, "phone", "test"),
    ]
    assert shown[0]["evidence"] == {"ip": "192.0.2.1"}
    await nurture.journey()
    assert await nurture.work() == 1  # said earlier, written down later: the yes is newer
