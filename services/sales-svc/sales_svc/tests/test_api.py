import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
from ltc_chassis.clock import FixedClock
from ltc_chassis.testing import Emitted
from ltc_chassis.timers import Timer

from sales_svc.tests.builders import quote_body
from sales_svc.timers import TIMERS

Emissions = Callable[[], Awaitable[list[Emitted]]]
Json = dict[str, Any]


async def opened(client: httpx.AsyncClient) -> Json:
    reply = await client.post("/v1/opportunities", json={"name": "Rossi", "company": "Rossi", "country": "IT"})
    assert reply.status_code == 201, reply.text
    made: Json = reply.json()
    return made


async def quoted(client: httpx.AsyncClient, deal: Json, **changed: Any) -> Json:
    reply = await client.post(f"/v1/opportunities/{deal['id']}/quotes", json=quote_body(**changed))
    assert reply.status_code == 201, reply.text
    made: Json = reply.json()
    assert (await client.post(f"/v1/quotes/{made['id']}/send")).status_code == 200
    return made


async def test_a_deal_goes_from_opening_to_signature(client: httpx.AsyncClient, emitted: Emissions) -> None:
    deal = await opened(client)
    quote = await quoted(client, deal)
    assert (quote["number"], quote["net"]["amount"], quote["gross"]["amount"]) == ("Q-2026-000001", "5350.66", "6527.81")
    assert (await client.get(f"/v1/opportunities/{deal['id']}")).json()["stage"] == "proposal"
    assert (await client.post(f"/v1/quotes/{quote['id']}/accept")).json()["state"] == "accepted"
    contract = (await client.post(f"/v1/quotes/{quote['id']}/contract")).json()
    again = await client.post(f"/v1/quotes/{quote['id']}/contract")
    assert again.json()["id"] == contract["id"]
    signed = await client.post(f"/v1/contracts/{contract['id']}/sign", json={"signed_by": "Anna Rossi"})
    assert (signed.status_code, signed.json()["state"]) == (200, "signed")
    events = await emitted()
    assert [event.topic for event in events] == [
        *("opportunity.opened", "opportunity.stage_changed", "quote.sent", "quote.accepted", "contract.signed", "opportunity.won")
    ]
    assert {str(event.flow_id) for event in events} == {deal["flow_id"]}
    history = (await client.get(f"/v1/opportunities/{deal['id']}/history")).json()
    assert [change["to_stage"] for change in history] == ["proposal", "won"]
    assert (await client.get("/v1/quotes", params={"flow_id": deal["flow_id"]})).json()["items"][0]["id"] == quote["id"]
    assert (await client.get(f"/v1/contracts/{contract['id']}")).json()["document_sha256"] == contract["document_sha256"]


async def test_a_lost_deal_keeps_its_reason_and_its_quotes_are_void(client: httpx.AsyncClient, emitted: Emissions) -> None:
    deal = await opened(client)
    quote = await quoted(client, deal)
    assert (await client.post(f"/v1/opportunities/{deal['id']}/lose", json={"reason": ""})).status_code == 422
    lost = await client.post(f"/v1/opportunities/{deal['id']}/lose", json={"reason": "price"})
    assert (lost.json()["stage"], lost.json()["lost_reason"], lost.json()["probability"]) == ("lost", "price", 0)
    refused = await client.post(f"/v1/quotes/{quote['id']}/accept")
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:ltc:problem:deal-closed")
    assert (await client.get(f"/v1/quotes/{quote['id']}")).json()["state"] == "superseded"
    assert (await emitted())[-1].topic == "opportunity.lost"


async def test_outcomes_and_unknown_stages_are_no_moves(client: httpx.AsyncClient) -> None:
    deal = await opened(client)
    for stage in ("won", "lost", "party"):
        reply = await client.post(f"/v1/opportunities/{deal['id']}/stage", json={"stage": stage})
        assert (reply.status_code, reply.json()["field"]) == (400, "stage")


async def test_bad_quotes_name_the_field(client: httpx.AsyncClient) -> None:
    deal = await opened(client)
    line = quote_body()["lines"][0]
    path = f"/v1/opportunities/{deal['id']}/quotes"
    wrong_places = await client.post(path, json=quote_body(lines=[{**line, "unit_price": "1.001"}]))
    assert (wrong_places.status_code, wrong_places.json()["field"]) == (400, "lines.0.amount")
    no_vat = await client.post(path, json=quote_body(lines=[{**line, "tax_category": "AE", "tax_rate": "0"}]))
    assert (no_vat.status_code, no_vat.json()["field"]) == (400, "customer.vat_id")
    past = await client.post(path, json=quote_body(valid_until="2025-01-01"))
    assert (past.status_code, past.json()["field"]) == (400, "valid_until")
    assert (await client.post(path, json=quote_body(lines=[]))).status_code == 422
    unknown = await client.post("/v1/opportunities/019b0000-0000-7000-8000-000000000000/quotes", json=quote_body())
    assert unknown.status_code == 404


async def test_a_quote_is_accepted_only_after_it_was_sent(client: httpx.AsyncClient) -> None:
    deal = await opened(client)
    draft = (await client.post(f"/v1/opportunities/{deal['id']}/quotes", json=quote_body())).json()
    reply = await client.post(f"/v1/quotes/{draft['id']}/accept")
    assert (reply.status_code, reply.json()["type"]) == (409, "urn:ltc:problem:wrong-transition")
    assert (await client.post(f"/v1/quotes/{draft['id']}/contract")).status_code == 409


async def test_of_two_versions_accepted_at_once_exactly_one_wins(client: httpx.AsyncClient) -> None:
    deal = await opened(client)
    versions = [await quoted(client, deal) for _ in range(2)]
    assert [version["quote_version"] for version in versions] == [1, 2]
    replies = await asyncio.gather(*(client.post(f"/v1/quotes/{version['id']}/accept") for version in versions))
    assert sorted(reply.status_code for reply in replies) == [200, 409]


async def test_a_contract_signed_twice_at_once_is_signed_once(client: httpx.AsyncClient, emitted: Emissions) -> None:
    deal = await opened(client)
    quote = await quoted(client, deal)
    await client.post(f"/v1/quotes/{quote['id']}/accept")
    contract = (await client.post(f"/v1/quotes/{quote['id']}/contract")).json()
    path = f"/v1/contracts/{contract['id']}/sign"
    replies = await asyncio.gather(*(client.post(path, json={"signed_by": "Anna"}) for _ in range(4)))
    assert sorted(reply.status_code for reply in replies) == [200, 409, 409, 409]
    assert [event.topic for event in await emitted()].count("contract.signed") == 1


async def test_quotes_expire_by_themselves(
    client: httpx.AsyncClient, clock: FixedClock, run_timer: Callable[[Timer], Awaitable[int]]
) -> None:
    deal = await opened(client)
    quote = await quoted(client, deal)
    clock.advance(days=30)
    assert await run_timer(TIMERS[0]) == 0
    clock.advance(days=1)
    late = await client.post(f"/v1/quotes/{quote['id']}/accept")
    assert late.json()["type"] == "urn:ltc:problem:quote-expired"
    assert await run_timer(TIMERS[0]) == 1
    assert (await client.get(f"/v1/quotes/{quote['id']}")).json()["state"] == "expired"


async def test_a_company_named_twice_is_one_account(client: httpx.AsyncClient) -> None:
    deal = await opened(client)
    quotes = [await quoted(client, deal, customer={"name": name, "country": "IT"}) for name in ("ROSSI", "Rossi ")]
    assert len({quote["customer"]["customer_id"] for quote in quotes}) == 1
    [account] = (await client.get("/v1/accounts")).json()["items"]
    assert (await client.get(f"/v1/accounts/{account['id']}")).json()["name"] == "Rossi"


async def test_a_quote_can_be_rejected(client: httpx.AsyncClient) -> None:
    quote = await quoted(client, await opened(client))
    assert (await client.post(f"/v1/quotes/{quote['id']}/reject")).json()["state"] == "rejected"
