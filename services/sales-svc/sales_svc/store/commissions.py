"""Commission: signed deals, what billing told of them, positions, and the ledger of entries."""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from ltc_chassis.connection import Connection
from ltc_contracts.errors import NotFound
from ltc_contracts.money import Money

from sales_svc.domain.commission import CauseKind, Deal, Earning, InvoiceFacts, Key, Move, Position
from sales_svc.domain.statement import Entry

CashKind = Literal["payment", "refund", "credit"]


async def insert_deal(conn: Connection, d: Deal, *, now: datetime) -> None:
    await conn.execute(
        """
        INSERT INTO commission_deal (contract_id, flow_id, opportunity_id, owner, pipeline, skus, nets, net, currency, signed_at,
                                     version, updated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
        """,
        *(d.contract_id, d.flow_id, d.opportunity_id, d.owner, d.pipeline, [sku for sku, _ in d.lines]),
        *([net for _, net in d.lines], d.net.amount, d.net.currency, d.signed_at, d.version, now),
    )


async def find_deal_for_update(conn: Connection, flow_id: UUID) -> Deal | None:
    """The signed contract of a flow; its row stays locked until the transaction ends."""
    row = await conn.fetchrow(
        """
        SELECT contract_id, flow_id, opportunity_id, owner, pipeline, skus, nets, net, currency, signed_at, cancelled, version
        FROM commission_deal WHERE flow_id = $1 FOR UPDATE
        """,
        flow_id,
    )
    return None if row is None else _deal(row)


async def save_deal(conn: Connection, d: Deal, *, now: datetime) -> None:
    await conn.execute(
        "UPDATE commission_deal SET cancelled = $2, version = $3, updated_at = $4 WHERE contract_id = $1",
        *(d.contract_id, d.cancelled, d.version, now),
    )


async def list_deals(conn: Connection, *, since: datetime, until: datetime, limit: int) -> list[Deal]:
    """Deals of somebody signed in a span of time, in the order of signature."""
    rows = await conn.fetch(
        """
        SELECT contract_id, flow_id, opportunity_id, owner, pipeline, skus, nets, net, currency, signed_at, cancelled, version
        FROM commission_deal WHERE signed_at >= $1 AND signed_at < $2 AND owner IS NOT NULL ORDER BY signed_at, contract_id LIMIT $3
        """,
        *(since, until, limit),
    )
    return [_deal(row) for row in rows]


async def attained(conn: Connection, wanted: Sequence[tuple[str, str, str, date, date]]) -> dict[Key, Decimal]:
    """Net signed before by plan and rep; asked for as (plan, rep, currency, first day, day after the last)."""
    rows = await conn.fetch(
        """
        SELECT w.plan, w.rep, coalesce(sum(p.base), 0) AS base
        FROM unnest($1::text[], $2::text[], $3::text[], $4::date[], $5::date[]) AS w (plan, rep, currency, first, after)
        LEFT JOIN commission_position p ON p.plan = w.plan AND p.rep = w.rep AND p.currency = w.currency
             AND p.signed_on >= w.first AND p.signed_on < w.after
        GROUP BY w.plan, w.rep
        """,
        *([row[column] for row in wanted] for column in range(5)),
    )
    return {(row["plan"], row["rep"]): row["base"] for row in rows}


async def insert_position(conn: Connection, p: Position, *, signed_on: date, now: datetime) -> None:
    e = p.earning
    await conn.execute(
        """
        INSERT INTO commission_position (id, contract_id, rep, plan, plan_version, share, base, rate, amount, currency, signed_on,
                                         created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
        """,
        *(p.id, p.contract_id, e.rep, e.plan, e.plan_version, e.share, e.base.amount, e.rate, e.amount.amount),
        *(e.amount.currency, signed_on, now),
    )


async def list_positions(
    conn: Connection,
    *,
    rep: str | None = None,
    contract_id: UUID | None = None,
    flow_id: UUID | None = None,
    after: UUID | None = None,
    limit: int = 1000,
) -> list[Position]:
    """Positions with what is booked on them, in the order they were made."""
    rows = await conn.fetch(
        """
        SELECT p.id, p.contract_id, d.opportunity_id, p.rep, p.plan, p.plan_version, p.share, p.base, p.rate, p.amount, p.currency,
               b.accrued, b.vested
        FROM commission_position p
        JOIN commission_deal d ON d.contract_id = p.contract_id
        CROSS JOIN LATERAL commission_booked(p.id) b
        WHERE ($1::text IS NULL OR p.rep = $1) AND ($2::uuid IS NULL OR p.contract_id = $2) AND ($3::uuid IS NULL OR d.flow_id = $3)
          AND ($4::uuid IS NULL OR p.id > $4)
        ORDER BY p.id LIMIT $5
        """,
        *(rep, contract_id, flow_id, after, limit),
    )
    return [_position(row) for row in rows]


async def positions_of(conn: Connection, contract_ids: Sequence[UUID]) -> list[Position]:
    """The positions of these deals with what is booked on them."""
    rows = await conn.fetch(
        """
        SELECT p.id, p.contract_id, d.opportunity_id, p.rep, p.plan, p.plan_version, p.share, p.base, p.rate, p.amount, p.currency,
               b.accrued, b.vested
        FROM commission_position p
        JOIN commission_deal d ON d.contract_id = p.contract_id
        CROSS JOIN LATERAL commission_booked(p.id) b
        WHERE p.contract_id = ANY($1::uuid[]) ORDER BY p.id
        """,
        contract_ids,
    )
    return [_position(row) for row in rows]


async def get_position(conn: Connection, position_id: UUID) -> Position:
    """Raises `NotFound`."""
    contract_id = await conn.fetchval("SELECT contract_id FROM commission_position WHERE id = $1", position_id)
    for position in await positions_of(conn, [contract_id] if contract_id else []):
        if position.id == position_id:
            return position
    raise NotFound(f"no commission {position_id}")


async def insert_invoice(conn: Connection, contract_id: UUID, number: str, i: InvoiceFacts) -> bool:
    """False when the invoice is known."""
    made = await conn.fetchval(
        """
        INSERT INTO commission_invoice (invoice_id, contract_id, number, net, gross) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT DO NOTHING RETURNING true
        """,
        *(i.invoice_id, contract_id, number, i.net, i.gross),
    )
    return bool(made)


async def has_invoice(conn: Connection, contract_id: UUID, invoice_id: UUID) -> bool:
    return bool(
        await conn.fetchval(
            "SELECT EXISTS (SELECT 1 FROM commission_invoice WHERE invoice_id = $1 AND contract_id = $2)", invoice_id, contract_id
        )
    )


async def insert_cash(
    conn: Connection,
    kind: CashKind,
    cause_id: UUID,
    *,
    invoice_id: UUID,
    gross: Decimal,
    net: Decimal,
    happened_on: date,
    now: datetime,
) -> bool:
    """False when the fact is known."""
    made = await conn.fetchval(
        """
        INSERT INTO commission_cash (kind, cause_id, invoice_id, gross, net, happened_on, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)
        ON CONFLICT DO NOTHING RETURNING true
        """,
        *(kind, cause_id, invoice_id, gross, net, happened_on, now),
    )
    return bool(made)


async def invoices_of(conn: Connection, contract_ids: Sequence[UUID]) -> dict[UUID, list[InvoiceFacts]]:
    """What is known of the invoices of each deal."""
    rows = await conn.fetch(
        """
        SELECT i.contract_id, i.invoice_id, i.net, i.gross,
               coalesce(sum(c.gross) FILTER (WHERE c.kind = 'payment'), 0) AS allocated,
               coalesce(sum(c.gross) FILTER (WHERE c.kind = 'refund'), 0) AS refunded,
               coalesce(sum(c.net) FILTER (WHERE c.kind = 'credit'), 0) AS credited_net,
               coalesce(sum(c.gross) FILTER (WHERE c.kind = 'credit'), 0) AS credited_gross
        FROM commission_invoice i LEFT JOIN commission_cash c ON c.invoice_id = i.invoice_id
        WHERE i.contract_id = ANY($1::uuid[]) GROUP BY i.invoice_id ORDER BY i.invoice_id
        """,
        contract_ids,
    )
    found: dict[UUID, list[InvoiceFacts]] = {contract_id: [] for contract_id in contract_ids}
    for row in rows:
        fields = dict(row)
        found[fields.pop("contract_id")].append(InvoiceFacts(**fields))
    return found


async def insert_entry(
    conn: Connection, entry_id: UUID, m: Move, *, cause: CauseKind, cause_id: UUID, booked_on: date, now: datetime
) -> None:
    await conn.execute(
        """
        INSERT INTO commission_entry (id, position_id, rep, kind, part, amount, currency, cause, cause_id, booked_on, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
        """,
        *(entry_id, m.after.id, m.after.earning.rep, m.kind, m.part, m.amount.amount, m.amount.currency),
        *(cause, cause_id, booked_on, now),
    )


async def list_entries(conn: Connection, position_id: UUID, *, after: UUID | None, limit: int) -> list[Entry]:
    """Entries of a position in the order they were booked."""
    rows = await conn.fetch(
        """
        SELECT e.id, e.position_id, p.contract_id, c.number AS contract_number, q.customer ->> 'name' AS customer, e.rep, p.plan, e.kind,
               e.part, e.amount, e.currency, e.cause, e.booked_on
        FROM commission_entry e JOIN commission_position p ON p.id = e.position_id JOIN contract c ON c.id = p.contract_id
        JOIN quote q ON q.id = c.quote_id
        WHERE e.position_id = $1 AND ($2::uuid IS NULL OR e.id > $2) ORDER BY e.id LIMIT $3
        """,
        *(position_id, after, limit),
    )
    return [_entry(row) for row in rows]


async def entries_of_rep(conn: Connection, rep: str, first: date, last: date, *, limit: int) -> list[Entry]:
    """A rep's entries of a span of days, both included, in the order they were booked."""
    rows = await conn.fetch(
        """
        SELECT e.id, e.position_id, p.contract_id, c.number AS contract_number, q.customer ->> 'name' AS customer, e.rep, p.plan, e.kind,
               e.part, e.amount, e.currency, e.cause, e.booked_on
        FROM commission_entry e JOIN commission_position p ON p.id = e.position_id JOIN contract c ON c.id = p.contract_id
        JOIN quote q ON q.id = c.quote_id
        WHERE e.rep = $1 AND e.booked_on BETWEEN $2 AND $3 ORDER BY e.booked_on, e.id LIMIT $4
        """,
        *(rep, first, last, limit),
    )
    return [_entry(row) for row in rows]


async def open_before(conn: Connection, rep: str, day: date) -> dict[str, Money]:
    """By currency, what was accrued and not vested at the end of the day before."""
    rows = await conn.fetch(
        """
        SELECT currency::text AS currency,
               sum(CASE WHEN kind = 'accrued' OR (kind = 'clawed_back' AND part = 'vested') THEN amount ELSE -amount END) AS amount
        FROM commission_entry WHERE rep = $1 AND booked_on < $2 GROUP BY currency ORDER BY currency
        """,
        *(rep, day),
    )
    return {row["currency"]: Money.of(row["amount"], row["currency"]) for row in rows}


def _deal(row: Any) -> Deal:
    return Deal(
        contract_id=row["contract_id"],
        opportunity_id=row["opportunity_id"],
        flow_id=row["flow_id"],
        owner=row["owner"],
        pipeline=row["pipeline"],
        lines=tuple(zip(row["skus"], row["nets"], strict=True)),
        net=Money.of(row["net"], row["currency"]),
        signed_at=row["signed_at"],
        cancelled=row["cancelled"],
        version=row["version"],
    )


def _position(row: Any) -> Position:
    currency = row["currency"]
    earning = Earning(
        plan=row["plan"],
        plan_version=row["plan_version"],
        rep=row["rep"],
        share=row["share"],
        base=Money.of(row["base"], currency),
        rate=row["rate"],
        amount=Money.of(row["amount"], currency),
    )
    return Position(
        id=row["id"],
        contract_id=row["contract_id"],
        opportunity_id=row["opportunity_id"],
        earning=earning,
        accrued=Money.of(row["accrued"], currency),
        vested=Money.of(row["vested"], currency),
    )


def _entry(row: Any) -> Entry:
    fields = dict(row)
    currency = fields.pop("currency")
    return Entry(**{**fields, "amount": Money.of(fields["amount"], currency)})
