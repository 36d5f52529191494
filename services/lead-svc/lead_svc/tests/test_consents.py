"""What persons agree to, with proof; for each purpose, and over all leads of a person."""

import hashlib
import json
from typing import Any

import httpx
import pytest
from ltc_chassis.clock import FixedClock

from lead_svc.tests.builders import capture, timer
from lead_svc.tests.journeys import Nurture
from lead_svc.tests.persons import Run

ANNA = "anna@rossi.example"


async def say(client: httpx.AsyncClient, lead_id: str, **said: Any) -> dict[str, Any]:
    body = {"given": True, "wording": "Send me news", "source": "form", "evidence": {"ip": "192.0.2.1", "user_agent": "Firefox"}}
    reply = await client.post(f"/v1/leads/{lead_id}/consents", json={**body, **said})
    assert reply.status_code == 201, reply.text
    return dict(reply.json())


async def look(client: httpx.AsyncClient, email: str = ANNA, **more: str) -> dict[str, Any]:
    reply = await client.post("/v1/consents/look-up", json={"email": email, **more})
    assert reply.status_code == 200, reply.text
    return dict(reply.json())


async def test_a_consent_is_kept_with_its_proof_and_found_by_the_persons_address(
    client: httpx.AsyncClient, clock: FixedClock
) -> None:
    first = await capture(client, contact={"email": ANNA})
    second = await capture(client, contact={"email": "Anna+news@Rossi.example"})
    await say(client, first, wording_version="2026-01")
    clock.advance(days=1)
    await say(client, second, purpose="ad_sharing", wording="Tell ad platforms")
    found = await look(client)
    assert {each["purpose"]: each["given"] for each in found["standing"]} == {"marketing": True, "ad_sharing": True}
    [shared, news] = found["said"]
    assert (news["wording_version"], news["evidence"]["ip"], news["recorded_by"], news["lead_id"]) == (
        "2026-01",
        "192.0.2.1",
        "test",
        first,
    )
    assert news["said_at"] < shared["said_at"]
    assert [each["purpose"] for each in (await look(client, purpose="marketing"))["said"]] == ["marketing"]
    assert await look(client, "bert@other.example") == {"standing": [], "suppressed": False, "said": []}


async def test_a_withdrawal_is_the_persons_and_goes_for_every_lead_with_the_address(
    client: httpx.AsyncClient, nurture: Nurture
) -> None:
    first, second = await nurture.lead(), await nurture.lead()
    await nurture.journey()
    assert await nurture.enrol(first, second) == [None, None]
    await say(client, first, given=False, wording="Stop", source="phone")
    assert [await nurture.ended_by(each) for each in (first, second)] == [["no_consent"], ["no_consent"]]
    assert {each["purpose"]: each["given"] for each in (await look(client))["standing"]} == {"marketing": False}
    # Purposes are apart: what is said of one says nothing of another.
    third = await nurture.lead("bert@rossi.example")
    await nurture.enrol(third)
    await say(client, third, purpose="ad_sharing", given=False)
    assert await nurture.ended_by(third) == [None]


async def test_a_withdrawal_that_was_said_before_a_later_yes_does_not_count(client: httpx.AsyncClient, clock: FixedClock) -> None:
    lead_id = await capture(client, contact={"email": ANNA})
    before = clock.now().isoformat()
    clock.advance(days=2)
    await say(client, lead_id)
    await say(client, lead_id, given=False, said_at=before)
    assert (await look(client))["standing"][0]["given"] is True
    future = await client.post(
        f"/v1/leads/{lead_id}/consents",
        json={"given": True, "wording": "x", "source": "form", "said_at": "2027-01-01T00:00:00Z"},
    )
    assert (future.status_code, future.json()["field"]) == (400, "said_at")


async def test_ad_platforms_get_a_hashed_address_of_those_only_who_agreed_and_until_they_withdraw(
    client: httpx.AsyncClient, clock: FixedClock, run_timer: Run
) -> None:
    clicks = {"occurred_at": "2025-12-31T10:00:00Z", "click_ids": {"fbclid": "IwAR1"}}
    agreed = await capture(client, contact={"email": ANNA, "phone": "+39066982"}, country="IT")
    by_click = await capture(client, contact={"email": "bert@other.example"}, touches=[clicks])
    silent = await capture(client, contact={"email": "carl@other.example"})
    await say(client, agreed, purpose="ad_sharing", wording="Tell ad platforms")
    await say(client, silent)
    for lead_id in (agreed, by_click, silent):
        await client.post(f"/v1/leads/{lead_id}/qualify")
    clock.advance(days=31)
    body = {"platform": "meta", "period_from": "2026-01-01", "period_until": "2026-02-01"}
    made = (await client.post("/v1/feedback-exports", json=body)).json()
    await run_timer(timer("export-feedback"))
    done = (await client.get(f"/v1/feedback-exports/{made['id']}")).json()
    assert (done["conversions"], done["left_out"]) == (2, 1)
    file = f"/v1/feedback-exports/{made['id']}/file"
    rows = sorted(row.split(",")[4:7] for row in (await client.get(file)).text.splitlines()[1:])
    assert rows[0][:2] == ["", ""]
    assert rows[0][2].endswith(".IwAR1")
    assert rows[1][0] == hashlib.sha256(ANNA.encode()).hexdigest()
    await say(client, agreed, purpose="ad_sharing", given=False, wording="No more")
    assert [row.split(",")[4] for row in (await client.get(file)).text.splitlines()[1:]] == [""]


async def test_the_proof_is_a_file_with_everything_that_was_said(client: httpx.AsyncClient) -> None:
    lead_id = await capture(client, contact={"email": ANNA})
    await say(client, lead_id, wording_version="v3")
    await say(client, lead_id, given=False, wording="Stop", source="mail")
    reply = await client.post("/v1/consents/proof", json={"email": ANNA})
    assert reply.headers["content-disposition"].startswith("attachment")
    assert reply.headers["digest"] == f"sha-256={hashlib.sha256(reply.content).hexdigest()}"
    told = json.loads(reply.content)
    assert (told["email"], told["made_by"], [each["given"] for each in told["said"]]) == (ANNA, "test", [False, True])
    assert told["said"][1]["evidence"] == {"ip": "192.0.2.1", "user_agent": "Firefox"}


@pytest.mark.parametrize(("body", "status"), [({"email": "nobody"}, 400), ({}, 422), ({"email": ANNA, "purpose": "spying"}, 422)])
async def test_a_bad_look_up_is_refused(client: httpx.AsyncClient, body: dict[str, str], status: int) -> None:
    assert (await client.post("/v1/consents/look-up", json=body)).status_code == status
    assert (await client.post("/v1/consents/proof", json=body)).status_code == status
