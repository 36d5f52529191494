"""What hangs on a lead, how it goes to another one and back, and merges as they were done.

`OWNED` and `KEPT` name every column that refers to a lead: a test fails when one is missing. Lock order: leads by id, then leases.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from ltc_chassis.connection import Connection
from ltc_contracts.errors import NotFound

from lead_svc.domain.lead import Lead
from lead_svc.domain.merge import Merge


@dataclass(frozen=True, slots=True)
class Owned:
    """Rows that move with the lead. `key` tells one from another; of rows alike in `same` a lead may have only one.

    `rest`: what happens to a row that stayed since the survivor has the same: it is taken away until an undo puts it back (`drop`), or
    for good, since it is computed anew (`forget`).
    """

    table: str
    column: str = "lead_id"
    key: Sequence[str] = ("id",)
    same: Sequence[str] = ()
    rest: Literal["none", "drop", "forget"] = "none"


OWNED = (
    Owned("activity"),
    Owned("assignment"),
    Owned("capture_item"),
    Owned("disqualification"),
    Owned("feedback_item"),
    Owned("form_submission"),
    Owned("lead", "merged_into"),
    Owned("lead_cash"),
    Owned("lead_change"),
    Owned("lead_key", key=("kind", "value"), same=("kind", "value"), rest="drop"),
    Owned("lead_log"),
    Owned("lead_opportunity", key=("opportunity_id",)),
    Owned("lead_score", key=("lead_id",), same=("lead_id", "lead_id"), rest="forget"),
    Owned("lead_step"),
    Owned("lease"),
    Owned("lead_consent"),
    Owned("mail_reply"),
    Owned("manual_score", same=("ended_at",), rest="drop"),
    Owned("nurture_delivery"),
    Owned("nurture_enrolment"),
    Owned("response_clock"),
    Owned("task"),
    Owned("touch"),
    Owned("visitor"),
)
# Those that do not move like this, and why.
KEPT: Mapping[tuple[str, str], str] = {
    ("duplicate_member", "lead_id"): "what a scan found; merged leads are left out when it is read",
    ("lead", "duplicate_of"): "what was found at capture; that lead says where it went",
    ("lead_merge", "merged_id"): "the record of the merge itself",
    ("lead_merge", "survivor_id"): "the record of the merge itself",
    ("lead_outcome", "lead_id"): "two become one, `join_outcomes`",
    ("lease_lead", "lead_id"): "follows its lease, `join_covers`",
    ("manual_score", "lead_id"): "a person's judgement of that lead; the survivor keeps its own",
    ("privacy_request", "lead_ids"): "what the person named; the merge is followed when it is done",
    ("referral", "lead_id"): "which partner sent that lead; how far it came is told of the lead that it is part of",
    ("what_if_lead", "lead_id"): "the result of a run over the leads as they were",
}


async def move_rows(conn: Connection, loser: UUID, survivor: UUID) -> tuple[dict[str, Any], dict[str, Any]]:
    """Everything in `OWNED`: the keys of what moved, and the rows that were taken away, by table and column."""
    moved: dict[str, Any] = {}
    dropped: dict[str, Any] = {}
    for owned in OWNED:
        if owned.rest == "forget":
            await conn.fetchval("SELECT drop_lead_rows($1::text::regclass, $2, $3)", owned.table, owned.column, loser)
            continue
        name = f"{owned.table}.{owned.column}"
        keys = await conn.fetchval(
            "SELECT move_lead_rows($1::text::regclass, $2, $3::name[], $4::name[], $5, $6)",
            *(owned.table, owned.column, list(owned.key), list(owned.same), loser, survivor),
        )
        if keys:
            moved[name] = keys
        if owned.rest == "drop":
            rows = await conn.fetchval("SELECT drop_lead_rows($1::text::regclass, $2, $3)", owned.table, owned.column, loser)
            if rows:
                dropped[name] = rows
    return moved, dropped


async def return_rows(conn: Connection, merge: Merge) -> None:
    """What moved goes back, as far as it is still with the survivor; what was taken away is there again."""
    for owned in OWNED:
        name = f"{owned.table}.{owned.column}"
        if name in merge.moved:
            await conn.fetchval(
                "SELECT return_lead_rows($1::text::regclass, $2, $3::name[], $4, $5, $6)",
                *(owned.table, owned.column, list(owned.key), merge.moved[name], merge.survivor_id, merge.merged_id),
            )
        if name in merge.dropped:
            await conn.execute("SELECT restore_lead_rows($1::text::regclass, $2)", owned.table, merge.dropped[name])


async def save_facts(conn: Connection, lead: Lead) -> None:
    """Everything that a merge or its undo may change of a lead."""
    money = lead.estimated_value
    await conn.execute(
        """
        UPDATE lead SET status = $2, owner = $3, disqualified_reason = $4, merged_into = $5, version = $6, updated_at = $7, channel = $8,
               source = $9, campaign = $10, company = $11, country = $12, industry = $13, company_size = $14, website = $15, contact = $16,
               attributes = $17, amount = $18, currency = $19, region = $20, channel_group = $21, classified = $22, custom = $23
        WHERE id = $1
        """,
        *(
            lead.id,
            lead.status,
            lead.owner,
            lead.disqualified_reason,
            lead.merged_into,
            lead.version,
            lead.updated_at,
            lead.channel,
        ),
        *(lead.source, lead.campaign, lead.company, lead.country, lead.industry, lead.company_size, lead.website),
        *(None if lead.contact is None else lead.contact.model_dump(), lead.attributes),
        *((None, None) if money is None else (money.amount, money.currency)),
        *(lead.region, lead.channel_group, sorted(lead.classified), dict(lead.custom)),
    )


async def running_leases(conn: Connection, lead_ids: Sequence[UUID]) -> list[dict[str, Any]]:
    """The leases on these (locked) leads as JSON, locked, in the order of their ids."""
    rows = await conn.fetch(
        """
        SELECT to_jsonb(l) AS line FROM lease l
        WHERE l.ended_at IS NULL AND l.id IN (SELECT lease_id FROM lease_lead WHERE held AND lead_id = ANY($1::uuid[]))
        ORDER BY l.id FOR UPDATE
        """,
        list(lead_ids),
    )
    return [row["line"] for row in rows]


async def get_leases(conn: Connection, lease_ids: Sequence[str]) -> list[dict[str, Any]]:
    """These leases as JSON, locked, in the order of their ids."""
    rows = await conn.fetch(
        "SELECT to_jsonb(l) AS line FROM lease l WHERE id = ANY($1::uuid[]) ORDER BY id FOR UPDATE", list(lease_ids)
    )
    return [row["line"] for row in rows]


async def covers_of(conn: Connection, lead_ids: Sequence[UUID], lease_ids: Sequence[str]) -> list[dict[str, Any]]:
    """What keeps others away from these leads, and what these leases keep others away from, as JSON."""
    rows = await conn.fetch(
        """
        SELECT to_jsonb(c) AS line FROM lease_lead c WHERE lead_id = ANY($1::uuid[]) OR lease_id = ANY($2::uuid[])
        ORDER BY lease_id, lead_id
        """,
        *(list(lead_ids), list(lease_ids)),
    )
    return [row["line"] for row in rows]


async def join_covers(conn: Connection, loser: UUID, survivor: UUID) -> None:
    """Whatever kept others away from the merged lead keeps them away from the survivor, unless something does already."""
    await conn.execute(
        """
        UPDATE lease_lead c SET held = false
        WHERE lead_id = $1 AND held AND EXISTS (SELECT 1 FROM lease_lead o WHERE o.lead_id = $2 AND o.held)
        """,
        *(loser, survivor),
    )
    await conn.execute(
        """
        UPDATE lease_lead c SET lead_id = $2
        WHERE lead_id = $1 AND NOT EXISTS (SELECT 1 FROM lease_lead o WHERE o.lead_id = $2 AND o.lease_id = c.lease_id)
        """,
        *(loser, survivor),
    )
    await conn.execute("DELETE FROM lease_lead WHERE lead_id = $1", loser)


async def restore_leases(conn: Connection, leases: Sequence[Mapping[str, Any]]) -> None:
    await conn.execute(
        """
        UPDATE lease l SET lead_id = w.lead_id, until = w.until, ended_at = w.ended_at, ended_by = w.ended_by
        FROM jsonb_populate_recordset(NULL::lease, $1) AS w WHERE l.id = w.id
        """,
        list(leases),
    )


async def restore_covers(conn: Connection, before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]]) -> None:
    """The rows as they were before a merge, in place of those that came of it; any other one stays."""
    await conn.execute(
        """
        DELETE FROM lease_lead c USING jsonb_populate_recordset(NULL::lease_lead, $1) AS w
        WHERE c.lease_id = w.lease_id AND c.lead_id = w.lead_id
        """,
        list(after),
    )
    await conn.execute(
        """
        INSERT INTO lease_lead (lease_id, lead_id, held)
        SELECT w.lease_id, w.lead_id, w.held AND l.ended_at IS NULL
        FROM jsonb_populate_recordset(NULL::lease_lead, $1) AS w JOIN lease l ON l.id = w.lease_id ON CONFLICT DO NOTHING
        """,
        list(before),
    )


async def outcomes_of(conn: Connection, lead_ids: Sequence[UUID]) -> dict[str, Any]:
    """What became of these leads, by id, as JSON."""
    rows = await conn.fetch(
        "SELECT lead_id, to_jsonb(o) AS line FROM lead_outcome o WHERE lead_id = ANY($1::uuid[])", list(lead_ids)
    )
    return {str(row["lead_id"]): row["line"] for row in rows}


async def join_outcomes(conn: Connection, loser: UUID, survivor: UUID, *, lost: bool) -> None:
    """The first time of either counts; lost only when the survivor is."""
    await conn.execute(
        """
        WITH gone AS (DELETE FROM lead_outcome WHERE lead_id = $1 RETURNING qualified_at, converted_at, won_at, lost_at)
        INSERT INTO lead_outcome (lead_id, qualified_at, converted_at, won_at, lost_at)
        SELECT $2, qualified_at, converted_at, won_at, lost_at FROM gone
        ON CONFLICT (lead_id) DO UPDATE SET qualified_at = least(lead_outcome.qualified_at, excluded.qualified_at),
            converted_at = least(lead_outcome.converted_at, excluded.converted_at),
            won_at = least(lead_outcome.won_at, excluded.won_at), lost_at = greatest(lead_outcome.lost_at, excluded.lost_at)
        """,
        *(loser, survivor),
    )
    if not lost:
        await conn.execute("UPDATE lead_outcome SET lost_at = NULL WHERE lead_id = $1", survivor)


async def restore_outcomes(conn: Connection, lead_ids: Sequence[UUID], before: Mapping[str, Any]) -> None:
    await conn.execute("DELETE FROM lead_outcome WHERE lead_id = ANY($1::uuid[])", list(lead_ids))
    await conn.execute(
        """
        INSERT INTO lead_outcome (lead_id, qualified_at, converted_at, won_at, lost_at)
        SELECT lead_id, qualified_at, converted_at, won_at, lost_at FROM jsonb_populate_recordset(NULL::lead_outcome, $1)
        """,
        list(before.values()),
    )


async def end_waits(conn: Connection, lead_ids: Sequence[UUID], now: datetime) -> list[str]:
    """Whatever these leads waited for is over; the ids of what was ended."""
    rows = await conn.fetch(
        "UPDATE disqualification SET ended_at = $2 WHERE lead_id = ANY($1::uuid[]) AND ended_at IS NULL RETURNING id::text AS id",
        *(list(lead_ids), now),
    )
    return [row["id"] for row in rows]


async def resume_waits(conn: Connection, ids: Sequence[str], lead_ids: Sequence[UUID]) -> None:
    """What `end_waits` ended goes on, of these leads."""
    await conn.execute(
        "UPDATE disqualification SET ended_at = NULL WHERE id = ANY($1::uuid[]) AND lead_id = ANY($2::uuid[])",
        *(list(ids), list(lead_ids)),
    )


async def insert_merge(conn: Connection, merge: Merge) -> None:
    await conn.execute(
        """
        INSERT INTO lead_merge (id, survivor_id, merged_id, before, after, moved, dropped, merged_by, merged_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        """,
        *(merge.id, merge.survivor_id, merge.merged_id, dict(merge.before), dict(merge.after), dict(merge.moved)),
        *(dict(merge.dropped), merge.merged_by, merge.merged_at),
    )


async def save_undone(conn: Connection, merge_id: UUID, by: str, now: datetime) -> None:
    await conn.execute("UPDATE lead_merge SET undone_by = $2, undone_at = $3 WHERE id = $1", merge_id, by, now)


async def get_merge(conn: Connection, merge_id: UUID) -> Merge:
    row = await conn.fetchrow(
        """
        SELECT id, survivor_id, merged_id, before, after, moved, dropped, merged_by, merged_at, undone_by, undone_at, erased
        FROM lead_merge WHERE id = $1
        """,
        merge_id,
    )
    if row is None:
        raise NotFound(f"no merge {merge_id}")
    return Merge(**dict(row))


async def get_merge_for_update(conn: Connection, merge_id: UUID) -> Merge:
    await conn.execute("SELECT 1 FROM lead_merge WHERE id = $1 FOR UPDATE", merge_id)
    return await get_merge(conn, merge_id)


async def has_later_merge(conn: Connection, merge: Merge) -> bool:
    """Whether another lead was merged into the same survivor since, and still is."""
    found: bool = await conn.fetchval(
        "SELECT EXISTS (SELECT 1 FROM lead_merge WHERE survivor_id = $1 AND id > $2 AND undone_at IS NULL)",
        *(merge.survivor_id, merge.id),
    )
    return found


async def list_merges(conn: Connection, *, lead_id: UUID | None, after: UUID | None, limit: int) -> list[Any]:
    """Merges with the lead on either side, in the order in which they were done."""
    return await conn.fetch(
        """
        SELECT id, survivor_id, merged_id, merged_by, merged_at, undone_by, undone_at FROM lead_merge
        WHERE ($1::uuid IS NULL OR survivor_id = $1 OR merged_id = $1) AND ($2::uuid IS NULL OR id > $2) ORDER BY id LIMIT $3
        """,
        *(lead_id, after, limit),
    )
