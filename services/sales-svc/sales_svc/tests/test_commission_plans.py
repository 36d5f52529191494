"""Commission plans over HTTP: versions, assignments, splits, and a trial over past deals."""

import asyncio
from collections.abc import Awaitable, Callable

import asyncpg
import httpx
import pytest
from ltc_chassis.clock import FixedClock
from ltc_chassis.db import Database
from ltc_chassis.testing import Deliver, Emitted

from sales_svc.tests.bills import allocated, booked, invoice, planned, tell
from sales_svc.tests.deals import Json, drafted, line, ok, opened, signed

Emissions = Callable[[], Awaitable[list[Emitted]]]
Parked = Callable[[], Awaitable[list[asyncpg.Record]]]


async def test_a_split_agreed_for_a_deal_goes_before_that_of_the_plan(client: httpx.AsyncClient) -> None:
    await planned(client, "Ada")
    deal = await opened(client)
    path = f"/v1/opportunities/{deal['id']}/commission-split"
    assert (await ok(client, "GET", path))["version"] == 0
    short = await client.put(path, json={"shares": [{"percent": "60"}, {"rep": "Ben", "percent": "39"}]})
    assert (short.status_code, short.json()["field"]) == (400, "shares")
    assert (await ok(client, "PUT", path, {"shares": [{"percent": "50"}, {"rep": "Ben", "percent": "50"}]}))["version"] == 1
    split = await ok(client, "PUT", path, {"shares": [{"percent": "60"}, {"rep": "Ben", "percent": "40"}]})
    assert (split["version"], split["created_by"]) == (2, "test")
    contract = await signed(client, deal)
    assert await booked(client, contract) == [("Ada", "160.51", "0.00"), ("Ben", "107.02", "0.00")]
    assert (await client.put(path, json={"shares": []})).json()["type"] == "urn:ltc:problem:deal-closed"


async def test_tiers_count_what_a_rep_signed_in_the_period_also_when_two_deals_are_signed_at_once(
    client: httpx.AsyncClient, clock: FixedClock
) -> None:
    await planned(client, "Ada", tiers=[{"above": "1000", "rate": "10"}], period="quarter", currency="EUR")
    contracts = [await drafted(client, lines=[line("1000.00")]) for _ in range(3)]
    sign = {"signed_by": "Anna Rossi"}
    await asyncio.gather(*(ok(client, "POST", f"/v1/contracts/{each['id']}/sign", sign) for each in contracts[:2]))
    assert sorted([(await booked(client, each))[0][1] for each in contracts[:2]]) == ["100.00", "50.00"]
    clock.advance(days=100)
    later = await signed(client, lines=[line("1000.00")])
    assert await booked(client, later) == [("Ada", "50.00", "0.00")]


async def test_a_plan_is_versioned_and_deals_keep_the_version_they_were_signed_under(
    client: httpx.AsyncClient, clock: FixedClock
) -> None:
    await planned(client, "Ada")
    old = await signed(client, lines=[line("1000.00")])
    clock.advance(hours=1)
    second = await planned(client, rate="8")
    assert (second["version"], second["created_by"]) == (2, "test")
    new = await signed(client, lines=[line("1000.00")])
    assert (await booked(client, old), await booked(client, new)) == ([("Ada", "50.00", "0.00")], [("Ada", "80.00", "0.00")])
    versions = (await ok(client, "GET", "/v1/commission-plans?code=standard"))["items"]
    assert [(each["version"], each["rate"]) for each in versions] == [(1, "5"), (2, "8")]
    past = await client.post(
        "/v1/commission-plans", json={"code": "x", "name": "X", "rate": "1", "valid_from": "2025-01-01T00:00:00Z"}
    )
    assert (past.status_code, past.json()["field"]) == (400, "valid_from")
    again = await client.post("/v1/commission-plans", json={"code": "standard", "name": "X", "rate": "1"})
    assert (again.status_code, again.json()["type"]) == (409, "urn:ltc:problem:plan-exists")


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"tiers": [{"above": "10", "rate": "1"}]}, "period"),
        ({"period": "month"}, "period"),
        (
            {"tiers": [{"above": "10", "rate": "1"}, {"above": "10", "rate": "2"}], "period": "month", "currency": "EUR"},
            "tiers.1.above",
        ),
        ({"splits": [{"percent": "50"}]}, "splits"),
    ],
)
async def test_a_plan_that_makes_no_sense_names_the_field(client: httpx.AsyncClient, changed: Json, field: str) -> None:
    reply = await client.post("/v1/commission-plans", json={"code": "standard", "name": "Standard", "rate": "5", **changed})
    assert (reply.status_code, reply.json()["field"]) == (400, field)


async def test_an_assignment_ends_and_is_not_made_twice(client: httpx.AsyncClient, clock: FixedClock) -> None:
    await planned(client, "Ada")
    body = {"rep": "Ada", "plan": "standard"}
    assert (await client.post("/v1/commission-assignments", json=body)).json()["type"] == "urn:ltc:problem:already-assigned"
    assert (await client.post("/v1/commission-assignments", json={**body, "plan": "none"})).status_code == 404
    [known] = (await ok(client, "GET", "/v1/commission-assignments?rep=Ada"))["items"]
    clock.advance(days=1)
    ended = await ok(client, "POST", f"/v1/commission-assignments/{known['id']}/end")
    assert ended["ended_by"] == "test"
    assert (await client.post(f"/v1/commission-assignments/{known['id']}/end")).status_code == 409
    assert await booked(client, await signed(client)) == []
    await ok(client, "POST", "/v1/commission-assignments", body, status=201)


async def test_a_line_is_paid_by_the_plan_of_its_product(client: httpx.AsyncClient) -> None:
    await planned(client, "Ada")
    await planned(client, "Ada", code="care", rate="10", products=["CARE"])
    contract = await signed(client, lines=[line("100.00", "PUMP"), line("100.00", "CARE")])
    assert await booked(client, contract) == [("Ada", "10.00", "0.00"), ("Ada", "5.00", "0.00")]


async def test_a_changed_plan_is_tried_over_past_deals_without_a_trace(
    client: httpx.AsyncClient, deliver: Deliver, emitted: Emissions, db: Database
) -> None:
    await planned(client, "Ada", rate="10")
    contract, bill = await signed(client, lines=[line("1000.00")]), invoice("1000.00", "1220.00")
    await tell(deliver, contract, bill, allocated(bill, "610.00"))
    await signed(client, lines=[line("1000.00")])
    await signed(client, await opened(client, owner="Ben"), lines=[line("500.00")])

    async def rows() -> list[int]:
        async with db.connection() as conn:
            row = await conn.fetchrow(
                """
                SELECT (SELECT count(*) FROM commission_entry) AS entries, (SELECT count(*) FROM commission_position) AS positions,
                       (SELECT count(*) FROM commission_plan) AS plans, (SELECT count(*) FROM outbox) AS events
                """
            )
            return list(row or ())

    before = await rows()
    body = {
        "code": "standard",
        "name": "Trial",
        "rate": "10",
        "tiers": [{"above": "1000", "rate": "20"}],
        "period": "year",
        "currency": "EUR",
        "since": "2026-01-01T00:00:00Z",
        "until": "2027-01-01T00:00:00Z",
    }
    [ada] = await ok(client, "POST", "/v1/commission-plans/try", body)
    assert (ada["accrued"]["amount"], ada["accrued_then"]["amount"], ada["difference"]["amount"]) == (
        "200.00",
        "300.00",
        "100.00",
    )
    assert (ada["vested"]["amount"], ada["vested_then"]["amount"], ada["deals"]) == ("50.00", "50.00", 2)
    both = await ok(client, "POST", "/v1/commission-plans/try", {**body, "reps": ["Ada", "Ben"]})
    assert [(each["rep"], each["accrued_then"]["amount"]) for each in both] == [("Ada", "300.00"), ("Ben", "50.00")]
    assert await rows() == before
    assert len([event for event in await emitted() if event.topic.startswith("commission.")]) == 3


async def test_a_trial_outside_of_the_calendar_is_refused(client: httpx.AsyncClient) -> None:
    body = {"code": "x", "name": "X", "rate": "1", "since": "2026-01-01T00:00:00Z", "until": "2026-01-01T00:00:00Z"}
    assert (await client.post("/v1/commission-plans/try", json=body)).json()["field"] == "until"
    for since, until in (
        ("0001-01-01T00:00:00+14:00", "2026-01-01T00:00:00Z"),
        ("2026-01-01T00:00:00Z", "9999-12-31T23:59:59-14:00"),
    ):
        assert (await client.post("/v1/commission-plans/try", json={**body, "since": since, "until": until})).status_code == 422
    for rate in ("100.1", "-1", "1.23456", "NaN"):
        assert (await client.post("/v1/commission-plans", json={"code": "x", "name": "X", "rate": rate})).status_code == 422
