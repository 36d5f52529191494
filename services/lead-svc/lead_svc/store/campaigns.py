"""Channels, campaigns and their spend."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from ltc_chassis.connection import Connection
from ltc_contracts.errors import NotFound
from ltc_contracts.money import Money

from lead_svc.domain.campaign import Campaign, Channel, Spend


async def list_channels(conn: Connection) -> list[Channel]:
    rows = await conn.fetch("SELECT code, label, kind, created_by, created_at FROM channel ORDER BY code LIMIT 500")
    return [Channel(**dict(row)) for row in rows]


async def insert_channel(conn: Connection, channel: Channel) -> bool:
    """False when the code is taken."""
    row = await conn.fetchrow(
        """
        INSERT INTO channel (code, label, kind, created_by, created_at) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT DO NOTHING RETURNING code
        """,
        *(channel.code, channel.label, channel.kind, channel.created_by, channel.created_at),
    )
    return row is not None


async def has_channel(conn: Connection, code: str) -> bool:
    found: bool = await conn.fetchval("SELECT EXISTS (SELECT 1 FROM channel WHERE code = $1)", code)
    return found


async def insert_campaign(conn: Connection, c: Campaign) -> bool:
    """False when the code is taken."""
    row = await conn.fetchrow(
        """
        INSERT INTO campaign (id, code, name, channel, starts_on, ends_on, budget, currency, version, created_by, created_at,
                              updated_by, updated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) ON CONFLICT (code) DO NOTHING RETURNING id
        """,
        *(c.id, c.code, c.name, c.channel, c.starts_on, c.ends_on),
        *((c.budget.amount, c.budget.currency) if c.budget else (None, None)),
        *(c.version, c.created_by, c.created_at, c.updated_by, c.updated_at),
    )
    return row is not None


async def save_campaign(conn: Connection, c: Campaign) -> None:
    await conn.execute(
        """
        UPDATE campaign SET name = $2, starts_on = $3, ends_on = $4, budget = $5, currency = $6, version = $7, updated_by = $8,
               updated_at = $9
        WHERE id = $1
        """,
        *(c.id, c.name, c.starts_on, c.ends_on, *((c.budget.amount, c.budget.currency) if c.budget else (None, None))),
        *(c.version, c.updated_by, c.updated_at),
    )


async def get_campaign(conn: Connection, code: str) -> Campaign:
    row = await conn.fetchrow(
        """
        SELECT id, code, name, channel, starts_on, ends_on, budget, currency, version, created_by, created_at, updated_by, updated_at
        FROM campaign WHERE code = $1
        """,
        code,
    )
    if row is None:
        raise NotFound(f"no campaign '{code}'", field="campaign")
    return _campaign(row)


async def get_campaign_for_update(conn: Connection, code: str) -> Campaign:
    await conn.execute("SELECT 1 FROM campaign WHERE code = $1 FOR UPDATE", code)
    return await get_campaign(conn, code)


async def list_campaigns(conn: Connection, *, channel: str | None, after: UUID | None, limit: int) -> list[Campaign]:
    rows = await conn.fetch(
        """
        SELECT id, code, name, channel, starts_on, ends_on, budget, currency, version, created_by, created_at, updated_by, updated_at
        FROM campaign WHERE ($1::text IS NULL OR channel = $1) AND ($2::uuid IS NULL OR id > $2) ORDER BY id LIMIT $3
        """,
        *(channel, after, limit),
    )
    return [_campaign(row) for row in rows]


async def lock_campaigns(conn: Connection, codes: Sequence[str]) -> dict[str, Campaign]:
    """The campaigns of these codes, locked in the order of their ids; unknown codes are left out."""
    rows = await conn.fetch(
        """
        SELECT id, code, name, channel, starts_on, ends_on, budget, currency, version, created_by, created_at, updated_by, updated_at
        FROM campaign WHERE code = ANY($1::text[]) ORDER BY id FOR UPDATE
        """,
        list(codes),
    )
    return {row["code"]: _campaign(row) for row in rows}


async def find_spend(conn: Connection, campaigns: Sequence[Campaign], days: Sequence[date]) -> dict[tuple[str, date, str], Spend]:
    """What is known of these campaigns on these days, by campaign, day and source."""
    codes = {campaign.id: campaign.code for campaign in campaigns}
    rows = await conn.fetch(
        """
        SELECT campaign_id, day, source, amount, currency, clicks, impressions, revision FROM campaign_spend
        WHERE campaign_id = ANY($1::uuid[]) AND day = ANY($2::date[])
        """,
        *(list(codes), list(days)),
    )
    found = [_spend(codes[row["campaign_id"]], row) for row in rows]
    return {(each.campaign, each.day, each.source): each for each in found}


async def save_spend(conn: Connection, rows: Sequence[tuple[UUID, Spend]], *, by: str, now: datetime) -> None:
    """Insert or replace; no row may come twice."""
    await conn.execute(
        """
        INSERT INTO campaign_spend (campaign_id, day, source, amount, currency, clicks, impressions, revision, recorded_by, recorded_at)
        SELECT *, $9, $10 FROM unnest($1::uuid[], $2::date[], $3::text[], $4::numeric[], $5::text[], $6::bigint[], $7::bigint[],
                                      $8::integer[])
        ON CONFLICT (campaign_id, day, source) DO UPDATE
        SET amount = excluded.amount, clicks = excluded.clicks, impressions = excluded.impressions, revision = excluded.revision,
            recorded_by = excluded.recorded_by, recorded_at = excluded.recorded_at
        """,
        *([campaign_id for campaign_id, _ in rows], [row.day for _, row in rows], [row.source for _, row in rows]),
        *([row.amount.amount for _, row in rows], [row.amount.currency for _, row in rows], [row.clicks for _, row in rows]),
        *([row.impressions for _, row in rows], [row.revision for _, row in rows], by, now),
    )


async def list_spend(conn: Connection, campaign: Campaign, start: date, end: date) -> list[Spend]:
    """Day by day; at most a year and a few sources."""
    rows = await conn.fetch(
        """
        SELECT day, source, amount, currency, clicks, impressions, revision FROM campaign_spend
        WHERE campaign_id = $1 AND day BETWEEN $2 AND $3 ORDER BY day, source LIMIT 5000
        """,
        *(campaign.id, start, end),
    )
    return [_spend(campaign.code, row) for row in rows]


async def campaign_report_view(conn: Connection, start: datetime, end: datetime) -> list[Any]:
    """Per campaign and currency of its spend: cost, and the leads captured in the window with how far they came."""
    return await conn.fetch(
        """
        WITH s AS (SELECT campaign_id, currency, sum(amount) AS spend, sum(clicks)::bigint AS clicks, sum(impressions)::bigint AS impressions
                   FROM campaign_spend WHERE day >= ($1 AT TIME ZONE 'UTC')::date AND day < ($2 AT TIME ZONE 'UTC')::date
                   GROUP BY campaign_id, currency),
             l AS (SELECT campaign, count(*) AS leads, count(*) FILTER (WHERE status IN ('qualified', 'converted')) AS qualified,
                          count(*) FILTER (WHERE status = 'converted') AS converted
                   FROM lead WHERE campaign IS NOT NULL AND created_at >= $1 AND created_at < $2 GROUP BY campaign)
        SELECT c.code, c.name, c.channel, s.currency, s.spend, s.clicks, s.impressions, coalesce(l.leads, 0) AS leads,
               coalesce(l.qualified, 0) AS qualified, coalesce(l.converted, 0) AS converted
        FROM campaign c LEFT JOIN s ON s.campaign_id = c.id LEFT JOIN l ON l.campaign = c.code
        WHERE s.campaign_id IS NOT NULL OR l.campaign IS NOT NULL ORDER BY c.code, s.currency LIMIT 1000
        """,
        start,
        end,
    )


def _campaign(row: Any) -> Campaign:
    fields = dict(row)
    budget, currency = fields.pop("budget"), fields.pop("currency")
    return Campaign(**fields, budget=None if budget is None else Money.of(budget, currency))


def _spend(code: str, row: Any) -> Spend:
    amount = Money.of(row["amount"], row["currency"])
    return Spend(code, row["day"], row["source"], amount, row["clicks"], row["impressions"], row["revision"])
