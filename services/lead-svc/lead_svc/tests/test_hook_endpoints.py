"""Endpoints are made, changed and retired; deliveries of every platform over HTTP; replays, skew, crash, erasure."""

import asyncio
import hashlib
import hmac
import json
import signal
import subprocess
import sys
from typing import Any

import httpx
import pytest

from lead_svc.handlers import hooks as handlers
from lead_svc.tests.hooks import DEFAULTS, SECRET, WORK, Hooks, google
from lead_svc.tests.persons import ADDRESS, CONTACT, PHONE, Persons


async def test_an_endpoint_is_made_changed_by_the_version_that_was_read_and_retired_with_who_and_when(hooks: Hooks) -> None:
    made = await hooks.endpoint("google", name="Demo")
    key = made["address"].rpartition("/")[2]
    assert made["address"] == f"http://service/in/google/{key}"
    assert len(key) >= 32
    assert made["fields"]["contact.name"] == [["FULL_NAME"], ["FIRST_NAME", "LAST_NAME"]]
    one = f"/v1/capture-endpoints/{made['id']}"
    change = {"version": 1, "name": "Demo form", "mapping": {"company": ["firm"], "country": []}}
    replies = await asyncio.gather(*(hooks.client.patch(one, json=change) for _ in range(2)))
    assert sorted(reply.status_code for reply in replies) == [200, 409]
    changed = (await hooks.client.get(one)).json()
    assert (changed["name"], changed["version"], changed["mapping"]) == ("Demo form", 2, {"company": [["firm"]], "country": []})
    assert "country" not in changed["fields"]
    for _ in range(2):
        retired = (await hooks.client.post(f"{one}/retire")).json()
        assert (retired["retired_by"], retired["active"], retired["version"]) == ("test", False, 3)
    assert (await hooks.client.patch(one, json={"version": 3, "active": True})).status_code == 409
    assert (await hooks.google(made)).status_code == 410
    versions = (await hooks.client.get(f"{one}/versions")).json()
    assert [(row["version"], row["body"]["name"], row["body"]["retired"]) for row in versions] == [
        *((3, "Demo form", True), (2, "Demo form", False)),
        (1, "Demo", False),
    ]
    assert [row["id"] for row in (await hooks.client.get("/v1/capture-endpoints?kind=google")).json()["items"]] == [made["id"]]
    assert (await hooks.client.get("/v1/capture-endpoints?kind=meta")).json()["items"] == []


@pytest.mark.parametrize(
    ("kind", "given", "field"),
    [
        ("google", {"secret": "../link-key"}, "secret"),
        ("google", {"mapping": {"owner": ["q"]}}, "mapping"),
        ("google", {"mapping": {"custom.nothing": ["q"]}}, "mapping"),
        ("google", {"channel": "moon"}, "channel"),
        ("google", {"campaign": "nothing"}, "campaigns"),
        ("google", {"campaigns": {"1": "nothing"}}, "campaigns"),
        ("google", {"fetch_secret": "token"}, "fetch_secret"),
        ("google", {"fetch_url": "https://graph.facebook.com"}, "fetch_url"),
        ("google", {"verify_secret": "token"}, "verify_secret"),
        ("meta", {"verify_secret": None}, "verify_secret"),
        ("meta", {"verify_secret": "hook"}, "verify_secret"),
        ("meta", {"fetch_secret": None}, "fetch_secret"),
        ("linkedin", {"fetch_secret": None}, "fetch_secret"),
    ],
)
async def test_an_endpoint_that_makes_no_sense_is_refused_with_the_field(
    hooks: Hooks, kind: str, given: dict[str, Any], field: str
) -> None:
    body = {"kind": kind, "name": "x", "secret": "hook", **DEFAULTS[kind], **given}
    reply = await hooks.client.post("/v1/capture-endpoints", json=body)
    assert (reply.status_code, reply.json()["field"]) == (400, field), reply.text


async def test_a_setting_follows_the_latest_version(hooks: Hooks) -> None:
    setting = {"version": 2, "keep_days": 10}
    replies = await asyncio.gather(*(hooks.client.post("/v1/capture-settings", json=setting) for _ in range(2)))
    assert sorted(reply.status_code for reply in replies) == [201, 409]
    rows = (await hooks.client.get("/v1/capture-settings")).json()
    assert [(row["version"], row["keep_days"], row["created_by"]) for row in rows] == [(2, 10, "test"), (1, 30, "migration")]


async def test_platforms_check_addresses(hooks: Hooks) -> None:
    async def asked(endpoint: dict[str, Any], **params: str) -> httpx.Response:
        return await hooks.anonymous.get(endpoint["address"].removeprefix("http://service"), params=params)

    meta, linkedin, wechat = [await hooks.endpoint(kind) for kind in ("meta", "linkedin", "wechat")]
    right = {"hub.mode": "subscribe", "hub.verify_token": "verify-me-please", "hub.challenge": "1158201444"}
    reply = await asked(meta, **right)
    assert (reply.status_code, reply.text, reply.headers["content-type"]) == (200, "1158201444", "text/plain; charset=utf-8")
    assert (await asked(meta, **{**right, "hub.verify_token": SECRET.decode()})).status_code == 403
    code = "890e4665-4dfe-4ab1-b689-ed553bceeed0"
    signed = hmac.new(SECRET, code.encode(), hashlib.sha256).hexdigest()
    assert (await asked(linkedin, challengeCode=code)).json() == {"challengeCode": code, "challengeResponse": signed}
    assert (await asked(linkedin, challengeCode='hmacsha256={"type":"LEAD_ACTION"}')).status_code == 403
    path = wechat["address"].removeprefix("http://service")
    assert (await hooks.anonymous.get(f"{path}?{hooks.wechat_query()}&echostr=5838")).text == "5838"
    late = hooks.wechat_query(at=int(hooks.clock.now().timestamp()) - 301)
    assert (await hooks.anonymous.get(f"{path}?{late}&echostr=5838")).json()["type"] == "urn:ltc:problem:clock-skew"
    assert (await asked(await hooks.endpoint("google"))).status_code == 403
    assert (await hooks.anonymous.get("/in/meta/other")).status_code == 404
    hooks.secret("meta-verify", None)
    assert (await asked(meta, **right)).status_code == 503


async def test_a_lead_of_our_own_shape_comes_with_utm_and_click_ids_that_we_know(hooks: Hooks) -> None:
    endpoint = await hooks.endpoint("signed")
    body = {
        "id": "7",
        "answers": {"first_name": "Ada", "last_name": "Rossi", "email": "ada@rossi.example", "company_size": "120"},
        "utm": {"source": "news\x09letter", "campaign": "spring"},
        "click_ids": {"gclid": "g1", "evil": "x"},
        "page": "https://www.rossi.example/form?email=ada@rossi.example",
        "submitted_at": "2025-12-31T23:00:00Z",
    }
    assert (await hooks.signed(endpoint, body)).json() == {"outcome": "taken"}
    [lead] = await hooks.leads()
    assert (lead["contact"]["name"], lead["company_size"]) == ("Ada Rossi", 120)
    [touch] = (await hooks.client.get(f"/v1/leads/{lead['id']}/touches")).json()["items"]
    assert (touch["source"], touch["campaign"], touch["click_ids"]) == ("newsletter", "spring", {"gclid": "g1"})
    assert (touch["page"], touch["occurred_at"]) == ("www.rossi.example/form", "2025-12-31T23:00:00Z")


async def test_leads_of_baidu_and_wechat_come_with_the_answer_that_they_wait_for(hooks: Hooks) -> None:
    baidu, wechat = await hooks.endpoint("baidu"), await hooks.endpoint("wechat")
    detail = [{"name": "姓名", "type": "name", "value": "小红"}]
    told = {"clueId": "c-1", "cluePhoneNumber": "13311100006", "formDetail": detail, "token": SECRET.decode(), "keyword": "泵"}
    reply = await hooks.push(baidu, json.dumps(told, ensure_ascii=False).encode())
    assert reply.json() == {"code": 0, "message": "success", "outcome": "taken"}
    again = {**told, "push_delay": "延迟20分钟", "token": None}
    reply = await hooks.push(baidu, json.dumps(again).encode(), query=f"token={SECRET.decode()}")
    assert reply.json() == {"code": 0, "message": "success", "outcome": "known"}
    assert (await hooks.wechat(wechat, {"leads_id": 5, "leads_name": "小明", "leads_tel": "13311100007"})).json()["code"] == 0
    first, second = await hooks.leads()
    assert (first["contact"]["name"], first["contact"]["phone"], first["attributes"]["baidu.keyword"]) == (
        *("小红", "13311100006"),
        "泵",
    )
    assert second["contact"]["name"] == "小明"
    rows = await hooks.deliveries()
    stored = [await hooks.delivery(row["id"]) for row in rows]
    assert not any(SECRET.decode() in row["body"] + row["query"] for row in stored)


@pytest.mark.parametrize("off", [-301, 301])
async def test_a_delivery_that_was_signed_too_far_from_now_is_400_clock_skew_and_logged(hooks: Hooks, off: int) -> None:
    at = int(hooks.clock.now().timestamp()) + off
    signed, wechat = await hooks.endpoint("signed"), await hooks.endpoint("wechat")
    for reply in (await hooks.signed(signed, {"id": "1"}, at=at), await hooks.wechat(wechat, {"leads_id": 1}, at=at)):
        assert (reply.status_code, reply.json()["type"]) == (400, "urn:ltc:problem:clock-skew")
    assert [row["problem"] for row in await hooks.deliveries(state="refused")] == ["clock-skew"] * 2
    wider = await hooks.endpoint("signed", skew_s=600)
    assert (await hooks.signed(wider, {"id": "2"}, at=at)).status_code == 200
    # What a person tries again later is judged by the clock of then.
    [late, *_] = await hooks.deliveries(endpoint_id=signed["id"])
    assert (await hooks.retry(late["id"])).status_code == 400


async def test_a_signature_without_the_body_is_good_for_one_body(hooks: Hooks) -> None:
    endpoint = await hooks.endpoint("wechat")
    first = {"leads_id": 1, "leads_name": "小明"}
    assert (await hooks.wechat(endpoint, first)).status_code == 200
    forged = await hooks.wechat(endpoint, {"leads_id": 2, "leads_name": "forged"})
    assert (forged.status_code, forged.json()["type"]) == (403, "urn:ltc:problem:signature-replayed")
    assert (await hooks.wechat(endpoint, first)).json()["outcome"] == "known"
    assert (await hooks.wechat(endpoint, {"leads_id": 2}, nonce="another")).status_code == 200
    assert [row["state"] for row in await hooks.deliveries()] == ["taken", "refused", "known", "taken"]


async def test_a_replay_within_the_skew_is_known_and_later_it_is_refused(hooks: Hooks) -> None:
    endpoint = await hooks.endpoint("signed")
    at = int(hooks.clock.now().timestamp())
    assert (await hooks.signed(endpoint, {"id": "1"}, at=at)).json() == {"outcome": "taken"}
    hooks.clock.advance(minutes=4)
    assert (await hooks.signed(endpoint, {"id": "1"}, at=at)).json() == {"outcome": "known"}
    hooks.clock.advance(minutes=2)
    assert (await hooks.signed(endpoint, {"id": "1"}, at=at)).status_code == 400
    assert len(await hooks.leads()) == 1


async def test_a_kill_between_keeping_a_delivery_and_working_on_it_loses_and_doubles_nothing(hooks: Hooks) -> None:
    endpoint = await hooks.endpoint("google")
    path, body = endpoint["address"].removeprefix("http://service"), json.dumps(google())
    command = [sys.executable, "-m", "lead_svc.tests.hook_crash_child", path, body]
    killed = await asyncio.to_thread(subprocess.run, command, timeout=60, check=False)
    assert killed.returncode == -signal.SIGKILL
    [delivery] = await hooks.deliveries()
    assert (delivery["state"], await hooks.leads()) == ("received", [])
    # The child lived by the clock of the wall, the service lives in its own time.
    async with hooks.db.connection() as conn:
        due = await conn.fetchval("SELECT next_attempt_at FROM capture_delivery")
    hooks.clock.advance(seconds=(due - hooks.clock.now()).total_seconds())
    assert sum(await asyncio.gather(*(hooks.run(WORK) for _ in range(3)))) == 1
    [delivery] = await hooks.deliveries()
    [lead] = await hooks.leads()
    assert (delivery["state"], delivery["items"][0]["lead_id"]) == ("taken", lead["id"])
    assert (await hooks.google(endpoint)).json() == {"outcome": "known"}


async def test_a_defect_of_ours_costs_no_delivery(hooks: Hooks, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: Any) -> None:
        raise RuntimeError("a defect")

    endpoint = await hooks.endpoint("google")
    with monkeypatch.context() as patched:
        patched.setattr(handlers, "capture_lead", broken)
        assert (await hooks.google(endpoint)).json() == {"outcome": "received"}
        for _ in range(3):
            hooks.clock.advance(hours=6)
            assert await hooks.run(WORK) == 1
    [delivery] = await hooks.deliveries()
    assert (delivery["state"], delivery["attempts"]) == ("received", 3)
    hooks.clock.advance(hours=6)
    await hooks.run(WORK)
    assert [row["state"] for row in await hooks.deliveries()] == ["taken"]


async def test_an_erasure_empties_what_deliveries_tell_of_a_person(hooks: Hooks, persons: Persons) -> None:
    endpoint = await hooks.endpoint("google")
    answers = {"FULL_NAME": CONTACT["name"], "EMAIL": ADDRESS, "PHONE_NUMBER": PHONE}
    assert (await hooks.google(endpoint, answers=answers)).json() == {"outcome": "taken"}
    assert (await hooks.google(endpoint, answers=answers, gcl_id="2")).json() == {"outcome": "known"}
    # One that was refused knows no lead, and is found by what it says.
    assert (await hooks.google(endpoint, answers={**answers, "COUNTRY": "Atlantis"}, lead_id="9")).status_code == 400
    assert any(line.startswith("capture_delivery") for line in await persons.traces())
    await persons.erase()
    assert await persons.traces() == []
    assert [row["state"] for row in await hooks.deliveries()] == ["taken", "known", "refused"]
    # The platform tells of the person once more: nobody comes back.
    assert (await hooks.google(endpoint, answers=answers, gcl_id="3")).json() == {"outcome": "known"}
    reply = await hooks.google(await hooks.endpoint("google"), answers=answers)
    assert (reply.status_code, reply.json()["type"]) == (400, "urn:ltc:problem:lead-erased")
    assert await persons.traces() == []
