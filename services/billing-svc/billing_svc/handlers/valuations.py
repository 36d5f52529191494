"""What is booked in another currency gets its value in the reporting currency, in the same transaction."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Literal
from uuid import UUID

from ltc_chassis.db import Transaction
from ltc_contracts.money import Money

from billing_svc.domain.exchange_rate import RateMissing, Reporting
from billing_svc.domain.ledger import Entry, Posting
from billing_svc.domain.valuation import Line, Value, value
from billing_svc.store import exchange_rates, valuations
from billing_svc.store.exchange_rates import Found
from billing_svc.store.ledger import Origin


async def value_bookings(tx: Transaction, booked: Sequence[tuple[UUID, Entry, Origin]]) -> None:
    """Value entries that were just booked, in their order. Without a reporting currency none is. Raises `RateMissing`.

    Who books holds the months, and so the reporting currency, until the transaction ends.
    """
    reporting = await exchange_rates.get_reporting(tx.conn)
    if reporting is None:
        return
    for entry_id, entry, of in booked:
        foreign = [each for each in entry.postings if each.debit.currency != reporting.currency]
        if not foreign:
            continue
        values = await _opposite(tx, of.reverses) if of.reverses else await _value(tx, entry, foreign, of, reporting)
        await valuations.insert_valuation(tx.conn, entry_id, reporting.currency, values)


async def _value(
    tx: Transaction, entry: Entry, foreign: Sequence[Posting], of: Origin, reporting: Reporting
) -> tuple[Value, ...]:
    found: list[Value] = []
    # An accountant may book in several currencies at once; each balances by itself.
    for currency in dict.fromkeys(each.debit.currency for each in foreign):
        lines = [
            await _line(tx, each.account, each.debit - each.credit, of, entry.booked_on, reporting)
            for each in foreign
            if each.debit.currency == currency
        ]
        found += value(lines, reporting.currency)
    return tuple(found)


async def _line(tx: Transaction, account: str, amount: Money, of: Origin, on: date, reporting: Reporting) -> Line:
    """Claims and what belongs to them at the invoice's rate, money of a payment at the payment's, all else at that of the day."""
    currency = amount.currency
    if account == "receivable" and of.invoice_id is not None:
        rate = await _frozen(tx, of.invoice_id, "invoice", currency, on, reporting)
        kept = await valuations.get_kept(tx.conn, account, invoice_id=of.invoice_id, payment_id=None)
        return Line(account, amount.amount, rate, kept)
    if account in ("unapplied_cash", "refund") and of.payment_id is not None:
        rate = await _frozen(tx, of.payment_id, "payment", currency, on, reporting)
        kept = await valuations.get_kept(tx.conn, account, invoice_id=None, payment_id=of.payment_id)
        return Line(account, amount.amount, rate, kept)
    if account != "cash" and of.invoice_id is not None:
        return Line(account, amount.amount, await _frozen(tx, of.invoice_id, "invoice", currency, on, reporting))
    return Line(account, amount.amount, (await _of_day(tx, currency, on, reporting)).rate)


async def _frozen(
    tx: Transaction, document_id: UUID, kind: Literal["invoice", "payment"], currency: str, on: date, reporting: Reporting
) -> Decimal:
    """The rate of a document: that of the day on which it was booked first, whatever is told later."""
    frozen = await valuations.get_frozen_rate(tx.conn, document_id)
    if frozen is not None:
        return frozen
    found = await _of_day(tx, currency, on, reporting)
    await valuations.insert_frozen_rate(tx.conn, document_id, kind, currency, reporting, found)
    return found.rate


async def _of_day(tx: Transaction, currency: str, on: date, reporting: Reporting) -> Found:
    found = await exchange_rates.get_rate(tx.conn, reporting.source, currency, reporting.currency, on)
    if found is None:
        raise RateMissing(f"{reporting.source} has no rate of {currency} in {reporting.currency} on or before {on}")
    return found


async def _opposite(tx: Transaction, entry_id: UUID) -> Sequence[Value]:
    found = await valuations.list_values(tx.conn, entry_id) or []
    return [Value(Posting(each.posting.account, each.posting.credit, each.posting.debit), each.rate) for each in found]
