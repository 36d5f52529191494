"""Consents and suppressed addresses."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from ltc_chassis.connection import Connection
from ltc_chassis.ids import new_id

from lead_svc.domain.consent import Consent, Suppression


async def insert_consent(conn: Connection, consent: Consent) -> None:
    await conn.execute(
        """
        INSERT INTO lead_consent (id, lead_id, purpose, given, said_at, wording, source, evidence, recorded_by, recorded_at,
                                  wording_version)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
        """,
        *(consent.id, consent.lead_id, consent.purpose, consent.given, consent.said_at, consent.wording, consent.source),
        *(consent.evidence, consent.recorded_by, consent.recorded_at, consent.wording_version),
    )


async def insert_consents(conn: Connection, consents: Sequence[Consent]) -> None:
    """Of many leads at once."""
    await conn.copy_records_to_table(
        "lead_consent",
        records=[
            (
                *(each.id, each.lead_id, each.purpose, each.given, each.said_at, each.wording, each.source, each.evidence),
                *(each.recorded_by, each.recorded_at, each.wording_version),
            )
            for each in consents
        ],
        columns=(
            *("id", "lead_id", "purpose", "given", "said_at", "wording", "source", "evidence", "recorded_by", "recorded_at"),
            "wording_version",
        ),
    )


async def list_consents(conn: Connection, lead_id: UUID) -> list[Consent]:
    """The newest first, at most 200."""
    rows = await conn.fetch(
        """
        SELECT id, lead_id, purpose, given, said_at, wording, source, evidence, recorded_by, recorded_at, wording_version
        FROM lead_consent WHERE lead_id = $1 ORDER BY said_at DESC, id DESC LIMIT 200
        """,
        lead_id,
    )
    return [Consent(**dict(row)) for row in rows]


async def consents_of_address(conn: Connection, email: str, purpose: str | None) -> list[Consent]:
    """What a person said as any lead of a normalised address, the newest first, at most 1000."""
    rows = await conn.fetch(
        """
        SELECT id, lead_id, purpose, given, said_at, wording, source, evidence, recorded_by, recorded_at, wording_version
        FROM lead_consent WHERE lead_id IN (SELECT lead_id FROM lead_key WHERE kind = 'email' AND value = $1)
          AND ($2::text IS NULL OR purpose = $2)
        ORDER BY said_at DESC, id DESC LIMIT 1000
        """,
        *(email, purpose),
    )
    return [Consent(**dict(row)) for row in rows]


async def agreed(conn: Connection, lead_ids: Sequence[UUID], purpose: str) -> set[UUID]:
    """Those of the leads whose latest word on the purpose is yes."""
    rows = await conn.fetch(
        """
        SELECT lead_id FROM (SELECT DISTINCT ON (lead_id) lead_id, given FROM lead_consent
                             WHERE lead_id = ANY($1::uuid[]) AND purpose = $2 ORDER BY lead_id, said_at DESC, id DESC) AS latest
        WHERE given
        """,
        *(list(lead_ids), purpose),
    )
    return {row["lead_id"] for row in rows}


async def insert_suppression(conn: Connection, suppression: Suppression) -> bool:
    """False when the address is suppressed already; the first reason stays."""
    row = await conn.fetchrow(
        """
        INSERT INTO mail_suppression (id, address_hash, why, source, by, at) VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (address_hash) WHERE lifted_at IS NULL DO NOTHING RETURNING id
        """,
        *(new_id(), suppression.address_hash, suppression.why, suppression.source, suppression.by, suppression.at),
    )
    return row is not None


async def lift_suppression(
    conn: Connection, address_hash: bytes, *, by: str, now: datetime, why: str | None = None, since: datetime | None = None
) -> None:
    """Not suppressed, or for another reason than `why`, or after `since`: nothing changes."""
    await conn.execute(
        """
        UPDATE mail_suppression SET lifted_by = $2, lifted_at = $3
        WHERE address_hash = $1 AND lifted_at IS NULL AND ($4::text IS NULL OR why = $4) AND ($5::timestamptz IS NULL OR at <= $5)
        """,
        *(address_hash, by, now, why, since),
    )


async def find_suppression(conn: Connection, address_hash: bytes) -> Suppression | None:
    """The one in force."""
    row = await conn.fetchrow(
        "SELECT address_hash, why, source, by, at FROM mail_suppression WHERE address_hash = $1 AND lifted_at IS NULL",
        address_hash,
    )
    return None if row is None else Suppression(**dict(row))


async def suppressed(conn: Connection, hashes: Sequence[bytes]) -> set[bytes]:
    """Those of the addresses that get nothing."""
    rows = await conn.fetch(
        "SELECT address_hash FROM mail_suppression WHERE address_hash = ANY($1::bytea[]) AND lifted_at IS NULL", list(hashes)
    )
    return {row["address_hash"] for row in rows}


async def leads_at(conn: Connection, email: str) -> list[UUID]:
    """The leads of a normalised address, at most 1000; a merged or erased one is not found by it."""
    rows = await conn.fetch("SELECT lead_id FROM lead_key WHERE kind = 'email' AND value = $1 ORDER BY lead_id LIMIT 1000", email)
    return [row["lead_id"] for row in rows]


async def insert_reply(
    conn: Connection,
    *,
    reply_id: UUID,
    message_id: str,
    kind: str,
    delivery_id: UUID | None,
    lead_id: UUID | None,
    matched_by: str | None,
    received_at: datetime,
    by: str,
) -> bool:
    """False when this message was taken before."""
    row = await conn.fetchrow(
        """
        INSERT INTO mail_reply (id, message_id, kind, delivery_id, lead_id, matched_by, received_at, recorded_by)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (message_id) DO NOTHING RETURNING id
        """,
        *(reply_id, message_id, kind, delivery_id, lead_id, matched_by, received_at, by),
    )
    return row is not None


async def find_reply(conn: Connection, message_id: str) -> Any | None:
    return await conn.fetchrow(
        "SELECT id, kind, delivery_id, lead_id, matched_by, received_at FROM mail_reply WHERE message_id = $1", message_id
    )
