"""Dated rates: the last one on or before a day counts, a day is told once, and a table is taken row by row."""

from typing import Any

import httpx
from ltc_chassis.testing import Deliver

from billing_svc.tests.books import Json, ok, refused
from billing_svc.tests.builders import completed, line
from billing_svc.tests.telling import tell

RATES = "/v1/exchange-rates"


def rate(on: str, value: str, /, base: str = "USD", quote: str = "EUR", **changed: Any) -> Json:
    return {"source": "ECB", "base": base, "quote": quote, "valid_on": on, "rate": value, **changed}


async def enter(client: httpx.AsyncClient, *rates: Json) -> list[bool]:
    return [(await ok(client, "POST", RATES, each))["taken"] for each in rates]


async def of_day(client: httpx.AsyncClient, on: str, base: str = "USD", quote: str = "EUR") -> tuple[str, str]:
    found = await ok(client, "GET", f"{RATES}/of-day?source=ECB&base={base}&quote={quote}&on={on}")
    return found["valid_on"], found["rate"]


async def table(client: httpx.AsyncClient, *rows: str, **given: Any) -> Json:
    text = "\n".join(("valid_on,source,base,quote,rate", *rows))
    return await ok(client, "POST", f"{RATES}/table", files={"file": ("rates.csv", text.encode())}, **given)


async def test_the_rate_of_a_day_is_the_last_one_on_or_before_it_told_either_way_round(client: httpx.AsyncClient) -> None:
    assert await enter(client, rate("2026-01-05", "0.90"), rate("2026-01-02", "0.80")) == [True, True]
    assert await of_day(client, "2026-01-04") == ("2026-01-02", "0.80")
    assert await of_day(client, "2026-01-05") == ("2026-01-05", "0.90")
    assert await of_day(client, "2026-06-01") == ("2026-01-05", "0.90")
    assert (await refused(client, "GET", f"{RATES}/of-day?source=ECB&base=USD&quote=EUR&on=2026-01-01"))[0] == 404
    assert await of_day(client, "2026-01-04", "EUR", "USD") == ("2026-01-02", "1.250000000000")
    # A newer one counts, whichever way round; another source says nothing.
    await enter(client, rate("2026-01-06", "1.25", "EUR", "USD"))
    assert await of_day(client, "2026-01-07") == ("2026-01-06", "0.800000000000")
    assert (await refused(client, "GET", f"{RATES}/of-day?source=BOE&base=USD&quote=EUR"))[0] == 404


async def test_a_day_is_told_once_and_what_was_wrong_is_corrected_on_record(client: httpx.AsyncClient) -> None:
    first = rate("2026-01-02", "0.90")
    assert await enter(client, first, first, rate("2026-01-02", "0.9000")) == [True, False, False]
    assert await refused(client, "POST", RATES, rate("2026-01-02", "9.0")) == (409, "rate-differs", "rate")
    assert await enter(client, rate("2026-01-02", "0.91", correction=True)) == [True]
    assert await of_day(client, "2026-01-02") == ("2026-01-02", "0.91")
    assert [each["rate"] for each in (await ok(client, "GET", f"{RATES}?base=USD"))["items"]] == ["0.90", "0.91"]
    for wrong in (rate("2026-01-02", "0"), rate("2026-01-02", "-1"), rate("2026-01-02", "1", "usd"), rate("9999-01-01", "1")):
        assert (await refused(client, "POST", RATES, wrong))[0] == 422
    assert (await refused(client, "POST", RATES, rate("2026-01-02", "1", "EUR")))[::2] == (400, "quote")


async def test_of_a_table_each_row_that_cannot_be_taken_is_refused_and_the_others_are_taken_once(
    client: httpx.AsyncClient,
) -> None:
    await enter(client, rate("2026-01-02", "0.90"))
    rows = (
        "2026-01-02,ECB,USD,EUR,0.90",
        "2026-01-02,ECB,USD,EUR,0.95",
        "2026-01-03,ECB,USD,EUR,0.91",
        "2026-01-03,ECB,USD,EUR,0.92",
        "03.01.2026,ECB,USD,EUR,0.91",
        "2026-01-03,ECB,USD,EUR,NaN",
        "2026-01-03,ECB,Dollar,EUR,1",
        "2026-01-03,ECB",
    )
    done = await table(client, *rows)
    assert (done["taken"], done["unchanged"], done["refused"]) == (1, 1, 6)
    assert [(each["line"], each["field"]) for each in done["refusals"]] == [
        *((3, "rate"), (5, "rate"), (6, "valid_on"), (7, "rate"), (8, "base"), (9, "rate")),
    ]
    again = await table(client, *rows)
    assert (again["taken"], again["unchanged"], again["refused"]) == (0, 2, 6)
    corrected = await table(client, "2026-01-02,ECB,USD,EUR,0.95", params={"correction": True})
    assert (corrected["taken"], await of_day(client, "2026-01-02")) == (1, ("2026-01-02", "0.95"))
    wrong = await client.post(f"{RATES}/table", files={"file": ("rates.csv", b"day,rate\n2026-01-01,1\n")})
    assert wrong.status_code == 400, wrong.text


async def test_the_books_are_reported_in_one_currency_chosen_before_there_is_anything_without_a_value(
    client: httpx.AsyncClient, deliver: Deliver
) -> None:
    euro = {"currency": "EUR", "source": "ECB"}
    assert (await client.get("/v1/reporting-currency")).json() is None
    assert (await refused(client, "GET", "/v1/ledger/reporting-balance"))[0] == 404
    await tell(deliver, [completed(line("100.00", "1", "0", "0"))])
    assert await ok(client, "PUT", "/v1/reporting-currency", euro) == euro
    found = await ok(client, "GET", "/v1/ledger/reporting-balance")
    assert [(each["account"], each["balance"]) for each in found["accounts"]] == [
        ("receivable", "100.00"),
        ("revenue", "-100.00"),
    ]
    moved = await refused(client, "PUT", "/v1/reporting-currency", {"currency": "USD", "source": "ECB"})
    assert moved == (409, "books-in-other-currencies", "currency")
