"""Quotes."""

from datetime import date
from typing import Any
from uuid import UUID

from ltc_chassis.connection import Connection
from ltc_contracts.errors import NotFound
from ltc_contracts.events import Customer, Line
from ltc_contracts.money import Money

from sales_svc.domain.quote import Quote


async def next_quote_version(conn: Connection, opportunity_id: UUID) -> int:
    """Under the opportunity's lock."""
    number: int = await conn.fetchval(
        "SELECT coalesce(max(quote_version), 0) + 1 FROM quote WHERE opportunity_id = $1", opportunity_id
    )
    return number


async def insert_quote(conn: Connection, q: Quote) -> None:
    await conn.execute(
        """
        INSERT INTO quote (id, flow_id, opportunity_id, number, quote_version, state, customer, lines, net, currency, valid_until,
                           payment_terms_days, requested_on, version, created_at, updated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
        """,
        *(q.id, q.flow_id, q.opportunity_id, q.number, q.quote_version, q.state, q.customer.model_dump(mode="json")),
        *([line.model_dump(mode="json") for line in q.lines], q.net.amount, q.net.currency, q.valid_until),
        *(q.payment_terms_days, q.requested_on, q.version, q.created_at, q.updated_at),
    )


async def save_quote(conn: Connection, q: Quote) -> None:
    await conn.execute(
        "UPDATE quote SET state = $2, version = $3, updated_at = $4 WHERE id = $1", q.id, q.state, q.version, q.updated_at
    )


async def get_quote(conn: Connection, quote_id: UUID) -> Quote:
    row = await conn.fetchrow(
        """
        SELECT id, flow_id, opportunity_id, number, quote_version, state, customer, lines, net, currency, valid_until,
               payment_terms_days, requested_on, version, created_at, updated_at
        FROM quote WHERE id = $1
        """,
        quote_id,
    )
    return _quote(row, quote_id)


async def get_quote_for_update(conn: Connection, quote_id: UUID) -> Quote:
    row = await conn.fetchrow(
        """
        SELECT id, flow_id, opportunity_id, number, quote_version, state, customer, lines, net, currency, valid_until,
               payment_terms_days, requested_on, version, created_at, updated_at
        FROM quote WHERE id = $1 FOR UPDATE
        """,
        quote_id,
    )
    return _quote(row, quote_id)


async def list_quotes_for_update(conn: Connection, opportunity_id: UUID) -> list[Quote]:
    rows = await conn.fetch(
        """
        SELECT id, flow_id, opportunity_id, number, quote_version, state, customer, lines, net, currency, valid_until,
               payment_terms_days, requested_on, version, created_at, updated_at
        FROM quote WHERE opportunity_id = $1 ORDER BY id FOR UPDATE
        """,
        opportunity_id,
    )
    return [_quote(row) for row in rows]


async def list_expired_quotes_for_update(conn: Connection, today: date, limit: int) -> list[Quote]:
    """Sent quotes whose last day has passed; those another replica works on are left to it."""
    rows = await conn.fetch(
        """
        SELECT id, flow_id, opportunity_id, number, quote_version, state, customer, lines, net, currency, valid_until,
               payment_terms_days, requested_on, version, created_at, updated_at
        FROM quote WHERE state = 'sent' AND valid_until < $1 ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED
        """,
        today,
        limit,
    )
    return [_quote(row) for row in rows]


async def list_quotes(
    conn: Connection, *, flow_id: UUID | None, opportunity_id: UUID | None, after: UUID | None, limit: int
) -> list[Quote]:
    rows = await conn.fetch(
        """
        SELECT id, flow_id, opportunity_id, number, quote_version, state, customer, lines, net, currency, valid_until,
               payment_terms_days, requested_on, version, created_at, updated_at
        FROM quote
        WHERE ($1::uuid IS NULL OR flow_id = $1) AND ($2::uuid IS NULL OR opportunity_id = $2) AND ($3::uuid IS NULL OR id > $3)
        ORDER BY id LIMIT $4
        """,
        *(flow_id, opportunity_id, after, limit),
    )
    return [_quote(row) for row in rows]


def _quote(row: Any, wanted: UUID | None = None) -> Quote:
    if row is None:
        raise NotFound(f"no quote {wanted}")
    fields = dict(row)
    currency = fields.pop("currency")
    fields["net"] = Money.of(fields["net"], currency)
    fields["customer"] = Customer.model_validate(fields["customer"])
    fields["lines"] = tuple(Line.model_validate(line) for line in fields["lines"])
    return Quote(**fields)
