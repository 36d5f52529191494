"""Forms as marketing makes them (L1): drafts, versions, who changed what, and what makes no form."""

import asyncio
from typing import Any

import httpx
import pytest
from ltc_chassis.clock import FixedClock
from ltc_chassis.ids import new_id

from lead_svc.tests.forms import ANNA, HTML, PLAN, hidden, opened, published, sent

OWN = [
    {"name": "custom.tier", "required": True},
    {"name": "custom.pumps"},
    {"name": "custom.areas"},
    {"name": "custom.visit"},
    {"name": "custom.story"},
    {"name": "custom.fair"},
    {"name": "custom.origin", "hidden": True, "value": "fair 2026"},
]


@pytest.fixture
async def own(client: httpx.AsyncClient) -> None:
    for field in (
        {"key": "tier", "label": "Tier", "type": "choice", "choices": ["Gold", "Silver"]},
        {"key": "pumps", "label": "Pumps", "type": "integer", "minimum": "1"},
        {"key": "areas", "label": "Areas", "type": "multi_choice", "choices": ["Water", "Oil"]},
        {"key": "visit", "label": "Visit on", "type": "date"},
        {"key": "story", "label": "Story", "type": "text", "max_length": 1000},
        {"key": "fair", "label": "Seen at the fair", "type": "boolean"},
        {"key": "origin", "label": "Origin", "type": "text"},
        {"key": "call", "label": "Call at", "type": "datetime"},
    ):
        made = await client.post("/v1/custom-fields", json={"entity": "lead", **field})
        assert made.status_code == 201, made.text


async def test_a_form_is_drafted_published_changed_and_retired_with_who_did_it(
    client: httpx.AsyncClient, anonymous: httpx.AsyncClient, rep: Any
) -> None:
    made = await client.post("/v1/forms", json={"key": "contact", "name": "Contact", "draft": PLAN})
    assert (made.status_code, made.json()["published"], made.json()["active"]) == (201, None, False)
    assert made.json()["url"] == "http://service/f/contact"
    assert (await anonymous.get("/f/contact", headers=HTML)).status_code == 404
    assert (await client.patch("/v1/forms/contact", json={"version": 1, "active": True})).json()["type"].endswith("not-published")
    async with rep("zoe", "leads:read leads:configure") as zoe:
        shown = (await zoe.post("/v1/forms/contact/publish", json={"version": 1})).json()
        assert (shown["published"], shown["active"], shown["updated_by"]) == (1, True, "zoe")
        draft = {**PLAN, "title": {"en": "Write to us", "zh": "给我们留言"}}
        changed = (await zoe.patch("/v1/forms/contact", json={"version": 2, "draft": draft})).json()
    # A draft is seen by nobody.
    assert "Talk to our engineers" in (await anonymous.get("/f/contact", headers=HTML)).text
    again = (await client.post("/v1/forms/contact/publish", json={"version": changed["version"]})).json()
    assert "Write to us" in (await anonymous.get("/f/contact", headers=HTML)).text
    versions = (await client.get("/v1/forms/contact/versions")).json()
    assert [(each["version"], each["body"]["title"]["en"], each["published_by"]) for each in versions] == [
        (1, "Talk to our engineers", "zoe"),
        (2, "Write to us", "test"),
    ]
    gone = (await client.post("/v1/forms/contact/retire", json={"version": again["version"]})).json()
    assert (gone["active"], gone["retired_at"]) == (False, "2026-01-01T00:00:00Z")
    late = await client.patch("/v1/forms/contact", json={"version": gone["version"], "active": True})
    assert (late.status_code, late.json()["type"]) == (409, "urn:ltc:problem:form-retired")
    taken = await client.post("/v1/forms", json={"key": "contact", "name": "Contact", "draft": PLAN})
    assert (taken.status_code, taken.json()["type"]) == (409, "urn:ltc:problem:form-exists")
    page = (await client.get("/v1/forms/contact/changes?limit=3")).json()
    rest = (await client.get(f"/v1/forms/contact/changes?cursor={page['next']}")).json()
    log = [*page["items"], *rest["items"]]
    assert [(each["action"], each["by"], each["version"]) for each in log] == [
        *(("created", "test", 1), ("published", "zoe", 2), ("changed", "zoe", 3)),
        *(("published", "test", 4), ("retired", "test", 5)),
    ]
    assert log[2]["body"]["draft"]["title"]["en"] == "Write to us"
    assert [form["key"] for form in (await client.get("/v1/forms?active=false")).json()] == ["contact"]


async def test_of_two_changes_of_one_version_one_is_told_that_it_is_late(client: httpx.AsyncClient) -> None:
    form = await published(client)
    body = {"version": form["version"], "name": "Other"}
    replies = await asyncio.gather(
        *(client.patch("/v1/forms/contact", json={**body, "name": f"Name {number}"}) for number in range(4)),
        client.post("/v1/forms/contact/publish", json={"version": form["version"]}),
    )
    assert sorted(reply.status_code for reply in replies) == [200, 409, 409, 409, 409]
    late = next(reply.json() for reply in replies if reply.status_code == 409)
    assert (late["type"], late["current_version"]) == ("urn:ltc:problem:version-conflict", form["version"] + 1)


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"languages": ["en", "en"]}, "languages"),
        ({"title": {"en": "Only English"}}, "title"),
        ({"success": None}, "success"),
        ({"redirect_url": "https://www.example.com/"}, "success"),
        ({"success": None, "redirect_url": "http://www.example.com/"}, "redirect_url"),
        ({"success": None, "redirect_url": "https://user@evil.example/"}, "redirect_url"),
        ({"success": None, "redirect_url": "https:/\\evil.example"}, "redirect_url"),
        ({"success": None, "redirect_url": "https://a.example:x/"}, "redirect_url"),
        ({"origins": ["https://www.example.com/path"]}, "origins.0"),
        ({"origins": ["https://a.example; script-src *"]}, "origins.0"),
        ({"site": "none"}, "site"),
        ({"default_country": "XX"}, "default_country"),
        ({"fields": [{"name": "name"}]}, "fields"),
        ({"fields": [{"name": "email"}, {"name": "email"}]}, "fields"),
        ({"fields": [{"name": "email"}, {"name": "salary"}]}, "fields.1.name"),
        ({"fields": [{"name": "email"}, {"name": "custom.none"}]}, "fields.1.name"),
        ({"fields": [{"name": "email"}, {"name": "custom.call"}]}, "fields.1.name"),
        ({"fields": [{"name": "email"}, {"name": "industry", "hidden": True}]}, "fields.1.value"),
        ({"fields": [{"name": "email", "value": "a@b.example"}]}, "fields.0.value"),
        ({"fields": [{"name": "email"}, {"name": "country", "choices": [{"value": "XX"}]}]}, "fields.1.choices.0.value"),
        ({"fields": [{"name": "email"}, {"name": "company_size", "choices": [{"value": "many"}]}]}, "fields.1.choices.0.value"),
        ({"fields": [{"name": "email", "choices": [{"value": "a@b.example"}]}]}, "fields.0.choices"),
        ({"fields": [{"name": "email"}, {"name": "custom.tier", "choices": [{"value": "Lead"}]}]}, "fields.1.choices.0.value"),
        ({"fields": [{"name": "email"}, {"name": "custom.pumps", "hidden": True, "value": "0"}]}, "fields.1.value"),
        ({"fields": [{"name": "email"}, {"name": "country", "hidden": True, "value": "Utopia"}]}, "fields.1.value"),
        ({"consents": [{"key": "a", "wording": {"en": "a"}}]}, "consents.0.wording"),
    ],
)
@pytest.mark.usefixtures("own")
async def test_what_makes_no_form_is_refused_with_the_place(
    client: httpx.AsyncClient, changed: dict[str, Any], field: str
) -> None:
    reply = await client.post("/v1/forms", json={"key": "contact", "name": "Contact", "draft": {**PLAN, **changed}})
    assert (reply.status_code, reply.json().get("field")) == (400, field), reply.text


@pytest.mark.parametrize("body", [{"key": "A B"}, {"key": "-a-"}, {"draft": {}}, {"draft": {**PLAN, "fields": []}}, {"more": 1}])
async def test_the_shape_of_a_form_is_bounded(client: httpx.AsyncClient, body: dict[str, Any]) -> None:
    assert (await client.post("/v1/forms", json={"key": "contact", "name": "C", "draft": PLAN, **body})).status_code == 422
    assert (await client.get("/v1/forms/none")).status_code == 404
    assert (await client.get("/v1/forms/none/stats")).status_code == 404
    assert (await client.get("/v1/forms/none/versions/99999999999")).status_code == 404
    await published(client)
    assert (await client.get("/v1/forms/contact/stats?since=2020-01-01&until=2026-01-01")).status_code == 400
    assert (await client.get("/v1/forms/contact/stats?until=0001-01-01")).status_code < 500


async def test_reading_and_making_forms_need_their_scopes(client: httpx.AsyncClient, rep: Any) -> None:
    await published(client)
    async with rep("ann", "leads:write") as ann:
        assert (await ann.get("/v1/forms/contact")).status_code == 403
    async with rep("bob", "leads:read") as bob:
        assert (await bob.get("/v1/forms/contact")).status_code == 200
        assert (await bob.post("/v1/forms/contact/retire", json={"version": 2})).status_code == 403


@pytest.mark.usefixtures("own")
async def test_a_form_asks_for_fields_of_the_companys_own_and_sets_hidden_ones(
    client: httpx.AsyncClient, anonymous: httpx.AsyncClient, clock: FixedClock
) -> None:
    await published(client, fields=[{"name": "email", "required": True}, *OWN])
    page = await anonymous.get("/f/contact", headers=HTML)
    for shown in ('<option value="Gold"', 'type="date"', 'inputmode="numeric"', "<legend>", "<textarea"):
        assert shown in page.text
    assert "fair 2026" not in page.text
    clock.advance(minutes=1)
    given: dict[str, Any] = {
        **hidden(page.text),
        "email": "anna@rossi.example",
        "consent.notice": "yes",
        "custom.tier": "Gold",
        "custom.pumps": "12",
        "custom.areas": ["Oil", "Water"],
        "custom.visit": "2026-02-01",
        "custom.story": "One.\r\nTwo.",
        "custom.fair": "yes",
        "custom.origin": "forged",
    }
    for wrong, words in (
        ({"custom.pumps": "0"}, "whole number within the limits"),
        ({"custom.areas": ["Gas"]}, "choose from the list"),
        ({"custom.visit": "soon"}, "Please enter a day"),
        ({"custom.tier": ""}, "Please fill this in"),
        ({"custom.story": "x" * 1001}, "at most 1000"),
    ):
        again = await sent(anonymous, {**given, **wrong})
        assert (again.status_code, words in again.text) == (400, True), wrong
        assert 'value="Oil" checked' in again.text or "custom.areas" in wrong
    assert (await sent(anonymous, given)).status_code == 303
    [lead] = (await client.get("/v1/leads")).json()["items"]
    assert lead["custom"] == {
        "tier": "Gold",
        "pumps": 12,
        "areas": ["Water", "Oil"],
        "visit": "2026-02-01",
        "story": "One.\nTwo.",
        "fair": True,
        "origin": "fair 2026",
    }


@pytest.mark.usefixtures("own")
async def test_a_field_that_every_lead_needs_must_be_asked_for_and_an_archived_one_is_asked_no_more(
    client: httpx.AsyncClient, anonymous: httpx.AsyncClient, clock: FixedClock
) -> None:
    await published(client, fields=[{"name": "email", "required": True}, {"name": "custom.tier", "required": True}])
    await client.patch("/v1/custom-fields/lead/pumps", json={"version": 1, "required": True})
    late = await client.post("/v1/forms/contact/publish", json={"version": 2})
    assert (late.status_code, late.json()["field"]) == (400, "fields")
    await client.patch("/v1/custom-fields/lead/tier", json={"version": 1, "archived": True})
    page = await anonymous.get("/f/contact", headers=HTML)
    assert "Tier" not in page.text
    clock.advance(minutes=1)
    answers = {**hidden(page.text), "email": "anna@rossi.example", "consent.notice": "yes", "custom.tier": "Gold"}
    assert (await sent(anonymous, answers)).status_code == 303
    [lead] = (await client.get("/v1/leads")).json()["items"]
    assert lead["custom"] == {}


async def test_submissions_are_listed_by_pages_in_the_order_in_which_they_came(
    client: httpx.AsyncClient, anonymous: httpx.AsyncClient, clock: FixedClock
) -> None:
    await published(client)
    pages = [await opened(anonymous) for _ in range(5)]
    for number, page in enumerate(reversed(pages)):
        clock.advance(minutes=1)
        assert (await sent(anonymous, {**page, **ANNA, "email": f"p{number}@x{number}.example"})).status_code == 303
    first = (await client.get("/v1/forms/contact/submissions?limit=3")).json()
    rest = (await client.get(f"/v1/forms/contact/submissions?limit=3&cursor={first['next']}")).json()
    times = [each["submitted_at"] for each in [*first["items"], *rest["items"]]]
    assert (len(times), times, rest["next"]) == (5, sorted(times), None)
    assert (await client.get(f"/v1/forms/contact/submissions?cursor={new_id()}")).status_code < 500
    days = (await client.get("/v1/forms/contact/stats")).json()["days"]
    assert [(day["day"], day["views"], day["submissions"]) for day in days] == [("2026-01-01", 5, 5)]


async def test_submissions_go_with_a_merge_and_come_back_with_its_undo(
    client: httpx.AsyncClient, anonymous: httpx.AsyncClient, clock: FixedClock
) -> None:
    await published(client)
    page = await opened(anonymous)
    clock.advance(minutes=1)
    await sent(anonymous, {**page, **ANNA})
    other = (await client.post("/v1/leads", json={"channel": "web", "source": "x"})).json()["id"]

    async def owner() -> str:
        [submission] = (await client.get("/v1/forms/contact/submissions")).json()["items"]
        return str(submission["lead_id"])

    mine = await owner()
    merged = await client.post(f"/v1/leads/{mine}/merge", json={"into": other})
    assert merged.status_code == 200, merged.text
    assert await owner() == other
    undone = await client.post(f"/v1/merges/{merged.json()['id']}/undo")
    assert undone.status_code == 200, undone.text
    assert await owner() == mine
