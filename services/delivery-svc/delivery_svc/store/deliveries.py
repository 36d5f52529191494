"""Every SQL statement of delivery-svc."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from ltc_chassis.db import Connection
from ltc_contracts.events import Customer, Line
from ltc_contracts.money import Money

from delivery_svc.domain.delivery import Cancellation, Delivery, DeliveryNotFound, Promise, State


async def insert_delivery(conn: Connection, delivery: Delivery, lines: Sequence[Line]) -> bool:
    """False, and nothing written, when the order has a delivery already."""
    row = await conn.fetchrow(
        """
        INSERT INTO delivery (id, flow_id, version, order_id, order_number, state, customer_id, customer_name, customer_country,
                              customer_vat_id, customer_email, net_amount, currency, payment_terms_days, promised_on,
                              promise_version, percent, created_at, updated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)
        ON CONFLICT (order_id) DO NOTHING RETURNING id
        """,
        delivery.id,
        delivery.flow_id,
        delivery.version,
        delivery.order_id,
        delivery.order_number,
        delivery.state,
        delivery.customer.customer_id,
        delivery.customer.name,
        delivery.customer.country,
        delivery.customer.vat_id,
        delivery.customer.email,
        delivery.net.amount,
        delivery.net.currency,
        delivery.payment_terms_days,
        delivery.promised_on,
        delivery.promise_version,
        delivery.percent,
        delivery.created_at,
        delivery.updated_at,
    )
    if row is None:
        return False
    await conn.executemany(
        """
        INSERT INTO delivery_line (delivery_id, position, line_id, sku, description, quantity, unit_price, price_currency,
                                   base_quantity, discount_percent, tax_category, tax_rate, net_amount, net_currency)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
        """,
        [
            (
                delivery.id,
                position,
                line.line_id,
                line.sku,
                line.description,
                line.quantity,
                line.unit_price.amount,
                line.unit_price.currency,
                line.base_quantity,
                line.discount_percent,
                line.tax_category,
                line.tax_rate,
                line.net.amount,
                line.net.currency,
            )
            for position, line in enumerate(lines, start=1)
        ],
    )
    return True


async def insert_promise(conn: Connection, delivery: Delivery) -> None:
    """Append the promise that is in force now."""
    await conn.execute(
        "INSERT INTO promise (delivery_id, version, promised_on, promised_at) VALUES ($1, $2, $3, $4)",
        delivery.id,
        delivery.promise_version,
        delivery.promised_on,
        delivery.updated_at,
    )


async def save_delivery(conn: Connection, delivery: Delivery) -> None:
    """Write what may change. The row must be locked by the caller."""
    decided = delivery.cancellation
    await conn.execute(
        """
        UPDATE delivery SET version = $2, state = $3, promised_on = $4, promise_version = $5, percent = $6, note = $7,
               completed_at = $8, on_time = $9, cancellation_state = $10, cancellation_reason = $11,
               cancellation_requested_at = $12, cancellation_decided_at = $13, updated_at = $14
        WHERE id = $1
        """,
        delivery.id,
        delivery.version,
        delivery.state,
        delivery.promised_on,
        delivery.promise_version,
        delivery.percent,
        delivery.note,
        delivery.completed_at,
        delivery.on_time,
        decided.state if decided else None,
        decided.reason if decided else None,
        decided.requested_at if decided else None,
        decided.decided_at if decided else None,
        delivery.updated_at,
    )


async def get_delivery_for_update(conn: Connection, delivery_id: UUID) -> Delivery | None:
    """The delivery, locked until the transaction ends."""
    row = await conn.fetchrow(
        """
        SELECT id, flow_id, version, order_id, order_number, state, customer_id, customer_name, customer_country,
               customer_vat_id, customer_email, net_amount, currency, payment_terms_days, promised_on, promise_version, percent,
               note, completed_at, on_time, cancellation_state, cancellation_reason, cancellation_requested_at,
               cancellation_decided_at, created_at, updated_at
        FROM delivery WHERE id = $1 FOR UPDATE
        """,
        delivery_id,
    )
    return None if row is None else _delivery(row)


async def get_delivery_of_order_for_update(conn: Connection, order_id: UUID) -> Delivery | None:
    """The delivery of an order, locked until the transaction ends."""
    row = await conn.fetchrow(
        """
        SELECT id, flow_id, version, order_id, order_number, state, customer_id, customer_name, customer_country,
               customer_vat_id, customer_email, net_amount, currency, payment_terms_days, promised_on, promise_version, percent,
               note, completed_at, on_time, cancellation_state, cancellation_reason, cancellation_requested_at,
               cancellation_decided_at, created_at, updated_at
        FROM delivery WHERE order_id = $1 FOR UPDATE
        """,
        order_id,
    )
    return None if row is None else _delivery(row)


async def get_delivery(conn: Connection, delivery_id: UUID) -> Delivery:
    """Raises `DeliveryNotFound`."""
    row = await conn.fetchrow(
        """
        SELECT id, flow_id, version, order_id, order_number, state, customer_id, customer_name, customer_country,
               customer_vat_id, customer_email, net_amount, currency, payment_terms_days, promised_on, promise_version, percent,
               note, completed_at, on_time, cancellation_state, cancellation_reason, cancellation_requested_at,
               cancellation_decided_at, created_at, updated_at
        FROM delivery WHERE id = $1
        """,
        delivery_id,
    )
    if row is None:
        raise DeliveryNotFound(delivery_id)
    return _delivery(row)


async def list_deliveries(
    conn: Connection, *, flow_id: UUID | None, order_id: UUID | None, state: State | None, after: UUID | None, limit: int
) -> list[Delivery]:
    """Deliveries in the order they were planned."""
    rows = await conn.fetch(
        """
        SELECT id, flow_id, version, order_id, order_number, state, customer_id, customer_name, customer_country,
               customer_vat_id, customer_email, net_amount, currency, payment_terms_days, promised_on, promise_version, percent,
               note, completed_at, on_time, cancellation_state, cancellation_reason, cancellation_requested_at,
               cancellation_decided_at, created_at, updated_at
        FROM delivery
        WHERE ($1::uuid IS NULL OR flow_id = $1) AND ($2::uuid IS NULL OR order_id = $2)
          AND ($3::text IS NULL OR state = $3) AND ($4::uuid IS NULL OR id > $4)
        ORDER BY id LIMIT $5
        """,
        flow_id,
        order_id,
        state,
        after,
        limit,
    )
    return [_delivery(row) for row in rows]


async def list_lines(conn: Connection, delivery_ids: Sequence[UUID]) -> dict[UUID, tuple[Line, ...]]:
    """The lines of these deliveries, as ordered."""
    rows = await conn.fetch(
        """
        SELECT delivery_id, line_id, sku, description, quantity, unit_price, price_currency, base_quantity, discount_percent,
               tax_category, tax_rate, net_amount, net_currency
        FROM delivery_line WHERE delivery_id = ANY($1::uuid[]) ORDER BY delivery_id, position
        """,
        list(delivery_ids),
    )
    found: dict[UUID, list[Line]] = {delivery_id: [] for delivery_id in delivery_ids}
    for row in rows:
        found[row["delivery_id"]].append(_line(row))
    return {delivery_id: tuple(lines) for delivery_id, lines in found.items()}


async def list_promises(conn: Connection, delivery_id: UUID) -> list[Promise]:
    """Every promise made, oldest first; empty for an unknown delivery."""
    rows = await conn.fetch(
        "SELECT version, promised_on, promised_at FROM promise WHERE delivery_id = $1 ORDER BY version", delivery_id
    )
    return [Promise(version=row["version"], promised_on=row["promised_on"], promised_at=row["promised_at"]) for row in rows]


def _delivery(row: Any) -> Delivery:
    return Delivery(
        id=row["id"],
        flow_id=row["flow_id"],
        version=row["version"],
        order_id=row["order_id"],
        order_number=row["order_number"],
        state=row["state"],
        customer=Customer(
            customer_id=row["customer_id"],
            name=row["customer_name"],
            country=row["customer_country"],
            vat_id=row["customer_vat_id"],
            email=row["customer_email"],
        ),
        net=Money.of(row["net_amount"], row["currency"]),
        payment_terms_days=row["payment_terms_days"],
        promised_on=row["promised_on"],
        promise_version=row["promise_version"],
        percent=row["percent"],
        note=row["note"],
        completed_at=row["completed_at"],
        on_time=row["on_time"],
        cancellation=_cancellation(row),
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


def _cancellation(row: Any) -> Cancellation | None:
    if row["cancellation_state"] is None:
        return None
    return Cancellation(
        state=row["cancellation_state"],
        reason=row["cancellation_reason"],
        requested_at=row["cancellation_requested_at"],
        decided_at=row["cancellation_decided_at"],
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
