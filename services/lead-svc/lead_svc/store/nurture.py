"""Enrolments and deliveries. Lock order: the lead, then its enrolments, then their deliveries."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from ltc_chassis.connection import Connection
from ltc_contracts.errors import NotFound

from lead_svc.domain.nurture import Ending, How


@dataclass(frozen=True, slots=True)
class Enrolment:
    """A lead in a version of a journey."""

    id: UUID
    journey_id: UUID
    code: str
    version: int
    lead_id: UUID
    flow_id: UUID
    how: How
    enrolled_by: str
    enrolled_at: datetime
    state: str
    position: int
    due_at: datetime
    held: bool
    mails: int
    ended_by: str | None
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class Delivery:
    """The mail of a step to a lead, and how it was taken up."""

    id: UUID
    enrolment_id: UUID
    lead_id: UUID
    journey_id: UUID
    version: int
    step: str
    position: int
    mail_id: UUID
    message_id: str
    address_hash: bytes
    links: list[str]
    outcome: str
    posted_at: datetime
    sent_at: datetime | None
    opened_at: datetime | None
    opened_by_bot: datetime | None
    clicked_at: datetime | None
    clicked_by_bot: datetime | None
    replied_at: datetime | None
    unsubscribed_at: datetime | None


async def past_of(conn: Connection, journey_id: UUID, lead_ids: Sequence[UUID]) -> dict[UUID, tuple[bool, datetime | None]]:
    """Of those leads that ever were in the journey: whether they are, and when the last one ended."""
    rows = await conn.fetch(
        """
        SELECT lead_id, bool_or(state = 'running') AS running, max(ended_at) AS ended_at
        FROM nurture_enrolment WHERE journey_id = $1 AND lead_id = ANY($2::uuid[]) GROUP BY lead_id
        """,
        *(journey_id, list(lead_ids)),
    )
    return {row["lead_id"]: (row["running"], row["ended_at"]) for row in rows}


async def insert_enrolments(conn: Connection, enrolments: Sequence[Enrolment]) -> None:
    await conn.executemany(
        """
        INSERT INTO nurture_enrolment (id, journey_id, version, lead_id, flow_id, how, enrolled_by, enrolled_at, state, position, due_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'running', $9, $10)
        """,
        [
            (
                *(
                    each.id,
                    each.journey_id,
                    each.version,
                    each.lead_id,
                    each.flow_id,
                    each.how,
                    each.enrolled_by,
                    each.enrolled_at,
                ),
                *(each.position, each.due_at),
            )
            for each in enrolments
        ],
    )


async def claim_due(conn: Connection, now: datetime, limit: int) -> list[Enrolment]:
    """Those whose next step is due, with their leads locked; those of another replica are passed by."""
    rows = await conn.fetch(
        """
        SELECT e.id, e.journey_id, j.code, e.version, e.lead_id, e.flow_id, e.how, e.enrolled_by, e.enrolled_at, e.state, e.position,
               e.due_at, e.held, e.mails, e.ended_by, e.ended_at
        FROM nurture_enrolment e JOIN nurture_journey j ON j.id = e.journey_id JOIN lead l ON l.id = e.lead_id
        WHERE e.state = 'running' AND NOT e.held AND e.due_at <= $1 ORDER BY e.due_at, e.id LIMIT $2 FOR UPDATE OF l, e SKIP LOCKED
        """,
        *(now, limit),
    )
    return [Enrolment(**dict(row)) for row in rows]


async def save_progress(conn: Connection, enrolment_id: UUID, *, position: int, due_at: datetime, mails: int) -> None:
    await conn.execute(
        "UPDATE nurture_enrolment SET position = $2, due_at = $3, mails = $4 WHERE id = $1",
        *(enrolment_id, position, due_at, mails),
    )


async def end_enrolments(
    conn: Connection,
    by: Ending,
    now: datetime,
    *,
    lead_ids: Collection[UUID] | None = None,
    enrolment_id: UUID | None = None,
    version: tuple[UUID, int] | None = None,
) -> list[Enrolment]:
    """End what still runs of these leads, this enrolment or this version; returns what was ended."""
    rows = await conn.fetch(
        """
        UPDATE nurture_enrolment e SET state = 'ended', ended_by = $1, ended_at = $2 FROM nurture_journey j
        WHERE j.id = e.journey_id AND e.state = 'running'
          AND (e.lead_id = ANY($3::uuid[]) OR e.id = $4 OR e.journey_id = $5 AND e.version = $6)
        RETURNING e.id, e.journey_id, j.code, e.version, e.lead_id, e.flow_id, e.how, e.enrolled_by, e.enrolled_at, e.state, e.position,
                  e.due_at, e.held, e.mails, e.ended_by, e.ended_at
        """,
        *(by, now, None if lead_ids is None else list(lead_ids), enrolment_id, *(version or (None, None))),
    )
    return [Enrolment(**dict(row)) for row in rows]


async def hold(conn: Connection, journey_id: UUID, version: int, *, held: bool) -> list[UUID]:
    """A version is paused or goes on: its enrolments wait, or are due as they were."""
    rows = await conn.fetch(
        """
        UPDATE nurture_enrolment SET held = $3 WHERE journey_id = $1 AND version = $2 AND state = 'running' AND held <> $3 RETURNING id
        """,
        *(journey_id, version, held),
    )
    return [row["id"] for row in rows]


async def step_back(conn: Connection, mail_ids: Sequence[UUID], now: datetime) -> None:
    """The mails of these deliveries were taken back before they left: their steps are due again."""
    rows = await conn.fetch(
        "DELETE FROM nurture_delivery WHERE mail_id = ANY($1::uuid[]) RETURNING enrolment_id, position", list(mail_ids)
    )
    await conn.executemany(
        "UPDATE nurture_enrolment SET position = $2, due_at = $3, mails = mails - 1 WHERE id = $1 AND state = 'running'",
        [(row["enrolment_id"], row["position"], now) for row in rows],
    )


async def get_enrolment(conn: Connection, enrolment_id: UUID) -> Enrolment:
    found = await list_enrolments(conn, enrolment_id=enrolment_id, after=None, limit=1)
    if not found:
        raise NotFound(f"no enrolment {enrolment_id}")
    return found[0]


async def list_enrolments(
    conn: Connection,
    *,
    enrolment_id: UUID | None = None,
    journey_id: UUID | None = None,
    lead_id: UUID | None = None,
    state: str | None = None,
    after: UUID | None,
    limit: int,
) -> list[Enrolment]:
    rows = await conn.fetch(
        """
        SELECT e.id, e.journey_id, j.code, e.version, e.lead_id, e.flow_id, e.how, e.enrolled_by, e.enrolled_at, e.state, e.position,
               e.due_at, e.held, e.mails, e.ended_by, e.ended_at
        FROM nurture_enrolment e JOIN nurture_journey j ON j.id = e.journey_id
        WHERE ($1::uuid IS NULL OR e.id = $1) AND ($2::uuid IS NULL OR e.journey_id = $2) AND ($3::uuid IS NULL OR e.lead_id = $3)
          AND ($4::text IS NULL OR e.state = $4) AND ($5::uuid IS NULL OR e.id > $5) ORDER BY e.id LIMIT $6
        """,
        *(enrolment_id, journey_id, lead_id, state, after, limit),
    )
    return [Enrolment(**dict(row)) for row in rows]


async def insert_delivery(conn: Connection, delivery: Delivery) -> None:
    await conn.execute(
        """
        INSERT INTO nurture_delivery (id, enrolment_id, lead_id, journey_id, version, step, position, mail_id, message_id, address_hash,
                                      links, posted_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
        """,
        *(delivery.id, delivery.enrolment_id, delivery.lead_id, delivery.journey_id, delivery.version, delivery.step),
        *(delivery.position, delivery.mail_id, delivery.message_id, delivery.address_hash, delivery.links, delivery.posted_at),
    )


async def find_delivery(
    conn: Connection, *, delivery_id: UUID | None = None, message_ids: Sequence[str] = (), address: bytes | None = None
) -> Delivery | None:
    """By its id, by a Message-ID that is answered, or the latest one to an address."""
    row = await conn.fetchrow(
        """
        SELECT id, enrolment_id, lead_id, journey_id, version, step, position, mail_id, message_id, address_hash, links, outcome, posted_at,
               sent_at, opened_at, opened_by_bot, clicked_at, clicked_by_bot, replied_at, unsubscribed_at
        FROM nurture_delivery WHERE id = $1 OR message_id = ANY($2::text[]) OR address_hash = $3 ORDER BY posted_at DESC, id DESC LIMIT 1
        """,
        *(delivery_id, list(message_ids), address),
    )
    return None if row is None else Delivery(**dict(row))


async def list_deliveries(
    conn: Connection, *, enrolment_id: UUID | None = None, lead_id: UUID | None = None, limit: int = 200
) -> list[Delivery]:
    """The newest first."""
    rows = await conn.fetch(
        """
        SELECT id, enrolment_id, lead_id, journey_id, version, step, position, mail_id, message_id, address_hash, links, outcome, posted_at,
               sent_at, opened_at, opened_by_bot, clicked_at, clicked_by_bot, replied_at, unsubscribed_at
        FROM nurture_delivery WHERE enrolment_id = $1 OR lead_id = $2 ORDER BY id DESC LIMIT $3
        """,
        *(enrolment_id, lead_id, limit),
    )
    return [Delivery(**dict(row)) for row in rows]


async def sent_to(conn: Connection, address: bytes, since: datetime) -> list[datetime]:
    """When nurture mails were posted to an address, of any journey; those taken back do not count."""
    rows = await conn.fetch(
        """
        SELECT posted_at FROM nurture_delivery WHERE address_hash = $1 AND posted_at > $2 AND outcome <> 'discarded' LIMIT 1000
        """,
        *(address, since),
    )
    return [row["posted_at"] for row in rows]


async def waiting_of(conn: Connection, lead_ids: Collection[UUID]) -> list[UUID]:
    """The enrolments of these leads with a mail that may not have left yet."""
    rows = await conn.fetch(
        "SELECT DISTINCT enrolment_id FROM nurture_delivery WHERE lead_id = ANY($1::uuid[]) AND outcome = 'waiting'",
        list(lead_ids),
    )
    return [row["enrolment_id"] for row in rows]


async def lock_address(conn: Connection, address: bytes) -> None:
    """One decision about an address at a time, until the transaction ends."""
    await conn.execute("SELECT pg_advisory_xact_lock(hashtextextended('nurture.address:' || encode($1, 'hex'), 0))", address)


async def mark(conn: Connection, delivery_id: UUID, what: str, now: datetime) -> bool:
    """Note the first time of a reaction; False when it was noted before. The caller has locked the lead."""
    row = await conn.fetchrow(
        """
        UPDATE nurture_delivery SET
            opened_at = CASE WHEN $2 = 'opened' THEN $3 ELSE opened_at END,
            opened_by_bot = CASE WHEN $2 = 'opened_by_bot' THEN $3 ELSE opened_by_bot END,
            clicked_at = CASE WHEN $2 = 'clicked' THEN $3 ELSE clicked_at END,
            clicked_by_bot = CASE WHEN $2 = 'clicked_by_bot' THEN $3 ELSE clicked_by_bot END,
            replied_at = CASE WHEN $2 = 'replied' THEN $3 ELSE replied_at END,
            unsubscribed_at = CASE WHEN $2 = 'unsubscribed' THEN $3 ELSE unsubscribed_at END
        WHERE id = $1 AND CASE $2 WHEN 'opened' THEN opened_at WHEN 'opened_by_bot' THEN opened_by_bot WHEN 'clicked' THEN clicked_at
            WHEN 'clicked_by_bot' THEN clicked_by_bot WHEN 'replied' THEN replied_at WHEN 'unsubscribed' THEN unsubscribed_at END IS NULL
        RETURNING id
        """,
        *(delivery_id, what, now),
    )
    return row is not None


async def claim_settled(conn: Connection, limit: int) -> list[Any]:
    """Deliveries whose mail has become something else than was known, with their leads locked. `mail` is the chassis' table."""
    return await conn.fetch(
        """
        SELECT d.id, d.enrolment_id, d.lead_id, d.version, d.step, j.code, l.flow_id, m.state, m.sent_at, m.reason
        FROM nurture_delivery d JOIN mail m ON m.id = d.mail_id JOIN nurture_journey j ON j.id = d.journey_id
        JOIN lead l ON l.id = d.lead_id
        WHERE d.outcome IN ('waiting', 'in_doubt', 'failed') AND m.state <> d.outcome
          AND m.state IN ('sent', 'failed', 'in_doubt', 'discarded')
        ORDER BY d.id LIMIT $1 FOR UPDATE OF l, d SKIP LOCKED
        """,
        limit,
    )


async def save_outcome(conn: Connection, delivery_id: UUID, outcome: str, sent_at: datetime | None) -> None:
    await conn.execute("UPDATE nurture_delivery SET outcome = $2, sent_at = $3 WHERE id = $1", *(delivery_id, outcome, sent_at))


async def count_enrolments(conn: Connection, journey_id: UUID, version: int | None) -> list[Any]:
    """How many leads entered, by how it ended (null while it runs)."""
    return await conn.fetch(
        """
        SELECT ended_by, count(*) AS n FROM nurture_enrolment WHERE journey_id = $1 AND ($2::integer IS NULL OR version = $2)
        GROUP BY ended_by ORDER BY ended_by NULLS FIRST
        """,
        *(journey_id, version),
    )


async def count_deliveries(conn: Connection, journey_id: UUID, version: int | None) -> list[Any]:
    """Per version and step: mails by what became of them, and by how they were taken up."""
    return await conn.fetch(
        """
        SELECT version, step, min(position) AS position, count(*) AS posted, count(*) FILTER (WHERE outcome = 'sent') AS sent,
               count(*) FILTER (WHERE outcome = 'failed') AS failed, count(*) FILTER (WHERE outcome = 'in_doubt') AS in_doubt,
               count(*) FILTER (WHERE outcome = 'discarded') AS taken_back, count(opened_at) AS opened, count(clicked_at) AS clicked,
               count(*) FILTER (WHERE opened_at IS NULL AND opened_by_bot IS NOT NULL) AS opened_by_bots_only,
               count(*) FILTER (WHERE clicked_at IS NULL AND clicked_by_bot IS NOT NULL) AS clicked_by_bots_only,
               count(replied_at) AS replied, count(unsubscribed_at) AS unsubscribed
        FROM nurture_delivery WHERE journey_id = $1 AND ($2::integer IS NULL OR version = $2)
        GROUP BY version, step ORDER BY version, position, step
        """,
        *(journey_id, version),
    )
