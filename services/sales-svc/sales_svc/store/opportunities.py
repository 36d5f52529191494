"""Opportunities, their moves and their members."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from ltc_chassis.connection import Connection
from ltc_contracts.errors import NotFound
from ltc_contracts.money import Money

from sales_svc.domain.light import Bounds
from sales_svc.domain.opportunity import Member, Opportunity, StageChange
from sales_svc.store.patterns import containing


async def insert_opportunity(conn: Connection, o: Opportunity) -> bool:
    """False when the lead has an opportunity already, or the external reference is known."""
    return bool(await insert_opportunities(conn, [o]))


async def insert_opportunities(conn: Connection, deals: Sequence[Opportunity]) -> set[UUID]:
    """Those whose lead has no deal yet and whose external reference is new; returns their ids."""
    rows = await conn.fetchmany(
        """
        INSERT INTO opportunity (id, flow_id, lead_id, name, company, country, owner, stage, probability, amount,
                                 currency, channel, source, stage_since, lost_reason, version, created_at, updated_at,
                                 opened_at, account_id, contact_id, pipeline, pipeline_version, furthest, team,
                                 region, segment, campaign, products, external_ref, expected_close_on, next_step,
                                 next_step_due, category, closed_at, reason_code, won_reason, competitors, custom)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24,
                $25, $26, $27, $28, $29, $30, $31, $32, $33, $34, $35, $36, $37, $38, $39)
        ON CONFLICT DO NOTHING RETURNING id
        """,
        [
            (
                *(o.id, o.flow_id, o.lead_id, o.name, o.company, o.country, o.owner, o.stage, o.probability, *_split(o.value)),
                *(o.channel, o.source, o.stage_since, o.lost_reason, o.version, o.created_at, o.updated_at, o.opened_at),
                *(o.account_id, o.contact_id, o.pipeline, o.pipeline_version, o.furthest, o.team, o.region, o.segment),
                *(o.campaign, list(o.products), o.external_ref, o.expected_close_on, o.next_step, o.next_step_due, o.category),
                *(o.closed_at, o.reason_code, o.won_reason, list(o.competitors), o.custom),
            )
            for o in deals
        ],
    )
    return {row["id"] for row in rows}


async def save_opportunity(conn: Connection, o: Opportunity) -> None:
    await conn.execute(
        """
        UPDATE opportunity SET
            name = $2, owner = $3, stage = $4, probability = $5, amount = $6, currency = $7, stage_since = $8, lost_reason = $9,
            version = $10, updated_at = $11, account_id = $12, contact_id = $13, pipeline = $14, pipeline_version = $15,
            furthest = $16, team = $17, region = $18, segment = $19, campaign = $20, products = $21, expected_close_on = $22,
            next_step = $23, next_step_due = $24, category = $25, closed_at = $26, reason_code = $27, won_reason = $28,
            competitors = $29, custom = $30, lead_id = $31
        WHERE id = $1
        """,
        *(o.id, o.name, o.owner, o.stage, o.probability, *_split(o.value), o.stage_since, o.lost_reason, o.version),
        *(o.updated_at, o.account_id, o.contact_id, o.pipeline, o.pipeline_version, o.furthest, o.team, o.region, o.segment),
        *(o.campaign, list(o.products), o.expected_close_on, o.next_step, o.next_step_due, o.category, o.closed_at),
        *(o.reason_code, o.won_reason, list(o.competitors), o.custom, o.lead_id),
    )


async def get_opportunity(conn: Connection, opportunity_id: UUID) -> Opportunity:
    row = await conn.fetchrow(
        """
        SELECT id, flow_id, lead_id, name, company, country, owner, stage, probability, amount, currency, channel,
               source, stage_since, lost_reason, version, created_at, updated_at, opened_at, account_id, contact_id,
               pipeline, pipeline_version, furthest, team, region, segment, campaign, products, external_ref,
               expected_close_on, next_step, next_step_due, category, closed_at, reason_code, won_reason, competitors,
               custom
        FROM opportunity WHERE id = $1
        """,
        opportunity_id,
    )
    return _opportunity(row, opportunity_id)


async def get_opportunity_for_update(conn: Connection, opportunity_id: UUID) -> Opportunity:
    row = await conn.fetchrow(
        """
        SELECT id, flow_id, lead_id, name, company, country, owner, stage, probability, amount, currency, channel,
               source, stage_since, lost_reason, version, created_at, updated_at, opened_at, account_id, contact_id,
               pipeline, pipeline_version, furthest, team, region, segment, campaign, products, external_ref,
               expected_close_on, next_step, next_step_due, category, closed_at, reason_code, won_reason, competitors,
               custom
        FROM opportunity WHERE id = $1 FOR UPDATE
        """,
        opportunity_id,
    )
    return _opportunity(row, opportunity_id)


async def list_opportunities(
    conn: Connection,
    *,
    filters: Mapping[str, Any],
    text: str | None,
    light: Bounds | None,
    after: UUID | None,
    limit: int,
) -> list[Opportunity]:
    """In the order of their ids; with `light`, open deals within its bounds; `text` is contained in name or company, or like it."""
    rows = await conn.fetch(
        """
        SELECT id, flow_id, lead_id, name, company, country, owner, stage, probability, amount, currency, channel,
               source, stage_since, lost_reason, version, created_at, updated_at, opened_at, account_id, contact_id,
               pipeline, pipeline_version, furthest, team, region, segment, campaign, products, external_ref,
               expected_close_on, next_step, next_step_due, category, closed_at, reason_code, won_reason, competitors,
               custom
        FROM opportunity o
        WHERE ($1::uuid IS NULL OR flow_id = $1) AND ($2::text IS NULL OR stage = $2) AND ($3::text IS NULL OR owner = $3)
          AND ($4::uuid IS NULL OR lead_id = $4 OR coalesce(living_lead_id, lead_id) = $4)
          AND ($5::text IS NULL OR team = $5) AND ($6::text IS NULL OR pipeline = $6)
          AND ($7::uuid IS NULL OR account_id = $7)
          AND ($8::text IS NULL OR EXISTS (SELECT 1 FROM opportunity_member m WHERE m.opportunity_id = o.id AND m.member = $8))
          AND ($9::boolean IS NULL OR $9 = (stage NOT IN ('won', 'lost')))
          AND ($10::text IS NULL OR lower(name || ' ' || coalesce(company, '')) LIKE $10
               OR $11 <% lower(name || ' ' || coalesce(company, '')))
          AND (NOT $12 OR (stage NOT IN ('won', 'lost') AND CASE WHEN next_step_due IS NOT NULL
               THEN ($13::timestamptz IS NULL OR next_step_due > $13) AND ($14::timestamptz IS NULL OR next_step_due <= $14)
               ELSE ($15::timestamptz IS NOT NULL OR $16::timestamptz IS NOT NULL)
                    AND ($15 IS NULL OR opened_at > $15) AND ($16 IS NULL OR opened_at <= $16) END))
          AND ($17::uuid IS NULL OR id > $17)
        ORDER BY id LIMIT $18
        """,
        *(
            filters.get(name)
            for name in ("flow_id", "stage", "owner", "lead_id", "team", "pipeline", "account_id", "member", "open")
        ),
        *(None if text is None else containing(text.casefold()), None if text is None else text.casefold(), light is not None),
        *((light.due_after, light.due_until, light.opened_after, light.opened_until) if light else (None, None, None, None)),
        *(after, limit),
    )
    return [_opportunity(row) for row in rows]


async def has_lead(conn: Connection, lead_id: UUID) -> bool:
    """Whether the lead has a deal that is not lost, or is held back, or belongs to another deal that is not lost."""
    found: bool = await conn.fetchval(
        """
        SELECT EXISTS (SELECT 1 FROM opportunity WHERE lead_id = $1 AND stage <> 'lost')
            OR EXISTS (SELECT 1 FROM held_lead h JOIN opportunity o ON o.id = h.opportunity_id
                       WHERE h.lead_id = $1 AND (h.state = 'waiting' OR h.state = 'attached' AND o.stage <> 'lost'))
        """,
        lead_id,
    )
    return found


async def find_open_of_other_rep(conn: Connection, account_id: UUID, rep: str | None) -> tuple[UUID, str] | None:
    """The oldest open deal with the customer that another rep owns (any rep's, where `rep` is None), and its owner."""
    row = await conn.fetchrow(
        """
        SELECT id, owner FROM opportunity
        WHERE account_id = $1 AND stage NOT IN ('won', 'lost') AND owner IS DISTINCT FROM $2 AND owner IS NOT NULL
        ORDER BY id LIMIT 1
        """,
        *(account_id, rep),
    )
    return None if row is None else (row["id"], row["owner"])


async def insert_stage_change(conn: Connection, change_id: UUID, opportunity_id: UUID, change: StageChange) -> None:
    await insert_stage_changes(conn, [(change_id, opportunity_id, change)])


async def insert_stage_changes(conn: Connection, changes: Sequence[tuple[UUID, UUID, StageChange]]) -> None:
    """Each with its id and its deal."""
    await conn.executemany(
        """
        INSERT INTO stage_change (id, opportunity_id, from_stage, to_stage, seconds_in_stage, changed_at, backward, by)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        """,
        [
            (change_id, deal_id, c.from_stage, c.to_stage, c.seconds_in_stage, c.changed_at, c.backward, c.by)
            for change_id, deal_id, c in changes
        ],
    )


async def list_stage_changes(conn: Connection, opportunity_id: UUID) -> list[StageChange]:
    rows = await conn.fetch(
        """
        SELECT from_stage, to_stage, seconds_in_stage, changed_at, backward, by
        FROM stage_change WHERE opportunity_id = $1 ORDER BY id LIMIT 1000
        """,
        opportunity_id,
    )
    return [StageChange(**dict(row)) for row in rows]


async def members_of(conn: Connection, opportunity_ids: Sequence[UUID]) -> dict[UUID, list[Member]]:
    """The teams of several deals; one without a team is left out."""
    rows = await conn.fetch(
        """
        SELECT opportunity_id, member, role, share FROM opportunity_member
        WHERE opportunity_id = ANY($1::uuid[]) ORDER BY opportunity_id, member
        """,
        opportunity_ids,
    )
    teams: dict[UUID, list[Member]] = {}
    for row in rows:
        teams.setdefault(row["opportunity_id"], []).append(Member(row["member"], row["role"], row["share"]))
    return teams


async def replace_members(conn: Connection, opportunity_id: UUID, members: Sequence[Member]) -> None:
    await conn.execute("DELETE FROM opportunity_member WHERE opportunity_id = $1", opportunity_id)
    await conn.execute(
        """
        INSERT INTO opportunity_member (opportunity_id, member, role, share)
        SELECT $1, * FROM unnest($2::text[], $3::text[], $4::numeric[])
        """,
        *(opportunity_id, [each.member for each in members], [each.role for each in members], [each.share for each in members]),
    )


async def set_done(conn: Connection, opportunity_id: UUID, stage: str, item: str, *, by: str, now: datetime) -> None:
    await conn.execute(
        """
        INSERT INTO checklist_done (opportunity_id, stage, item, done_by, done_at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING
        """,
        *(opportunity_id, stage, item, by, now),
    )


async def unset_done(conn: Connection, opportunity_id: UUID, stage: str, item: str) -> None:
    await conn.execute(
        "DELETE FROM checklist_done WHERE opportunity_id = $1 AND stage = $2 AND item = $3", opportunity_id, stage, item
    )


async def list_done(conn: Connection, opportunity_id: UUID) -> dict[tuple[str, str], tuple[str, datetime]]:
    """Checklist items that are done, by (stage, item): by whom, when."""
    rows = await conn.fetch(
        "SELECT stage, item, done_by, done_at FROM checklist_done WHERE opportunity_id = $1 ORDER BY stage, item", opportunity_id
    )
    return {(row["stage"], row["item"]): (row["done_by"], row["done_at"]) for row in rows}


async def count_activities(conn: Connection, opportunity_id: UUID) -> dict[str, int]:
    """Activities of a deal by type; tasks that are done."""
    rows = await conn.fetch(
        """
        SELECT type, count(*) AS number FROM activity
        WHERE opportunity_id = $1 AND (type <> 'task' OR done_at IS NOT NULL) GROUP BY type
        """,
        opportunity_id,
    )
    return {row["type"]: row["number"] for row in rows}


async def list_documents(conn: Connection, opportunity_id: UUID) -> set[str]:
    """The papers of a deal, as stages ask for them."""
    rows = await conn.fetch(
        """
        SELECT 'quote_drafted' AS paper FROM quote WHERE opportunity_id = $1
        UNION SELECT 'quote_sent' FROM quote WHERE opportunity_id = $1 AND state IN ('sent', 'accepted')
        UNION SELECT 'quote_accepted' FROM quote WHERE opportunity_id = $1 AND state = 'accepted'
        UNION SELECT 'contract_drawn_up' FROM contract WHERE opportunity_id = $1
        UNION SELECT 'contract_signed' FROM contract WHERE opportunity_id = $1 AND state = 'signed'
        """,
        opportunity_id,
    )
    return {row["paper"] for row in rows}


def _split(value: Money | None) -> tuple[Any, Any]:
    return (None, None) if value is None else (value.amount, value.currency)


def _opportunity(row: Any, wanted: UUID | None = None) -> Opportunity:
    if row is None:
        raise NotFound(f"no opportunity {wanted}")
    fields = dict(row)
    amount, currency = fields.pop("amount"), fields.pop("currency")
    fields["products"], fields["competitors"] = tuple(fields["products"]), tuple(fields["competitors"])
    return Opportunity(**fields, value=None if amount is None else Money.of(amount, currency))
