"""Rates of tax are entered, and asked for."""

from datetime import date
from decimal import Decimal

from ltc_chassis.connection import Connection
from ltc_chassis.db import Transaction
from ltc_chassis.ids import new_id

from billing_svc.domain import tax as rules
from billing_svc.domain.tax import Determined, Parties, Supply
from billing_svc.store import taxes as store


async def enter_tax_rate(
    tx: Transaction, *, country: str, class_: str, valid_from: date, rate: Decimal, source: str, by: str
) -> None:
    """From a day on this is the rate; a correction of a day is entered again, and the last one counts."""
    await store.insert_tax_rate(
        tx.conn, new_id(), country=country, class_=class_, valid_from=valid_from, rate=rate, source=source, by=by, now=tx.now
    )


async def determine(conn: Connection, parties: Parties, supply: Supply, class_: str, on: date) -> Determined:
    """Category, rate and reason of a supply. Raises `TaxRateMissing`, `TaxNotDecided`, `Invalid`."""
    decision = rules.decide(parties, supply, on)
    if decision.rate_country is None:
        return rules.at_rate(decision, None)
    return rules.at_rate(decision, await store.get_tax_rate(conn, decision.rate_country, class_, on))
