"""Quotes."""

from datetime import date
from typing import Any
from uuid import UUID

from ltc_chassis.connection import Connection
from ltc_contracts.errors import NotFound
from ltc_contracts.events import Customer, Line
from ltc_contracts.money import Money

from sales_svc.domain.position import Item, of_line
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
        INSERT INTO quote (id, flow_id, opportunity_id, number, quote_version, state, currency, created_at, created_by, copied_from,
                           customer, lines, net, valid_until, payment_terms_days, requested_on, version, updated_at, items, language,
                           contact, address, introduction, terms, price_book, discount_percent, discount_amount, edited_by, custom)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25,
                $26, $27, $28, $29)
        """,
        *(q.id, q.flow_id, q.opportunity_id, q.number, q.quote_version, q.state, q.net.currency, q.created_at, q.created_by),
        *(q.copied_from, *_content(q)),
    )


async def save_quote(conn: Connection, q: Quote) -> None:
    """Its state; what it offers stays."""
    await conn.execute(
        "UPDATE quote SET state = $2, version = $3, updated_at = $4, sent_at = $5, closed_reason = $6 WHERE id = $1",
        *(q.id, q.state, q.version, q.updated_at, q.sent_at, q.closed_reason),
    )


async def save_content(conn: Connection, q: Quote) -> None:
    """Its state and what it offers."""
    await conn.execute(
        """
        UPDATE quote SET state = $2, currency = $3, customer = $4, lines = $5, net = $6, valid_until = $7, payment_terms_days = $8,
               requested_on = $9, version = $10, updated_at = $11, items = $12, language = $13, contact = $14, address = $15,
               introduction = $16, terms = $17, price_book = $18, discount_percent = $19, discount_amount = $20, edited_by = $21,
               custom = $22
        WHERE id = $1
        """,
        *(q.id, q.state, q.net.currency, *_content(q)),
    )


async def get_quote(conn: Connection, quote_id: UUID) -> Quote:
    row = await conn.fetchrow(
        """
        SELECT id, flow_id, opportunity_id, number, quote_version, state, customer, lines, net, currency, valid_until,
               payment_terms_days, requested_on, version, created_at, updated_at, items, language, contact, address, introduction,
               terms, price_book, discount_percent, discount_amount, created_by, edited_by, copied_from, sent_at, closed_reason, custom,
               (SELECT min(opened_at) FROM quote_link WHERE quote_link.quote_id = quote.id) AS viewed_at
        FROM quote WHERE id = $1
        """,
        quote_id,
    )
    return _quote(row, quote_id)


async def get_quote_for_update(conn: Connection, quote_id: UUID) -> Quote:
    row = await conn.fetchrow(
        """
        SELECT id, flow_id, opportunity_id, number, quote_version, state, customer, lines, net, currency, valid_until,
               payment_terms_days, requested_on, version, created_at, updated_at, items, language, contact, address, introduction,
               terms, price_book, discount_percent, discount_amount, created_by, edited_by, copied_from, sent_at, closed_reason, custom,
               (SELECT min(opened_at) FROM quote_link WHERE quote_link.quote_id = quote.id) AS viewed_at
        FROM quote WHERE id = $1 FOR UPDATE
        """,
        quote_id,
    )
    return _quote(row, quote_id)


async def list_quotes_for_update(conn: Connection, opportunity_id: UUID) -> list[Quote]:
    rows = await conn.fetch(
        """
        SELECT id, flow_id, opportunity_id, number, quote_version, state, customer, lines, net, currency, valid_until,
               payment_terms_days, requested_on, version, created_at, updated_at, items, language, contact, address, introduction,
               terms, price_book, discount_percent, discount_amount, created_by, edited_by, copied_from, sent_at, closed_reason, custom,
               (SELECT min(opened_at) FROM quote_link WHERE quote_link.quote_id = quote.id) AS viewed_at
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
               payment_terms_days, requested_on, version, created_at, updated_at, items, language, contact, address, introduction,
               terms, price_book, discount_percent, discount_amount, created_by, edited_by, copied_from, sent_at, closed_reason, custom,
               (SELECT min(opened_at) FROM quote_link WHERE quote_link.quote_id = quote.id) AS viewed_at
        FROM quote WHERE state = 'sent' AND valid_until < $1 ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED
        """,
        today,
        limit,
    )
    return [_quote(row) for row in rows]


async def list_quotes(
    conn: Connection,
    *,
    flow_id: UUID | None,
    opportunity_id: UUID | None,
    state: str | None = None,
    after: UUID | None,
    limit: int,
) -> list[Quote]:
    rows = await conn.fetch(
        """
        SELECT id, flow_id, opportunity_id, number, quote_version, state, customer, lines, net, currency, valid_until,
               payment_terms_days, requested_on, version, created_at, updated_at, items, language, contact, address, introduction,
               terms, price_book, discount_percent, discount_amount, created_by, edited_by, copied_from, sent_at, closed_reason, custom,
               (SELECT min(opened_at) FROM quote_link WHERE quote_link.quote_id = quote.id) AS viewed_at
        FROM quote
        WHERE ($1::uuid IS NULL OR flow_id = $1) AND ($2::uuid IS NULL OR opportunity_id = $2) AND ($3::uuid IS NULL OR id > $3)
          AND ($5::text IS NULL OR state = $5)
        ORDER BY id LIMIT $4
        """,
        *(flow_id, opportunity_id, after, limit, state),
    )
    return [_quote(row) for row in rows]


def _content(q: Quote) -> tuple[Any, ...]:
    return (
        *(q.customer.model_dump(mode="json"), [line.model_dump(mode="json") for line in q.lines], q.net.amount, q.valid_until),
        *(q.payment_terms_days, q.requested_on, q.version, q.updated_at, [item.model_dump(mode="json") for item in q.items]),
        *(q.language, q.contact, q.address, q.introduction, q.terms, q.price_book, q.discount_percent),
        *(None if q.discount_amount is None else q.discount_amount.amount, q.edited_by, dict(q.custom)),
    )


def _quote(row: Any, wanted: UUID | None = None) -> Quote:
    if row is None:
        raise NotFound(f"no quote {wanted}")
    fields = dict(row)
    currency = fields.pop("currency")
    fields["net"] = Money.of(fields["net"], currency)
    fields["customer"] = Customer.model_validate(fields["customer"])
    fields["lines"] = tuple(Line.model_validate(line) for line in fields["lines"])
    # Quotes from before there were positions are one position a line.
    fields["items"] = tuple(Item.model_validate(item) for item in fields["items"]) or tuple(
        of_line(line) for line in fields["lines"]
    )
    fields["address"] = tuple(fields["address"])
    if fields["discount_amount"] is not None:
        fields["discount_amount"] = Money.of(fields["discount_amount"], currency)
    return Quote(**fields)
