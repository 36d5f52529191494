"""Deliveries and what was promised."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from ltc_chassis.db import Connection
from ltc_contracts.events import Customer
from ltc_contracts.money import Money

from delivery_svc.domain.delivery import Cancellation, Delivery, DeliveryNotFound, Promise, State


async def insert_deliveries(conn: Connection, deliveries: Sequence[Delivery]) -> set[UUID]:
    """Returns the ids of what was written: nothing is of orders that have a delivery already."""
    rows = await conn.fetchmany(
        """
        INSERT INTO delivery (id, flow_id, version, order_id, order_number, state, customer_id, customer_name, customer_country,
                              customer_vat_id, customer_email, net_amount, currency, payment_terms_days, promised_on,
                              promise_version, percent, created_at, updated_at, invoicing, ship_complete, period_from,
                              period_until)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23)
        ON CONFLICT (order_id) DO NOTHING RETURNING id
        """,
        [
            (
                *(each.id, each.flow_id, each.version, each.order_id, each.order_number, each.state),
                *(
                    each.customer.customer_id,
                    each.customer.name,
                    each.customer.country,
                    each.customer.vat_id,
                    each.customer.email,
                ),
                *(each.net.amount, each.net.currency, each.payment_terms_days, each.promised_on, each.promise_version),
                *(each.percent, each.created_at, each.updated_at, each.invoicing, each.ship_complete),
                *(each.period_from, each.period_until),
            )
            for each in deliveries
        ],
    )
    return {row["id"] for row in rows}


async def insert_promises(conn: Connection, deliveries: Sequence[Delivery]) -> None:
    """Append the promises that are in force now, of several deliveries."""
    await conn.executemany(
        "INSERT INTO promise (delivery_id, version, promised_on, promised_at) VALUES ($1, $2, $3, $4)",
        [(each.id, each.promise_version, each.promised_on, each.updated_at) for each in deliveries],
    )


async def insert_promise(conn: Connection, delivery: Delivery, reason: str | None = None) -> None:
    """Append the promise that is in force now, with why it is another."""
    await conn.execute(
        "INSERT INTO promise (delivery_id, version, promised_on, promised_at, reason) VALUES ($1, $2, $3, $4, $5)",
        delivery.id,
        delivery.promise_version,
        delivery.promised_on,
        delivery.updated_at,
        reason,
    )


async def save_delivery(conn: Connection, delivery: Delivery) -> None:
    """Write what may change. The row must be locked by the caller."""
    decided = delivery.cancellation
    await conn.execute(
        """
        UPDATE delivery SET version = $2, state = $3, promised_on = $4, promise_version = $5, percent = $6, note = $7,
               completed_at = $8, on_time = $9, cancellation_state = $10, cancellation_reason = $11,
               cancellation_requested_at = $12, cancellation_decided_at = $13, updated_at = $14, handovers = $15,
               last_handed_over_at = $16, attempts = $17, net_amount = $18, changes = $19
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
        delivery.handovers,
        delivery.last_handed_over_at,
        delivery.attempts,
        delivery.net.amount,
        delivery.changes,
    )


async def get_delivery_for_update(conn: Connection, delivery_id: UUID) -> Delivery | None:
    """The delivery, locked until the transaction ends."""
    row = await conn.fetchrow(
        """
        SELECT id, flow_id, version, order_id, order_number, state, customer_id, customer_name, customer_country,
               customer_vat_id, customer_email, net_amount, currency, payment_terms_days, promised_on, promise_version, percent,
               note, completed_at, on_time, cancellation_state, cancellation_reason, cancellation_requested_at,
               cancellation_decided_at, created_at, updated_at, invoicing, ship_complete, period_from, period_until, handovers,
               last_handed_over_at, attempts, changes
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
               cancellation_decided_at, created_at, updated_at, invoicing, ship_complete, period_from, period_until, handovers,
               last_handed_over_at, attempts, changes
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
               cancellation_decided_at, created_at, updated_at, invoicing, ship_complete, period_from, period_until, handovers,
               last_handed_over_at, attempts, changes
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
               cancellation_decided_at, created_at, updated_at, invoicing, ship_complete, period_from, period_until, handovers,
               last_handed_over_at, attempts, changes
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


async def list_promises(conn: Connection, delivery_id: UUID) -> list[Promise]:
    """Every promise made, oldest first; empty for an unknown delivery."""
    rows = await conn.fetch(
        "SELECT version, promised_on, promised_at, reason FROM promise WHERE delivery_id = $1 ORDER BY version", delivery_id
    )
    return [Promise(**dict(row)) for row in rows]


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
        invoicing=row["invoicing"],
        ship_complete=row["ship_complete"],
        period_from=row["period_from"],
        period_until=row["period_until"],
        handovers=row["handovers"],
        last_handed_over_at=row["last_handed_over_at"],
        attempts=row["attempts"],
        changes=row["changes"],
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
