"""Authority in levels, and approval by those above, over HTTP."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from ltc_chassis.clock import FixedClock
from ltc_chassis.testing import Emitted, KeyPair

from sales_svc.tests.builders import quote_body
from sales_svc.tests.deals import Json, ok, opened
from sales_svc.tests.shop import shop

Emissions = Callable[[], Awaitable[list[Emitted]]]
LEVELS: list[Json] = [
    {"role": "seller", "max_discount_percent": "5", "max_amounts": [{"amount": "100000.00", "currency": "EUR"}]},
    {"role": "lead", "approvers": ["dana", "erik"], "max_discount_percent": "15", "min_margin_percent": "20"},
    {"role": "head", "approvers": ["hana"], "max_discount_percent": "40"},
]


class As:
    """Calls as somebody."""

    def __init__(self, client: httpx.AsyncClient, keys: KeyPair) -> None:
        self._client = client
        self._keys = keys

    async def __call__(self, who: str, method: str, path: str, body: Any = None) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self._keys.token(subject=who)}"}
        return await self._client.request(method, path, json=body, headers=headers)


@pytest.fixture
def call(client: httpx.AsyncClient, keys: KeyPair) -> As:
    return As(client, keys)


@pytest.fixture
async def policy(client: httpx.AsyncClient) -> Json:
    made: Json = await ok(client, "PUT", "/v1/approval-policy", {"levels": LEVELS})
    return made


async def drafted(call: As, client: httpx.AsyncClient, discount: str, *, by: str = "sam", **line: Any) -> Json:
    deal = await opened(client)
    body = quote_body(lines=[{**quote_body()["lines"][0], "unit_cost": "100.00", "discount_percent": discount, **line}])
    reply = await call(by, "POST", f"/v1/opportunities/{deal['id']}/quotes", body)
    assert reply.status_code == 201, reply.text
    made: Json = reply.json()
    return made


@pytest.mark.usefixtures("policy")
async def test_within_the_sellers_authority_an_offer_goes_out(call: As, client: httpx.AsyncClient) -> None:
    quote = await drafted(call, client, "5")
    found = (await call("sam", "GET", f"/v1/quotes/{quote['id']}/approval")).json()
    assert (found["needed"], found["rounds"]) == ([], [])
    needless = await call("sam", "POST", f"/v1/quotes/{quote['id']}/approval")
    assert needless.json()["type"] == "urn:ltc:problem:nothing-to-approve"
    assert (await call("sam", "POST", f"/v1/quotes/{quote['id']}/send")).json()["state"] == "sent"


@pytest.mark.usefixtures("policy")
async def test_beyond_it_each_level_approves_in_turn_and_nobody_their_own(
    call: As, client: httpx.AsyncClient, emitted: Emissions, clock: FixedClock
) -> None:
    quote = await drafted(call, client, "20")
    path = f"/v1/quotes/{quote['id']}"
    refused = await call("sam", "POST", f"{path}/send")
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:ltc:problem:approval-needed")
    assert "20.00 % below list, seller may 5 %" in refused.json()["detail"]
    asked = (await call("sam", "POST", f"{path}/approval")).json()
    assert [(step["role"], step["state"]) for step in asked["steps"]] == [("lead", "waiting"), ("head", "waiting")]
    assert (asked["waits_for"], asked["policy_version"], asked["discount_percent"]) == (1, 1, "20.00")
    assert (await call("sam", "POST", f"{path}/send")).json()["type"] == "urn:ltc:problem:wrong-transition"
    early = await call("hana", "POST", f"{path}/approval/approve")
    assert (early.status_code, early.json()["type"]) == (403, "urn:ltc:problem:not-your-step")
    assert (await call("sam", "POST", f"{path}/approval/approve")).json()["type"] == "urn:ltc:problem:not-your-step"
    assert [each["quote_id"] for each in (await call("dana", "GET", "/v1/approvals")).json()["items"]] == [quote["id"]]
    assert (await call("hana", "GET", "/v1/approvals")).json()["items"] == []
    assert (await call("dana", "POST", f"{path}/approval/approve", {"comment": "fine"})).json()["state"] == "pending_approval"
    assert [each["role"] for each in (await call("hana", "GET", "/v1/approvals")).json()["items"]] == ["head"]
    clock.advance(hours=2)
    assert (await call("hana", "POST", f"{path}/approval/approve")).json()["state"] == "approved"
    again = await call("hana", "POST", f"{path}/approval/approve")
    assert again.json()["type"] == "urn:ltc:problem:nothing-to-approve"
    assert (await call("sam", "POST", f"{path}/send")).json()["state"] == "sent"
    [found] = (await call("sam", "GET", f"{path}/approval")).json()["rounds"]
    assert [(step["decided_by"], step["comment"]) for step in found["steps"]] == [("dana", "fine"), ("hana", None)]
    events = {event.topic: event.event for event in await emitted()}
    assert (events["quote.approval_requested"].roles, events["quote.approval_requested"].requested_by) == (
        ("lead", "head"),
        "sam",
    )
    assert events["quote.approved"].waited_seconds == 7200


@pytest.mark.usefixtures("policy")
async def test_a_lead_has_a_leads_authority_but_does_not_approve_what_is_their_own(call: As, client: httpx.AsyncClient) -> None:
    within = await drafted(call, client, "15", by="dana")
    assert (await call("dana", "POST", f"/v1/quotes/{within['id']}/send")).status_code == 200
    beyond = await drafted(call, client, "16", by="hana")
    path = f"/v1/quotes/{beyond['id']}"
    assert (await call("hana", "POST", f"{path}/send")).status_code == 200
    # Dana changes what Sam wrote: it is Dana's now, and beyond a lead's authority only Hana may approve it.
    quote = await drafted(call, client, "10")
    path = f"/v1/quotes/{quote['id']}"
    await call("sam", "POST", f"{path}/approval")
    line = {**quote_body()["lines"][0], "discount_percent": "18", "unit_cost": "100.00"}
    changed = await call("dana", "PUT", path, quote_body(lines=[line], version=2))
    assert (changed.status_code, changed.json()["state"]) == (200, "draft")
    assert [step["role"] for step in (await call("sam", "POST", f"{path}/approval")).json()["steps"]] == ["head"]


@pytest.mark.usefixtures("policy")
async def test_who_asked_or_wrote_it_cannot_approve_even_with_the_role(call: As, client: httpx.AsyncClient) -> None:
    quote = await drafted(call, client, "10")
    path = f"/v1/quotes/{quote['id']}"
    assert (await call("dana", "POST", f"{path}/approval")).status_code == 200
    own = await call("dana", "POST", f"{path}/approval/approve")
    assert (own.status_code, own.json()["type"]) == (403, "urn:ltc:problem:own-quote")
    assert (await call("erik", "POST", f"{path}/approval/approve")).json()["state"] == "approved"


@pytest.mark.usefixtures("policy")
async def test_a_change_after_approval_needs_approval_again(call: As, client: httpx.AsyncClient) -> None:
    quote = await drafted(call, client, "10")
    path = f"/v1/quotes/{quote['id']}"
    await call("sam", "POST", f"{path}/approval")
    approved = (await call("erik", "POST", f"{path}/approval/approve")).json()
    line = {**quote_body()["lines"][0], "discount_percent": "14", "unit_cost": "100.00"}
    changed = (await call("sam", "PUT", path, quote_body(lines=[line], version=approved["version"]))).json()
    assert changed["state"] == "draft"
    assert (await call("sam", "POST", f"{path}/send")).json()["type"] == "urn:ltc:problem:approval-needed"
    assert (await call("sam", "POST", f"{path}/approval")).json()["round"] == 2
    assert (await call("dana", "POST", f"{path}/approval/approve")).json()["state"] == "approved"


@pytest.mark.usefixtures("policy")
async def test_a_no_sends_it_back_with_the_reason(call: As, client: httpx.AsyncClient, emitted: Emissions) -> None:
    quote = await drafted(call, client, "20")
    path = f"/v1/quotes/{quote['id']}"
    await call("sam", "POST", f"{path}/approval")
    assert (await call("dana", "POST", f"{path}/approval/disapprove", {"reason": ""})).status_code == 422
    back = await call("dana", "POST", f"{path}/approval/disapprove", {"reason": "no budget for that"})
    assert back.json()["state"] == "draft"
    [found] = (await call("sam", "GET", f"{path}/approval")).json()["rounds"]
    assert [(step["state"], step["comment"]) for step in found["steps"]] == [
        ("refused", "no budget for that"),
        ("withdrawn", None),
    ]
    last = (await emitted())[-1]
    assert (last.topic, last.event.by, last.event.reason) == ("quote.rejected", "approver", "no budget for that")
    assert (await call("hana", "POST", f"{path}/approval/approve")).status_code == 409


@pytest.mark.usefixtures("policy")
async def test_of_two_approvers_at_once_one_decides(call: As, client: httpx.AsyncClient, emitted: Emissions) -> None:
    quote = await drafted(call, client, "10")
    path = f"/v1/quotes/{quote['id']}/approval"
    await call("sam", "POST", path)
    replies = await asyncio.gather(
        *(call(who, "POST", f"{path}/approve") for who in ("dana", "erik")),
        call("dana", "POST", f"{path}/disapprove", {"reason": "x"}),
    )
    assert sorted(reply.status_code for reply in replies) == [200, 409, 409]
    topics = [event.topic for event in await emitted()]
    assert topics.count("quote.approved") + topics.count("quote.rejected") == 1


@pytest.mark.usefixtures("policy")
async def test_margin_amount_and_what_nobody_may(call: As, client: httpx.AsyncClient) -> None:
    big = await drafted(call, client, "0", quantity="300")
    needed = (await call("sam", "GET", f"/v1/quotes/{big['id']}/approval")).json()["needed"]
    assert [(need["role"], need["reasons"]) for need in needed] == [("lead", ["104,505.00 EUR, seller may 100,000.00 EUR"])]
    thin = await drafted(call, client, "10", unit_cost="300.00")
    needed = (await call("sam", "GET", f"/v1/quotes/{thin['id']}/approval")).json()["needed"]
    assert [need["role"] for need in needed] == ["lead", "head"]
    assert needed[1]["reasons"] == ["a margin of 4.31 %, lead needs 20 %"]
    unknown = await drafted(call, client, "10", unit_cost=None)
    needed = (await call("sam", "GET", f"/v1/quotes/{unknown['id']}/approval")).json()["needed"]
    assert needed[1]["reasons"] == ["the margin is not known, lead needs 20 %"]
    absurd = await drafted(call, client, "41")
    for path in ("approval", "send"):
        reply = await call("sam", "POST", f"/v1/quotes/{absurd['id']}/{path}")
        assert (reply.status_code, reply.json()["type"]) == (409, "urn:ltc:problem:beyond-authority")


@pytest.mark.usefixtures("policy")
async def test_a_position_below_list_counts_although_the_whole_does_not(call: As, client: httpx.AsyncClient) -> None:
    levels = [{"role": "seller", "max_line_discount_percent": "10"}, {"role": "lead", "approvers": ["dana"]}]
    await ok(client, "PUT", "/v1/approval-policy", {"levels": levels, "version": 1})
    await shop(client)
    deal = await opened(client)
    lines = [{"sku": "PUMP", "quantity": "1", "unit_price": "50.00"}, {"sku": "DAY", "quantity": "50"}]
    body = quote_body(lines=lines, customer={"name": "R", "country": "DE"})
    quote = (await call("sam", "POST", f"/v1/opportunities/{deal['id']}/quotes", body)).json()
    assert quote["discount_of_list"] == "0.09"
    needed = (await call("sam", "GET", f"/v1/quotes/{quote['id']}/approval")).json()["needed"]
    assert needed[0]["reasons"] == ["a position 50.00 % below list, seller may 10 %"]


async def test_the_policy_has_versions_and_makes_sense(client: httpx.AsyncClient) -> None:
    assert (await ok(client, "GET", "/v1/approval-policy")) == {"version": 0, "levels": []}
    first = await ok(client, "PUT", "/v1/approval-policy", {"levels": LEVELS})
    assert first["version"] == 1
    assert (await client.put("/v1/approval-policy", json={"levels": []})).status_code == 400
    second = await client.put("/v1/approval-policy", json={"levels": []}, headers={"If-Match": "1"})
    assert second.json() == {"version": 2, "levels": []}
    assert len((await ok(client, "GET", "/v1/approval-policy?version=1"))["levels"]) == 3
    assert (await client.get("/v1/approval-policy?version=7")).status_code == 404
    versions = await ok(client, "GET", "/v1/approval-policy/versions")
    assert [(each["version"], each["set_by"]) for each in versions] == [(2, "test"), (1, "test")]
    for levels, field in (
        ([{"role": "seller", "approvers": ["x"]}], "levels.0.approvers"),
        ([{"role": "seller"}, {"role": "lead"}], "levels.1.approvers"),
        ([{"role": "seller"}, {"role": "seller", "approvers": ["x"]}], "levels"),
        ([{"role": "s"}, {"role": "l", "approvers": ["x", "x"]}], "levels.1.approvers"),
    ):
        reply = await client.put("/v1/approval-policy", json={"levels": levels, "version": 2})
        assert (reply.status_code, reply.json()["field"]) == (400, field)


async def test_approving_and_configuring_need_scopes_of_their_own(client: httpx.AsyncClient, keys: KeyPair) -> None:
    seller = {"Authorization": f"Bearer {keys.token('quotes:read quotes:write')}"}
    assert (await client.put("/v1/approval-policy", json={"levels": []}, headers=seller)).status_code == 403
    path = "/v1/quotes/019b0000-0000-7000-8000-000000000000/approval"
    assert (await client.post(f"{path}/approve", headers=seller)).status_code == 403
    assert (await client.post(path, headers=seller)).status_code == 404
