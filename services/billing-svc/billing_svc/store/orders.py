"""SQL of what billing knows of orders."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from ltc_chassis.connection import Connection
from ltc_contracts.events import DeliveryHandedOver, DeliveryReturned, OrderCancelled, OrderChanged, OrderConfirmed

from billing_svc.domain.billed_order import BilledOrder, Fact, cause_of
from billing_svc.domain.subscription_end import GivenBack


@dataclass(frozen=True, slots=True)
class KnownHandover:
    """`invoiced`: by itself, or in the invoice of a whole delivery. `facts`: something else was told of its order."""

    invoiced: bool
    facts: bool


_FACTS: dict[str, type[Fact]] = {
    each.TOPIC: each for each in (OrderChanged, DeliveryReturned, DeliveryHandedOver, OrderCancelled, GivenBack)
}


async def lock_order(conn: Connection, order_id: UUID, now: datetime) -> None:
    """Locked until the transaction ends, known or not: whatever is invoiced or credited of an order is decided one after the other."""
    await lock_orders(conn, [order_id], now)


async def lock_orders(conn: Connection, order_ids: Iterable[UUID], now: datetime) -> None:
    """The same for several, in the order of their ids."""
    await conn.execute(
        """
        INSERT INTO billed_order (order_id, created_at) SELECT t.order_id, $2 FROM unnest($1::uuid[]) AS t (order_id)
        ON CONFLICT (order_id) DO UPDATE SET order_id = excluded.order_id
        """,
        sorted(set(order_ids)),
        now,
    )


async def get_known_of_handovers(conn: Connection, handovers: Sequence[DeliveryHandedOver]) -> dict[UUID, KnownHandover]:
    """What is known of each by the time its order is locked, by hand-over."""
    rows = await conn.fetch(
        """
        SELECT t.handover_id,
               EXISTS (SELECT 1 FROM invoice i WHERE i.cause_id = t.handover_id)
               OR EXISTS (SELECT 1 FROM invoice i WHERE i.delivery_id = t.delivery_id AND i.cause = 'delivery') AS invoiced,
               EXISTS (SELECT 1 FROM order_fact f WHERE f.order_id = t.order_id)
               OR EXISTS (SELECT 1 FROM billed_order b WHERE b.order_id = t.order_id AND b.confirmed IS NOT NULL) AS facts
        FROM unnest($1::uuid[], $2::uuid[], $3::uuid[]) AS t (handover_id, delivery_id, order_id)
        """,
        [each.handover_id for each in handovers],
        [each.delivery_id for each in handovers],
        [each.order_id for each in handovers],
    )
    return {row["handover_id"]: KnownHandover(row["invoiced"], row["facts"]) for row in rows}


async def save_confirmed(conn: Connection, event: OrderConfirmed, flow_id: UUID | None) -> bool:
    """What a prepaid order is; False when it is known already. The order is locked."""
    status = await conn.execute(
        "UPDATE billed_order SET confirmed = $2, flow_id = $3 WHERE order_id = $1 AND confirmed IS NULL",
        *(event.order_id, event.model_dump(mode="json"), flow_id),
    )
    return bool(status == "UPDATE 1")


async def save_deliveries(conn: Connection, deliveries: Mapping[UUID, UUID], now: datetime) -> list[UUID]:
    """Which delivery each order has, the first that is told; locks the orders, and returns those that are prepaid and confirmed."""
    rows = await conn.fetch(
        """
        INSERT INTO billed_order AS b (order_id, delivery_id, created_at)
        SELECT t.order_id, t.delivery_id, $3 FROM unnest($1::uuid[], $2::uuid[]) AS t (order_id, delivery_id) ORDER BY t.order_id
        ON CONFLICT (order_id) DO UPDATE SET delivery_id = coalesce(b.delivery_id, excluded.delivery_id)
        RETURNING b.order_id, b.confirmed IS NOT NULL AS prepaid
        """,
        *(list(deliveries.keys()), list(deliveries.values()), now),
    )
    return [row["order_id"] for row in rows if row["prepaid"]]


async def is_prepaid(conn: Connection, order_id: UUID) -> bool:
    """Whether the order was confirmed as one that is invoiced whole."""
    found: bool = await conn.fetchval(
        "SELECT EXISTS (SELECT 1 FROM billed_order WHERE order_id = $1 AND confirmed IS NOT NULL)", order_id
    )
    return found


async def insert_fact(conn: Connection, fact: Fact, now: datetime) -> bool:
    """False when it was told before. The order is locked."""
    made = await conn.fetchval(
        """
        INSERT INTO order_fact (order_id, cause_id, topic, data, told_at) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (cause_id) DO NOTHING RETURNING true
        """,
        *(fact.order_id, cause_of(fact), fact.TOPIC, fact.model_dump(mode="json"), now),
    )
    return made is not None


async def save_settled(conn: Connection, cause_ids: Iterable[UUID], now: datetime) -> None:
    """These facts have had their effect."""
    await conn.execute("UPDATE order_fact SET settled_at = $2 WHERE cause_id = ANY($1::uuid[])", list(cause_ids), now)


async def get_order(conn: Connection, order_id: UUID) -> BilledOrder:
    """What was told of it, without its documents. The order is locked, so it exists."""
    row = await conn.fetchrow("SELECT flow_id, confirmed, delivery_id FROM billed_order WHERE order_id = $1", order_id)
    told = await conn.fetch("SELECT cause_id, topic, data, settled_at FROM order_fact WHERE order_id = $1 ORDER BY seq", order_id)
    assert row is not None
    facts = [_FACTS[each["topic"]].model_validate(each["data"]) for each in told]
    return BilledOrder(
        order_id=order_id,
        flow_id=row["flow_id"],
        confirmed=OrderConfirmed.model_validate(row["confirmed"]) if row["confirmed"] else None,
        delivery_id=row["delivery_id"],
        cancelled=next((fact for fact in facts if isinstance(fact, OrderCancelled)), None),
        changes=tuple(fact for fact in facts if isinstance(fact, OrderChanged)),
        returns=tuple(fact for fact in facts if isinstance(fact, DeliveryReturned)),
        handovers=tuple(fact for fact in facts if isinstance(fact, DeliveryHandedOver)),
        given_back=tuple(fact for fact in facts if isinstance(fact, GivenBack)),
        pending=frozenset(each["cause_id"] for each in told if each["settled_at"] is None),
    )
