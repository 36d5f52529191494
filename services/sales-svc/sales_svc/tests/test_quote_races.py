"""Two at once on one offer: one of them wins, the other is told."""

import asyncio

import httpx

from sales_svc.tests.deals import ok, opened
from sales_svc.tests.test_quote_links import ANNA, HTML, drafted, linked, sent
from sales_svc.tests.test_quote_pages import Emissions, answer_of, form_of, offered


async def test_of_two_recipients_who_accept_at_once_one_does_and_the_other_is_told(
    client: httpx.AsyncClient, anonymous: httpx.AsyncClient, emitted: Emissions
) -> None:
    quote, path, form = await offered(client, anonymous)
    _, second = await linked(client, quote, email="bruno@rossi.example")
    replies = await asyncio.gather(
        anonymous.post(path, data=form, headers=HTML),
        anonymous.post(second, data={**form, "name": "Bruno Rossi"}, headers=HTML),
    )
    assert sorted(reply.status_code for reply in replies) == [303, 409]
    loser = next(reply for reply in replies if reply.status_code == 409)
    assert 'data-state="accepted"' in loser.text
    assert "Your answer was not recorded" in loser.text
    winner = (await answer_of(client, quote))["name"]
    assert winner not in loser.text.replace(form["name"] if winner != form["name"] else "", "")
    assert [each.topic for each in await emitted()].count("quote.accepted") == 1


async def test_accepting_and_declining_at_once_is_one_of_the_two(
    client: httpx.AsyncClient, anonymous: httpx.AsyncClient, emitted: Emissions
) -> None:
    quote, path, form = await offered(client, anonymous)
    _, second = await linked(client, quote)
    replies = await asyncio.gather(
        anonymous.post(path, data=form, headers=HTML),
        anonymous.post(second, data={"action": "decline", "reason": "no"}, headers=HTML),
    )
    assert sorted(reply.status_code for reply in replies) == [303, 409]
    told = [each.topic for each in await emitted() if each.topic in ("quote.accepted", "quote.rejected")]
    state = (await ok(client, "GET", f"/v1/quotes/{quote['id']}"))["state"]
    assert told == [f"quote.{state}"]


async def test_accepting_while_the_seller_replaces_it_has_one_outcome(
    client: httpx.AsyncClient, anonymous: httpx.AsyncClient
) -> None:
    deal = await opened(client)
    quote = await sent(client, deal=deal)
    _, path = await linked(client, quote, **ANNA)
    form = form_of(await anonymous.get(path, headers=HTML))
    newer = await drafted(client, deal)
    reply, _ = await asyncio.gather(
        anonymous.post(path, data=form, headers=HTML),
        client.post(f"/v1/quotes/{newer['id']}/send", json={"supersede": True}),
    )
    states = [(await ok(client, "GET", f"/v1/quotes/{each['id']}"))["state"] for each in (quote, newer)]
    assert (reply.status_code, states) in ((303, ["accepted", "superseded"]), (410, ["superseded", "sent"]))


async def test_accepting_while_the_link_is_taken_back_and_others_look_has_one_outcome(
    client: httpx.AsyncClient, anonymous: httpx.AsyncClient
) -> None:
    quote, path, form = await offered(client, anonymous)
    _, other = await linked(client, quote)
    link = (await ok(client, "GET", f"/v1/quotes/{quote['id']}/links"))[-1]
    reply, revoked, *looks = await asyncio.gather(
        anonymous.post(path, data=form, headers=HTML),
        client.post(f"/v1/quotes/{quote['id']}/links/{link['id']}/revoke"),
        *(anonymous.get(each, headers=HTML) for each in (path, other) * 4),
    )
    state = (await ok(client, "GET", f"/v1/quotes/{quote['id']}"))["state"]
    assert (reply.status_code, state) in ((303, "accepted"), (410, "sent"))
    assert revoked.status_code == 200
    assert {look.status_code for look in looks} <= {200, 410}
    assert (await anonymous.get(path, headers=HTML)).status_code == 410
