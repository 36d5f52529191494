"""Who was asked, who shall not be, and what was answered. Lock order: asks, then persons by their hashes."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from ltc_chassis.connection import Connection

from delivery_svc.domain.survey_answer import Answer
from delivery_svc.domain.survey_ask import Ask, AskNotFound


async def insert_ask(conn: Connection, a: Ask) -> bool:
    """False, and nothing written, when the person is asked for this occasion already."""
    row = await conn.fetchrow(
        """
        INSERT INTO survey_ask (id, flow_id, version, survey, survey_version, kind, trigger, state, reason, email, name, language, number,
                                customer_id, order_id, delivery_id, ticket_id, dedupe_key, due_at, wait_until, next_at, ended_at,
                                created_by, created_at, updated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25)
        ON CONFLICT (dedupe_key) DO NOTHING RETURNING id
        """,
        *(
            a.id,
            a.flow_id,
            a.version,
            a.survey,
            a.survey_version,
            a.kind,
            a.trigger,
            a.state,
            a.reason,
            a.email,
            a.name,
            a.language,
        ),
        *(a.number, a.customer_id, a.order_id, a.delivery_id, a.ticket_id, a.dedupe_key, a.due_at, a.wait_until, a.next_at),
        *(a.ended_at, a.created_by, a.created_at, a.updated_at),
    )
    return row is not None


async def save_ask(conn: Connection, a: Ask) -> None:
    await conn.execute(
        """
        UPDATE survey_ask SET version = $2, survey_version = $3, state = $4, reason = $5, email = $6, name = $7, next_at = $8,
               asked_at = $9, remind_at = $10, reminded_at = $11, expires_at = $12, ended_at = $13, score = $14, updated_at = $15
        WHERE id = $1
        """,
        *(
            a.id,
            a.version,
            a.survey_version,
            a.state,
            a.reason,
            a.email,
            a.name,
            a.next_at,
            a.asked_at,
            a.remind_at,
            a.reminded_at,
        ),
        *(a.expires_at, a.ended_at, a.score, a.updated_at),
    )


async def get_ask(conn: Connection, ask_id: UUID) -> Ask:
    """Raises `AskNotFound`."""
    row = await conn.fetchrow(
        """
        SELECT id, flow_id, version, survey, survey_version, kind, trigger, state, reason, email, name, language, number, customer_id,
               order_id, delivery_id, ticket_id, dedupe_key, due_at, wait_until, next_at, created_by, created_at, updated_at, asked_at,
               remind_at, reminded_at, expires_at, ended_at, score
        FROM survey_ask WHERE id = $1
        """,
        ask_id,
    )
    if row is None:
        raise AskNotFound(f"nobody was asked by {ask_id}")
    return Ask(**dict(row))


async def get_ask_for_update(conn: Connection, ask_id: UUID) -> Ask:
    """Locked. Raises `AskNotFound`."""
    row = await conn.fetchrow(
        """
        SELECT id, flow_id, version, survey, survey_version, kind, trigger, state, reason, email, name, language, number, customer_id,
               order_id, delivery_id, ticket_id, dedupe_key, due_at, wait_until, next_at, created_by, created_at, updated_at, asked_at,
               remind_at, reminded_at, expires_at, ended_at, score
        FROM survey_ask WHERE id = $1 FOR UPDATE
        """,
        ask_id,
    )
    if row is None:
        raise AskNotFound(f"nobody was asked by {ask_id}")
    return Ask(**dict(row))


async def claim_due(conn: Connection, now: datetime, *, asking: bool, limit: int) -> list[Ask]:
    """Those for which something is due; those that wait to be asked only when we are `asking`."""
    rows = await conn.fetch(
        """
        SELECT id, flow_id, version, survey, survey_version, kind, trigger, state, reason, email, name, language, number, customer_id,
               order_id, delivery_id, ticket_id, dedupe_key, due_at, wait_until, next_at, created_by, created_at, updated_at, asked_at,
               remind_at, reminded_at, expires_at, ended_at, score
        FROM survey_ask WHERE next_at <= $1 AND (state = 'asked' OR $2) ORDER BY next_at, id LIMIT $3 FOR UPDATE SKIP LOCKED
        """,
        *(now, asking, limit),
    )
    return [Ask(**dict(row)) for row in rows]


async def lock_of_address(conn: Connection, address: str) -> list[Ask]:
    """Everything an address (in lower case) was or will be asked, locked."""
    rows = await conn.fetch(
        """
        SELECT id, flow_id, version, survey, survey_version, kind, trigger, state, reason, email, name, language, number, customer_id,
               order_id, delivery_id, ticket_id, dedupe_key, due_at, wait_until, next_at, created_by, created_at, updated_at, asked_at,
               remind_at, reminded_at, expires_at, ended_at, score
        FROM survey_ask WHERE lower(email) = $1 ORDER BY id FOR UPDATE
        """,
        address,
    )
    return [Ask(**dict(row)) for row in rows]


async def list_asks(
    conn: Connection,
    *,
    survey: str | None,
    state: str | None,
    customer_id: UUID | None,
    order_id: UUID | None,
    ticket_id: UUID | None,
    after: UUID | None,
    limit: int,
) -> list[Ask]:
    rows = await conn.fetch(
        """
        SELECT id, flow_id, version, survey, survey_version, kind, trigger, state, reason, email, name, language, number, customer_id,
               order_id, delivery_id, ticket_id, dedupe_key, due_at, wait_until, next_at, created_by, created_at, updated_at, asked_at,
               remind_at, reminded_at, expires_at, ended_at, score
        FROM survey_ask
        WHERE ($1::text IS NULL OR survey = $1) AND ($2::text IS NULL OR state = $2) AND ($3::uuid IS NULL OR customer_id = $3)
          AND ($4::uuid IS NULL OR order_id = $4) AND ($5::uuid IS NULL OR ticket_id = $5) AND ($6::uuid IS NULL OR id > $6)
        ORDER BY id LIMIT $7
        """,
        *(survey, state, customer_id, order_id, ticket_id, after, limit),
    )
    return [Ask(**dict(row)) for row in rows]


async def take_turn(conn: Connection, address_hash: bytes, now: datetime, quiet: timedelta) -> bool:
    """The person is asked now, unless they were within the quiet period, or want no surveys. The row stays locked either way."""
    row = await conn.fetchrow(
        """
        INSERT INTO survey_person AS p (address_hash, asked_at) VALUES ($1, $2)
        ON CONFLICT (address_hash) DO UPDATE SET asked_at = $2
        WHERE p.stopped_at IS NULL AND (p.asked_at IS NULL OR p.asked_at <= $2::timestamptz - $3::interval) RETURNING 1
        """,
        *(address_hash, now, quiet),
    )
    return row is not None


async def find_person(conn: Connection, address_hash: bytes) -> Any | None:
    """When they were asked last, and whether they want no surveys."""
    return await conn.fetchrow("SELECT asked_at, stopped_at FROM survey_person WHERE address_hash = $1", address_hash)


async def stop_person(conn: Connection, address_hash: bytes, why: str, now: datetime) -> None:
    """From now on the person is asked nothing; once more changes nothing, but an erasure is remembered as one."""
    await conn.execute(
        """
        INSERT INTO survey_person AS p (address_hash, stopped_at, stopped_why) VALUES ($1, $2, $3)
        ON CONFLICT (address_hash) DO UPDATE SET stopped_at = coalesce(p.stopped_at, $2),
            stopped_why = CASE WHEN $3 = 'erased' THEN $3 ELSE coalesce(p.stopped_why, $3) END
        """,
        *(address_hash, now, why),
    )


async def insert_answers(conn: Connection, ask_id: UUID, answers: Sequence[Answer]) -> None:
    await conn.executemany(
        "INSERT INTO survey_answer (ask_id, question, kind, choices, number, day, text) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        [(ask_id, a.question, a.kind, list(a.choices), a.number, a.day, a.text) for a in answers],
    )


async def list_answers(conn: Connection, ask_ids: Sequence[UUID]) -> dict[UUID, list[Answer]]:
    """By ask; those without an answer are missing."""
    rows = await conn.fetch(
        """
        SELECT ask_id, question, kind, choices, number, day, text FROM survey_answer WHERE ask_id = ANY($1::uuid[])
        ORDER BY ask_id, question
        """,
        list(ask_ids),
    )
    found: dict[UUID, list[Answer]] = {}
    for row in rows:
        made = Answer(row["question"], row["kind"], tuple(row["choices"]), row["number"], row["day"], row["text"])
        found.setdefault(row["ask_id"], []).append(made)
    return found
