"""Leads of which a platform tells the id only: their answers are fetched from a server that answers as the platform does."""

import asyncio
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from lead_svc.handlers import hook_fetch
from lead_svc.tests.graph import TOKEN, Graph, serving
from lead_svc.tests.hooks import FETCH, Hooks


@pytest.fixture
def graph(monkeypatch: pytest.MonkeyPatch, environment: None) -> Iterator[Graph]:
    with serving() as found:
        monkeypatch.setenv("LTC_CAPTURE_FETCH_HOSTS", found.host)
        yield found


@pytest.fixture
def ads(graph: Graph, hooks: Hooks) -> Hooks:
    """Asked for after the graph, so that the settings know it."""
    assert graph.address
    return hooks


async def test_answers_of_meta_are_fetched_by_the_graph_api_and_become_a_lead(graph: Graph, ads: Hooks) -> None:
    assert (await ads.client.post("/v1/campaigns", json={"code": "77", "name": "Ads", "channel": "social"})).status_code == 201
    consent = {"question": "consent.news", "wording": "Yes, write me", "purpose": "marketing"}
    endpoint = await ads.endpoint("meta", fetch_url=graph.address, consent=consent)
    graph.meta("11", custom_disclaimer_responses=[{"checkbox_key": "news", "is_checked": "1"}])
    reply = await ads.meta(endpoint, "11")
    assert (reply.status_code, reply.json()) == (200, {"outcome": "waiting"})
    assert await ads.leads() == []
    assert await ads.run(FETCH) == 1
    [lead] = await ads.leads()
    assert lead["contact"] == {"name": "Ada Rossi", "email": "ada11@rossi.example", "phone": "+39066982"}
    assert (lead["campaign"], lead["external_ref"], lead["attributes"]["meta.ad_id"]) == ("77", "meta:11", "2")
    [said] = (await ads.client.get(f"/v1/leads/{lead['id']}/consents")).json()
    assert (said["given"], said["wording"], said["source"]) == (True, "Yes, write me", "lead form of meta: meta form")
    [(path, asked, headers)] = graph.asked
    assert (path, headers["authorization"]) == ("/v23.0/11", f"Bearer {TOKEN}")
    assert "field_data" in asked["fields"][0]
    assert TOKEN not in str(asked)
    [delivery] = await ads.deliveries()
    assert (delivery["state"], delivery["items"][0]["lead_id"]) == ("taken", lead["id"])
    # Told again, nothing is fetched.
    assert (await ads.meta(endpoint, "11")).json() == {"outcome": "known"}
    assert (await ads.run(FETCH), len(graph.asked)) == (0, 1)


async def test_answers_of_linkedin_are_fetched_with_version_and_consent(graph: Graph, ads: Hooks) -> None:
    consent = {"question": "consent.5", "wording": "I agree"}
    endpoint = await ads.endpoint("linkedin", fetch_url=graph.address, fetch_version="202510", consent=consent)
    graph.linkedin("52dc-4")
    assert (await ads.linkedin(endpoint, "52dc-4")).json() == {"outcome": "waiting"}
    await ads.run(FETCH)
    [lead] = await ads.leads()
    assert lead["contact"] == {"name": "Ada Rossi", "email": "ada@rossi.example", "phone": None}
    [(path, _, headers)] = graph.asked
    assert path == "/rest/leadFormResponses/52dc-4"
    assert (headers["linkedin-version"], headers["x-restli-protocol-version"]) == ("202510", "2.0.0")
    assert len((await ads.client.get(f"/v1/leads/{lead['id']}/consents")).json()) == 1
    assert (await ads.linkedin(endpoint, "77-1", leadAction="DELETED")).json() == {"outcome": "ignored"}


async def test_many_leads_of_a_delivery_are_each_settled_by_itself(graph: Graph, ads: Hooks) -> None:
    endpoint = await ads.endpoint("meta", fetch_url=graph.address)
    graph.meta("1")
    graph.meta("2", answers={"email": "no address"})
    graph.meta("3", answers={"email": "<test lead: dummy data for email>"})
    assert (await ads.meta(endpoint, "1", "2", "3", "444444444444")).json() == {"outcome": "waiting"}
    await ads.run(FETCH)
    [delivery] = await ads.deliveries()
    states = {item["external_id"]: item["state"] for item in delivery["items"]}
    assert states == {"1": "taken", "2": "refused", "3": "test", "444444444444": "test"}
    assert (delivery["state"], delivery["field"]) == ("refused", "contact.email")
    # After the mapping was repaired only the refused one changes, by the answers that are there.
    asked = len(graph.asked)
    change = {"version": 1, "mapping": {"contact.email": []}}
    assert (await ads.client.patch(f"/v1/capture-endpoints/{endpoint['id']}", json=change)).status_code == 200
    replies = await asyncio.gather(*(ads.retry(delivery["id"]) for _ in range(2)))
    assert [reply.json()["state"] for reply in replies] == ["taken", "taken"]
    assert (len(await ads.leads()), len(graph.asked)) == (2, asked)


async def test_a_platform_that_does_not_answer_is_asked_again_later_and_later_and_then_no_more(graph: Graph, ads: Hooks) -> None:
    endpoint = await ads.endpoint("meta", fetch_url=graph.address)
    graph.status, graph.body = 500, b"down"
    await ads.meta(endpoint, "1")
    assert await ads.run(FETCH) == 1
    [delivery] = await ads.deliveries()
    [item] = delivery["items"]
    assert (delivery["state"], item["attempts"], item["reason"]) == ("waiting", 1, "the platform answered 500")
    ads.clock.advance(seconds=29)
    assert await ads.run(FETCH) == 0
    ads.clock.advance(seconds=1)
    assert await ads.run(FETCH) == 1
    for _ in range(10):
        ads.clock.advance(hours=6)
        assert await ads.run(FETCH) == 1
    ads.clock.advance(days=1)
    assert (await ads.run(FETCH), len(graph.asked)) == (0, 12)
    [delivery] = await ads.deliveries()
    assert (delivery["state"], delivery["problem"]) == ("failed", "answers-not-fetched")
    # A person tries it again when the platform is back.
    graph.status, graph.body = 200, None
    graph.meta("1")
    assert (await ads.retry(delivery["id"])).json()["state"] == "waiting"
    await ads.run(FETCH)
    assert [row["state"] for row in await ads.deliveries()] == ["taken"]


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (302, b"", "the platform answered 302"),
        (404, b"{}", "the platform answered 404"),
        (200, b"x" * (256 * 1024 + 1), "the answer has more than 262144 bytes"),
    ],
)
async def test_a_redirection_an_error_or_too_much_is_no_answer(
    graph: Graph, ads: Hooks, status: int, body: bytes, reason: str
) -> None:
    endpoint = await ads.endpoint("meta", fetch_url=graph.address)
    graph.status, graph.body, graph.location = status, body, "http://169.254.169.254/latest/meta-data"
    await ads.meta(endpoint, "1")
    await ads.run(FETCH)
    [item] = (await ads.deliveries())[0]["items"]
    assert (item["state"], item["reason"], len(graph.asked)) == ("waiting", reason, 1)


@pytest.mark.parametrize(
    "body", [b"no json", b"[]", b'{"id": "2"}', b'{"id": "1", "field_data": 7}', b"\xff", b'{"id": "1", "id": "1"}']
)
async def test_answers_of_another_shape_are_refused_and_kept(graph: Graph, ads: Hooks, body: bytes) -> None:
    endpoint = await ads.endpoint("meta", fetch_url=graph.address)
    graph.body = body
    await ads.meta(endpoint, "1")
    await ads.run(FETCH)
    [delivery] = await ads.deliveries()
    assert (delivery["state"], delivery["problem"]) == ("refused", "unreadable")
    async with ads.db.connection() as conn:
        assert await conn.fetchval("SELECT answers FROM capture_item") == body


async def test_a_slow_platform_holds_nobody_up_for_long(graph: Graph, ads: Hooks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hook_fetch, "_WHOLE_S", 0.2)
    endpoint = await ads.endpoint("meta", fetch_url=graph.address)
    graph.meta("1")
    graph.wait_s = 1.0
    await ads.meta(endpoint, "1")
    await ads.run(FETCH)
    [item] = (await ads.deliveries())[0]["items"]
    assert (item["state"], item["reason"]) == ("waiting", "the platform could not be reached (TimeoutError)")


async def test_a_missing_or_expired_token_is_waited_for_and_never_logged(
    graph: Graph, ads: Hooks, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    endpoint = await ads.endpoint("meta", fetch_url=graph.address, fetch_secret="page-token")
    graph.meta("1")
    await ads.meta(endpoint, "1")
    await ads.run(FETCH)
    assert "no secret 'page-token'" in (await ads.deliveries())[0]["items"][0]["reason"]
    ads.secret("page-token", b"an-expired-token")
    ads.clock.advance(minutes=1)
    await ads.run(FETCH)
    assert (await ads.deliveries())[0]["items"][0]["reason"] == "the platform answered 400"
    ads.secret("page-token", TOKEN.encode())
    ads.clock.advance(minutes=2)
    await ads.run(FETCH)
    assert [row["state"] for row in await ads.deliveries()] == ["taken"]
    assert TOKEN not in caplog.text
    assert "rossi" not in caplog.text


async def test_two_replicas_fetch_an_answer_once(graph: Graph, ads: Hooks) -> None:
    endpoint = await ads.endpoint("meta", fetch_url=graph.address)
    for number in range(6):
        graph.meta(str(number))
    graph.wait_s = 0.1
    await ads.meta(endpoint, *(str(number) for number in range(6)))
    await asyncio.gather(ads.run(FETCH), ads.run(FETCH))
    assert (len(await ads.leads()), len(graph.asked)) == (6, 6)


async def test_one_that_ended_while_it_fetched_is_followed_by_another(
    graph: Graph, ads: Hooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint = await ads.endpoint("meta", fetch_url=graph.address)
    graph.meta("1")
    await ads.meta(endpoint, "1")

    async def ended(*_: Any) -> None:
        raise asyncio.CancelledError

    with monkeypatch.context() as patched:
        patched.setattr(hook_fetch, "_settle", ended)
        with pytest.raises(asyncio.CancelledError):
            await ads.run(FETCH)
    assert await ads.run(FETCH) == 0
    ads.clock.advance(minutes=2)
    assert await ads.run(FETCH) == 1
    assert len(await ads.leads()) == 1


@pytest.mark.parametrize(
    "address",
    [
        "https://evil.example",
        "http://graph.facebook.com",
        "https://graph.facebook.com.evil.example",
        "https://graph.facebook.com:8443",
        "https://graph.facebook.com@evil.example",
        "https://user:secret@graph.facebook.com",
        "https://graph.facebook.com/path",
        "https://graph.facebook.com?x=1",
        "http://127.0.0.1:5432",
        "http://169.254.169.254",
        "file:///etc/passwd",
        "https://[::1",
        "graph.facebook.com",
    ],
)
async def test_answers_are_fetched_from_the_platform_and_nowhere_else(ads: Hooks, address: str) -> None:
    body = {
        "kind": "meta",
        "name": "m",
        "secret": "hook",
        "verify_secret": "v",
        "fetch_secret": "t",
        "channel": "social",
        "source": "s",
        "fetch_url": address,
    }
    reply = await ads.client.post("/v1/capture-endpoints", json=body)
    assert (reply.status_code, reply.json()["field"]) == (400, "fetch_url"), reply.text
    allowed = {**body, "fetch_url": "https://graph.facebook.com"}
    assert (await ads.client.post("/v1/capture-endpoints", json=allowed)).status_code == 201


async def test_a_host_that_is_allowed_no_more_gets_no_token(graph: Graph, ads: Hooks) -> None:
    endpoint = await ads.endpoint("meta", fetch_url=graph.address)
    async with ads.db.connection() as conn:
        await conn.execute("UPDATE capture_endpoint SET fetch_url = 'https://evil.example'")
    await ads.meta(endpoint, "1")
    await ads.run(FETCH)
    [item] = (await ads.deliveries())[0]["items"]
    assert (item["state"], graph.asked) == ("waiting", [])
    assert "must be https://graph.facebook.com" in item["reason"]
