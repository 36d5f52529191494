import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from ltc_contracts.errors import DomainError

from ltc_chassis.clock import FixedClock
from ltc_chassis.errors import of_domain
from ltc_chassis.testing import Emitted, KeyPair

Emissions = Callable[[], Awaitable[list[Emitted]]]


async def test_a_created_object_and_its_event_commit_together(client: httpx.AsyncClient, emitted: Emissions) -> None:
    reply = await client.post("/v1/notes", json={"text": "hello"})
    assert reply.status_code == 201
    assert (await client.get(f"/v1/notes/{reply.json()['id']}")).json() == reply.json()
    [event] = await emitted()
    assert (event.topic, str(event.flow_id)) == ("echo.noted", reply.json()["flow_id"])
    assert event.headers["ce_source"] == "/echo-svc"


async def test_a_refusal_leaves_neither_object_nor_event(client: httpx.AsyncClient, emitted: Emissions) -> None:
    reply = await client.post("/v1/notes", json={"text": "forbidden"})
    assert reply.status_code == 400
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.json() == {
        "type": "urn:ltc:problem:invalid",
        "title": "The request breaks a rule",
        "status": 400,
        "detail": "this text is not taken",
        "field": "text",
    }
    assert await emitted() == []
    assert (await client.get("/v1/notes")).json()["items"] == []


async def test_a_defect_is_a_500_problem_and_leaves_nothing(app: FastAPI, keys: KeyPair, emitted: Emissions) -> None:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    headers = {"Authorization": f"Bearer {keys.token()}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://service", headers=headers) as client:
        reply = await client.post("/v1/notes", json={"text": "defect"})
    assert (reply.status_code, reply.json()["type"]) == (500, "urn:ltc:problem:internal-error")
    assert "defect of ours" not in reply.text
    assert await emitted() == []


async def test_an_event_over_the_size_limit_is_a_413_and_leaves_nothing(
    client: httpx.AsyncClient, emitted: Emissions, app: FastAPI
) -> None:
    app.state.runtime.settings = app.state.runtime.settings.model_copy(update={"max_body_bytes": 2_000_000})
    reply = await client.post("/v1/notes", json={"text": "x" * 1_100_000})
    assert (reply.status_code, reply.json()["type"]) == (413, "urn:ltc:problem:event-too-large")
    assert await emitted() == []


async def test_a_malformed_body_names_its_fields_with_422(client: httpx.AsyncClient) -> None:
    reply = await client.post("/v1/notes", json={"txet": "hello"})
    assert reply.status_code == 422
    assert {item["field"] for item in reply.json()["errors"]} == {"text", "txet"}
    not_json = await client.post("/v1/notes", content=b"{", headers={"content-type": "application/json"})
    assert not_json.status_code == 422


async def test_a_text_that_no_database_keeps_is_the_callers_mistake(client: httpx.AsyncClient) -> None:
    reply = await client.post("/v1/notes", json={"text": "a\x00b"})
    assert (reply.status_code, reply.json()["type"]) == (400, "urn:ltc:problem:invalid")


def test_an_error_tells_programs_what_they_need_beside_the_reason() -> None:
    class LimitReached(DomainError):
        def members(self) -> dict[str, Any]:
            return {"held": 3}

    reply = of_domain(LimitReached("three are held", field="rep"))
    body = json.loads(bytes(reply.body))
    assert (reply.status_code, body["type"]) == (409, "urn:ltc:problem:limit-reached")
    assert (body["held"], body["field"], body["detail"]) == (3, "rep", "three are held")


async def test_unknown_objects_routes_methods_and_cursors_are_problems(client: httpx.AsyncClient) -> None:
    for method, path, status, slug in [
        ("GET", "/v1/notes/019b0000-0000-7000-8000-000000000000", 404, "not-found"),
        ("GET", "/v1/nothing", 404, "no-such-route"),
        ("DELETE", "/v1/notes", 405, "method-not-allowed"),
        ("GET", "/v1/notes?cursor=rubbish", 400, "invalid"),
        ("GET", "/v1/notes?limit=100000", 422, "malformed-request"),
        ("GET", "/v1/notes/not-an-id", 422, "malformed-request"),
    ]:
        reply = await client.request(method, path)
        assert (reply.status_code, reply.json()["type"]) == (status, f"urn:ltc:problem:{slug}"), path
        assert reply.headers["content-type"] == "application/problem+json"


async def test_no_route_but_health_answers_without_a_token(app: FastAPI, anonymous: httpx.AsyncClient) -> None:
    open_paths = {"/health/live", "/health/ready", "/metrics"}
    routes = [(method, path) for path, methods in app.openapi()["paths"].items() for method in methods]
    routes += [("get", "/openapi.json"), ("get", "/asyncapi.json")]
    closed = [(method, path) for method, path in routes if path not in open_paths]
    assert len(closed) >= 10
    for method, path in closed:
        path = path.replace("{note_id}", "019b0000-0000-7000-8000-000000000000").replace("{parked_id}", "1")
        path = path.replace("{mail_id}", "019b0000-0000-7000-8000-000000000000")
        reply = await anonymous.request(method, path)
        assert reply.status_code == 401, (method, path)
        assert reply.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    ("claims", "scopes", "status"),
    [
        ({}, "notes:read", 200),
        ({}, "notes:write", 403),
        ({"exp": 1}, "notes:read", 401),
        ({"aud": "other"}, "notes:read", 401),
        ({"iss": "other"}, "notes:read", 401),
    ],
)
async def test_a_token_counts_only_when_valid_and_in_scope(
    anonymous: httpx.AsyncClient, keys: KeyPair, claims: dict[str, Any], scopes: str, status: int
) -> None:
    token = keys.token(scopes, **claims)
    reply = await anonymous.get("/v1/notes", headers={"Authorization": f"Bearer {token}"})
    assert reply.status_code == status


async def test_a_token_signed_by_another_key_or_not_at_all_is_refused(anonymous: httpx.AsyncClient, keys: KeyPair) -> None:
    head, _, signature = keys.token().rpartition(".")
    for token in (f"{head}.", f"{head}.{'A' * len(signature)}", "rubbish"):
        assert (await anonymous.get("/v1/notes", headers={"Authorization": f"Bearer {token}"})).status_code == 401


async def test_a_browser_cookie_reads_but_never_writes(anonymous: httpx.AsyncClient, keys: KeyPair) -> None:
    anonymous.cookies.set("ltc_token", keys.token())
    assert (await anonymous.get("/v1/notes")).status_code == 200
    assert (await anonymous.post("/v1/notes", json={"text": "x"})).status_code == 401


async def test_the_same_idempotency_key_repeats_the_answer_not_the_effect(client: httpx.AsyncClient, emitted: Emissions) -> None:
    headers = {"Idempotency-Key": "one"}
    first = await client.post("/v1/notes", json={"text": "once"}, headers=headers)
    again = await client.post("/v1/notes", json={"text": "once"}, headers=headers)
    assert again.status_code == 201
    assert again.json() == first.json()
    assert again.headers["idempotent-replayed"] == "true"
    assert len(await emitted()) == 1


async def test_an_idempotency_key_belongs_to_one_request(client: httpx.AsyncClient) -> None:
    headers = {"Idempotency-Key": "one"}
    await client.post("/v1/notes", json={"text": "once"}, headers=headers)
    other = await client.post("/v1/notes", json={"text": "twice"}, headers=headers)
    assert (other.status_code, other.json()["type"]) == (409, "urn:ltc:problem:idempotency-key-reused")


async def test_a_refused_request_frees_its_idempotency_key(client: httpx.AsyncClient) -> None:
    headers = {"Idempotency-Key": "one"}
    assert (await client.post("/v1/notes", json={"text": "forbidden"}, headers=headers)).status_code == 400
    assert (await client.post("/v1/notes", json={"text": "allowed"}, headers=headers)).status_code == 201


async def test_two_requests_at_once_with_one_key_have_one_effect(client: httpx.AsyncClient, emitted: Emissions) -> None:
    replies = await asyncio.gather(
        *(client.post("/v1/notes", json={"text": "once"}, headers={"Idempotency-Key": "one"}) for _ in range(8))
    )
    assert {reply.status_code for reply in replies} == {201}
    assert len({reply.json()["id"] for reply in replies}) == 1
    assert len(await emitted()) == 1


async def test_pages_hold_every_object_once_in_order(client: httpx.AsyncClient) -> None:
    made = [(await client.post("/v1/notes", json={"text": str(n)})).json()["id"] for n in range(7)]
    seen: list[str] = []
    cursor: str | None = None
    while True:
        params = {"limit": "3"} | ({"cursor": cursor} if cursor else {})
        page = (await client.get("/v1/notes", params=params)).json()
        seen += [item["id"] for item in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert seen == made


async def test_business_time_is_what_the_clock_says(client: httpx.AsyncClient, clock: FixedClock) -> None:
    clock.advance(days=40)
    assert (await client.get("/v1/now")).json() == "2026-02-10T00:00:00Z"


async def test_every_route_explains_itself_in_openapi(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert operation.get("description"), f"{method} {path} has no docstring"


async def test_metrics_tell_outbox_age_and_parked(client: httpx.AsyncClient) -> None:
    await client.post("/v1/notes", json={"text": "x"})
    text = (await client.get("/metrics")).text
    assert 'ltc_parked{state="dead"} 0.0' in text
    age = next(line for line in text.splitlines() if line.startswith("ltc_outbox_oldest_age_seconds "))
    assert float(age.split()[1]) > 0
    assert 'http_server_request_duration_seconds_count{http_request_method="POST"' in text


async def test_a_method_that_a_caller_makes_up_is_no_series_of_its_own(client: httpx.AsyncClient) -> None:
    for method in ("BREW", "PROPFIND", "X" * 50):
        assert (await client.request(method, "/v1/notes")).status_code == 405
    text = (await client.get("/metrics")).text
    assert 'http_request_method="_OTHER"' in text
    assert not any(made_up in text for made_up in ("BREW", "PROPFIND", "XXX"))
