"""SQL of exchange rates and of the reporting currency."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from ltc_chassis.connection import Connection
from ltc_contracts.money import minor_units

from billing_svc.domain.exchange_rate import Rate, Reporting, inverse


@dataclass(frozen=True, slots=True)
class Found:
    """The rate of a day: which one, and since when it holds."""

    rate: Decimal
    valid_on: date


async def lock_rates(conn: Connection) -> None:
    """Whoever enters rates does so alone, so that a day is not told twice."""
    await conn.execute("SELECT pg_advisory_xact_lock(hashtextextended('exchange_rate', 0))")


async def list_told(conn: Connection, rates: Sequence[Rate]) -> dict[tuple[str, str, str, date], Decimal]:
    """What counts for these days, where something does."""
    rows = await conn.fetch(
        """
        SELECT DISTINCT ON (r.source, r.base, r.quote, r.valid_on) r.source, r.base, r.quote, r.valid_on, r.rate
        FROM exchange_rate r
        JOIN unnest($1::text[], $2::text[], $3::text[], $4::date[]) AS t (source, base, quote, valid_on) USING (source, base, quote, valid_on)
        ORDER BY r.source, r.base, r.quote, r.valid_on, r.id DESC
        """,
        *([each.source for each in rates], [each.base for each in rates], [each.quote for each in rates]),
        [each.valid_on for each in rates],
    )
    return {(row["source"], row["base"], row["quote"], row["valid_on"]): row["rate"] for row in rows}


async def insert_rates(conn: Connection, rates: Sequence[tuple[UUID, Rate]], by: str, now: datetime) -> None:
    await conn.execute(
        """
        INSERT INTO exchange_rate (id, source, base, quote, valid_on, rate, made_by, created_at)
        SELECT id, source, base, quote, valid_on, rate, $7, $8
        FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::date[], $6::numeric[])
             AS t (id, source, base, quote, valid_on, rate)
        """,
        *([rate_id for rate_id, _ in rates], [each.source for _, each in rates], [each.base for _, each in rates]),
        *([each.quote for _, each in rates], [each.valid_on for _, each in rates], [each.rate for _, each in rates], by, now),
    )


async def list_rates(
    conn: Connection, *, source: str | None, base: str | None, quote: str | None, after: UUID | None, limit: int
) -> list[Any]:
    """In the order in which they were entered."""
    return await conn.fetch(
        """
        SELECT id, source, base, quote, valid_on, rate, made_by, created_at FROM exchange_rate
        WHERE ($1::text IS NULL OR source = $1) AND ($2::text IS NULL OR base = $2) AND ($3::text IS NULL OR quote = $3)
          AND ($4::uuid IS NULL OR id > $4)
        ORDER BY id LIMIT $5
        """,
        *(source, base, quote, after, limit),
    )


async def get_rate(conn: Connection, source: str, base: str, quote: str, on: date) -> Found | None:
    """What one `base` is worth in `quote` on a day: the last rate on or before it, told either way round; that of the pair first."""
    row = await conn.fetchrow(
        """
        (SELECT valid_on, rate, false AS inverse, id FROM exchange_rate
         WHERE source = $1 AND base = $2 AND quote = $3 AND valid_on <= $4 ORDER BY valid_on DESC, id DESC LIMIT 1)
        UNION ALL
        (SELECT valid_on, rate, true, id FROM exchange_rate
         WHERE source = $1 AND base = $3 AND quote = $2 AND valid_on <= $4 ORDER BY valid_on DESC, id DESC LIMIT 1)
        ORDER BY valid_on DESC, inverse LIMIT 1
        """,
        *(source, base, quote, on),
    )
    if row is None:
        return None
    return Found(inverse(row["rate"]) if row["inverse"] else row["rate"], row["valid_on"])


async def get_reporting(conn: Connection) -> Reporting | None:
    """Without one nothing is valued."""
    row = await conn.fetchrow("SELECT currency, source FROM reporting_currency")
    return None if row is None else Reporting(row["currency"], row["source"])


async def save_reporting(conn: Connection, reporting: Reporting, by: str, now: datetime) -> None:
    await conn.execute(
        """
        INSERT INTO reporting_currency (currency, places, source, set_by, set_at) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (single) DO UPDATE SET currency = $1, places = $2, source = $3, set_by = $4, set_at = $5
        """,
        *(reporting.currency, minor_units(reporting.currency), reporting.source, by, now),
    )


async def has_unvalued(conn: Connection, currency: str) -> bool:
    """Whether something is booked that has no value in this currency."""
    found: bool = await conn.fetchval(
        """
        SELECT EXISTS (SELECT 1 FROM ledger_line l WHERE l.currency <> $1
                         AND NOT EXISTS (SELECT 1 FROM ledger_valuation v WHERE v.entry_id = l.entry_id AND v.currency = $1))
            OR EXISTS (SELECT 1 FROM ledger_valuation WHERE currency <> $1)
        """,
        currency,
    )
    return found
