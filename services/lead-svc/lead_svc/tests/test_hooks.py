"""Deliveries of ad platforms: kept before anything is made of them, taken once, refused with a reason, tried again."""

import asyncio
import base64
import json
from typing import Any

import httpx
import pytest
from ltc_chassis.db import Database

from lead_svc.tests.builders import capture
from lead_svc.tests.hooks import FORGET, SECRET, WORK, Hooks, google


async def test_a_lead_of_google_is_captured_with_its_answers_click_and_campaign(hooks: Hooks) -> None:
    campaign = {"code": "spring", "name": "Spring", "channel": "search_ads"}
    assert (await hooks.client.post("/v1/campaigns", json=campaign)).status_code == 201
    field = {"entity": "lead", "key": "budget", "label": "Budget", "type": "integer"}
    assert (await hooks.client.post("/v1/custom-fields", json=field)).status_code == 201
    endpoint = await hooks.endpoint("google", campaigns={"12345": "spring"}, mapping={"custom.budget": ["your_budget"]})
    answers = {
        "FIRST_NAME": "Ada",
        "LAST_NAME": "Rossi",
        "WORK_EMAIL": "ada@rossi.example",
        "COUNTRY": "Italy",
        "your_budget": "5000",
    }
    reply = await hooks.google(endpoint, answers={**answers, "color": "blue"})
    assert (reply.status_code, reply.json()) == (200, {"outcome": "taken"})
    [lead] = await hooks.leads()
    assert lead["contact"] == {"name": "Ada Rossi", "email": "ada@rossi.example", "phone": None}
    assert (lead["captured_via"], lead["channel"], lead["source"], lead["campaign"]) == (
        *("webhook", "search_ads"),
        *("google lead form", "spring"),
    )
    assert (lead["country"], lead["custom"], lead["external_ref"]) == ("IT", {"budget": 5000}, "google:TeSter-123-ABC")
    assert lead["attributes"]["color"] == "blue"
    assert lead["attributes"]["google.form_id"] == "40000000000"
    touches = (await hooks.client.get(f"/v1/leads/{lead['id']}/touches")).json()
    assert touches["first"]["click_ids"] == {"gclid": "Cj0KCQ-1"}
    assert touches["first"]["campaign"] == "spring"
    [delivery] = await hooks.deliveries()
    assert (delivery["state"], delivery["genuine"]) == ("taken", True)
    assert [item["lead_id"] for item in delivery["items"]] == [lead["id"]]


async def test_a_delivery_keeps_its_bytes_but_not_the_key_that_google_sends_along(hooks: Hooks) -> None:
    endpoint = await hooks.endpoint("google")
    raw = json.dumps(google(), indent=3).encode()
    assert (await hooks.push(endpoint, raw)).status_code == 200
    [delivery] = await hooks.deliveries()
    whole = await hooks.delivery(delivery["id"])
    assert base64.b64decode(whole["body_base64"]) == raw.replace(SECRET, b"*" * len(SECRET))
    assert whole["headers"]["content-type"] == "application/json"
    async with hooks.db.connection() as conn:
        for table in ("capture_delivery", "capture_endpoint", "capture_endpoint_version", "lead"):
            lines = await conn.fetch(f"SELECT to_jsonb(t)::text AS line FROM {table} t")  # noqa: S608 - names of ours
            assert not any(SECRET.hex() in row["line"] or SECRET.decode() in row["line"] for row in lines)


async def test_the_same_delivery_again_is_known_and_makes_no_second_lead(hooks: Hooks) -> None:
    endpoint = await hooks.endpoint("google")
    assert (await hooks.google(endpoint)).json() == {"outcome": "taken"}
    again = await hooks.google(endpoint)
    assert (again.status_code, again.json()) == (200, {"outcome": "known"})
    # Other bytes, the same lead: known by the platform's id.
    assert (await hooks.google(endpoint, gcl_id="another")).json() == {"outcome": "known"}
    # Also where another endpoint is told of it.
    assert (await hooks.google(await hooks.endpoint("google"))).json() == {"outcome": "known"}
    [lead] = await hooks.leads()
    rows = await hooks.deliveries()
    assert [row["state"] for row in rows] == ["taken", "known", "known", "known"]
    assert [item["lead_id"] for row in rows for item in row["items"]] == [lead["id"]] * 3


async def test_ten_deliveries_of_a_lead_at_once_make_one_lead(hooks: Hooks) -> None:
    endpoint = await hooks.endpoint("google")
    replies = await asyncio.gather(*(hooks.google(endpoint, gcl_id=f"click-{number}") for number in range(10)))
    assert sorted(reply.json()["outcome"] for reply in replies) == ["known"] * 9 + ["taken"]
    assert len(await hooks.leads()) == 1


async def test_a_wrong_key_is_403_and_kept_with_its_bytes(hooks: Hooks) -> None:
    endpoint = await hooks.endpoint("google")
    reply = await hooks.google(endpoint, google_key="wrong")
    assert (reply.status_code, reply.json()["type"]) == (403, "urn:ltc:problem:wrong-signature")
    [delivery] = await hooks.deliveries(state="refused")
    assert (delivery["genuine"], delivery["problem"], delivery["field"]) == (False, "wrong-signature", "google_key")
    assert json.loads((await hooks.delivery(delivery["id"]))["body"])["lead_id"] == "TeSter-123-ABC"
    assert await hooks.leads() == []


async def test_an_unknown_address_is_404_whatever_is_wrong_with_it(hooks: Hooks) -> None:
    endpoint = await hooks.endpoint("google")
    key = endpoint["address"].rpartition("/")[2]
    for path in (f"/in/meta/{key}", "/in/google/other", f"/in/google/{'x' * 500}"):
        reply = await hooks.anonymous.post(path, content=b"{}")
        assert (reply.status_code, reply.json()["type"]) == (404, "urn:ltc:problem:endpoint-unknown"), path
    assert await hooks.deliveries() == []


async def test_what_is_not_genuine_is_kept_up_to_the_budget_of_the_hour_and_then_only_counted(hooks: Hooks) -> None:
    endpoint = await hooks.endpoint("google")
    setting = {"version": 2, "keep_days": 30, "bad_per_hour": 3, "bad_bytes": 5000}
    assert (await hooks.client.post("/v1/capture-settings", json=setting)).status_code == 201
    for number in range(6):
        assert (await hooks.google(endpoint, google_key=f"wrong-{number}")).status_code == 403
    assert len(await hooks.deliveries()) == 3
    assert (await hooks.client.get(f"/v1/capture-endpoints/{endpoint['id']}")).json()["dropped"] == 3
    # Bytes count as well, another endpoint has a budget of its own, and a genuine delivery needs none.
    other = await hooks.endpoint("google")
    assert (await hooks.google(other, google_key="wrong", more="x" * 5000)).status_code == 403
    assert (await hooks.google(other, google_key="wrong")).status_code == 403
    assert len(await hooks.deliveries(endpoint_id=other["id"])) == 1
    assert (await hooks.google(endpoint)).json() == {"outcome": "taken"}
    # A genuine one that somebody replays tells nothing new, and fills nothing either.
    for _ in range(5):
        assert (await hooks.google(endpoint)).json() == {"outcome": "known"}
    assert len(await hooks.deliveries(endpoint_id=endpoint["id"])) == 4
    hooks.clock.advance(hours=1)
    assert (await hooks.google(endpoint, google_key="wrong")).status_code == 403
    assert len(await hooks.deliveries(endpoint_id=endpoint["id"])) == 5


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"answers": {"EMAIL": "a@b.example\r\nBcc: all@victim.example"}}, "contact.email"),
        ({"answers": {"FULL_NAME": "<script>alert(1)</script>"}}, "contact.name"),
        ({"answers": {"FULL_NAME": "Ada\nRossi"}}, "contact.name"),
        ({"answers": {"COMPANY_NAME": "x" * 201}}, "company"),
        ({"answers": {"COUNTRY": "Atlantis"}}, "country"),
        ({"answers": {"EMAIL": "a\x00@b.example"}}, "user_column_data.0.string_value"),
        ({"answers": {"FULL_NAME": "half \ud800"}}, "user_column_data.0.string_value"),
        ({"user_column_data": "none"}, "user_column_data"),
        ({"user_column_data": [7]}, "user_column_data.0"),
        ({"user_column_data": [{"column_id": "EMAIL", "string_value": ["a@b.example"]}]}, "user_column_data.0.string_value"),
        ({"lead_id": {"$ne": 1}}, "lead_id"),
        ({"lead_id": "a b"}, "lead_id"),
        ({"lead_id": "x" * 121}, "lead_id"),
        ({"lead_id": None}, "lead_id"),
        ({"is_test": "yes"}, "is_test"),
        ({"answers": {f"q{number}": "x" for number in range(101)}}, "answers"),
    ],
)
async def test_a_genuine_delivery_that_cannot_be_taken_is_400_with_the_field_and_kept(
    hooks: Hooks, changed: dict[str, Any], field: str
) -> None:
    endpoint = await hooks.endpoint("google")
    reply = await hooks.google(endpoint, **changed)
    assert (reply.status_code, reply.json()["field"]) == (400, field), reply.text
    [delivery] = await hooks.deliveries(state="refused")
    assert (delivery["genuine"], delivery["field"]) == (True, field)
    assert (await hooks.delivery(delivery["id"]))["body_base64"]
    assert await hooks.leads() == []


@pytest.mark.parametrize(
    "body",
    [
        b'{"google_key": "\xff\xfe"}',
        json.dumps(google()).encode("utf-16"),
        b"\xef\xbb\xbf{}",
        b"[" * 100_000,
        b'{"a":' * 30 + b"1" + b"}" * 30,
        b'{"google_key": "x", "google_key": "' + SECRET + b'"}',
        b'{"google_key": NaN}',
        b'{"google_key": 1e999}',
        b'{"n": ' + b"9" * 5000 + b"}",
        b"[]",
        b"null",
        b"",
        b'{"google_key": ["a"]}',
        b"{}",
    ],
)
async def test_bytes_that_are_no_such_json_are_400_and_kept_as_they_are(hooks: Hooks, body: bytes) -> None:
    endpoint = await hooks.endpoint("google")
    reply = await hooks.push(endpoint, body)
    assert (reply.status_code, reply.json()["type"]) == (400, "urn:ltc:problem:unreadable"), reply.text
    [delivery] = await hooks.deliveries()
    assert base64.b64decode((await hooks.delivery(delivery["id"]))["body_base64"]) == body


async def test_more_than_256_kilobytes_are_413_and_not_kept(hooks: Hooks) -> None:
    endpoint = await hooks.endpoint("google")
    reply = await hooks.push(endpoint, b" " * (256 * 1024 + 1))
    assert (reply.status_code, reply.json()["type"]) == (413, "urn:ltc:problem:body-too-large")
    assert await hooks.deliveries() == []


async def test_a_test_lead_is_logged_as_such_and_makes_no_lead(hooks: Hooks) -> None:
    endpoint = await hooks.endpoint("google")
    assert (await hooks.google(endpoint, is_test=True)).json() == {"outcome": "test"}
    assert [row["state"] for row in await hooks.deliveries()] == ["test"]
    assert await hooks.leads() == []


async def test_a_refused_delivery_is_taken_after_its_mapping_was_repaired_by_one_of_two_at_once(hooks: Hooks) -> None:
    field = {"entity": "lead", "key": "size", "label": "Size", "type": "integer"}
    assert (await hooks.client.post("/v1/custom-fields", json=field)).status_code == 201
    endpoint = await hooks.endpoint("google", mapping={"custom.size": ["FULL_NAME"]})
    assert (await hooks.google(endpoint)).status_code == 400
    [refused] = await hooks.deliveries()
    assert (refused["problem"], refused["field"]) == ("invalid", "custom.size")
    # Tried again with the same mapping, it is refused again.
    assert (await hooks.retry(refused["id"])).json()["state"] == "refused"
    change = {"version": 1, "mapping": {}}
    assert (await hooks.client.patch(f"/v1/capture-endpoints/{endpoint['id']}", json=change)).status_code == 200
    replies = await asyncio.gather(*(hooks.retry(refused["id"]) for _ in range(2)))
    assert [reply.json()["state"] for reply in replies] == ["taken", "taken"]
    [lead] = await hooks.leads()
    assert [item["lead_id"] for item in (await hooks.retry(refused["id"])).json()["items"]] == [lead["id"]]
    # The platform repeats it meanwhile: known.
    assert (await hooks.google(endpoint, gcl_id="later")).json() == {"outcome": "known"}


async def test_a_refused_lead_that_the_platform_tells_again_is_taken(hooks: Hooks) -> None:
    endpoint = await hooks.endpoint("google", mapping={"company_size": ["FULL_NAME"]})
    assert (await hooks.google(endpoint)).status_code == 400
    await hooks.client.patch(f"/v1/capture-endpoints/{endpoint['id']}", json={"version": 1, "mapping": {}})
    replies = await asyncio.gather(*(hooks.google(endpoint) for _ in range(3)))
    assert {reply.json()["outcome"] for reply in replies} <= {"taken", "known"}
    [delivery, *more] = await hooks.deliveries()
    assert (delivery["state"], delivery["retried_by"], {row["state"] for row in more} <= {"known"}) == (
        "taken",
        "google itself",
        True,
    )
    assert len(await hooks.leads()) == 1


async def test_the_same_refused_bytes_again_and_again_are_one_delivery(hooks: Hooks) -> None:
    endpoint = await hooks.endpoint("google")
    for _ in range(5):
        assert (await hooks.google(endpoint, answers={"EMAIL": "none"})).status_code == 400
    [delivery] = await hooks.deliveries()
    assert (delivery["state"], delivery["field"]) == ("refused", "contact.email")


async def test_a_missing_secret_is_503_and_the_delivery_is_taken_when_it_is_there(hooks: Hooks) -> None:
    endpoint = await hooks.endpoint("google", secret="later")
    reply = await hooks.google(endpoint)
    assert (reply.status_code, reply.json()["type"]) == (503, "urn:ltc:problem:not-set-up")
    assert "later" not in reply.text
    [delivery] = await hooks.deliveries()
    assert (delivery["state"], delivery["problem"], delivery["genuine"]) == ("refused", "not-set-up", False)
    assert (await hooks.retry(delivery["id"])).status_code == 503
    hooks.secret("later", b"another")
    assert (await hooks.retry(delivery["id"])).status_code == 403
    hooks.secret("later", SECRET)
    assert (await hooks.retry(delivery["id"])).json()["state"] == "taken"
    assert SECRET.decode() not in (await hooks.delivery(delivery["id"]))["body"]


async def test_while_a_secret_is_rotated_both_count(hooks: Hooks) -> None:
    endpoint = await hooks.endpoint("google")
    hooks.secret("hook", b"new-secret-of-google")
    assert (await hooks.google(endpoint, lead_id="1")).status_code == 403
    hooks.secret("hook.previous", SECRET)
    assert (await hooks.google(endpoint, lead_id="2")).status_code == 200
    assert (await hooks.google(endpoint, lead_id="3", google_key="new-secret-of-google")).status_code == 200
    hooks.secret("hook.previous", None)
    assert (await hooks.google(endpoint, lead_id="4")).status_code == 403


async def test_a_resting_endpoint_keeps_what_comes_until_it_is_tried_again(hooks: Hooks) -> None:
    endpoint = await hooks.endpoint("google", active=False)
    reply = await hooks.google(endpoint)
    assert (reply.status_code, reply.json()["type"]) == (410, "urn:ltc:problem:endpoint-closed")
    [delivery] = await hooks.deliveries()
    assert (delivery["state"], delivery["genuine"]) == ("refused", True)
    assert (await hooks.retry(delivery["id"])).json()["state"] == "taken"
    # None that is genuine is lost to the budget, and none is kept twice.
    setting = {"version": 2, "keep_days": 30, "bad_per_hour": 0}
    assert (await hooks.client.post("/v1/capture-settings", json=setting)).status_code == 201
    for _ in range(2):
        assert [(await hooks.google(endpoint, lead_id=str(number))).status_code for number in range(3)] == [410] * 3
    assert len(await hooks.deliveries(state="refused")) == 3
    assert (
        await hooks.client.patch(f"/v1/capture-endpoints/{endpoint['id']}", json={"version": 1, "active": True})
    ).status_code == 200
    assert (await hooks.google(endpoint, lead_id="2")).json() == {"outcome": "taken"}
    assert len(await hooks.deliveries(state="refused")) == 2


async def test_the_database_away_is_503_so_that_the_platform_tries_again(hooks: Hooks, monkeypatch: pytest.MonkeyPatch) -> None:
    endpoint = await hooks.endpoint("google")
    pool = hooks.db._pool
    monkeypatch.setattr(hooks.db, "_pool", None)
    reply = await hooks.google(endpoint)
    assert (reply.status_code, reply.json()["type"]) == (503, "urn:ltc:problem:database-unavailable")
    assert "retry-after" in reply.headers
    monkeypatch.setattr(hooks.db, "_pool", pool)
    assert (await hooks.google(endpoint)).json() == {"outcome": "taken"}


async def test_what_the_policy_for_duplicates_says_counts_for_platforms_too(hooks: Hooks, db: Database) -> None:
    known = await capture(hooks.client, contact={"email": "ada@rossi.example"})
    policy = {
        "version": "strict",
        "email": "refuse",
        "phone": "link",
        "domain": "allow",
        "name": "link",
        "likeness": "0.8",
        "valid_from": hooks.clock.now().isoformat(),
    }
    made = await hooks.client.post("/v1/duplicate-policies", json=policy)
    assert made.status_code == 201, made.text
    endpoint = await hooks.endpoint("google")
    reply = await hooks.google(endpoint)
    assert (reply.status_code, reply.json()["type"]) == (400, "urn:ltc:problem:possible-duplicate")
    assert known not in reply.text
    assert len(await hooks.leads()) == 1


async def test_the_log_is_read_by_endpoint_state_and_time_page_by_page(hooks: Hooks) -> None:
    first, second = await hooks.endpoint("google"), await hooks.endpoint("google")
    for number in range(3):
        await hooks.google(first, lead_id=str(number))
    hooks.clock.advance(days=1)
    since = hooks.clock.now().isoformat()
    await hooks.google(second, lead_id="9")
    await hooks.google(second, google_key="wrong")
    assert len(await hooks.deliveries(endpoint_id=first["id"])) == 3
    assert len(await hooks.deliveries(since=since)) == 2
    assert len(await hooks.deliveries(since=since, state="refused")) == 1
    page = (await hooks.client.get("/v1/capture-deliveries", params={"limit": 2})).json()
    rest = (await hooks.client.get("/v1/capture-deliveries", params={"limit": 10, "cursor": page["next"]})).json()
    assert (len(page["items"]), len(rest["items"]), rest["next"]) == (2, 3, None)


async def test_bytes_go_after_their_days_and_what_became_of_the_delivery_stays(hooks: Hooks) -> None:
    endpoint = await hooks.endpoint("google")
    await hooks.google(endpoint)
    hooks.clock.advance(days=29)
    await hooks.run(FORGET)
    [delivery] = await hooks.deliveries()
    assert (await hooks.delivery(delivery["id"]))["body"]
    hooks.clock.advance(days=2)
    assert await hooks.run(FORGET) == 1
    whole = await hooks.delivery(delivery["id"])
    assert (whole["body"], whole["body_base64"], whole["state"], whole["size"] > 0) == (None, None, "taken", True)
    assert (await hooks.google(endpoint, gcl_id="late")).json() == {"outcome": "known"}


async def test_nothing_waits_for_the_timer_when_the_request_did_it_all(hooks: Hooks) -> None:
    endpoint = await hooks.endpoint("google")
    await hooks.google(endpoint)
    hooks.clock.advance(hours=1)
    assert await hooks.run(WORK) == 0


async def test_routes_need_their_scopes(hooks: Hooks, rep: Any) -> None:
    endpoint = await hooks.endpoint("google")
    await hooks.google(endpoint)
    [delivery] = await hooks.deliveries()
    one = f"/v1/capture-deliveries/{delivery['id']}"
    asked: list[tuple[str, str, str]] = [
        ("GET", "/v1/capture-endpoints", "hooks:read"),
        ("GET", "/v1/capture-deliveries", "hooks:read"),
        ("GET", one, "hooks:inspect"),
        ("POST", f"{one}/retry", "hooks:write"),
    ]
    for method, path, needed in asked:
        for scopes, status in (("leads:read leads:write", 403), (needed, 200)):
            async with rep("somebody", scopes) as somebody:
                reply: httpx.Response = await somebody.request(method, path)
                assert reply.status_code == status, (path, reply.text)
