"""SQL of payment providers and the events they pushed."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from ltc_chassis.connection import Connection
from ltc_contracts.errors import NotFound

from billing_svc.domain.provider_event import ProviderEvent, State


@dataclass(frozen=True, slots=True)
class Provider:
    """`secret` is the name of a file in the directory of secrets; the one before is `<name>.previous` while it is rotated."""

    code: str
    secret: str
    tolerance_s: int
    active: bool
    version: int
    changed_by: str
    changed_at: datetime


async def save_provider(conn: Connection, p: Provider) -> bool:
    """False when it was changed since the version before."""
    made: str | None = await conn.fetchval(
        """
        INSERT INTO payment_provider (code, secret, tolerance_s, active, version, changed_by, changed_at) VALUES ($1, $2, $3, $4, $5, $6, $7)
        ON CONFLICT (code) DO UPDATE SET secret = $2, tolerance_s = $3, active = $4, version = $5, changed_by = $6, changed_at = $7
        WHERE payment_provider.version = $5 - 1 RETURNING code
        """,
        *(p.code, p.secret, p.tolerance_s, p.active, p.version, p.changed_by, p.changed_at),
    )
    return made is not None


async def find_provider(conn: Connection, code: str) -> Provider | None:
    row = await conn.fetchrow(
        "SELECT code, secret, tolerance_s, active, version, changed_by, changed_at FROM payment_provider WHERE code = $1", code
    )
    return Provider(**dict(row)) if row else None


async def list_providers(conn: Connection) -> list[Provider]:
    rows = await conn.fetch(
        "SELECT code, secret, tolerance_s, active, version, changed_by, changed_at FROM payment_provider ORDER BY code"
    )
    return [Provider(**dict(row)) for row in rows]


async def insert_event(conn: Connection, e: ProviderEvent) -> bool:
    """False when this event came before."""
    made: UUID | None = await conn.fetchval(
        """
        INSERT INTO provider_event (id, provider, event_id, type, body, state, received_at) VALUES ($1, $2, $3, $4, $5, $6, $7)
        ON CONFLICT (provider, event_id) DO NOTHING RETURNING id
        """,
        *(e.id, e.provider, e.event_id, e.type, e.body, e.state, e.received_at),
    )
    return made is not None


async def save_event(conn: Connection, e: ProviderEvent) -> None:
    await conn.execute(
        """
        UPDATE provider_event SET state = $2, object_id = $3, payment_id = $4, hard = $5, reason = $6, decided_by = $7, settled_at = $8,
                                  body = $9
        WHERE id = $1
        """,
        *(e.id, e.state, e.object_id, e.payment_id, e.hard, e.reason, e.decided_by, e.settled_at, e.body),
    )


async def reopen(conn: Connection, provider: str, *object_ids: str) -> None:
    """What waits since no payment of these was known is worked on again."""
    await conn.execute(
        """
        UPDATE provider_event SET state = 'received' WHERE provider = $1 AND object_id = ANY($2::text[]) AND state = 'waiting'
          AND payment_id IS NULL
        """,
        *(provider, [each for each in object_ids if each]),
    )


async def claim_received(conn: Connection) -> ProviderEvent | None:
    """The oldest event that nobody works on, locked."""
    row = await conn.fetchrow(
        """
        SELECT id, provider, event_id, type, body, state, received_at, object_id, payment_id, hard, reason, decided_by, settled_at
        FROM provider_event WHERE state = 'received' ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED
        """
    )
    return ProviderEvent(**dict(row)) if row else None


async def get_event_for_update(conn: Connection, event_id: UUID) -> ProviderEvent:
    row = await conn.fetchrow(
        """
        SELECT id, provider, event_id, type, body, state, received_at, object_id, payment_id, hard, reason, decided_by, settled_at
        FROM provider_event WHERE id = $1 FOR UPDATE
        """,
        event_id,
    )
    if row is None:
        raise NotFound(f"no event {event_id}")
    return ProviderEvent(**dict(row))


async def list_events(
    conn: Connection, *, state: State | None, hard: bool | None, after: UUID | None, limit: int
) -> list[ProviderEvent]:
    """In the order in which they came."""
    rows = await conn.fetch(
        """
        SELECT id, provider, event_id, type, body, state, received_at, object_id, payment_id, hard, reason, decided_by, settled_at
        FROM provider_event
        WHERE ($1::text IS NULL OR state = $1) AND ($2::boolean IS NULL OR hard = $2) AND ($3::uuid IS NULL OR id > $3)
        ORDER BY id LIMIT $4
        """,
        *(state, hard, after, limit),
    )
    return [ProviderEvent(**dict(row)) for row in rows]


async def lock_object(conn: Connection, provider: str, object_id: str) -> None:
    """Events of one payment come at the same time; one after the other books it."""
    await conn.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", f"provider:{provider}:{object_id}")


async def find_payment(conn: Connection, provider: str, *object_ids: str) -> UUID | None:
    found: UUID | None = await conn.fetchval(
        "SELECT payment_id FROM provider_payment WHERE provider = $1 AND object_id = ANY($2::text[]) LIMIT 1",
        provider,
        [each for each in object_ids if each],
    )
    return found


async def insert_payment(conn: Connection, provider: str, payment_id: UUID, *object_ids: str) -> None:
    await conn.execute(
        """
        INSERT INTO provider_payment (provider, object_id, payment_id) SELECT $1, o.id, $2 FROM unnest($3::text[]) AS o (id)
        ON CONFLICT DO NOTHING
        """,
        *(provider, payment_id, sorted({each for each in object_ids if each})),
    )
