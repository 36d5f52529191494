"""Ad platforms are told which of their leads were good, junk, or paid: each once, later changes as adjustments, nothing in clear."""

import asyncio
import csv
import hashlib
import io
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st
from ltc_chassis.clock import FixedClock
from ltc_chassis.db import Database
from ltc_chassis.ids import new_id
from ltc_chassis.testing import Deliver, KeyPair
from ltc_chassis.timers import Timer
from ltc_contracts.events import PaymentAllocated, PaymentRefunded, PaymentUnapplied
from ltc_contracts.examples import example
from ltc_contracts.money import Money

from lead_svc.consumers import consumers
from lead_svc.domain import feedback as rules
from lead_svc.domain.feedback import Cash, Facts, Item, Platform, Setting
from lead_svc.handlers import feedback as handlers
from lead_svc.tests.builders import import_form, timer

Run = Callable[[Timer], Awaitable[int]]
EXPORT = timer("export-feedback")
EXPORTS, SETTINGS = "/v1/feedback-exports", "/v1/feedback-settings"
JANUARY = {"period_from": "2026-01-01", "period_until": "2026-02-01"}
CLICKS = {"gclid": "Cj0KCQ-g_1", "msclkid": "f894f652", "fbclid": "IwAR1", "bd_vid": "119x"}
LEAD = {
    "channel": "web",
    "source": "Ads",
    "contact": {"email": " Anna@Rossi.example".strip(), "phone": "06 6982"},
    "country": "IT",
}


async def capture(client: httpx.AsyncClient, **more: Any) -> Any:
    touches = [{"occurred_at": "2025-12-31T10:00:00Z", "click_ids": CLICKS}]
    reply = await client.post("/v1/leads", json={**LEAD, "touches": touches, **more})
    assert reply.status_code == 201, reply.text
    return reply.json()


async def pay(deliver: Deliver, lead: Any, amount: str, at: datetime, currency: str = "EUR") -> None:
    sample: Any = example("payment.allocated").event
    event = PaymentAllocated(**{**dict(sample), "amount": Money.of(amount, currency)})
    assert await deliver(consumers, event, flow_id=UUID(lead["flow_id"]), occurred_at=at) == "processed"


async def refund(deliver: Deliver, lead: Any, amount: str, at: datetime) -> None:
    sample: Any = example("payment.refunded").event
    event = PaymentRefunded(**{**dict(sample), "amount": Money.of(amount, "EUR")})
    assert await deliver(consumers, event, flow_id=UUID(lead["flow_id"]), occurred_at=at) == "processed"


async def unapply(deliver: Deliver, lead: Any, amount: str, at: datetime) -> None:
    sample: Any = example("payment.unapplied").event
    event = PaymentUnapplied(**{**dict(sample), "amount": Money.of(amount, "EUR")})
    assert await deliver(consumers, event, flow_id=UUID(lead["flow_id"]), occurred_at=at) == "processed"


async def export(client: httpx.AsyncClient, run_timer: Run, platform: str, **period: str) -> Any:
    asked = await client.post(EXPORTS, json={"platform": platform, **JANUARY, **period})
    assert (asked.status_code, asked.json()["state"]) == (202, "waiting"), asked.text
    await run_timer(EXPORT)
    done = (await client.get(f"{EXPORTS}/{asked.json()['id']}")).json()
    assert done["state"] == "done"
    return done


async def lines(client: httpx.AsyncClient, done: Any, part: str = "conversions") -> list[list[str]]:
    reply = await client.get(f"{EXPORTS}/{done['id']}/file", params={"part": part})
    assert reply.headers["content-type"] == "text/csv; charset=utf-8"
    assert "anna" not in reply.text.lower()
    return list(csv.reader(io.StringIO(reply.text)))


def day(number: int, month: int = 1) -> datetime:
    return datetime(2026, month, number, 9, 30, tzinfo=UTC)


async def test_google_is_told_of_qualified_leads_and_collected_cash_and_later_of_what_changed(
    client: httpx.AsyncClient, run_timer: Run, deliver: Deliver, clock: FixedClock
) -> None:
    clock.set(day(2))
    lead = await capture(client)
    await client.post(f"/v1/leads/{lead['id']}/qualify")
    await pay(deliver, lead, "100.00", day(20))
    await pay(deliver, lead, "50.00", day(25))
    clock.set(day(1, 2))
    done = await export(client, run_timer, "google")
    assert (done["conversions"], done["adjustments"], done["left_out"], done["complete"]) == (2, 0, 0, True)
    head, names, qualified, collected = await lines(client, done)
    assert head == ["Parameters:TimeZone=UTC"]
    assert names == [
        "Google Click ID",
        "Conversion Name",
        "Conversion Time",
        "Conversion Value",
        "Conversion Currency",
        "Order ID",
    ]
    assert qualified[:5] == [CLICKS["gclid"], "Qualified lead", "2026-01-02 09:30:00+0000", "", ""]
    assert collected[:5] == [CLICKS["gclid"], "Collected cash", "2026-01-20 09:30:00+0000", "150.00", "EUR"]
    outcome = (await client.get(f"/v1/leads/{lead['id']}/outcome")).json()
    assert outcome["collected"] == [{"amount": "150.00", "currency": "EUR"}]

    again = await export(client, run_timer, "google")
    assert (again["examined"], again["conversions"], again["adjustments"]) == (1, 0, 0)

    await pay(deliver, lead, "70.00", day(3, 2))
    clock.set(day(1, 3))
    later = await export(client, run_timer, "google", period_from="2026-02-01", period_until="2026-03-01")
    assert (await lines(client, later))[2:] == []
    names, restated = (await lines(client, later, "adjustments"))[1:]
    assert names == [
        "Order ID",
        "Conversion Name",
        "Adjustment Time",
        "Adjustment Type",
        "Adjusted Value",
        "Adjusted Value Currency",
    ]
    assert restated == [collected[5], "Collected cash", "2026-03-01 09:30:00+0000", "RESTATE", "220.00", "EUR"]

    await unapply(deliver, lead, "20.00", day(4, 3))
    await refund(deliver, lead, "200.00", day(5, 3))
    clock.set(day(1, 4))
    last = await export(client, run_timer, "google", period_from="2026-03-01", period_until="2026-04-01")
    assert (await lines(client, last, "adjustments"))[2][3:] == ["RESTATE", "0.00", "EUR"]
    assert (await lines(client, done))[3] == collected  # a file is the same whenever it is asked for


async def test_microsoft_gets_rows_of_its_bulk_file_and_junk_takes_back_what_was_told(
    client: httpx.AsyncClient, run_timer: Run, deliver: Deliver, clock: FixedClock
) -> None:
    clock.set(datetime(2026, 1, 2, 18, 50, 54, tzinfo=UTC))
    lead = await capture(client)
    await client.post(f"/v1/leads/{lead['id']}/qualify")
    clock.set(day(1, 2))
    done = await export(client, run_timer, "microsoft")
    names, version, line = await lines(client, done)
    assert ",".join(names) == (
        "Type,Status,Id,Parent Id,Client Id,Name,Conversion Currency Code,Conversion Name,Conversion Time,Conversion Value,"
        "Microsoft Click Id"
    )
    assert ",".join(version) == "Format Version,,,,,6.0,,,,,"
    assert (line[0], line[7:]) == ("Offline Conversion", ["Qualified lead", "1/2/2026 6:50:54 PM", "", CLICKS["msclkid"]])

    await client.post(f"/v1/leads/{lead['id']}/recycle", json={"wait_days": 0})
    assert (await client.post(f"/v1/leads/{lead['id']}/disqualify", json={"code": "spam"})).json()["status"] == "junk"
    clock.set(day(1, 3))
    later = await export(client, run_timer, "microsoft", period_from="2026-02-01", period_until="2026-03-01")
    assert (later["conversions"], later["adjustments"]) == (0, 1)
    taken_back = (await lines(client, later, "adjustments"))[2]
    assert (taken_back[4], taken_back[8], taken_back[11:]) == (
        line[4],
        "1/2/2026 6:50:54 PM",
        ["Retract", "3/1/2026 9:30:00 AM", "", ""],
    )


async def test_meta_knows_people_by_hashes_only_and_further_cash_is_a_further_event(
    client: httpx.AsyncClient, run_timer: Run, deliver: Deliver, clock: FixedClock
) -> None:
    clock.set(day(2))
    lead, junk = await capture(client), await capture(client, contact={"email": "x@spam.example"}, touches=[])
    for each in (lead, junk):
        said = {"given": True, "wording": "Tell ad platforms", "source": "form", "purpose": "ad_sharing"}
        assert (await client.post(f"/v1/leads/{each['id']}/consents", json=said)).status_code == 201
    await client.post(f"/v1/leads/{junk['id']}/disqualify", json={"code": "spam"})
    await pay(deliver, lead, "100.00", day(3))
    clock.set(day(1, 2))
    done = await export(client, run_timer, "meta")
    names, *found = await lines(client, done)
    assert names == ["event_name", "event_time", "action_source", "event_id", "em", "ph", "fbc", "value", "currency"]
    by_name = {line[0]: line for line in found}
    assert set(by_name) == {"Purchase", "JunkLead"}
    bought = by_name["Purchase"]
    assert bought[1:3] == [str(int(day(3).timestamp())), "system_generated"]
    assert bought[4] == hashlib.sha256(b"anna@rossi.example").hexdigest()
    assert bought[5] == hashlib.sha256(b"39066982").hexdigest()
    touched = int(datetime(2025, 12, 31, 10, tzinfo=UTC).timestamp() * 1000)
    assert bought[6:] == [f"fb.1.{touched}.{CLICKS['fbclid']}", "100.00", "EUR"]
    assert by_name["JunkLead"][5:7] == ["", ""]

    await refund(deliver, lead, "30.00", day(2, 2))
    clock.set(day(1, 3))
    period = {"period_from": "2026-02-01", "period_until": "2026-03-01"}
    assert (await lines(client, await export(client, run_timer, "meta", **period)))[1:] == []
    await pay(deliver, lead, "50.00", day(2, 3))
    clock.set(day(1, 4))
    further = (await lines(client, await export(client, run_timer, "meta", period_from="2026-03-01", period_until="2026-04-01")))[
        1
    ]
    assert (further[0], further[7], further[1]) == ("Purchase", "20.00", str(int(day(2, 3).timestamp())))
    assert further[3] != bought[3]


async def test_baidu_gets_the_landing_page_with_the_click_and_cash_in_fen(
    client: httpx.AsyncClient, run_timer: Run, deliver: Deliver, clock: FixedClock
) -> None:
    setting = {
        "platform": "baidu",
        "version": 2,
        "collected": "10",
        "junk": "79",
        "landing_url": "https://rossi.example/form?a=1",
    }
    assert (await client.post(SETTINGS, json=setting)).status_code == 201
    lead = await capture(
        client, touches=[{"occurred_at": "2025-12-30T10:00:00Z", "click_ids": {"bd_vid": "old"}}, *touches_now()]
    )
    await pay(deliver, lead, "99.50", day(3), currency="CNY")
    clock.set(day(1, 2))
    names, line = await lines(client, await export(client, run_timer, "baidu"))
    assert names == ["logidUrl", "newType", "convertTime", "convertValue"]
    assert line == [f"https://rossi.example/form?a=1&bd_vid={CLICKS['bd_vid']}", "10", str(int(day(3).timestamp())), "9950"]


def touches_now() -> list[dict[str, Any]]:
    return [{"occurred_at": "2025-12-31T10:00:00Z", "click_ids": CLICKS}]


async def test_a_click_id_that_came_by_file_counts_and_one_that_is_a_formula_does_not(
    client: httpx.AsyncClient, run_timer: Run, clock: FixedClock
) -> None:
    rows = "Ref,Channel,Source,gclid\ngood,web,Ads,abc_1\nbad,web,Ads,=cmd|'/c calc'!A0\nnone,web,Ads,\n"
    mapping = {"external_ref": "Ref", "channel": "Channel", "source": "Source"}
    await client.post("/v1/imports", **import_form(rows, mapping))
    await run_timer(timer("import-rows"))
    for row in (await client.get("/v1/leads")).json()["items"]:
        await client.post(f"/v1/leads/{row['id']}/qualify")
    clock.set(day(1, 2))
    done = await export(client, run_timer, "google")
    assert (done["examined"], done["conversions"], done["left_out"]) == (3, 1, 2)
    assert [line[0] for line in (await lines(client, done))[2:]] == ["abc_1"]


@pytest.mark.parametrize(
    ("setting", "status", "field"),
    [
        ({"platform": "google", "version": 2, "collected": "=cmd"}, 400, "collected"),
        ({"platform": "google", "version": 2, "collected": "a\nb"}, 400, "collected"),
        ({"platform": "baidu", "version": 2, "collected": "Purchase"}, 400, "collected"),
        ({"platform": "baidu", "version": 2, "collected": "10"}, 400, "landing_url"),
        ({"platform": "google", "version": 9}, 409, "version"),
        ({"platform": "tiktok", "version": 2}, 422, "platform"),
        ({"platform": "baidu", "version": 2, "landing_url": "javascript:x"}, 422, "landing_url"),
    ],
)
async def test_a_setting_that_a_platform_would_not_understand_is_refused(
    client: httpx.AsyncClient, setting: dict[str, Any], status: int, field: str
) -> None:
    reply = await client.post(SETTINGS, json=setting)
    assert reply.status_code == status, reply.text
    assert (reply.json()["errors"][0]["field"] if status == 422 else reply.json()["field"]) == field


async def test_settings_are_versions_with_their_authors(client: httpx.AsyncClient) -> None:
    assert (await client.post(SETTINGS, json={"platform": "google", "version": 2, "junk": "Junk"})).status_code == 201
    google = [row for row in (await client.get(SETTINGS)).json() if row["platform"] == "google"]
    assert [(row["version"], row["junk"], row["created_by"]) for row in google] == [(2, "Junk", "test"), (1, None, "migration")]


@pytest.mark.parametrize(
    "period",
    [
        {"period_from": "2026-01-02", "period_until": "2026-01-02"},
        {"period_from": "2025-12-01", "period_until": "2026-01-02"},
        {"period_from": "1971-01-01", "period_until": "2025-12-01"},
    ],
)
async def test_a_period_is_over_and_not_without_end(client: httpx.AsyncClient, period: dict[str, str]) -> None:
    reply = await client.post(EXPORTS, json={"platform": "google", **period})
    assert (reply.status_code, reply.json()["field"]) == (400, "period_until")


async def test_an_export_killed_in_the_middle_tells_nothing_twice_and_replicas_share_the_work(
    client: httpx.AsyncClient, db: Database, clock: FixedClock
) -> None:
    for number in range(12):
        lead = await capture(client, contact={"email": f"a{number}@rossi{number}.example"})
        await client.post(f"/v1/leads/{lead['id']}/qualify")
    clock.set(day(1, 2))
    replies = await asyncio.gather(*(client.post(EXPORTS, json={"platform": "google", **JANUARY}) for _ in range(3)))
    assert sorted(reply.status_code for reply in replies) == [202, 409, 409]
    made = next(reply.json() for reply in replies if reply.status_code == 202)
    early = await client.get(f"{EXPORTS}/{made['id']}/file")
    assert (early.status_code, early.json()["type"]) == (409, "urn:ltc:problem:file-not-ready")
    with pytest.raises(RuntimeError):
        await _killed(db)

    async def replica() -> None:
        while True:
            async with db.transaction() as tx:
                if not await handlers.export_chunk(tx, limit=2):
                    return

    await asyncio.gather(replica(), replica())
    done = (await client.get(f"{EXPORTS}/{made['id']}")).json()
    assert (done["state"], done["examined"], done["conversions"]) == ("done", 12, 12)
    found = (await lines(client, done))[2:]
    assert len({line[5] for line in found}) == 12
    assert [row["id"] for row in (await client.get(EXPORTS)).json()["items"]] == [made["id"]]


async def _killed(db: Database) -> None:
    async with db.transaction() as tx:
        assert await handlers.export_chunk(tx, limit=5) == 5
        raise RuntimeError("killed before the commit")


async def test_cash_of_a_merged_lead_is_told_of_the_lead_that_is_left(
    client: httpx.AsyncClient, run_timer: Run, deliver: Deliver, clock: FixedClock
) -> None:
    first, second = await capture(client), await capture(client)
    await pay(deliver, second, "40.00", day(3))
    clock.set(day(1, 2))
    await export(client, run_timer, "google")
    merged = await client.post(f"/v1/leads/{second['id']}/merge", json={"into": first["id"]})
    assert merged.status_code in (200, 201), merged.text
    await pay(deliver, second, "2.00", day(2, 2))
    await pay(deliver, first, "8.00", day(3, 2))
    clock.set(day(1, 3))
    later = await export(client, run_timer, "google", period_from="2026-02-01", period_until="2026-03-01")
    assert (later["conversions"], later["adjustments"]) == (0, 1)
    assert (await lines(client, later, "adjustments"))[2][4] == "50.00"


async def test_money_of_a_flow_without_a_lead_is_nobodys_and_files_need_a_scope(
    deliver: Deliver, db: Database, app: FastAPI, keys: KeyPair
) -> None:
    await pay(deliver, {"flow_id": str(new_id())}, "5.00", day(3))
    async with db.connection() as conn:
        assert await conn.fetchval("SELECT count(*) FROM lead_cash") == 0
    headers = {"Authorization": f"Bearer {keys.token('leads:read leads:write leads:configure')}"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x", headers=headers) as reader:
        assert (await reader.get(EXPORTS)).status_code == 403
        assert (await reader.post(EXPORTS, json={"platform": "google", **JANUARY})).status_code == 403


AMOUNTS = st.lists(st.lists(st.integers(-500, 900), max_size=4), min_size=1, max_size=6)


@given(AMOUNTS, st.sampled_from(["google", "microsoft", "meta", "baidu"]))
def test_whatever_comes_in_or_goes_back_a_platform_knows_what_was_collected(history: list[list[int]], platform: Platform) -> None:
    setting = Setting(platform, 1, None, "10", None, "https://x.example")
    told: list[Item] = []
    cash: list[Cash] = []
    highest = total = Decimal(0)
    for number, moves in enumerate(history):
        at = day(1) + timedelta(days=number)
        for move in moves:
            if total + move >= 0:  # nobody gives back what he never got
                total += move
                cash.append(Cash(Money.of(move, "EUR"), at))
        highest = max(highest, total)
        made = rules.decide(setting, Facts(UUID(int=1), {"click": "x"}, None, None, cash), told, at, new_id)
        assert len(made) <= 1
        told += made
        latest = {item.original_id: item.amount.amount for item in told if item.amount}
        expected = total if platform in ("google", "microsoft") else highest
        assert sum(latest.values()) == expected
        assert not rules.decide(setting, Facts(UUID(int=1), {"click": "x"}, None, None, cash), told, at, new_id)
