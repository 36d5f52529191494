"""Leads, what they did, and how they are scored."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
from ltc_chassis.connection import Connection
from ltc_chassis.ids import new_id
from ltc_contracts.errors import NotFound
from ltc_contracts.events import Contact
from ltc_contracts.money import Money
from ltc_rules.custom_fields import JSON

from lead_svc.domain.lead import Lead
from lead_svc.domain.score import Activity, Rule

_COLUMNS = (
    *(
        "id",
        "flow_id",
        "status",
        "captured_via",
        "channel",
        "source",
        "campaign",
        "company",
        "country",
        "industry",
        "company_size",
    ),
    *("website", "external_ref", "contact", "attributes", "amount", "currency", "owner", "version", "created_at", "updated_at"),
    *("region", "channel_group", "classified", "custom"),
)
# From this many on COPY costs half of an INSERT, in the service as in the database; for a few the further round trips cost more.
_COPY_FROM = 32


async def insert_leads(conn: Connection, leads: Sequence[Lead]) -> set[UUID]:
    """Insert those whose external reference is new, of several with the same one the first; returns the ids inserted."""
    # Two batches that hold the same references meet them in the same order, so that one waits and neither deadlocks.
    ordered = sorted(leads, key=lambda lead: lead.external_ref or "")
    if len(ordered) >= _COPY_FROM:
        copied = await _copy_leads(conn, ordered)
        if copied is not None:
            return copied
    return await _insert_leads(conn, ordered) if ordered else set()


async def _copy_leads(conn: Connection, leads: Sequence[Lead]) -> set[UUID] | None:
    """None when another transaction has inserted one of the references since they were looked for."""
    seen = set(await find_lead_ids(conn, [lead.external_ref for lead in leads if lead.external_ref is not None]))
    new = []
    for lead in leads:
        if lead.external_ref is None or lead.external_ref not in seen:
            new.append(lead)
            if lead.external_ref is not None:
                seen.add(lead.external_ref)
    try:
        async with conn.transaction():
            await conn.copy_records_to_table("lead", records=[_row(lead, list) for lead in new], columns=_COLUMNS)
    except asyncpg.UniqueViolationError:
        return None
    return {lead.id for lead in new}


async def _insert_leads(conn: Connection, leads: Sequence[Lead]) -> set[UUID]:
    inserted = await conn.fetch(
        """
        INSERT INTO lead (id, flow_id, status, captured_via, channel, source, campaign, company, country, industry, company_size,
                          website, external_ref, contact, attributes, amount, currency, owner, version, created_at, updated_at, region,
                          channel_group, classified, custom)
        SELECT id, flow_id, status, captured_via, channel, source, campaign, company, country, industry, company_size,
               website, external_ref, contact, attributes, amount, currency, owner, version, created_at, updated_at, region,
               channel_group, string_to_array(classified, ','), custom
        FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
                             $9::text[], $10::text[], $11::integer[], $12::text[], $13::text[], $14::jsonb[], $15::jsonb[],
                             $16::numeric[], $17::text[], $18::text[], $19::integer[], $20::timestamptz[], $21::timestamptz[],
                    $22::text[], $23::text[], $24::text[], $25::jsonb[])
             AS n (id, flow_id, status, captured_via, channel, source, campaign, company, country, industry, company_size,
                   website, external_ref, contact, attributes, amount, currency, owner, version, created_at, updated_at, region,
                   channel_group, classified, custom)
        ON CONFLICT (external_ref) DO NOTHING RETURNING id
        """,
        *zip(*(_row(lead, ",".join) for lead in leads), strict=True),
    )
    return {row["id"] for row in inserted}


def _row(lead: Lead, names: Callable[[list[str]], Any]) -> tuple[Any, ...]:
    """In the order of `_COLUMNS`; `names` makes of a list what the statement takes."""
    contact, money = lead.contact, lead.estimated_value
    return (
        *(lead.id, lead.flow_id, lead.status, lead.captured_via, lead.channel, lead.source, lead.campaign, lead.company),
        *(lead.country, lead.industry, lead.company_size, lead.website, lead.external_ref),
        *(contact.model_dump() if contact else None, lead.attributes),
        *((money.amount, money.currency) if money else (None, None)),
        *(lead.owner, lead.version, lead.created_at, lead.updated_at, lead.region, lead.channel_group),
        *(names(sorted(lead.classified)), dict(lead.custom)),
    )


async def save_lead(conn: Connection, lead: Lead) -> None:
    await conn.execute(
        "UPDATE lead SET status = $2, owner = $3, disqualified_reason = $4, version = $5, updated_at = $6 WHERE id = $1",
        *(lead.id, lead.status, lead.owner, lead.disqualified_reason, lead.version, lead.updated_at),
    )


async def save_facts(conn: Connection, lead: Lead) -> None:
    """What is known of a (locked) lead; where it belongs by rule is saved by `segments.save_places`."""
    money = lead.estimated_value
    await conn.execute(
        """
        UPDATE lead SET campaign = $2, company = $3, country = $4, company_size = $5, website = $6, contact = $7, amount = $8,
               currency = $9, custom = $10, version = $11, updated_at = $12 WHERE id = $1
        """,
        *(lead.id, lead.campaign, lead.company, lead.country, lead.company_size, lead.website),
        *(
            lead.contact.model_dump() if lead.contact else None,
            money.amount if money else None,
            money.currency if money else None,
        ),
        *(dict(lead.custom), lead.version, lead.updated_at),
    )


async def insert_change(conn: Connection, lead: Lead, changes: Mapping[str, Any], *, by: str) -> None:
    """Who made this version of a lead, and what is different."""
    await conn.execute(
        "INSERT INTO lead_change (id, lead_id, version, by, at, changes) VALUES ($1, $2, $3, $4, $5, $6)",
        *(new_id(), lead.id, lead.version, by, lead.updated_at, dict(changes)),
    )


async def list_changes(conn: Connection, lead_id: UUID, *, after: UUID | None, limit: int) -> list[Any]:
    return await conn.fetch(
        """
        SELECT id, version, by, at, changes FROM lead_change
        WHERE lead_id = $1 AND ($2::uuid IS NULL OR id > $2) ORDER BY id LIMIT $3
        """,
        *(lead_id, after, limit),
    )


async def save_leads(conn: Connection, leads: Sequence[Lead]) -> None:
    await conn.execute(
        """
        UPDATE lead SET status = n.status, owner = n.owner, disqualified_reason = n.reason, version = n.version, updated_at = n.updated_at
        FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::integer[], $6::timestamptz[])
             AS n (id, status, owner, reason, version, updated_at)
        WHERE lead.id = n.id
        """,
        [lead.id for lead in leads],
        [lead.status for lead in leads],
        [lead.owner for lead in leads],
        [lead.disqualified_reason for lead in leads],
        [lead.version for lead in leads],
        [lead.updated_at for lead in leads],
    )


async def get_lead(conn: Connection, lead_id: UUID) -> Lead:
    row = await conn.fetchrow(
        """
        SELECT id, flow_id, status, captured_via, channel, source, campaign, company, country, industry, company_size, website,
               external_ref, contact, attributes, amount, currency, owner, disqualified_reason, merged_into, duplicate_of, version,
               created_at, updated_at, region, channel_group, segments, classified, custom, erased_at
        FROM lead WHERE id = $1
        """,
        lead_id,
    )
    if row is None:
        raise NotFound(f"no lead {lead_id}")
    return lead_of(row)


async def get_leads(conn: Connection, lead_ids: Sequence[UUID]) -> list[Lead]:
    """Those that exist, in the order of their ids."""
    rows = await conn.fetch(
        """
        SELECT id, flow_id, status, captured_via, channel, source, campaign, company, country, industry, company_size, website,
               external_ref, contact, attributes, amount, currency, owner, disqualified_reason, merged_into, duplicate_of, version,
               created_at, updated_at, region, channel_group, segments, classified, custom, erased_at
        FROM lead WHERE id = ANY($1::uuid[]) ORDER BY id
        """,
        list(lead_ids),
    )
    return [lead_of(row) for row in rows]


async def get_lead_for_update(conn: Connection, lead_id: UUID) -> Lead:
    await conn.execute("SELECT 1 FROM lead WHERE id = $1 FOR UPDATE", lead_id)
    return await get_lead(conn, lead_id)


async def find_living_for_update(conn: Connection, lead_id: UUID) -> Lead | None:
    """The lead, or the one that it was merged into; locked."""
    while True:
        living = await conn.fetchval("SELECT coalesce(merged_into, id) FROM lead WHERE id = $1", lead_id)
        lead = None if living is None else await get_lead_for_update(conn, living)
        # It may have been merged while its lock was waited for.
        if lead is None or lead.merged_into is None:
            return lead


async def get_living_for_update(conn: Connection, lead_id: UUID) -> Lead:
    """`find_living_for_update`; raises `NotFound`."""
    lead = await find_living_for_update(conn, lead_id)
    if lead is None:
        raise NotFound(f"no lead {lead_id}")
    return lead


async def find_lead_id(conn: Connection, external_ref: str) -> UUID | None:
    found: UUID | None = await conn.fetchval("SELECT id FROM lead WHERE external_ref = $1", external_ref)
    return found


async def find_lead_ids(conn: Connection, external_refs: Iterable[str]) -> dict[str, UUID]:
    """Those that are known."""
    rows = await conn.fetch("SELECT external_ref, id FROM lead WHERE external_ref = ANY($1::text[])", list(external_refs))
    return {row["external_ref"]: row["id"] for row in rows}


async def list_leads(
    conn: Connection,
    *,
    flow_id: UUID | None,
    status: str | None,
    source: str | None,
    external_ref: str | None,
    segment: str | None,
    custom: Mapping[str, JSON] | None,
    after: UUID | None,
    limit: int,
) -> list[Lead]:
    """In the order of capture. `custom` are values that a lead has; of a choice of several, those that are among its."""
    rows = await conn.fetch(
        """
        SELECT id, flow_id, status, captured_via, channel, source, campaign, company, country, industry, company_size, website,
               external_ref, contact, attributes, amount, currency, owner, disqualified_reason, merged_into, duplicate_of, version,
               created_at, updated_at, region, channel_group, segments, classified, custom, erased_at
        FROM lead
        WHERE ($1::uuid IS NULL OR flow_id = $1)
          AND (status = $2 OR $2::text IS NULL AND (status <> 'merged' OR $1::uuid IS NOT NULL OR $4::text IS NOT NULL))
          AND ($3::text IS NULL OR source = $3) AND ($4::text IS NULL OR external_ref = $4) AND ($5::uuid IS NULL OR id > $5)
          AND ($7::text IS NULL OR segments @> ARRAY[$7] AND segments <> '{}')
          AND ($8::jsonb IS NULL OR custom @> $8 AND custom <> '{}')
        ORDER BY id LIMIT $6
        """,
        *(flow_id, status, source, external_ref, after, limit, segment, custom or None),
    )
    return [lead_of(row) for row in rows]


async def insert_activities(conn: Connection, activities: Sequence[tuple[UUID, Activity]], *, now: datetime) -> None:
    if activities:
        await conn.copy_records_to_table(
            "activity",
            records=[(new_id(), lead_id, activity.code, activity.occurred_at, now) for lead_id, activity in activities],
            columns=("id", "lead_id", "code", "occurred_at", "recorded_at"),
        )


async def insert_activity(
    conn: Connection, activity_id: UUID, lead_id: UUID, activity: Activity, *, by: str | None, now: datetime
) -> None:
    await conn.execute(
        "INSERT INTO activity (id, lead_id, code, occurred_at, recorded_at, recorded_by) VALUES ($1, $2, $3, $4, $5, $6)",
        *(activity_id, lead_id, activity.code, activity.occurred_at, now, by),
    )


async def list_activities(conn: Connection, lead_id: UUID) -> list[Activity]:
    rows = await conn.fetch("SELECT code, occurred_at FROM activity WHERE lead_id = $1 ORDER BY id", lead_id)
    return [Activity(row["code"], row["occurred_at"]) for row in rows]


async def activities_of(conn: Connection, lead_ids: Sequence[UUID]) -> dict[UUID, list[Activity]]:
    """For a page of leads at once."""
    found: dict[UUID, list[Activity]] = {lead_id: [] for lead_id in lead_ids}
    for row in await conn.fetch(
        "SELECT lead_id, code, occurred_at FROM activity WHERE lead_id = ANY($1::uuid[]) ORDER BY id", list(lead_ids)
    ):
        found[row["lead_id"]].append(Activity(row["code"], row["occurred_at"]))
    return found


async def get_rule(conn: Connection, now: datetime) -> Rule:
    """The scoring rule in force."""
    row = await conn.fetchrow("SELECT version, rule FROM score_rule WHERE valid_from <= $1 ORDER BY valid_from DESC LIMIT 1", now)
    if row is None:
        raise NotFound(f"no scoring rule is in force at {now}")
    return Rule(row["version"], row["rule"])


def lead_of(row: Any) -> Lead:
    fields = dict(row)
    amount, currency, contact = fields.pop("amount"), fields.pop("currency"), fields.pop("contact")
    fields |= {"segments": tuple(fields["segments"]), "classified": frozenset(fields["classified"])}
    return Lead(
        **fields,
        contact=None if contact is None else Contact.model_validate(contact),
        estimated_value=None if amount is None else Money.of(amount, currency),
    )
