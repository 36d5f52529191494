"""What ad platforms delivered, the leads in it, and how much of what is not genuine is kept. Lock order: the delivery, its leads."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from ltc_chassis.connection import Connection
from ltc_contracts.errors import NotFound

from lead_svc.domain.hook import Delivery, Item, State


async def insert_delivery(conn: Connection, d: Delivery) -> bool:
    """False when its nonce was used before; nothing is written then."""
    row = await conn.fetchrow(
        """
        INSERT INTO capture_delivery (id, endpoint_id, received_at, client, headers, query, body, size, sha256, nonce, genuine, state,
                                      problem, field, reason, next_attempt_at, settled_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
        ON CONFLICT (endpoint_id, nonce) WHERE nonce IS NOT NULL DO NOTHING RETURNING id
        """,
        *(d.id, d.endpoint_id, d.received_at, d.client, dict(d.headers), d.query, d.body, d.size, d.sha256, d.nonce, d.genuine),
        *(d.state, d.problem, d.field, d.reason, d.next_attempt_at, d.settled_at),
    )
    return row is not None


async def save_delivery(conn: Connection, d: Delivery) -> None:
    """What became of a (locked) delivery; its bytes are saved where they were starred."""
    await conn.execute(
        """
        UPDATE capture_delivery SET state = $2, problem = $3, field = $4, reason = $5, attempts = $6, next_attempt_at = $7,
               settled_at = $8, retried_by = $9, genuine = $10, body = $11, query = $12
        WHERE id = $1
        """,
        *(d.id, d.state, d.problem, d.field, d.reason, d.attempts, d.next_attempt_at, d.settled_at, d.retried_by, d.genuine),
        *(d.body, d.query),
    )


async def get_delivery(conn: Connection, delivery_id: UUID) -> Delivery:
    row = await conn.fetchrow(
        """
        SELECT id, endpoint_id, received_at, client, headers, query, body, size, sha256, nonce, genuine, state, problem, field, reason,
               attempts, next_attempt_at, settled_at, retried_by
        FROM capture_delivery WHERE id = $1
        """,
        delivery_id,
    )
    if row is None:
        raise NotFound(f"no delivery {delivery_id}")
    return Delivery(**dict(row))


async def get_delivery_for_update(conn: Connection, delivery_id: UUID) -> Delivery:
    await conn.execute("SELECT 1 FROM capture_delivery WHERE id = $1 FOR UPDATE", delivery_id)
    return await get_delivery(conn, delivery_id)


async def claim_received(conn: Connection, now: datetime) -> UUID | None:
    """The next delivery that was taken in and not worked on, since whoever took it ended; locked."""
    found: UUID | None = await conn.fetchval(
        """
        SELECT id FROM capture_delivery WHERE state = 'received' AND next_attempt_at <= $1
        ORDER BY next_attempt_at LIMIT 1 FOR UPDATE SKIP LOCKED
        """,
        now,
    )
    return found


async def find_same(conn: Connection, endpoint_id: UUID, sha256: bytes) -> tuple[UUID, State] | None:
    """A genuine delivery of the same bytes, one that was not refused before one that was; None when they came never or are gone."""
    row = await conn.fetchrow(
        """
        SELECT id, state FROM capture_delivery
        WHERE endpoint_id = $1 AND sha256 = $2 AND genuine AND (body IS NOT NULL OR state NOT IN ('refused', 'failed'))
        ORDER BY state IN ('refused', 'failed'), id LIMIT 1
        """,
        *(endpoint_id, sha256),
    )
    return None if row is None else (row["id"], row["state"])


async def list_deliveries(
    conn: Connection, *, endpoint_id: UUID | None, state: str | None, since: datetime | None, after: UUID | None, limit: int
) -> list[Delivery]:
    """In the order in which they came, without their bytes."""
    rows = await conn.fetch(
        """
        SELECT id, endpoint_id, received_at, client, headers, query, NULL::bytea AS body, size, sha256, nonce, genuine, state, problem,
               field, reason, attempts, next_attempt_at, settled_at, retried_by
        FROM capture_delivery
        WHERE ($1::uuid IS NULL OR endpoint_id = $1) AND ($2::text IS NULL OR state = $2)
          AND ($3::timestamptz IS NULL OR received_at >= $3) AND ($4::uuid IS NULL OR id > $4)
        ORDER BY id LIMIT $5
        """,
        *(endpoint_id, state, since, after, limit),
    )
    return [Delivery(**dict(row)) for row in rows]


async def insert_item(conn: Connection, i: Item) -> bool:
    """False when this lead of the platform is taken or waits already; another delivery of it that is not committed is waited for."""
    row = await conn.fetchrow(
        """
        INSERT INTO capture_item (id, delivery_id, endpoint_id, external_id, state, next_attempt_at, lead_id, settled_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        ON CONFLICT (endpoint_id, external_id) WHERE state IN ('waiting', 'taken', 'test') DO NOTHING RETURNING id
        """,
        *(i.id, i.delivery_id, i.endpoint_id, i.external_id, i.state, i.next_attempt_at, i.lead_id, i.settled_at),
    )
    return row is not None


async def save_item(conn: Connection, i: Item) -> None:
    await conn.execute(
        """
        UPDATE capture_item SET state = $2, answers = $3, problem = $4, field = $5, reason = $6, attempts = $7, next_attempt_at = $8,
               lead_id = $9, settled_at = $10
        WHERE id = $1
        """,
        *(i.id, i.state, i.answers, i.problem, i.field, i.reason, i.attempts, i.next_attempt_at, i.lead_id, i.settled_at),
    )


async def find_taken(conn: Connection, endpoint_id: UUID, external_id: str) -> Item | None:
    """The lead of the platform that is taken or waits."""
    row = await conn.fetchrow(
        """
        SELECT id, delivery_id, endpoint_id, external_id, state, answers, problem, field, reason, attempts, next_attempt_at, lead_id,
               settled_at
        FROM capture_item WHERE endpoint_id = $1 AND external_id = $2 AND state IN ('waiting', 'taken', 'test')
        """,
        *(endpoint_id, external_id),
    )
    return None if row is None else Item(**dict(row))


async def items_of(conn: Connection, delivery_ids: Sequence[UUID]) -> dict[UUID, list[Item]]:
    """The leads of these deliveries, without their answers; at most 1000 of each."""
    rows = await conn.fetch(
        """
        SELECT id, delivery_id, endpoint_id, external_id, state, NULL::bytea AS answers, problem, field, reason, attempts,
               next_attempt_at, lead_id, settled_at
        FROM capture_item WHERE delivery_id = ANY($1::uuid[]) ORDER BY id
        """,
        list(delivery_ids),
    )
    found: dict[UUID, list[Item]] = {delivery_id: [] for delivery_id in delivery_ids}
    for row in rows:
        found[row["delivery_id"]].append(Item(**dict(row)))
    return found


async def answers_of(conn: Connection, delivery_id: UUID) -> dict[str, bytes]:
    """What was fetched of the leads of a delivery, by the platform's id."""
    rows = await conn.fetch(
        "SELECT external_id, answers FROM capture_item WHERE delivery_id = $1 AND answers IS NOT NULL", delivery_id
    )
    return {row["external_id"]: row["answers"] for row in rows}


async def get_item_for_update(conn: Connection, item_id: UUID) -> Item:
    row = await conn.fetchrow(
        """
        SELECT id, delivery_id, endpoint_id, external_id, state, answers, problem, field, reason, attempts, next_attempt_at, lead_id,
               settled_at
        FROM capture_item WHERE id = $1 FOR UPDATE
        """,
        item_id,
    )
    if row is None:
        raise NotFound(f"no lead {item_id} of a delivery")
    return Item(**dict(row))


async def tells_of_erased(conn: Connection, delivery_id: UUID) -> bool:
    """Whether a lead of the delivery is of a person who was erased."""
    found: bool = await conn.fetchval(
        """
        SELECT EXISTS (SELECT 1 FROM capture_item i LEFT JOIN lead l ON l.id = i.lead_id
                       WHERE i.delivery_id = $1 AND (i.problem = 'lead-erased' OR l.erased_at IS NOT NULL))
        """,
        delivery_id,
    )
    return found


async def take_waiting(conn: Connection, now: datetime, hold: timedelta, limit: int) -> list[Item]:
    """Leads whose answers are due to be fetched, ours for a while: when we end before, another fetches them."""
    rows = await conn.fetch(
        """
        UPDATE capture_item SET next_attempt_at = $1 + $2::interval, attempts = attempts + 1 WHERE id IN (
            SELECT id FROM capture_item WHERE state = 'waiting' AND next_attempt_at <= $1
            ORDER BY next_attempt_at, id LIMIT $3 FOR UPDATE SKIP LOCKED)
        RETURNING id, delivery_id, endpoint_id, external_id, state, answers, problem, field, reason, attempts, next_attempt_at,
                  lead_id, settled_at
        """,
        *(now, hold, limit),
    )
    return [Item(**dict(row)) for row in rows]


async def delete_settled_items(conn: Connection, delivery_id: UUID) -> None:
    """The leads of a (locked) delivery that came to nothing, before it is tried anew."""
    await conn.execute("DELETE FROM capture_item WHERE delivery_id = $1 AND state IN ('refused', 'failed', 'known')", delivery_id)


async def spend(conn: Connection, endpoint_id: UUID, hour: datetime, size: int, *, most: int, most_bytes: int) -> bool:
    """Whether a delivery of so many bytes may still be kept in this hour; if not, it is counted. Until the transaction ends."""
    await conn.execute(
        "INSERT INTO capture_budget (endpoint_id, hour, kept, bytes, dropped) VALUES ($1, $2, 0, 0, 0) ON CONFLICT DO NOTHING",
        *(endpoint_id, hour),
    )
    row = await conn.fetchrow(
        """
        UPDATE capture_budget SET kept = kept + 1, bytes = bytes + $3
        WHERE endpoint_id = $1 AND hour = $2 AND kept < $4 AND bytes + $3 <= $5 RETURNING kept
        """,
        *(endpoint_id, hour, size, most, most_bytes),
    )
    if row is None:
        await conn.execute(
            "UPDATE capture_budget SET dropped = dropped + 1 WHERE endpoint_id = $1 AND hour = $2", endpoint_id, hour
        )
    return row is not None


async def dropped_since(conn: Connection, endpoint_ids: Sequence[UUID], since: datetime) -> dict[UUID, int]:
    """How many deliveries were only counted."""
    rows = await conn.fetch(
        """
        SELECT endpoint_id, sum(dropped)::bigint AS dropped FROM capture_budget
        WHERE endpoint_id = ANY($1::uuid[]) AND hour >= $2 GROUP BY endpoint_id
        """,
        *(list(endpoint_ids), since),
    )
    return {row["endpoint_id"]: row["dropped"] for row in rows}


async def empty_old(conn: Connection, before: datetime, limit: int) -> int:
    """Bytes of deliveries and answers from before that go; that they came stays known. Returns how many rows."""
    rows: list[Any] = await conn.fetch(
        """
        UPDATE capture_delivery SET body = NULL, query = '' WHERE id IN (
            SELECT id FROM capture_delivery
            WHERE body IS NOT NULL AND received_at < $1 AND state NOT IN ('received', 'waiting')
            ORDER BY received_at LIMIT $2 FOR UPDATE SKIP LOCKED) RETURNING id
        """,
        *(before, limit),
    )
    answers: list[Any] = await conn.fetch(
        """
        UPDATE capture_item SET answers = NULL WHERE id IN (
            SELECT id FROM capture_item WHERE answers IS NOT NULL AND settled_at < $1
            ORDER BY settled_at LIMIT $2 FOR UPDATE SKIP LOCKED) RETURNING id
        """,
        *(before, limit),
    )
    await conn.execute("DELETE FROM capture_budget WHERE hour < $1", before)
    return len(rows) + len(answers)


async def put_off(conn: Connection, item_id: UUID, until: datetime, *, reason: str) -> None:
    """The answers of a lead could not be fetched yet."""
    await conn.execute("UPDATE capture_item SET next_attempt_at = $2, reason = $3 WHERE id = $1", item_id, until, reason)
