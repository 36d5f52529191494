"""Orders, their lines, their history and the invoices paid on them."""

from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID

from ltc_chassis.db import Connection
from ltc_contracts.events import Customer, Line
from ltc_contracts.money import Money

from order_svc.domain.order import Cancellation, Change, Hold, Milestones, Order, OrderNotFound, PendingChange, State


async def insert_changes(conn: Connection, order_id: UUID, changes: Sequence[Change]) -> None:
    """Append to the history."""
    await conn.execute(
        """
        INSERT INTO state_change (order_id, version, from_state, to_state, reason, changed_at, changed_by)
        SELECT $1, * FROM unnest($2::int[], $3::text[], $4::text[], $5::text[], $6::timestamptz[], $7::text[])
        """,
        order_id,
        [change.version for change in changes],
        [change.from_state for change in changes],
        [change.to_state for change in changes],
        [change.reason for change in changes],
        [change.changed_at for change in changes],
        [change.by for change in changes],
    )


async def insert_paid_invoice(conn: Connection, order_id: UUID, invoice_id: UUID, gross: Money, paid_on: date) -> bool:
    """False when this invoice was counted already."""
    row = await conn.fetchrow(
        """
        INSERT INTO paid_invoice (invoice_id, order_id, gross_amount, currency, paid_on) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (invoice_id) DO NOTHING RETURNING invoice_id
        """,
        invoice_id,
        order_id,
        gross.amount,
        gross.currency,
        paid_on,
    )
    return row is not None


async def get_collected(conn: Connection, order_id: UUID, currency: str) -> Money:
    """What the paid invoices of an order brought: what each claimed, less what is credited of it, and what is open of it by a refund.

    A credit note that was told with the payment is in what was paid already; an invoice may be told after it was paid. What was given
    up then, and came after all (`credited` below zero), is money since.
    """
    amount = await conn.fetchval(
        """
        SELECT coalesce(sum(greatest(0, least(p.gross_amount + (SELECT coalesce(-sum(e.amount), 0) FROM receivable_entry e
                                                               WHERE e.invoice_id = p.invoice_id AND e.kind = 'credited' AND e.amount < 0),
                                             CASE WHEN r.issued > 0 THEN r.issued - r.credited ELSE p.gross_amount END)
                                        - CASE WHEN r.refunded > 0 THEN greatest(r.open, 0) ELSE 0 END)), 0)
        FROM paid_invoice p LEFT JOIN receivable r USING (invoice_id) WHERE p.order_id = $1
        """,
        order_id,
    )
    return Money.of(amount, currency)


async def save_order(conn: Connection, order: Order) -> None:
    """Write what may change. The row must be locked by the caller."""
    asked, hold, times, pending = order.cancellation, order.hold, order.milestones, order.change
    await conn.execute(
        """
        UPDATE sales_order SET version = $2, state = $3, promised_on = $4, percent_delivered = $5, delivery_id = $6,
               collected_amount = $7, cancellation_state = $8, cancellation_reason = $9, cancellation_requested_at = $10,
               cancellation_decided_at = $11, cancellation_return_to = $12, updated_at = $13,
               invoiced_amount = $14, invoiced_net_amount = $15, credited_amount = $16, hold_reasons = $17, hold_detail = $18,
               hold_wish = $19, held_by = $20, held_since = $21, waived = $22, confirmed_at = $23, told_promise_at = $24,
               delivered_at = $25, invoiced_at = $26, paid_at = $27, cancelled_at = $28, net_amount = $29, gross_amount = $30,
               requested_on = $31, reduced_amount = $32, reduced_net_amount = $33, lines_version = $34, lines_changed_at = $35,
               change_id = $36, change_requested_at = $37, change_reason = $38, change_net_amount = $39, change_gross_amount = $40,
               handed_net_amount = $41, handovers = $42, handovers_told = $43, unpaid = $44
        WHERE id = $1
        """,
        order.id,
        order.version,
        order.state,
        order.promised_on,
        order.percent_delivered,
        order.delivery_id,
        order.collected.amount if order.collected else None,
        asked.state if asked else None,
        asked.reason if asked else None,
        asked.requested_at if asked else None,
        asked.decided_at if asked else None,
        asked.return_to if asked else None,
        order.updated_at,
        *(order.invoiced.amount, order.invoiced_net.amount, order.credited.amount),
        *((list(hold.reasons), hold.detail, hold.wish, hold.by, hold.since) if hold else (None,) * 5),
        sorted(order.waived),
        *(times.confirmed_at, times.promised_at, times.delivered_at, times.invoiced_at, times.paid_at, times.cancelled_at),
        *(order.net.amount, order.gross.amount, order.requested_on, order.reduced.amount, order.reduced_net.amount),
        *(order.lines_version, order.lines_changed_at),
        *(
            (pending.id, pending.requested_at, pending.reason, pending.net.amount, pending.gross.amount)
            if pending
            else (None,) * 5
        ),
        *(order.handed_net.amount, order.handovers, order.handovers_told, order.unpaid),
    )


async def save_promises(conn: Connection, orders: Sequence[Order]) -> None:
    """Write when delivery told a day, of several orders. The rows must be locked by the caller."""
    await conn.execute(
        """
        UPDATE sales_order o SET version = n.version, told_promise_at = n.told_promise_at, updated_at = n.updated_at
        FROM unnest($1::uuid[], $2::int[], $3::timestamptz[], $4::timestamptz[]) AS n (id, version, told_promise_at, updated_at)
        WHERE o.id = n.id
        """,
        [order.id for order in orders],
        [order.version for order in orders],
        [order.milestones.promised_at for order in orders],
        [order.updated_at for order in orders],
    )


async def get_order_for_update(conn: Connection, order_id: UUID) -> Order | None:
    """The order, locked until the transaction ends."""
    return (await get_orders_for_update(conn, [order_id])).get(order_id)


async def get_orders_for_update(conn: Connection, order_ids: Sequence[UUID]) -> dict[UUID, Order]:
    """Those of these orders that there are, locked in the order of their ids until the transaction ends."""
    rows = await conn.fetch(
        """
        SELECT id, flow_id, version, number, state, contract_id, customer_id, customer_name, customer_country, customer_vat_id,
               customer_email, net_amount, currency, payment_terms_days, requested_on, promised_on, percent_delivered,
               delivery_id, collected_amount, cancellation_state, cancellation_reason, cancellation_requested_at,
               cancellation_decided_at, cancellation_return_to, created_at, updated_at, source, external_ref, invoicing,
               ship_complete, subscription_id, period_from, period_until, gross_amount, invoiced_amount, invoiced_net_amount,
               credited_amount, hold_reasons, hold_detail, hold_wish, held_by, held_since, waived, confirmed_at,
               told_promise_at, delivered_at, invoiced_at, paid_at, cancelled_at, reduced_amount, reduced_net_amount,
               lines_version, lines_changed_at, change_id, change_requested_at, change_reason, change_net_amount,
               change_gross_amount, handed_net_amount, handovers, handovers_told, unpaid
        FROM sales_order WHERE id = ANY($1::uuid[]) ORDER BY id FOR UPDATE
        """,
        list(order_ids),
    )
    return {row["id"]: _order(row) for row in rows}


async def get_order(conn: Connection, order_id: UUID) -> Order:
    """Raises `OrderNotFound`."""
    row = await conn.fetchrow(
        """
        SELECT id, flow_id, version, number, state, contract_id, customer_id, customer_name, customer_country, customer_vat_id,
               customer_email, net_amount, currency, payment_terms_days, requested_on, promised_on, percent_delivered,
               delivery_id, collected_amount, cancellation_state, cancellation_reason, cancellation_requested_at,
               cancellation_decided_at, cancellation_return_to, created_at, updated_at, source, external_ref, invoicing,
               ship_complete, subscription_id, period_from, period_until, gross_amount, invoiced_amount, invoiced_net_amount,
               credited_amount, hold_reasons, hold_detail, hold_wish, held_by, held_since, waived, confirmed_at,
               told_promise_at, delivered_at, invoiced_at, paid_at, cancelled_at, reduced_amount, reduced_net_amount,
               lines_version, lines_changed_at, change_id, change_requested_at, change_reason, change_net_amount,
               change_gross_amount, handed_net_amount, handovers, handovers_told, unpaid
        FROM sales_order WHERE id = $1
        """,
        order_id,
    )
    if row is None:
        raise OrderNotFound(order_id)
    return _order(row)


async def list_orders(
    conn: Connection,
    *,
    flow_id: UUID | None,
    state: State | None,
    contract_id: UUID | None,
    source: str | None,
    external_ref: str | None,
    after: UUID | None,
    limit: int,
) -> list[Order]:
    """Orders in the order they were received."""
    rows = await conn.fetch(
        """
        SELECT id, flow_id, version, number, state, contract_id, customer_id, customer_name, customer_country, customer_vat_id,
               customer_email, net_amount, currency, payment_terms_days, requested_on, promised_on, percent_delivered,
               delivery_id, collected_amount, cancellation_state, cancellation_reason, cancellation_requested_at,
               cancellation_decided_at, cancellation_return_to, created_at, updated_at, source, external_ref, invoicing,
               ship_complete, subscription_id, period_from, period_until, gross_amount, invoiced_amount, invoiced_net_amount,
               credited_amount, hold_reasons, hold_detail, hold_wish, held_by, held_since, waived, confirmed_at,
               told_promise_at, delivered_at, invoiced_at, paid_at, cancelled_at, reduced_amount, reduced_net_amount,
               lines_version, lines_changed_at, change_id, change_requested_at, change_reason, change_net_amount,
               change_gross_amount, handed_net_amount, handovers, handovers_told, unpaid
        FROM sales_order
        WHERE ($1::uuid IS NULL OR flow_id = $1) AND ($2::text IS NULL OR state = $2)
          AND ($3::uuid IS NULL OR contract_id = $3) AND ($4::uuid IS NULL OR id > $4)
          AND ($6::text IS NULL OR source = $6) AND ($7::text IS NULL OR external_ref = $7)
        ORDER BY id LIMIT $5
        """,
        flow_id,
        state,
        contract_id,
        after,
        limit,
        source,
        external_ref,
    )
    return [_order(row) for row in rows]


async def list_lines(conn: Connection, order_ids: Sequence[UUID]) -> dict[UUID, tuple[Line, ...]]:
    """The lines of these orders, as they are now."""
    rows = await conn.fetch(
        """
        SELECT order_id, line_id, sku, description, quantity, unit_price, price_currency, base_quantity, discount_percent,
               tax_category, tax_rate, net_amount, net_currency
        FROM order_line WHERE order_id = ANY($1::uuid[]) ORDER BY order_id, position
        """,
        list(order_ids),
    )
    found: dict[UUID, list[Line]] = {order_id: [] for order_id in order_ids}
    for row in rows:
        found[row["order_id"]].append(_line(row))
    return {order_id: tuple(lines) for order_id, lines in found.items()}


async def list_changes(conn: Connection, order_id: UUID) -> list[Change]:
    """The history of an order, oldest first; empty for an unknown order."""
    rows = await conn.fetch(
        """
        SELECT version, from_state, to_state, reason, changed_at, changed_by FROM state_change WHERE order_id = $1 ORDER BY version
        """,
        order_id,
    )
    return [
        Change(
            version=row["version"],
            from_state=row["from_state"],
            to_state=row["to_state"],
            reason=row["reason"],
            changed_at=row["changed_at"],
            by=row["changed_by"],
        )
        for row in rows
    ]


def _order(row: Any) -> Order:
    currency = row["currency"]
    return Order(
        id=row["id"],
        flow_id=row["flow_id"],
        version=row["version"],
        number=row["number"],
        state=row["state"],
        contract_id=row["contract_id"],
        customer=Customer(
            customer_id=row["customer_id"],
            name=row["customer_name"],
            country=row["customer_country"],
            vat_id=row["customer_vat_id"],
            email=row["customer_email"],
        ),
        net=Money.of(row["net_amount"], currency),
        payment_terms_days=row["payment_terms_days"],
        requested_on=row["requested_on"],
        source=row["source"],
        external_ref=row["external_ref"],
        invoicing=row["invoicing"],
        ship_complete=row["ship_complete"],
        subscription_id=row["subscription_id"],
        period_from=row["period_from"],
        period_until=row["period_until"],
        gross=Money.of(row["gross_amount"], currency),
        invoiced=Money.of(row["invoiced_amount"], currency),
        invoiced_net=Money.of(row["invoiced_net_amount"], currency),
        credited=Money.of(row["credited_amount"], currency),
        reduced=Money.of(row["reduced_amount"], currency),
        reduced_net=Money.of(row["reduced_net_amount"], currency),
        handed_net=Money.of(row["handed_net_amount"], currency),
        handovers=row["handovers"],
        handovers_told=row["handovers_told"],
        unpaid=row["unpaid"],
        hold=_hold(row),
        waived=frozenset(row["waived"]),
        milestones=Milestones(
            confirmed_at=row["confirmed_at"],
            promised_at=row["told_promise_at"],
            delivered_at=row["delivered_at"],
            invoiced_at=row["invoiced_at"],
            paid_at=row["paid_at"],
            cancelled_at=row["cancelled_at"],
        ),
        promised_on=row["promised_on"],
        percent_delivered=row["percent_delivered"],
        delivery_id=row["delivery_id"],
        collected=None if row["collected_amount"] is None else Money.of(row["collected_amount"], currency),
        cancellation=_cancellation(row),
        lines_version=row["lines_version"],
        lines_changed_at=row["lines_changed_at"],
        change=_pending(row),
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


def _hold(row: Any) -> Hold | None:
    if row["hold_reasons"] is None:
        return None
    return Hold(
        reasons=tuple(row["hold_reasons"]),
        detail=row["hold_detail"],
        since=row["held_since"],
        wish=row["hold_wish"],
        by=row["held_by"],
    )


def _pending(row: Any) -> PendingChange | None:
    if row["change_id"] is None:
        return None
    return PendingChange(
        id=row["change_id"],
        requested_at=row["change_requested_at"],
        reason=row["change_reason"],
        net=Money.of(row["change_net_amount"], row["currency"]),
        gross=Money.of(row["change_gross_amount"], row["currency"]),
    )


def _cancellation(row: Any) -> Cancellation | None:
    if row["cancellation_state"] is None:
        return None
    return Cancellation(
        state=row["cancellation_state"],
        reason=row["cancellation_reason"],
        requested_at=row["cancellation_requested_at"],
        decided_at=row["cancellation_decided_at"],
        return_to=row["cancellation_return_to"],
    )


def _line(row: Any) -> Line:
    return Line(
        line_id=row["line_id"],
        sku=row["sku"],
        description=row["description"],
        quantity=row["quantity"],
        unit_price=Money.of(row["unit_price"], row["price_currency"]),
        base_quantity=row["base_quantity"],
        discount_percent=row["discount_percent"],
        tax_category=row["tax_category"],
        tax_rate=row["tax_rate"],
        net=Money.of(row["net_amount"], row["net_currency"]),
    )
