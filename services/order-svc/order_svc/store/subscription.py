"""Subscriptions, what happened to them and what they ordered."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from ltc_chassis.db import Connection
from ltc_contracts.events import Customer, Line
from ltc_contracts.money import Money

from order_svc.domain import proration
from order_svc.domain.lapse import Standing
from order_svc.domain.proration import Credit
from order_svc.domain.recurring import Interval, Period, Rhythm
from order_svc.domain.subscription import Fact, Pending, Purchase, Subscription, SubscriptionNotFound, beginning_of


async def draw_number(conn: Connection) -> int:
    """Unique; numbers of transactions that roll back are lost."""
    drawn: int = await conn.fetchval("SELECT nextval('subscription_number')")
    return drawn


async def find_ref(conn: Connection, source: str, external_ref: str) -> tuple[UUID, str, str] | None:
    """Id, number and fingerprint of the subscription that this reference names."""
    row = await conn.fetchrow(
        "SELECT id, number, fingerprint FROM subscription WHERE source = $1 AND external_ref = $2", source, external_ref
    )
    return None if row is None else (row["id"], row["number"], row["fingerprint"])


async def insert_subscription(conn: Connection, subscription: Subscription, fingerprint: str) -> bool:
    """False, and nothing written, where the reference names one already."""
    s = subscription
    placed = await conn.fetchval(
        """
        INSERT INTO subscription (id, flow_id, version, number, state, source, external_ref, fingerprint, contract_id, customer_id,
                                  customer_name, customer_country, customer_vat_id, customer_email, currency, lines, interval_unit,
                                  interval_count, anchor, anchor_day, starts_on, ends_on, terms, notice_days, invoicing,
                                  payment_terms_days, mrr, credit, charged_until, pending, cancel_reason, due_at, created_at,
                                  updated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25,
                $26, $27, $28, $29, $30, $31, $32, $33, $34)
        ON CONFLICT (source, external_ref) DO NOTHING RETURNING id
        """,
        *(s.id, s.flow_id, s.version, s.number, s.state, s.source, s.external_ref, fingerprint, s.contract_id),
        *(s.customer.customer_id, s.customer.name, s.customer.country, s.customer.vat_id, s.customer.email, s.currency),
        *(_lines(s.lines), s.rhythm.interval.unit, s.rhythm.interval.count, s.rhythm.anchor, s.rhythm.anchor_day),
        *(s.starts_on, s.ends_on, s.terms, s.notice_days, s.invoicing, s.payment_terms_days, s.mrr.amount),
        *(_credit(s.credit), s.charged_until, _pending(s.pending), s.cancel_reason, _due(s), s.created_at, s.updated_at),
    )
    return placed is not None


async def save_subscription(conn: Connection, subscription: Subscription) -> None:
    """Write what may change, and when the timer looks at it next. The row must be locked by the caller."""
    s = subscription
    await conn.execute(
        """
        UPDATE subscription SET version = $2, state = $3, lines = $4, ends_on = $5, mrr = $6, credit = $7, charged_until = $8,
               pending = $9, cancel_reason = $10, due_at = $11, trouble = NULL, updated_at = $12
        WHERE id = $1
        """,
        *(s.id, s.version, s.state, _lines(s.lines), s.ends_on, s.mrr.amount, _credit(s.credit), s.charged_until),
        *(_pending(s.pending), s.cancel_reason, _due(s), s.updated_at),
    )


async def save_trouble(conn: Connection, subscription_id: UUID, trouble: str, again_at: datetime) -> None:
    """What was due cannot be done, for this reason; the timer tries again then."""
    await conn.execute(
        "UPDATE subscription SET trouble = $2, due_at = $3 WHERE id = $1", subscription_id, trouble[:2000], again_at
    )


async def claim_due(conn: Connection, now: datetime) -> Subscription | None:
    """A subscription for which something is due, locked; the one that waits longest. None when there is none."""
    row = await conn.fetchrow(
        """
        SELECT id, flow_id, version, number, state, source, external_ref, contract_id, customer_id, customer_name, customer_country,
               customer_vat_id, customer_email, currency, lines, interval_unit, interval_count, anchor, anchor_day, starts_on,
               ends_on, terms, notice_days, invoicing, payment_terms_days, mrr, credit, charged_until, pending, cancel_reason,
               due_at, trouble, created_at, updated_at
        FROM subscription WHERE due_at <= $1 ORDER BY due_at, id LIMIT 1 FOR UPDATE SKIP LOCKED
        """,
        now,
    )
    return None if row is None else _subscription(row)


async def get_subscription_for_update(conn: Connection, subscription_id: UUID) -> Subscription:
    """Locked until the transaction ends. Raises `SubscriptionNotFound`."""
    row = await conn.fetchrow(
        """
        SELECT id, flow_id, version, number, state, source, external_ref, contract_id, customer_id, customer_name, customer_country,
               customer_vat_id, customer_email, currency, lines, interval_unit, interval_count, anchor, anchor_day, starts_on,
               ends_on, terms, notice_days, invoicing, payment_terms_days, mrr, credit, charged_until, pending, cancel_reason,
               due_at, trouble, created_at, updated_at
        FROM subscription WHERE id = $1 FOR UPDATE
        """,
        subscription_id,
    )
    if row is None:
        raise SubscriptionNotFound(subscription_id)
    return _subscription(row)


async def get_subscription(conn: Connection, subscription_id: UUID) -> tuple[Subscription, str | None]:
    """With what is in the way of what is due. Raises `SubscriptionNotFound`."""
    row = await conn.fetchrow(
        """
        SELECT id, flow_id, version, number, state, source, external_ref, contract_id, customer_id, customer_name, customer_country,
               customer_vat_id, customer_email, currency, lines, interval_unit, interval_count, anchor, anchor_day, starts_on,
               ends_on, terms, notice_days, invoicing, payment_terms_days, mrr, credit, charged_until, pending, cancel_reason,
               due_at, trouble, created_at, updated_at
        FROM subscription WHERE id = $1
        """,
        subscription_id,
    )
    if row is None:
        raise SubscriptionNotFound(subscription_id)
    return _subscription(row), row["trouble"]


async def list_subscriptions(
    conn: Connection,
    *,
    state: str | None,
    customer_id: UUID | None,
    contract_id: UUID | None,
    source: str | None,
    external_ref: str | None,
    after: UUID | None,
    limit: int,
) -> list[tuple[Subscription, str | None]]:
    """In the order in which they were made, with what is in the way of what is due."""
    rows = await conn.fetch(
        """
        SELECT id, flow_id, version, number, state, source, external_ref, contract_id, customer_id, customer_name, customer_country,
               customer_vat_id, customer_email, currency, lines, interval_unit, interval_count, anchor, anchor_day, starts_on,
               ends_on, terms, notice_days, invoicing, payment_terms_days, mrr, credit, charged_until, pending, cancel_reason,
               due_at, trouble, created_at, updated_at
        FROM subscription
        WHERE ($1::text IS NULL OR state = $1) AND ($2::uuid IS NULL OR customer_id = $2) AND ($3::uuid IS NULL OR contract_id = $3)
          AND ($4::text IS NULL OR source = $4) AND ($5::text IS NULL OR external_ref = $5) AND ($6::uuid IS NULL OR id > $6)
        ORDER BY id LIMIT $7
        """,
        *(state, customer_id, contract_id, source, external_ref, after, limit),
    )
    return [(_subscription(row), row["trouble"]) for row in rows]


async def insert_facts(conn: Connection, subscription: Subscription, facts: Sequence[Fact]) -> None:
    """Append to the history."""
    await conn.executemany(
        """
        INSERT INTO subscription_change (subscription_id, version, what, state, effective_on, changed_at, changed_by, reason, event)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        """,
        [
            (
                *(subscription.id, fact.version, fact.what, subscription.state, fact.effective_on, fact.changed_at, fact.by),
                *(fact.reason, None if fact.event is None else fact.event.model_dump(mode="json")),
            )
            for fact in facts
        ],
    )


async def insert_order(conn: Connection, subscription_id: UUID, order_id: UUID, purchase: Purchase, placed_at: datetime) -> None:
    """Append to what it ordered; a second order for a period is refused by the database."""
    bill = purchase.bill
    await conn.execute(
        """
        INSERT INTO subscription_order (subscription_id, order_id, kind, period_from, period_until, charged, credit_used, taken, cost,
                                        without, placed_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
        """,
        *(subscription_id, order_id, purchase.kind, purchase.period.first, purchase.period.last),
        *(bill.charged.amount, bill.used.amount, _credit(bill.taken), _credit(proration.by_class(bill.lines))),
        *(_credit(purchase.without), placed_at),
    )


async def list_history(conn: Connection, subscription_id: UUID, *, after: int, limit: int) -> list[Any]:
    """Everything that happened after a version, in order."""
    rows: list[Any] = await conn.fetch(
        """
        SELECT version, what, state, effective_on, changed_at, changed_by, reason, event FROM subscription_change
        WHERE subscription_id = $1 AND version > $2 ORDER BY version LIMIT $3
        """,
        *(subscription_id, after, limit),
    )
    return rows


async def list_orders(conn: Connection, subscription_id: UUID, *, after: UUID | None, limit: int) -> list[Any]:
    """What it ordered, with where each order stands, in the order in which it was."""
    rows: list[Any] = await conn.fetch(
        """
        SELECT p.order_id, o.number, o.flow_id, o.state, p.kind, p.period_from, p.period_until, p.charged, p.credit_used, o.net_amount,
               o.currency, p.placed_at
        FROM subscription_order p JOIN sales_order o ON o.id = p.order_id
        WHERE p.subscription_id = $1 AND ($2::uuid IS NULL OR p.order_id > $2) ORDER BY p.order_id LIMIT $3
        """,
        *(subscription_id, after, limit),
    )
    return rows


async def ask_lapse(conn: Connection, subscription_id: UUID, order_id: UUID) -> None:
    """An order was cancelled: the timer takes it back. Waits for no lock of the subscription."""
    await conn.execute(
        "INSERT INTO subscription_lapse (order_id, subscription_id) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        order_id,
        subscription_id,
    )


async def claim_lapse(conn: Connection) -> tuple[UUID, UUID] | None:
    """Subscription and order of one that was cancelled, taken from the queue with this transaction; None when there is none."""
    row = await conn.fetchrow(
        """
        DELETE FROM subscription_lapse WHERE order_id = (
            SELECT order_id FROM subscription_lapse ORDER BY order_id LIMIT 1 FOR UPDATE SKIP LOCKED)
        RETURNING subscription_id, order_id
        """
    )
    return None if row is None else (row["subscription_id"], row["order_id"])


async def list_standing(conn: Connection, subscription_id: UUID, order_id: UUID, currency: str) -> list[Standing]:
    """An order and those placed after it that were not taken back, in the order in which they were placed."""
    rows = await conn.fetch(
        """
        SELECT p.order_id, o.number, p.period_from, p.period_until, p.taken, p.cost, p.without, p.spent
        FROM subscription_order p JOIN sales_order o ON o.id = p.order_id
        WHERE p.subscription_id = $1 AND p.lapsed_at IS NULL
          AND p.position >= (SELECT position FROM subscription_order WHERE order_id = $2)
        ORDER BY p.position
        """,
        *(subscription_id, order_id),
    )
    return [
        Standing(
            order_id=row["order_id"],
            number=row["number"],
            period=Period(row["period_from"], row["period_until"]),
            taken=_read_credit(row["taken"], currency),
            cost=_read_credit(row["cost"], currency),
            without=_read_credit(row["without"], currency),
            spent=row["spent"],
        )
        for row in rows
    ]


async def list_charged(conn: Connection, subscription_id: UUID, currency: str) -> list[tuple[UUID, Credit]]:
    """The orders that were not taken back, the latest first, each with what it costs by tax category and rate."""
    rows = await conn.fetch(
        "SELECT order_id, cost FROM subscription_order WHERE subscription_id = $1 AND lapsed_at IS NULL ORDER BY position DESC",
        subscription_id,
    )
    return [(row["order_id"], _read_credit(row["cost"], currency)) for row in rows]


async def save_lapse(conn: Connection, order_id: UUID, later: Sequence[Standing], now: datetime) -> None:
    """The order is taken back; those placed after it are as they are after that."""
    await conn.execute("UPDATE subscription_order SET lapsed_at = $2 WHERE order_id = $1", order_id, now)
    await conn.executemany(
        "UPDATE subscription_order SET without = $2, spent = $3 WHERE order_id = $1",
        [(each.order_id, _credit(each.without), each.spent) for each in later],
    )


def _due(subscription: Subscription) -> datetime | None:
    return None if subscription.next_on is None else beginning_of(subscription.next_on)


def _lines(lines: Sequence[Line]) -> list[dict[str, Any]]:
    return [line.model_dump(mode="json") for line in lines]


def _credit(credit: Credit) -> list[list[str]]:
    return [[category, format(rate, "f"), str(money.amount)] for (category, rate), money in sorted(credit.items())]


def _read_credit(credit: Sequence[Any], currency: str) -> Credit:
    return {(category, Decimal(rate).normalize()): Money.of(amount, currency) for category, rate, amount in credit}


def _pending(pending: Pending | None) -> dict[str, Any] | None:
    if pending is None:
        return None
    return {
        "lines": _lines(pending.lines),
        "effective_on": pending.effective_on.isoformat(),
        "reason": pending.reason,
        "by": pending.by,
    }


def _read_lines(lines: Sequence[Any]) -> tuple[Line, ...]:
    return tuple(Line.model_validate(line) for line in lines)


def _read_pending(pending: Any) -> Pending | None:
    if pending is None:
        return None
    return Pending(
        lines=_read_lines(pending["lines"]),
        effective_on=datetime.fromisoformat(pending["effective_on"]).date(),
        reason=pending["reason"],
        by=pending["by"],
    )


def _subscription(row: Any) -> Subscription:
    currency = row["currency"]
    return Subscription(
        id=row["id"],
        flow_id=row["flow_id"],
        version=row["version"],
        number=row["number"],
        state=row["state"],
        source=row["source"],
        external_ref=row["external_ref"],
        contract_id=row["contract_id"],
        customer=Customer(
            customer_id=row["customer_id"],
            name=row["customer_name"],
            country=row["customer_country"],
            vat_id=row["customer_vat_id"],
            email=row["customer_email"],
        ),
        lines=_read_lines(row["lines"]),
        rhythm=Rhythm(Interval(row["interval_unit"], row["interval_count"]), row["anchor"], row["anchor_day"]),
        starts_on=row["starts_on"],
        ends_on=row["ends_on"],
        terms=row["terms"],
        notice_days=row["notice_days"],
        invoicing=row["invoicing"],
        payment_terms_days=row["payment_terms_days"],
        mrr=Money.of(row["mrr"], currency),
        credit={(category, Decimal(rate).normalize()): Money.of(amount, currency) for category, rate, amount in row["credit"]},
        charged_until=row["charged_until"],
        pending=_read_pending(row["pending"]),
        cancel_reason=row["cancel_reason"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )
