"""Partners with their codes and changes, and the leads that came by them."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from ltc_chassis.connection import Connection
from ltc_chassis.ids import new_id
from ltc_contracts.errors import NotFound

from lead_svc.domain.identity import Key
from lead_svc.domain.partner import Introduced, Partner, PartnerCode, Referral


async def insert_partner(conn: Connection, partner: Partner) -> bool:
    """False when the name or the subject is taken."""
    row = await conn.fetchrow(
        """
        INSERT INTO partner (id, name, territory, notes, subject, exclusive_days, active, version, created_by, created_at, updated_by,
                             updated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT DO NOTHING RETURNING id
        """,
        *(partner.id, partner.name, partner.territory, partner.notes, partner.subject, partner.exclusive_days, partner.active),
        *(partner.version, partner.created_by, partner.created_at, partner.updated_by, partner.updated_at),
    )
    return row is not None


async def save_partner(conn: Connection, partner: Partner) -> bool:
    """A (locked) partner; False when the name or the subject is another's."""
    taken: bool = await conn.fetchval(
        "SELECT EXISTS (SELECT 1 FROM partner WHERE id <> $1 AND (lower(name) = lower($2) OR subject = $3))",
        *(partner.id, partner.name, partner.subject),
    )
    if taken:
        return False
    await conn.execute(
        """
        UPDATE partner SET name = $2, territory = $3, notes = $4, subject = $5, exclusive_days = $6, active = $7, version = $8,
               updated_by = $9, updated_at = $10
        WHERE id = $1
        """,
        *(partner.id, partner.name, partner.territory, partner.notes, partner.subject, partner.exclusive_days, partner.active),
        *(partner.version, partner.updated_by, partner.updated_at),
    )
    return True


async def insert_change(conn: Connection, partner: Partner, changes: Mapping[str, Any], *, by: str, now: datetime) -> None:
    await conn.execute(
        "INSERT INTO partner_change (id, partner_id, version, changes, by, at) VALUES ($1, $2, $3, $4, $5, $6)",
        *(new_id(), partner.id, partner.version, dict(changes), by, now),
    )


async def list_changes(conn: Connection, partner_id: UUID, *, after: UUID | None, limit: int) -> list[Any]:
    return await conn.fetch(
        """
        SELECT id, version, changes, by, at FROM partner_change
        WHERE partner_id = $1 AND ($2::uuid IS NULL OR id > $2) ORDER BY id LIMIT $3
        """,
        *(partner_id, after, limit),
    )


async def get_partner(conn: Connection, partner_id: UUID) -> Partner:
    row = await conn.fetchrow(
        """
        SELECT id, name, territory, notes, subject, exclusive_days, active, version, created_by, created_at, updated_by, updated_at
        FROM partner WHERE id = $1
        """,
        partner_id,
    )
    if row is None:
        raise NotFound(f"no partner {partner_id}")
    return Partner(**dict(row))


async def get_partner_for_update(conn: Connection, partner_id: UUID) -> Partner:
    await conn.execute("SELECT 1 FROM partner WHERE id = $1 FOR UPDATE", partner_id)
    return await get_partner(conn, partner_id)


async def find_by_subject(conn: Connection, subject: str) -> Partner | None:
    """The partner whose system this token's subject is."""
    found: UUID | None = await conn.fetchval("SELECT id FROM partner WHERE subject = $1", subject)
    return None if found is None else await get_partner(conn, found)


async def list_partners(conn: Connection, *, active: bool | None, after: UUID | None, limit: int) -> list[Partner]:
    """In the order they were made."""
    rows = await conn.fetch(
        """
        SELECT id, name, territory, notes, subject, exclusive_days, active, version, created_by, created_at, updated_by, updated_at
        FROM partner WHERE ($1::boolean IS NULL OR active = $1) AND ($2::uuid IS NULL OR id > $2) ORDER BY id LIMIT $3
        """,
        *(active, after, limit),
    )
    return [Partner(**dict(row)) for row in rows]


async def insert_code(conn: Connection, code: PartnerCode) -> bool:
    """False when the code is taken."""
    row = await conn.fetchrow(
        """
        INSERT INTO partner_code (id, partner_id, code, created_by, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (code) DO NOTHING RETURNING id
        """,
        *(code.id, code.partner_id, code.code, code.created_by, code.created_at, code.expires_at),
    )
    return row is not None


async def expire_codes(conn: Connection, partner_id: UUID, at: datetime, *, code_id: UUID | None = None) -> int:
    """One or all of a partner's codes count until then, or as long as they did if that is shorter; returns how many were changed."""
    rows = await conn.fetch(
        """
        UPDATE partner_code SET expires_at = $2
        WHERE partner_id = $1 AND ($3::uuid IS NULL OR id = $3) AND (expires_at IS NULL OR expires_at > $2) RETURNING id
        """,
        *(partner_id, at, code_id),
    )
    return len(rows)


async def list_codes(conn: Connection, partner_id: UUID) -> list[PartnerCode]:
    """The newest first, at most 200."""
    rows = await conn.fetch(
        """
        SELECT id, partner_id, code, created_by, created_at, expires_at FROM partner_code WHERE partner_id = $1
        ORDER BY id DESC LIMIT 200
        """,
        partner_id,
    )
    return [PartnerCode(**dict(row)) for row in rows]


async def count_codes(conn: Connection, partner_id: UUID, now: datetime) -> int:
    """Those that have not expired."""
    count: int = await conn.fetchval(
        "SELECT count(*) FROM partner_code WHERE partner_id = $1 AND (expires_at IS NULL OR expires_at > $2)", partner_id, now
    )
    return count


async def find_codes(conn: Connection, codes: Collection[str]) -> dict[str, tuple[PartnerCode, Partner]]:
    """Those that are known, with their partners."""
    rows = await conn.fetch(
        "SELECT id, partner_id, code, created_by, created_at, expires_at FROM partner_code WHERE code = ANY($1::text[])",
        list(codes),
    )
    partners = {partner_id: await get_partner(conn, partner_id) for partner_id in {row["partner_id"] for row in rows}}
    return {row["code"]: (PartnerCode(**dict(row)), partners[row["partner_id"]]) for row in rows}


async def insert_referrals(conn: Connection, referred: Sequence[tuple[UUID, Introduced, datetime]]) -> None:
    """Of new leads: lead, partner, when."""
    await conn.copy_records_to_table(
        "referral",
        records=[(new_id(), lead_id, by.partner_id, by.code_id, by.reference, at) for lead_id, by, at in referred],
        columns=("id", "lead_id", "partner_id", "code_id", "reference", "referred_at"),
    )


async def find_referral(conn: Connection, partner_id: UUID, reference: str) -> UUID | None:
    found: UUID | None = await conn.fetchval(
        "SELECT id FROM referral WHERE partner_id = $1 AND reference = $2", partner_id, reference
    )
    return found


async def list_referrals(conn: Connection, partner_id: UUID, *, after: UUID | None, limit: int) -> list[Referral]:
    """In the order they came; of a merged lead the status is the one of the lead that it is part of."""
    rows = await conn.fetch(
        """
        SELECT r.id, r.lead_id, r.reference, l.company, coalesce(s.status, l.status) AS status, r.referred_at
        FROM referral r JOIN lead l ON l.id = r.lead_id LEFT JOIN lead s ON s.id = l.merged_into
        WHERE r.partner_id = $1 AND ($2::uuid IS NULL OR r.id > $2) ORDER BY r.id LIMIT $3
        """,
        *(partner_id, after, limit),
    )
    return [Referral(**dict(row)) for row in rows]


async def get_referral(conn: Connection, partner_id: UUID, *, referral_id: UUID | None, lead_id: UUID | None) -> Referral:
    """One of the partner's, by its id or its lead's; another partner's is not found."""
    row = await conn.fetchrow(
        """
        SELECT r.id, r.lead_id, r.reference, l.company, coalesce(s.status, l.status) AS status, r.referred_at
        FROM referral r JOIN lead l ON l.id = r.lead_id LEFT JOIN lead s ON s.id = l.merged_into
        WHERE r.partner_id = $1 AND (r.id = $2 OR r.lead_id = $3)
        """,
        *(partner_id, referral_id, lead_id),
    )
    if row is None:
        raise NotFound(f"no referral {referral_id}")
    return Referral(**dict(row))


async def referral_statistics_view(conn: Connection, partner_id: UUID, start: datetime, end: datetime) -> Any:
    """Of the leads referred in the window (its end excluded): how many, and how far they have come by now."""
    return await conn.fetchrow(
        """
        SELECT count(*) AS captured,
               count(*) FILTER (WHERE o.qualified_at IS NOT NULL OR d.status IN ('qualified', 'converted')) AS qualified,
               count(*) FILTER (WHERE o.converted_at IS NOT NULL OR d.status = 'converted') AS converted,
               count(*) FILTER (WHERE o.won_at IS NOT NULL) AS won,
               count(*) FILTER (WHERE d.status IN ('disqualified', 'junk')) AS closed
        FROM referral r JOIN lead l ON l.id = r.lead_id JOIN lead d ON d.id = coalesce(l.merged_into, l.id)
        LEFT JOIN lead_outcome o ON o.lead_id = d.id
        WHERE r.partner_id = $1 AND r.referred_at >= $2 AND r.referred_at < $3
        """,
        *(partner_id, start, end),
    )


async def is_worked_on(
    conn: Connection, keys: Iterable[Key], namesakes: Sequence[UUID], *, partner_id: UUID, now: datetime
) -> bool:
    """Whether a lead that shares a key, or is one of the namesakes, is protected, with sales, or lately registered by another partner.

    What this partner registered itself does not count.
    """
    equal = [key for key in keys if key.kind != "name"]
    found: bool = await conn.fetchval(
        """
        WITH alike AS (
            SELECT k.lead_id FROM unnest($1::text[], $2::text[]) AS m (kind, value)
            JOIN lead_key k ON k.kind = m.kind AND k.value = m.value
            UNION SELECT unnest($3::uuid[]))
        SELECT EXISTS (
            SELECT 1 FROM alike a JOIN lead d ON d.id = a.lead_id LEFT JOIN referral r ON r.lead_id = d.id
            LEFT JOIN partner p ON p.id = r.partner_id
            WHERE r.partner_id IS DISTINCT FROM $4 AND (
                d.status IN ('qualified', 'converted')
                OR d.status IN ('new', 'contacted', 'nurturing') AND r.referred_at + p.exclusive_days * interval '1 day' > $5
                OR EXISTS (SELECT 1 FROM lease_lead h JOIN lease l ON l.id = h.lease_id
                           WHERE h.lead_id = d.id AND h.held AND l.ended_at IS NULL AND l.until >= $5)))
        """,
        *([key.kind for key in equal], [key.value for key in equal], list(namesakes), partner_id, now),
    )
    return found
