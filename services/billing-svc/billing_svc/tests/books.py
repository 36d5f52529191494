"""What tests of the books do again and again."""

from typing import Any

import httpx

Json = dict[str, Any]


def amount(value: str, currency: str = "EUR") -> Json:
    return {"amount": value, "currency": currency}


def by_hand(*lines: tuple[str, str, str], **changed: Any) -> Json:
    """An entry by hand; lines are account, side and amount in EUR."""
    shown = [{"account": account, side: amount(value)} for account, side, value in lines]
    return {"reason": "bank fees of the month", "lines": shown, **changed}


FEES = (("bad_debt", "debit", "12.50"), ("cash", "credit", "12.50"))


async def ok(client: httpx.AsyncClient, method: str, path: str, body: Any = None, **given: Any) -> Json:
    """The answer to a call that must succeed."""
    reply = await client.request(method, path, json=body, **given)
    assert reply.is_success, reply.text
    found: Json = reply.json()
    return found


async def refused(client: httpx.AsyncClient, method: str, path: str, body: Any = None) -> tuple[int, str, str | None]:
    """Status, kind of problem and field of a call that must not succeed."""
    reply = await client.request(method, path, json=body)
    shown = reply.json()
    return reply.status_code, shown["type"].removeprefix("urn:ltc:problem:"), shown.get("field")


async def close(client: httpx.AsyncClient, month: str, move: str = "close") -> Json:
    return await ok(client, "POST", f"/v1/ledger/periods/{month}/{move}", {"reason": "end of the month"})


async def trial(client: httpx.AsyncClient, as_of: str) -> dict[tuple[str, str], str]:
    """Balances by account and currency."""
    found = await ok(client, "GET", f"/v1/ledger/trial-balance?as_of={as_of}")
    assert all(float(total["balance"]) == 0 for total in found["totals"]), found
    return {(each["account"], each["currency"]): each["balance"] for each in found["accounts"]}
