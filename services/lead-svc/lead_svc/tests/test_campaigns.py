"""Channels and campaigns with spend per day (L2)."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from ltc_chassis.clock import FixedClock
from ltc_chassis.testing import Emitted, KeyPair

Emissions = Callable[[], Awaitable[list[Emitted]]]
Json = dict[str, Any]


async def campaign(client: httpx.AsyncClient, code: str = "spring", **changed: Any) -> Json:
    reply = await client.post("/v1/campaigns", json={"code": code, "name": "Spring", "channel": "search_ads", **changed})
    assert reply.status_code == 201, reply.text
    made: Json = reply.json()
    return made


def euros(amount: str) -> Json:
    return {"amount": amount, "currency": "EUR"}


async def test_spend_is_told_whole_so_a_repetition_adds_nothing_and_a_correction_replaces(
    client: httpx.AsyncClient, emitted: Emissions, clock: FixedClock
) -> None:
    await campaign(client)
    clock.advance(days=2)
    path, told = (
        "/v1/campaigns/spring/spend",
        {"day": "2026-01-01", "source": "google_ads", "amount": euros("182.40"), "clicks": 96},
    )
    assert (await client.put(path, json=told)).json() == {"recorded": 1, "unchanged": 0, "refused": []}
    assert (await client.put(path, json=told)).json()["unchanged"] == 1
    assert (await client.put(path, json={**told, "amount": euros("190.00")})).json()["recorded"] == 1
    events = await emitted()
    told_amounts = [(str(each.event.amount.amount), str(each.event.change.amount), each.sequence) for each in events]
    assert told_amounts == [("182.40", "182.40", 1), ("190.00", "7.60", 2)]
    assert events[0].flow_id is None
    assert events[0].key == str(events[0].event.campaign_id)
    assert events[0].headers["ce_time"].startswith("2026-01-01T23:59:59")
    days = (await client.get(path, params={"start": "2026-01-01", "end": "2026-01-31"})).json()
    assert [(row["day"], row["amount"]["amount"], row["revision"]) for row in days] == [("2026-01-01", "190.00", 2)]


async def test_a_file_of_spend_takes_the_good_rows_and_names_the_others(client: httpx.AsyncClient, emitted: Emissions) -> None:
    await campaign(client)
    rows = [
        "campaign;day;amount;currency;source;clicks",
        "spring;2026-01-01;10.00;EUR;google_ads;4",
        "autumn;2026-01-01;10.00;EUR;google_ads;4",
        "spring;tomorrow;10.00;EUR;google_ads;4",
        "spring;2026-01-02;10.00;EUR;google_ads;4",
        "spring;2025-12-31;1.005;EUR;google_ads;4",
        "spring;2025-12-31;-1.00;EUR;google_ads;4",
        "spring;2025-12-31;1.00;EUR;google_ads;many",
        "spring;2026-01-01;11.00;EUR;google_ads;4",
        "spring;2025-12-31",
    ]
    file = {"file": ("spend.csv", "\ufeff" + "\r\n".join(rows), "text/csv")}
    done = (await client.post("/v1/campaign-spend/file", files=file)).json()
    assert (done["recorded"], [(row["line"], row["field"]) for row in done["refused"]]) == (
        1,
        [(3, "campaign"), (4, "day"), (5, "day"), (6, "amount"), (7, "amount"), (8, "clicks"), (9, "row"), (10, "row")],
    )
    again = (await client.post("/v1/campaign-spend/file", files=file)).json()
    assert (again["recorded"], again["unchanged"], len(again["refused"])) == (0, 1, 8)
    assert len(await emitted()) == 1


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "no header"), (b"a,b\n1,2", "lacks the columns"), (b"\xff\xfe\x00", "not UTF-8"), (b"x" * (1024 * 1024 + 1), "1 MB")],
)
async def test_a_file_that_is_no_table_of_spend_is_refused_whole(client: httpx.AsyncClient, content: bytes, reason: str) -> None:
    reply = await client.post("/v1/campaign-spend/file", files={"file": ("x.csv", content, "text/csv")})
    assert reply.status_code in (400, 413)
    assert reason in reply.json()["detail"]


async def test_rows_by_api_are_taken_one_by_one(client: httpx.AsyncClient) -> None:
    await campaign(client)
    row = {"campaign": "spring", "day": "2026-01-01", "amount": euros("5.00")}
    told = [row, {**row, "campaign": "none"}, {**row, "source": "meta"}, {**row, "source": "usd", "amount": euros("1.00")}]
    done = (await client.post("/v1/campaign-spend", json={"rows": told})).json()
    assert (done["recorded"], [(each["line"], each["field"]) for each in done["refused"]]) == (3, [(2, "campaign")])
    other = {**row, "amount": {"amount": "5.00", "currency": "USD"}}
    refused = (await client.post("/v1/campaign-spend", json={"rows": [other]})).json()["refused"]
    assert [each["field"] for each in refused] == ["currency"]


async def test_two_corrections_at_once_are_two_revisions(client: httpx.AsyncClient, emitted: Emissions) -> None:
    await campaign(client)
    path = "/v1/campaigns/spring/spend"
    await asyncio.gather(*(client.put(path, json={"day": "2026-01-01", "amount": euros(f"{n}.00")}) for n in range(1, 6)))
    events = await emitted()
    assert sorted(each.event.revision for each in events) == [1, 2, 3, 4, 5]
    [row] = (await client.get(path, params={"start": "2026-01-01", "end": "2026-01-01"})).json()
    assert str(sum(each.event.change.amount for each in events)) == row["amount"]["amount"]


async def test_the_report_shows_cost_per_lead_by_campaign(client: httpx.AsyncClient, clock: FixedClock) -> None:
    await campaign(client)
    await client.put("/v1/campaigns/spring/spend", json={"day": "2026-01-01", "amount": euros("100.00")})
    clock.advance(hours=1)
    for _ in range(3):
        lead = {"channel": "search_ads", "source": "Google", "campaign": "spring"}
        made = (await client.post("/v1/leads", json=lead)).json()
    await client.post(f"/v1/leads/{made['id']}/qualify")
    window = {"start": "2026-01-01T00:00:00Z", "end": "2026-02-01T00:00:00Z"}
    [row] = (await client.get("/v1/campaign-report", params=window)).json()
    assert (row["leads"], row["qualified"], row["spend"]["amount"]) == (3, 1, "100.00")
    assert (row["cost_per_lead"]["amount"], row["cost_per_qualified"]["amount"]) == ("33.33", "100.00")
    assert (await client.get("/v1/campaign-report", params={**window, "end": "2025-01-01T00:00:00Z"})).status_code == 400


async def test_a_campaign_is_changed_by_version_and_named_once(client: httpx.AsyncClient, keys: KeyPair) -> None:
    made = await campaign(client, budget=euros("5000.00"), starts_on="2026-01-01")
    path = "/v1/campaigns/spring"
    changed = (await client.patch(path, json={"version": 1, "ends_on": "2026-03-31"})).json()
    assert (changed["version"], changed["budget"], changed["ends_on"]) == (2, made["budget"], "2026-03-31")
    stale = await client.patch(path, json={"version": 1, "name": "Other"})
    assert (stale.status_code, stale.json()["type"]) == (409, "urn:ltc:problem:campaign-changed")
    assert (await client.patch(path, json={"version": 2, "ends_on": "2025-01-01"})).json()["field"] == "ends_on"
    assert (await client.patch(path, json={"version": 2, "name": None})).json()["field"] == "name"
    taken = await client.post("/v1/campaigns", json={"code": "spring", "name": "S", "channel": "email"})
    assert (taken.status_code, taken.json()["type"]) == (409, "urn:ltc:problem:campaign-exists")
    no_channel = await client.post("/v1/campaigns", json={"code": "x", "name": "S", "channel": "smoke"})
    assert (no_channel.status_code, no_channel.json()["field"]) == (400, "channel")
    assert (await client.get("/v1/campaigns/none")).status_code == 404
    unknown = await client.put("/v1/campaigns/none/spend", json={"day": "2026-01-01", "amount": euros("1.00")})
    assert (unknown.status_code, unknown.json()["field"]) == (404, "campaign")
    reader = {"Authorization": f"Bearer {keys.token('campaigns:read')}"}
    assert (
        await client.post("/v1/channels", json={"code": "fax", "label": "Fax", "kind": "other"}, headers=reader)
    ).status_code == 403
    assert (await client.post("/v1/channels", json={"code": "fax", "label": "Fax", "kind": "other"})).status_code == 201
    assert "fax" in [row["code"] for row in (await client.get("/v1/channels", headers=reader)).json()]
    assert [row["code"] for row in (await client.get("/v1/campaigns", params={"channel": "search_ads"})).json()["items"]] == [
        "spring"
    ]
