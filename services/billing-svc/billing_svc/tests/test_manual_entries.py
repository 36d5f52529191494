import asyncio
from typing import Any

import asyncpg
import httpx
import pytest
from ltc_chassis.clock import FixedClock
from ltc_chassis.db import Database
from ltc_chassis.ids import new_id
from ltc_chassis.testing import Deliver

from billing_svc.consumers import consumers
from billing_svc.tests.books import FEES, amount, by_hand, close, ok, refused, trial
from billing_svc.tests.builders import completed

ENTRIES, ACCOUNTS = "/v1/ledger/entries", "/v1/ledger/accounts"


async def test_an_accountant_books_by_hand_with_a_reason_and_it_is_reversed_once(
    client: httpx.AsyncClient, clock: FixedClock
) -> None:
    made = await ok(client, "POST", ENTRIES, by_hand(*FEES))
    assert (made["kind"], made["made_by"], made["reason"]) == ("manual", "test", "bank fees of the month")
    clock.advance(days=3)
    path = f"{ENTRIES}/{made['id']}/reversal"
    replies = await asyncio.gather(*(client.post(path, json={"reason": "booked twice"}) for _ in range(3)))
    assert sorted(reply.status_code for reply in replies) == [201, 409, 409]
    [back] = [reply.json() for reply in replies if reply.is_success]
    assert (back["reverses"], back["booked_on"], back["reason"]) == (made["id"], made["booked_on"], "booked twice")
    assert [(each["debit"], each["credit"]) for each in back["lines"]] == [("0.00", "12.50"), ("12.50", "0.00")]
    assert set((await trial(client, "2026-01-04")).values()) == {"0.00"}
    assert (await refused(client, "POST", path, {"reason": "again"}))[:2] == (409, "already-reversed")
    told = await refused(client, "POST", f"{ENTRIES}/{back['id']}/reversal", {"reason": "again"})
    assert told[:2] == (409, "not-by-hand")
    [shown] = (await ok(client, "GET", f"{ENTRIES}?kind=manual"))["items"]
    assert shown["reversed_by"] == back["id"]


async def test_an_entry_of_a_closed_month_is_reversed_in_an_open_one(client: httpx.AsyncClient, clock: FixedClock) -> None:
    made = await ok(client, "POST", ENTRIES, by_hand(*FEES))
    clock.advance(days=40)
    await close(client, "2026-01")
    path = f"{ENTRIES}/{made['id']}/reversal"
    told = await refused(client, "POST", path, {"reason": "wrong", "booked_on": "2026-01-31"})
    assert told == (409, "period-closed", "booked_on")
    told = await refused(client, "POST", path, {"reason": "wrong", "booked_on": "2025-12-31"})
    assert told == (400, "invalid", "booked_on")
    back = await ok(client, "POST", path, {"reason": "wrong"})
    assert back["booked_on"] == "2026-02-10"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"lines": [{"account": "tax", "debit": amount("1.00")}] * 2}, (400, "entry-not-balanced", "lines")),
        (
            {"lines": [{"account": "tax", "debit": amount("1.00")}, {"account": "cash", "credit": amount("1.00", "USD")}]},
            (400, "entry-not-balanced", "lines"),
        ),
        ({"lines": [{"account": "tax", "debit": amount("0.00")}] * 2}, (400, "invalid", "lines.0")),
        (
            {"lines": [{"account": "tax", "debit": amount("1.00")}, {"account": "nowhere", "credit": amount("1.00")}]},
            (400, "unknown-account", "lines.1.account"),
        ),
        (
            {"lines": [{"account": "receivable", "debit": amount("1.00")}, {"account": "tax", "credit": amount("1.00")}]},
            (400, "control-account", "lines.0.account"),
        ),
        ({"booked_on": "2026-01-02"}, (400, "invalid", "booked_on")),
        ({"reason": "  "}, (422, "malformed-request", None)),
        ({"lines": [{"account": "tax"}] * 2}, (422, "malformed-request", None)),
    ],
)
async def test_what_is_not_balanced_or_not_explained_is_not_booked(
    client: httpx.AsyncClient, changes: dict[str, Any], told: tuple[int, str, str | None]
) -> None:
    assert await refused(client, "POST", ENTRIES, {**by_hand(*FEES), **changes}) == told
    assert (await ok(client, "GET", ENTRIES))["items"] == []


async def test_what_a_document_booked_is_not_reversed_by_hand(client: httpx.AsyncClient, deliver: Deliver) -> None:
    await deliver(consumers, completed(), flow_id=new_id())
    [entry] = (await ok(client, "GET", ENTRIES))["items"]
    assert (await refused(client, "POST", f"{ENTRIES}/{entry['id']}/reversal", {"reason": "wrong"}))[:2] == (409, "not-by-hand")
    assert (await refused(client, "POST", f"{ENTRIES}/{new_id()}/reversal", {"reason": "wrong"}))[0] == 404


async def test_accounts_have_the_companys_own_numbers_and_names_by_country_and_day(
    client: httpx.AsyncClient, clock: FixedClock
) -> None:
    plain = {each["code"]: each for each in (await ok(client, "GET", ACCOUNTS))["accounts"]}
    assert (plain["receivable"]["number"], plain["receivable"]["control"]) == ("1200", True)
    await ok(client, "PUT", f"{ACCOUNTS}/revenue", {"number": "8400", "name": "Erlöse 19 %", "country": "DE"})
    await ok(client, "PUT", f"{ACCOUNTS}/revenue", {"number": "4010", "name": "Sales", "valid_from": "2026-03-01"})

    async def number(**asked: str) -> Any:
        found = (await client.get(ACCOUNTS, params={"as_of": "2026-03-31", **asked})).json()["accounts"]
        return next(each["number"] for each in found if each["code"] == "revenue")

    assert await number(country="DE") == "8400"
    assert await number(country="FR") == "4010"
    assert await number(as_of="2026-02-28") == "4000"
    assert await number(country="DE", as_of="2025-12-31") == "4000"
    assert (await refused(client, "PUT", f"{ACCOUNTS}/nowhere", {"number": "1", "name": "No"}))[:2] == (400, "unknown-account")


async def test_accounts_of_the_companys_own_are_booked_on_by_hand_and_no_other(client: httpx.AsyncClient, db: Database) -> None:
    fees = {"code": "bank_fees", "type": "expense", "number": "6855", "name": "Bank fees"}
    await ok(client, "POST", ACCOUNTS, fees)
    assert await refused(client, "POST", ACCOUNTS, fees) == (409, "account-exists", "code")
    await ok(client, "POST", ENTRIES, by_hand(("bank_fees", "debit", "9.90"), ("cash", "credit", "9.90")))
    assert (await trial(client, "2026-01-01"))["bank_fees", "EUR"] == "9.90"
    async with db.connection() as conn:
        with pytest.raises(asyncpg.CheckViolationError, match="no account"):
            await conn.execute("INSERT INTO ledger_line SELECT id, 7, 'nowhere', 'EUR', 1, 0 FROM ledger_entry LIMIT 1")
        with pytest.raises(asyncpg.RestrictViolationError):
            await conn.execute("UPDATE account_name SET number = '1'")
