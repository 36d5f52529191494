"""Rates are entered; the currency of the books is chosen."""

from collections.abc import Sequence
from dataclasses import dataclass

from ltc_chassis.db import Transaction
from ltc_chassis.ids import new_id
from ltc_contracts.errors import Invalid
from ltc_rules.tables import read_table

from billing_svc.domain.exchange_rate import BooksInOtherCurrencies, Rate, RateDiffers, Reporting, read_rate
from billing_svc.store import exchange_rates as store
from billing_svc.store import periods

COLUMNS = ("source", "base", "quote", "valid_on", "rate")
MOST_ROWS = 20_000


@dataclass(frozen=True, slots=True)
class RefusedRate:
    line: int
    field: str
    reason: str


@dataclass(frozen=True, slots=True)
class TakenRates:
    """taken + unchanged + refused = rows. `unchanged` were entered before."""

    taken: int
    unchanged: int
    refused: tuple[RefusedRate, ...]


async def enter_rate(tx: Transaction, rate: Rate, *, correction: bool, by: str) -> bool:
    """Whether it says something new. Raises `RateDiffers` where the day has another one and this is not called its correction."""
    await store.lock_rates(tx.conn)
    fresh, refused = await _sort(tx, [(1, rate)], correction=correction)
    if refused:
        raise RateDiffers(refused[0].reason, field="rate")
    await store.insert_rates(tx.conn, [(new_id(), each) for each in fresh], by, tx.now)
    return bool(fresh)


async def enter_table(tx: Transaction, file: bytes, *, correction: bool, by: str) -> TakenRates:
    """Rates from CSV; rows that cannot be taken are refused one by one. Raises `Invalid` for what is no such table, or too long."""
    table = read_table(file)
    missing = [name for name in COLUMNS if name not in table.header]
    if missing:
        raise Invalid(f"columns are missing: {', '.join(missing)}", field="file")
    refused: list[RefusedRate] = []
    rates: list[tuple[int, Rate]] = []
    for count, record in enumerate(table.records):
        if count >= MOST_ROWS:
            raise Invalid(f"at most {MOST_ROWS} rows", field="file")
        cells = [*record.cells, *[""] * len(table.header)]
        try:
            rates.append((record.line, read_rate({name: cells[table.header.index(name)].strip() for name in COLUMNS})))
        except Invalid as error:
            refused.append(RefusedRate(record.line, error.field or "row", error.reason))
    await store.lock_rates(tx.conn)
    fresh, differing = await _sort(tx, rates, correction=correction)
    await store.insert_rates(tx.conn, [(new_id(), each) for each in fresh], by, tx.now)
    unchanged = len(rates) - len(fresh) - len(differing)
    return TakenRates(len(fresh), unchanged, tuple(sorted([*refused, *differing], key=lambda each: each.line)))


async def choose_reporting(tx: Transaction, reporting: Reporting, *, by: str) -> Reporting:
    """The books are reported in this currency, by these rates. Raises `BooksInOtherCurrencies` when something would be without a value."""
    await periods.lock_periods(tx.conn)
    if await store.has_unvalued(tx.conn, reporting.currency):
        reason = (
            f"something is booked that has no value in {reporting.currency}: choose before the first document in another currency"
        )
        raise BooksInOtherCurrencies(reason, field="currency")
    await store.save_reporting(tx.conn, reporting, by, tx.now)
    return reporting


async def _sort(tx: Transaction, rates: Sequence[tuple[int, Rate]], *, correction: bool) -> tuple[list[Rate], list[RefusedRate]]:
    """What is new, and what differs from what is told already, also in the same table."""
    told = await store.list_told(tx.conn, [rate for _, rate in rates])
    fresh: list[Rate] = []
    refused: list[RefusedRate] = []
    for line, rate in rates:
        key = (rate.source, rate.base, rate.quote, rate.valid_on)
        before = told.get(key)
        if before == rate.rate:
            continue
        if before is not None and not correction:
            refused.append(RefusedRate(line, "rate", f"{rate.valid_on} has {before}; say that it is a correction"))
            continue
        told[key] = rate.rate
        fresh.append(rate)
    return fresh, refused
