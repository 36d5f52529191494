"""Sites, what was seen on them by whom, and the touches that lead to a lead."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from ltc_chassis.connection import Connection
from ltc_chassis.ids import new_id
from ltc_contracts.errors import NotFound
from ltc_contracts.events import Touch

from lead_svc.domain.visit import PageRule, Site, Visitor


async def insert_site(conn: Connection, s: Site) -> bool:
    """False when the key is taken."""
    row = await conn.fetchrow(
        """
        INSERT INTO site (key, name, hosts, active, version, created_by, created_at, updated_by, updated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING RETURNING key
        """,
        *(s.key, s.name, list(s.hosts), s.active, s.version, s.created_by, s.created_at, s.updated_by, s.updated_at),
    )
    return row is not None


async def save_site(conn: Connection, s: Site) -> None:
    await conn.execute(
        "UPDATE site SET name = $2, hosts = $3, active = $4, version = $5, updated_by = $6, updated_at = $7 WHERE key = $1",
        *(s.key, s.name, list(s.hosts), s.active, s.version, s.updated_by, s.updated_at),
    )


async def find_site(conn: Connection, key: str) -> Site | None:
    row = await conn.fetchrow(
        "SELECT key, name, hosts, active, version, created_by, created_at, updated_by, updated_at FROM site WHERE key = $1", key
    )
    return None if row is None else Site(**dict(row))


async def get_site_for_update(conn: Connection, key: str) -> Site:
    await conn.execute("SELECT 1 FROM site WHERE key = $1 FOR UPDATE", key)
    found = await find_site(conn, key)
    if found is None:
        raise NotFound(f"no site '{key}'")
    return found


async def list_sites(conn: Connection) -> list[Site]:
    rows = await conn.fetch(
        """
        SELECT key, name, hosts, active, version, created_by, created_at, updated_by, updated_at FROM site ORDER BY key LIMIT 200
        """
    )
    return [Site(**dict(row)) for row in rows]


async def list_page_rules(conn: Connection, site: str | None) -> list[PageRule]:
    """The rules in force of a site, or of all."""
    rows = await conn.fetch(
        """
        SELECT id, site, path_prefix, activity, created_by, created_at, retired_by, retired_at FROM page_rule
        WHERE retired_at IS NULL AND ($1::text IS NULL OR site = $1) ORDER BY id LIMIT 500
        """,
        site,
    )
    return [PageRule(**dict(row)) for row in rows]


async def insert_page_rule(conn: Connection, rule: PageRule) -> bool:
    """False when a rule for this prefix is in force."""
    row = await conn.fetchrow(
        """
        INSERT INTO page_rule (id, site, path_prefix, activity, created_by, created_at) VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT DO NOTHING RETURNING id
        """,
        *(rule.id, rule.site, rule.path_prefix, rule.activity, rule.created_by, rule.created_at),
    )
    return row is not None


async def retire_page_rule(conn: Connection, site: str, rule_id: UUID, *, by: str, now: datetime) -> bool:
    """False when no such rule is in force."""
    row = await conn.fetchrow(
        """
        UPDATE page_rule SET retired_by = $3, retired_at = $4 WHERE site = $1 AND id = $2 AND retired_at IS NULL RETURNING id
        """,
        *(site, rule_id, by, now),
    )
    return row is not None


async def insert_page_view(
    conn: Connection, *, site: str, visitor_id: UUID | None, kind: str, touch: Touch, occurred_at: datetime
) -> None:
    await conn.execute(
        """
        INSERT INTO page_view (id, site, visitor_id, kind, path, channel, source, campaign, occurred_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        """,
        *(new_id(), site, visitor_id, kind, touch.page, touch.channel, touch.source, touch.campaign, occurred_at),
    )


async def find_visitor(conn: Connection, visitor_id: UUID) -> Visitor | None:
    row = await conn.fetchrow("SELECT id, lead_id, first_seen_at, last_seen_at FROM visitor WHERE id = $1", visitor_id)
    return None if row is None else Visitor(**dict(row))


async def meet_visitor(conn: Connection, visitor_id: UUID, now: datetime) -> tuple[Visitor, bool]:
    """The visitor as before this moment, made where it is new, and locked; and whether it was new."""
    row = await conn.fetchrow(
        """
        INSERT INTO visitor (id, first_seen_at, last_seen_at) VALUES ($1, $2, $2) ON CONFLICT (id) DO UPDATE SET id = excluded.id
        RETURNING id, lead_id, first_seen_at, last_seen_at, xmax = 0 AS fresh
        """,
        *(visitor_id, now),
    )
    assert row is not None
    fields = dict(row)
    fresh: bool = fields.pop("fresh")
    return Visitor(**fields), fresh


async def save_seen(conn: Connection, visitor_id: UUID, now: datetime) -> None:
    await conn.execute("UPDATE visitor SET last_seen_at = greatest(last_seen_at, $2) WHERE id = $1", visitor_id, now)


async def lock_visitors(conn: Connection, visitor_ids: Sequence[UUID]) -> dict[UUID, Visitor]:
    """Those that are known, locked in the order of their ids."""
    rows = await conn.fetch(
        "SELECT id, lead_id, first_seen_at, last_seen_at FROM visitor WHERE id = ANY($1::uuid[]) ORDER BY id FOR UPDATE",
        list(visitor_ids),
    )
    return {row["id"]: Visitor(**dict(row)) for row in rows}


async def give_visitors(conn: Connection, owners: Mapping[UUID, UUID]) -> None:
    """From now on these (locked) visitors are these leads, and their touches that were nobody's are as well."""
    pair = (list(owners), list(owners.values()))
    await conn.execute(
        """
        UPDATE touch t SET lead_id = o.lead_id FROM unnest($1::uuid[], $2::uuid[]) AS o (visitor_id, lead_id)
        WHERE t.visitor_id = o.visitor_id AND t.lead_id IS NULL
        """,
        *pair,
    )
    await conn.execute(
        "UPDATE visitor v SET lead_id = o.lead_id FROM unnest($1::uuid[], $2::uuid[]) AS o (visitor_id, lead_id) WHERE v.id = o.visitor_id",
        *pair,
    )


async def insert_touches(conn: Connection, touches: Sequence[tuple[UUID, UUID | None, UUID | None, Touch]]) -> None:
    """Each with its id, visitor and lead."""
    await conn.executemany(
        """
        INSERT INTO touch (id, visitor_id, lead_id, occurred_at, channel, source, medium, campaign, term, content, page, referrer, click_ids)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
        """,
        [
            (
                *(touch_id, visitor_id, lead_id, t.occurred_at, t.channel, t.source, t.medium, t.campaign, t.term, t.content),
                *(t.page, t.referrer, t.click_ids),
            )
            for touch_id, visitor_id, lead_id, t in touches
        ],
    )


async def latest_touches(conn: Connection, visitor_ids: Sequence[UUID]) -> dict[UUID, Touch]:
    """By which each visitor came last."""
    rows = await conn.fetch(
        """
        SELECT DISTINCT ON (visitor_id) visitor_id, occurred_at, channel, source, medium, campaign, term, content, page, referrer,
               click_ids
        FROM touch WHERE visitor_id = ANY($1::uuid[]) ORDER BY visitor_id, occurred_at DESC, id DESC
        """,
        list(visitor_ids),
    )
    return {row["visitor_id"]: _touch(row) for row in rows}


async def touches_of(conn: Connection, lead_ids: Sequence[UUID]) -> dict[UUID, list[Touch]]:
    """Every touch of these leads, oldest first; the newest thousand of each."""
    rows = await conn.fetch(
        """
        SELECT t.* FROM unnest($1::uuid[]) AS l (id) CROSS JOIN LATERAL (
            SELECT lead_id, occurred_at, channel, source, medium, campaign, term, content, page, referrer, click_ids, id
            FROM touch WHERE lead_id = l.id ORDER BY occurred_at DESC, id DESC LIMIT 1000) t
        ORDER BY t.occurred_at, t.id
        """,
        list(lead_ids),
    )
    found: dict[UUID, list[Touch]] = {lead_id: [] for lead_id in lead_ids}
    for row in rows:
        found[row["lead_id"]].append(_touch(row))
    return found


async def pages_of_visitors(conn: Connection, visitor_ids: Sequence[UUID]) -> list[Any]:
    """Pages that these visitors saw before they were known: visitor, site, path, when; the latest thousand."""
    return await conn.fetch(
        """
        SELECT visitor_id, site, path, occurred_at FROM page_view WHERE visitor_id = ANY($1::uuid[]) ORDER BY id DESC LIMIT 1000
        """,
        list(visitor_ids),
    )


async def saw_lately(conn: Connection, visitor_id: UUID, path_prefix: str, since: datetime) -> bool:
    """Whether the visitor saw such a page since then."""
    found: bool = await conn.fetchval(
        """
        SELECT EXISTS (SELECT 1 FROM page_view WHERE visitor_id = $1 AND starts_with(path, $2) AND occurred_at > $3)
        """,
        *(visitor_id, path_prefix, since),
    )
    return found


async def list_page_views(conn: Connection, lead_id: UUID, *, after: UUID | None, limit: int) -> list[Any]:
    """What a lead saw, oldest first."""
    return await conn.fetch(
        """
        SELECT p.id, p.site, p.kind, p.path, p.channel, p.source, p.campaign, p.occurred_at
        FROM page_view p JOIN visitor v ON v.id = p.visitor_id
        WHERE v.lead_id = $1 AND ($2::uuid IS NULL OR p.id > $2) ORDER BY p.id LIMIT $3
        """,
        *(lead_id, after, limit),
    )


async def forget_visitor(conn: Connection, visitor_id: UUID) -> None:
    """The browser's wish: what is not a lead's yet is deleted, and it is recognised no more."""
    await conn.execute("UPDATE page_view SET visitor_id = NULL WHERE visitor_id = $1", visitor_id)
    await conn.execute("DELETE FROM touch WHERE visitor_id = $1 AND lead_id IS NULL", visitor_id)
    await conn.execute("UPDATE touch SET visitor_id = NULL WHERE visitor_id = $1", visitor_id)
    await conn.execute("DELETE FROM visitor WHERE id = $1", visitor_id)


async def forget_old(conn: Connection, before: datetime, limit: int) -> int:
    """Views and strangers nobody needs any more; what belongs to a lead stays with it. Returns how many rows went."""
    strangers = await conn.fetch(
        """
        DELETE FROM visitor WHERE id IN (SELECT id FROM visitor WHERE lead_id IS NULL AND last_seen_at < $1 ORDER BY last_seen_at LIMIT $2
                                         FOR UPDATE SKIP LOCKED) RETURNING id
        """,
        *(before, limit),
    )
    gone = [row["id"] for row in strangers]
    await conn.execute("DELETE FROM touch WHERE visitor_id = ANY($1::uuid[]) AND lead_id IS NULL", gone)
    views = await conn.fetch(
        """
        DELETE FROM page_view WHERE id IN (SELECT id FROM page_view WHERE occurred_at < $1 ORDER BY occurred_at LIMIT $2
                                           FOR UPDATE SKIP LOCKED) RETURNING 1
        """,
        *(before, limit),
    )
    return len(gone) + len(views)


async def visit_report_view(conn: Connection, start: datetime, end: datetime, by: str) -> list[Any]:
    """Views, recognised visitors and those of them who became leads, by channel, source, campaign or page; the largest 500."""
    return await conn.fetch(
        """
        SELECT coalesce(CASE $3 WHEN 'channel' THEN p.channel WHEN 'source' THEN p.source WHEN 'campaign' THEN p.campaign ELSE p.path END,
                        'none') AS key,
               count(*) AS views, count(*) FILTER (WHERE p.kind = 'form') AS form_views, count(DISTINCT p.visitor_id) AS visitors,
               count(DISTINCT v.lead_id) AS leads
        FROM page_view p LEFT JOIN visitor v ON v.id = p.visitor_id
        WHERE p.occurred_at >= $1 AND p.occurred_at < $2 GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 500
        """,
        *(start, end, by),
    )


def _touch(row: Any) -> Touch:
    names = ("occurred_at", "channel", "source", "medium", "campaign", "term", "content", "page", "referrer", "click_ids")
    return Touch(**{name: row[name] for name in names})
