from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ltc_chassis.clock import FixedClock
from ltc_chassis.db import Database

from sales_svc.domain.coaching import Reached, Stay, steps
from sales_svc.tests import deals
from sales_svc.tests.builders import quote_body
from sales_svc.tests.test_api import Emissions
from sales_svc.tests.test_forecast import CODES, eur, lose, move, win
from sales_svc.tests.test_pipelines import opened

Json = dict[str, Any]


async def report(client: httpx.AsyncClient, **params: Any) -> dict[str | None, Json]:
    reply = await client.get("/v1/reports/win-loss", params=params)
    assert reply.status_code == 200, reply.text
    return {row["key"]: row for row in reply.json()["rows"]}


async def test_reasons_and_competitors_are_lists_of_the_company(client: httpx.AsyncClient) -> None:
    codes = [reason["code"] for reason in (await client.get("/v1/outcome-reasons", params={"outcome": "lost"})).json()]
    assert codes == ["price", "competitor", "no_budget", "not_now", "no_decision", "fit", "no_answer"]
    path = "/v1/outcome-reasons/lost/taste"
    assert (await client.put(path, json={"label": "Matter of taste", "position": 9})).json()["version"] == 1
    assert (await client.put(path, json={"label": "Taste"})).json()["field"] == "version"
    assert (await client.put(path, json={"label": "Taste", "active": False, "version": 1})).json()["version"] == 2
    assert [each["by"] for each in (await client.get(f"{path}/changes")).json()["items"]] == ["test", "test"]
    made = (await client.put("/v1/competitors/Acme CRM", json={})).json()
    assert (await client.put("/v1/competitors/ACME CRM", json={"version": 1})).json() == {
        **made,
        "name": "ACME CRM",
        "version": 2,
    }
    assert [each["name"] for each in (await client.get("/v1/competitors")).json()["items"]] == ["ACME CRM"]
    deal = await opened(client)
    for bad, field in (
        ({"reason_code": "taste"}, "reason_code"),
        ({"reason_code": "price", "competitors": ["Nobody"]}, "competitors"),
        ({}, "reason"),
        ({"reason": "  "}, "reason"),
    ):
        reply = await client.post(f"/v1/opportunities/{deal['id']}/lose", json=bad)
        assert (reply.status_code, reply.json()["field"]) == (400, field), bad


async def test_a_lost_deal_tells_reason_and_competitors(client: httpx.AsyncClient, emitted: Emissions) -> None:
    await client.put("/v1/competitors/Acme CRM", json={})
    deal = await opened(client, region="south", segment="b2b", campaign="spring", products=["PUMP-7"], owner="Anna", team="South")
    path = f"/v1/opportunities/{deal['id']}/lose"
    lost = await client.post(path, json={"reason_code": "competitor", "reason": "They were nicer", "competitors": ["acme crm"]})
    assert (lost.json()["reason_code"], lost.json()["lost_reason"], lost.json()["competitors"]) == (
        *("competitor", "They were nicer"),
        ["Acme CRM"],
    )
    event = (await emitted())[-1].event
    assert (event.reason, event.competitors, event.products) == ("competitor", ("Acme CRM",), ("PUMP-7",))
    assert (event.team, event.region, event.segment, event.campaign, event.pipeline) == (
        "South",
        "south",
        "b2b",
        "spring",
        "default",
    )
    assert str(event.account_id) == deal["account_id"]


async def test_words_that_say_just_what_a_reason_is_called_have_its_code(client: httpx.AsyncClient, emitted: Emissions) -> None:
    for words, code in (("Chose a competitor", "competitor"), ("PRICE", "price"), ("the buyer left", None)):
        deal = await opened(client, company=words)
        lost = await client.post(f"/v1/opportunities/{deal['id']}/lose", json={"reason": words})
        assert (lost.json()["reason_code"], lost.json()["lost_reason"]) == (code, words)
        assert (await emitted())[-1].event.reason == (code or words)


async def test_a_won_deal_tells_why_what_was_sold_and_against_whom(client: httpx.AsyncClient, emitted: Emissions) -> None:
    await client.put("/v1/competitors/Acme CRM", json={})
    deal = await opened(client, owner="Anna", team="South")
    why = {"reason_code": "service", "competitors": ["Acme CRM"]}
    assert (await client.post(f"/v1/opportunities/{deal['id']}/win-reason", json=why)).json()["won_reason"] == "Service"
    assert (await client.post(f"/v1/opportunities/{deal['id']}/win-reason", json={})).json()["field"] == "reason"
    quote = (await client.post(f"/v1/opportunities/{deal['id']}/quotes", json=quote_body())).json()
    await client.post(f"/v1/quotes/{quote['id']}/send")
    await client.post(f"/v1/quotes/{quote['id']}/accept")
    contract = (await client.post(f"/v1/quotes/{quote['id']}/contract")).json()
    assert (await client.post(f"/v1/contracts/{contract['id']}/sign", json={"signed_by": "Anna"})).status_code == 200
    [event] = [each.event for each in await emitted() if each.topic == "opportunity.won"]
    assert (event.reason, event.competitors, event.products, event.team) == ("service", ("Acme CRM",), ("SUPPORT",), "South")
    assert str(event.account_id) == deal["account_id"]
    # Afterwards it can still be mended for the report.
    later = await client.post(f"/v1/opportunities/{deal['id']}/win-reason", json={"reason": "They liked the demo"})
    assert (later.json()["reason_code"], later.json()["won_reason"]) == (None, "They liked the demo")
    lost = await opened(client, company="Other")
    await lose(client, lost)
    assert (await client.post(f"/v1/opportunities/{lost['id']}/win-reason", json=why)).status_code == 409


async def test_won_and_lost_by_reason_competitor_product_and_owner(
    client: httpx.AsyncClient, db: Database, clock: FixedClock
) -> None:
    for name in ("Acme", "Bolt"):
        await client.put(f"/v1/competitors/{name}", json={})
    for number in range(3):
        deal = await opened(client, company=f"W{number}", owner="Anna", products=["A", "B"], value=eur("10.00"))
        await client.post(f"/v1/opportunities/{deal['id']}/win-reason", json={"reason_code": "service", "competitors": ["Acme"]})
        await win(db, deal, "100.00")
    deal = await opened(client, company="L", owner="Ben", products=["A"], value=eur("40.00"))
    await lose(client, deal, competitors=["Acme", "Bolt"])
    await opened(client, company="Open", owner="Anna", products=["A"])
    clock.advance(days=2)
    late = await opened(client, company="Late", owner="Ben", value={"amount": "5", "currency": "JPY"})
    await lose(client, late, reason="the buyer left")
    by_reason = await report(client)
    assert {key: (row["won"]["deals"], row["lost"]["deals"]) for key, row in by_reason.items()} == {
        "price": (0, 1),
        "service": (3, 0),
        None: (0, 1),
    }
    by_competitor = await report(client, by="competitor")
    assert {key: row["win_rate"] for key, row in by_competitor.items()} == {"Acme": "75.00", "Bolt": "0.00", None: "0.00"}
    assert by_competitor["Acme"]["won"] == {"deals": 3, "value": [eur("300.00")]}
    by_product = await report(client, by="product")
    assert {key: (row["won"]["deals"], row["lost"]["deals"]) for key, row in by_product.items()} == {
        "A": (3, 1),
        "B": (3, 0),
        None: (0, 1),
    }
    by_owner = await report(client, by="owner")
    assert by_owner["Ben"]["lost"] == {"deals": 2, "value": [eur("40.00"), {"amount": "5", "currency": "JPY"}]}
    whole = (await client.get("/v1/reports/win-loss", params={"by": "product", "end": "2026-01-01"})).json()["total"]
    assert (whole["win_rate"], whole["won"]["deals"], whole["lost"]["deals"], whole["small"]) == ("75.00", 3, 1, True)
    assert list(await report(client, by="owner", begin="2026-01-02")) == ["Ben"]


async def test_coaching_shows_a_reps_conversion_per_stage_against_the_team(
    client: httpx.AsyncClient, db: Database, clock: FixedClock
) -> None:
    await client.put("/v1/sales-policies", json={"due_days": 2, "young_days": 7, "small_sample": 4, "version": 1})
    for rep in ("Anna", "Ben"):
        await client.put(f"/v1/reps/{rep}", json={"team": "South"})
    made = {}
    for rep, number in (("Anna", 4), ("Ben", 2), ("Carla", 1)):
        made[rep] = [await opened(client, company=f"{rep}{n}", owner=rep) for n in range(number)]
    clock.advance(hours=2)
    await move(client, made["Anna"][0], "discovery")
    await move(client, made["Anna"][1], "proposal")  # skipped a stage: it has reached it
    clock.advance(hours=2)
    await move(client, made["Anna"][0], "qualification")  # went back: it has been there all the same
    await win(db, made["Anna"][2], "1.00")
    await lose(client, made["Anna"][3])
    await move(client, made["Ben"][0], "discovery")
    shown = (await client.get("/v1/reports/coaching", params={"rep": "Anna"})).json()
    [anna] = shown["reps"]
    assert (shown["team"], anna["deals"], anna["won"], anna["won_of_all"]) == ("South", 4, 1, "25.00")
    reached = [(step["stage"], step["reached"], step["went_on"], step["conversion"]) for step in anna["steps"]]
    assert reached == [
        *(("qualification", 4, 3, "75.00"), ("discovery", 3, 2, "66.67"), ("proposal", 2, 1, "50.00")),
        *(("negotiation", 1, 1, "100.00"), ("commit", 1, 1, "100.00")),
    ]
    team = [(step["reached"], step["went_on"]) for step in shown["whole"]["steps"]]
    assert team == [(6, 4), (4, 2), (2, 1), (1, 1), (1, 1)]
    assert anna["difference"][:2] == ["8.33", "16.67"]
    assert [step["note"] is None for step in anna["steps"]] == [True, False, False, False, False]
    # Left after two hours, two, four (won), four (lost).
    first = anna["steps"][0]
    assert (first["stays"], first["mean_seconds"], first["median_seconds"]) == (4, 10800, 10800)
    everyone = (await client.get("/v1/reports/coaching")).json()
    assert ([column["rep"] for column in everyone["reps"]], everyone["whole"]["deals"]) == (["Anna", "Ben", "Carla"], 7)
    clock.advance(days=1)
    await opened(client, company="Later", owner="Anna")
    cohort = {"rep": "Anna", "end": "2026-01-01"}
    assert (await client.get("/v1/reports/coaching", params=cohort)).json()["reps"][0]["deals"] == 4
    assert (await client.get("/v1/reports/coaching", params={"rep": "Nobody"})).status_code == 404
    assert (await client.get("/v1/reports/coaching", params={"pipeline": "none"})).status_code == 404


@given(st.lists(st.builds(Reached, st.sampled_from([*CODES, "gone", None]), st.booleans(), st.integers(1, 50)), max_size=20))
def test_no_stage_is_reached_by_more_deals_than_the_one_before(deals: list[Reached]) -> None:
    made = steps(CODES, deals, {"discovery": Stay(1, 2, 3)}, small_sample=10)
    numbers = [made[0].reached, *(step.went_on for step in made)]
    assert numbers == sorted(numbers, reverse=True)
    assert numbers[0] == sum(some.deals for some in deals)
    assert numbers[-1] == sum(some.deals for some in deals if some.won)
    assert [step.small for step in made] == [step.reached < 10 for step in made]
    assert made[1].stay == Stay(1, 2, 3)


@pytest.mark.parametrize("sent", [False, True])
async def test_a_contract_of_a_lost_deal_is_not_signed_any_more(
    client: httpx.AsyncClient, anonymous: httpx.AsyncClient, sent: bool
) -> None:
    deal = await deals.opened(client)
    contract = await deals.drafted(client, deal)
    path, page = f"/v1/contracts/{contract['id']}", None
    if sent:
        await deals.ok(client, "POST", f"{path}/send")
        page = urlsplit((await deals.ok(client, "POST", f"{path}/link"))["url"]).path
    await deals.ok(client, "POST", f"/v1/opportunities/{deal['id']}/lose", {"reason": "Price"})
    shown = await deals.ok(client, "GET", path)
    assert (shown["state"], shown["closed_reason"]) == ("declined", "the deal was lost")
    assert [each["happening"] for each in await deals.ok(client, "GET", f"{path}/trail")][-1] == "declined"
    assert (await client.post(f"{path}/sign", json={"signed_by": "Anna Rossi"})).json()[
        "type"
    ] == "urn:ltc:problem:wrong-transition"
    if page is not None:
        answer = await anonymous.post(page, data={"action": "sign", "signed_by": "Anna Rossi", "consent": "yes"})
        assert answer.status_code == 409
        assert (await deals.ok(client, "GET", path))["state"] == "declined"


async def test_a_signed_contract_stays_when_its_deal_cannot_be_lost_any_more(client: httpx.AsyncClient) -> None:
    contract = await deals.signed(client)
    lost = await client.post(f"/v1/opportunities/{contract['opportunity_id']}/lose", json={"reason": "Price"})
    assert lost.json()["type"] == "urn:ltc:problem:deal-closed"
    assert (await deals.ok(client, "GET", f"/v1/contracts/{contract['id']}"))["state"] == "signed"
