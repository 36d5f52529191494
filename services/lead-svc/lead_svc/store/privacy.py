"""Requests of persons, their history and files, and what erased persons are known again by."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from ltc_chassis.connection import Connection
from ltc_chassis.ids import new_id
from ltc_contracts.errors import NotFound

from lead_svc.domain.privacy import MOST_LEADS, Request


async def insert_request(conn: Connection, r: Request) -> None:
    await conn.execute(
        """
        INSERT INTO privacy_request (id, kind, state, emails, phones, lead_ids, subject, reason, channel, reference, received_by,
                                     received_at, due_on)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
        """,
        *(r.id, r.kind, r.state, list(r.emails), list(r.phones), list(r.lead_ids), list(r.subject), r.reason, r.channel),
        *(r.reference, r.received_by, r.received_at, r.due_on),
    )


async def save_request(conn: Connection, r: Request) -> None:
    await conn.execute(
        """
        UPDATE privacy_request SET state = $2, emails = $3, phones = $4, due_on = $5, preview = $6, digest = $7, identity = $8,
               confirmed_by = $9, next_at = $10, outcome = $11, refusal = $12, closed_at = $13
        WHERE id = $1
        """,
        *(r.id, r.state, list(r.emails), list(r.phones), r.due_on, None if r.preview is None else dict(r.preview), r.digest),
        *(r.identity, r.confirmed_by, r.next_at, None if r.outcome is None else dict(r.outcome), r.refusal, r.closed_at),
    )


async def get_request(conn: Connection, request_id: UUID) -> Request:
    row = await conn.fetchrow(
        """
        SELECT id, kind, state, emails, phones, lead_ids, subject, reason, channel, reference, received_by, received_at, due_on,
               preview, digest, identity, confirmed_by, next_at, outcome, refusal, closed_at
        FROM privacy_request WHERE id = $1
        """,
        request_id,
    )
    if row is None:
        raise NotFound(f"no request {request_id}")
    return Request(**dict(row))


async def get_request_for_update(conn: Connection, request_id: UUID) -> Request:
    await conn.execute("SELECT 1 FROM privacy_request WHERE id = $1 FOR UPDATE", request_id)
    return await get_request(conn, request_id)


async def list_requests(
    conn: Connection, *, kind: str | None, state: str | None, due_until: date | None, after: UUID | None, limit: int
) -> list[Request]:
    """In the order in which they came; `due_until` finds open ones that are due by that day."""
    rows = await conn.fetch(
        """
        SELECT id, kind, state, emails, phones, lead_ids, subject, reason, channel, reference, received_by, received_at, due_on,
               preview, digest, identity, confirmed_by, next_at, outcome, refusal, closed_at
        FROM privacy_request
        WHERE ($1::text IS NULL OR kind = $1) AND ($2::text IS NULL OR state = $2)
          AND ($3::date IS NULL OR (closed_at IS NULL AND due_on <= $3)) AND ($4::uuid IS NULL OR id > $4)
        ORDER BY id LIMIT $5
        """,
        *(kind, state, due_until, after, limit),
    )
    return [Request(**dict(row)) for row in rows]


async def list_of_subject(conn: Connection, subject: Sequence[bytes]) -> list[Request]:
    """What a person asked for, the newest first, at most 100."""
    rows = await conn.fetch(
        """
        SELECT id, kind, state, emails, phones, lead_ids, subject, reason, channel, reference, received_by, received_at, due_on,
               preview, digest, identity, confirmed_by, next_at, outcome, refusal, closed_at
        FROM privacy_request WHERE subject && $1::bytea[] ORDER BY id DESC LIMIT 100
        """,
        list(subject),
    )
    return [Request(**dict(row)) for row in rows]


async def lock_receiving(conn: Connection) -> None:
    """Requests come in one at a time, so that the same one does not come in twice. Until the transaction ends."""
    await conn.execute("SELECT pg_advisory_xact_lock(hashtextextended('lead.privacy', 0))")


async def claim_confirmed(conn: Connection, kind: str, now: datetime) -> Request | None:
    """The next confirmed request that is due to be worked on and that no other replica works on, locked."""
    row = await conn.fetchrow(
        """
        SELECT id, kind, state, emails, phones, lead_ids, subject, reason, channel, reference, received_by, received_at, due_on,
               preview, digest, identity, confirmed_by, next_at, outcome, refusal, closed_at
        FROM privacy_request WHERE state = 'confirmed' AND kind = $1 AND next_at <= $2
        ORDER BY next_at, id LIMIT 1 FOR UPDATE SKIP LOCKED
        """,
        *(kind, now),
    )
    return None if row is None else Request(**dict(row))


async def insert_move(
    conn: Connection, request_id: UUID, move: str, *, by: str, now: datetime, detail: str | None = None
) -> None:
    await conn.execute(
        'INSERT INTO privacy_move (id, request_id, move, "by", at, detail) VALUES ($1, $2, $3, $4, $5, $6)',
        *(new_id(), request_id, move, by, now, detail),
    )


async def list_moves(conn: Connection, request_id: UUID) -> list[Any]:
    """Oldest first, at most 500."""
    return await conn.fetch(
        'SELECT move, "by", at, detail FROM privacy_move WHERE request_id = $1 ORDER BY id LIMIT 500', request_id
    )


async def find_leads(conn: Connection, emails: Sequence[str], phones: Sequence[str], named: Sequence[UUID]) -> list[UUID]:
    """Leads by normal addresses and phones, and those named, with all that they were merged with; at most one more than a person has."""
    rows = await conn.fetch(
        """
        WITH RECURSIVE found AS (
            SELECT id, merged_into FROM lead WHERE id = ANY($3::uuid[]) OR id IN (
                SELECT lead_id FROM lead_key WHERE kind = 'email' AND value = ANY($1::text[])
                UNION ALL SELECT lead_id FROM lead_key WHERE kind = 'phone' AND value = ANY($2::text[]))
            UNION
            SELECT l.id, l.merged_into FROM found f JOIN lead l ON l.merged_into = f.id OR l.id = f.merged_into
        )
        SELECT id FROM found ORDER BY id LIMIT $4
        """,
        *(list(emails), list(phones), list(named), MOST_LEADS + 1),
    )
    return [row["id"] for row in rows]


async def visitors_of(conn: Connection, lead_ids: Sequence[UUID]) -> list[UUID]:
    rows = await conn.fetch("SELECT id FROM visitor WHERE lead_id = ANY($1::uuid[]) ORDER BY id", list(lead_ids))
    return [row["id"] for row in rows]


async def merges_between(conn: Connection, survivors: Sequence[UUID], merged: Sequence[UUID]) -> list[UUID]:
    """Merges of these into those that were not undone and can still be told apart, the latest first."""
    rows = await conn.fetch(
        """
        SELECT id FROM lead_merge
        WHERE survivor_id = ANY($1::uuid[]) AND merged_id = ANY($2::uuid[]) AND undone_at IS NULL AND NOT erased ORDER BY id DESC
        """,
        *(list(survivors), list(merged)),
    )
    return [row["id"] for row in rows]


async def open_deals_of(conn: Connection, lead_ids: Sequence[UUID]) -> int:
    found: int = await conn.fetchval(
        "SELECT count(*) FROM lead_opportunity WHERE lead_id = ANY($1::uuid[]) AND state IN ('open', 'won')", list(lead_ids)
    )
    return found


async def recipients(conn: Connection, emails: Sequence[str], flows: Sequence[UUID]) -> list[str]:
    """The addresses to which mails of a person went, as they were written."""
    rows = await conn.fetch(
        """
        SELECT DISTINCT recipient FROM mail
        WHERE (lower(recipient) = ANY($1::text[]) OR flow_id = ANY($2::uuid[])) AND recipient <> 'erased@erased.invalid'
        """,
        *(list(emails), list(flows)),
    )
    return [row["recipient"] for row in rows]


async def mark_erased(conn: Connection, lead_ids: Sequence[UUID], now: datetime) -> None:
    """Nobody can put a person into these (locked and emptied) leads any more."""
    await conn.execute(
        "UPDATE lead SET erased_at = $2, version = version + 1, updated_at = $2 WHERE id = ANY($1::uuid[]) AND erased_at IS NULL",
        *(list(lead_ids), now),
    )


async def insert_erased_refs(conn: Connection, kind: str, hashes: Sequence[bytes], now: datetime) -> None:
    await conn.execute(
        "INSERT INTO erased_ref (kind, hash, erased_at) SELECT $1, unnest($2::bytea[]), $3 ON CONFLICT DO NOTHING",
        *(kind, list(hashes), now),
    )


async def erased_refs(conn: Connection, kind: str, hashes: Sequence[bytes]) -> set[bytes]:
    """Those of the hashes that belong to erased persons."""
    rows = await conn.fetch("SELECT hash FROM erased_ref WHERE kind = $1 AND hash = ANY($2::bytea[])", kind, list(hashes))
    return {row["hash"] for row in rows}


async def insert_file(
    conn: Connection, request_id: UUID, content: bytes, sha256: str, *, made_at: datetime, expires_at: datetime
) -> None:
    await conn.execute(
        "INSERT INTO privacy_file (request_id, content, sha256, made_at, expires_at) VALUES ($1, $2, $3, $4, $5)",
        *(request_id, content, sha256, made_at, expires_at),
    )


async def find_file(conn: Connection, request_id: UUID) -> Any | None:
    """What the file is, without its content."""
    return await conn.fetchrow(
        "SELECT sha256, octet_length(content) AS size, made_at, expires_at FROM privacy_file WHERE request_id = $1", request_id
    )


async def get_content(conn: Connection, request_id: UUID, now: datetime) -> bytes | None:
    """None when it was deleted or its time is over."""
    content: bytes | None = await conn.fetchval(
        "SELECT content FROM privacy_file WHERE request_id = $1 AND expires_at > $2", request_id, now
    )
    return content


async def delete_expired(conn: Connection, now: datetime, *, limit: int) -> list[UUID]:
    """Files whose time is over; the requests that they were of."""
    rows = await conn.fetch(
        """
        DELETE FROM privacy_file WHERE request_id IN (
            SELECT request_id FROM privacy_file WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED)
        RETURNING request_id
        """,
        *(now, limit),
    )
    return [row["request_id"] for row in rows]
