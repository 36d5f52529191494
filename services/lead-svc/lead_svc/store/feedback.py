"""Cash of leads, what ad platforms are told and were told, and by which clicks they know whom."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time
from typing import Any
from uuid import UUID

from ltc_chassis.connection import Connection
from ltc_contracts.errors import NotFound
from ltc_contracts.money import Money

from lead_svc.domain.feedback import Cash, Export, Facts, Item, Platform, Setting
from lead_svc.domain.lead import Lead


async def insert_cash(
    conn: Connection, cash_id: UUID, lead_id: UUID, amount: Money, *, invoice_id: UUID, occurred_at: datetime
) -> None:
    await conn.execute(
        "INSERT INTO lead_cash (id, lead_id, amount, currency, invoice_id, occurred_at) VALUES ($1, $2, $3, $4, $5, $6)",
        *(cash_id, lead_id, amount.amount, amount.currency, invoice_id, occurred_at),
    )


async def collected_of(conn: Connection, lead_id: UUID) -> list[Money]:
    """What was collected of a lead net of refunds, per currency."""
    rows = await conn.fetch(
        "SELECT currency, sum(amount) AS amount FROM lead_cash WHERE lead_id = $1 GROUP BY currency ORDER BY currency", lead_id
    )
    return [Money.of(row["amount"], row["currency"]) for row in rows]


async def list_settings(conn: Connection) -> list[Any]:
    """Every version, the latest of each platform first; at most 500."""
    return await conn.fetch(
        """
        SELECT platform, version, qualified, collected, junk, landing_url, created_by, created_at FROM feedback_setting
        ORDER BY platform, version DESC LIMIT 500
        """
    )


async def get_setting(conn: Connection, platform: Platform, version: int | None = None) -> Setting:
    """A version, or the latest."""
    row: Any = await conn.fetchrow(
        """
        SELECT platform, version, qualified, collected, junk, landing_url FROM feedback_setting
        WHERE platform = $1 AND ($2::integer IS NULL OR version = $2) ORDER BY version DESC LIMIT 1
        """,
        *(platform, version),
    )
    return Setting(**dict(row))


async def insert_setting(conn: Connection, setting: Setting, *, by: str, now: datetime) -> bool:
    """False when the version is taken."""
    row = await conn.fetchrow(
        """
        INSERT INTO feedback_setting (platform, version, qualified, collected, junk, landing_url, created_by, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING RETURNING version
        """,
        *(setting.platform, setting.version, setting.qualified, setting.collected, setting.junk, setting.landing_url, by, now),
    )
    return row is not None


async def lock_platform(conn: Connection, platform: Platform) -> None:
    """What a platform was told is decided by one at a time. Until the transaction ends."""
    await conn.execute("SELECT pg_advisory_xact_lock(hashtextextended('lead.feedback:' || $1, 0))", platform)


async def has_unfinished(conn: Connection, platform: Platform) -> bool:
    found: bool = await conn.fetchval(
        "SELECT EXISTS (SELECT 1 FROM feedback_export WHERE platform = $1 AND state <> 'done')", platform
    )
    return found


async def insert_export(conn: Connection, export: Export) -> None:
    await conn.execute(
        """
        INSERT INTO feedback_export (id, platform, setting_version, period_from, period_until, state, created_by, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        """,
        *(export.id, export.platform, export.setting_version, export.period_from, export.period_until, export.state),
        *(export.created_by, export.created_at),
    )


async def get_export(conn: Connection, export_id: UUID) -> Export:
    row = await conn.fetchrow(
        """
        SELECT id, platform, setting_version, period_from, period_until, state, examined, conversions, adjustments, left_out,
               last_lead_id, complete, created_by, created_at, finished_at
        FROM feedback_export WHERE id = $1
        """,
        export_id,
    )
    if row is None:
        raise NotFound(f"no export {export_id}")
    return Export(**dict(row))


async def list_exports(conn: Connection, *, after: UUID | None, limit: int) -> list[Export]:
    rows = await conn.fetch(
        """
        SELECT id, platform, setting_version, period_from, period_until, state, examined, conversions, adjustments, left_out,
               last_lead_id, complete, created_by, created_at, finished_at
        FROM feedback_export WHERE $1::uuid IS NULL OR id > $1 ORDER BY id LIMIT $2
        """,
        *(after, limit),
    )
    return [Export(**dict(row)) for row in rows]


async def claim_export(conn: Connection) -> Export | None:
    """The oldest unfinished export that no other replica works on, locked until the transaction ends. One per platform at a time."""
    row = await conn.fetchrow(
        """
        SELECT id, platform, setting_version, period_from, period_until, state, examined, conversions, adjustments, left_out,
               last_lead_id, complete, created_by, created_at, finished_at
        FROM feedback_export WHERE state <> 'done' ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED
        """
    )
    return None if row is None else Export(**dict(row))


async def save_export(conn: Connection, export: Export) -> None:
    await conn.execute(
        """
        UPDATE feedback_export SET state = $2, examined = $3, conversions = $4, adjustments = $5, left_out = $6, last_lead_id = $7,
               complete = $8, finished_at = $9
        WHERE id = $1
        """,
        *(export.id, export.state, export.examined, export.conversions, export.adjustments, export.left_out),
        *(export.last_lead_id, export.complete, export.finished_at),
    )


async def next_leads(conn: Connection, export: Export, *, limit: int) -> list[UUID]:
    """The next leads for which something happened in the period, in the order of their ids."""
    rows = await conn.fetch(
        """
        SELECT lead_id FROM (
            SELECT lead_id FROM lead_cash WHERE occurred_at >= $1 AND occurred_at < $2
            UNION SELECT lead_id FROM lead_outcome WHERE qualified_at >= $1 AND qualified_at < $2
            UNION SELECT lead_id FROM disqualification
                  WHERE kind = 'junk' AND ended_at IS NULL AND decided_at >= $1 AND decided_at < $2
        ) AS n
        WHERE $3::uuid IS NULL OR lead_id > $3 ORDER BY lead_id LIMIT $4
        """,
        *(_midnight(export.period_from), _midnight(export.period_until), export.last_lead_id, limit),
    )
    return [row["lead_id"] for row in rows]


async def facts_of(conn: Connection, export: Export, persons: Mapping[UUID, Mapping[str, str]]) -> list[Facts]:
    """What there is to tell of these leads: their status of the period, their cash until its end."""
    begin, end, ids = _midnight(export.period_from), _midnight(export.period_until), list(persons)
    status = await conn.fetch(
        """
        SELECT l.id, CASE WHEN o.qualified_at >= $2 AND o.qualified_at < $3 THEN o.qualified_at END AS qualified_at,
               (SELECT max(d.decided_at) FROM disqualification d
                WHERE d.lead_id = l.id AND d.kind = 'junk' AND d.ended_at IS NULL AND d.decided_at >= $2 AND d.decided_at < $3) AS junk_at
        FROM lead l LEFT JOIN lead_outcome o ON o.lead_id = l.id WHERE l.id = ANY($1::uuid[])
        """,
        *(ids, begin, end),
    )
    cash: dict[UUID, list[Cash]] = {}
    for row in await conn.fetch(
        "SELECT lead_id, amount, currency, occurred_at FROM lead_cash WHERE lead_id = ANY($1::uuid[]) AND occurred_at < $2",
        *(ids, end),
    ):
        cash.setdefault(row["lead_id"], []).append(Cash(Money.of(row["amount"], row["currency"]), row["occurred_at"]))
    return [
        Facts(row["id"], persons[row["id"]], row["qualified_at"], row["junk_at"], cash.get(row["id"], ()))
        for row in sorted(status, key=lambda each: each["id"])
    ]


async def clicks_of(conn: Connection, leads: Sequence[Lead], name: str) -> dict[UUID, tuple[str, datetime]]:
    """The latest click of this kind (gclid, ..) by which a lead came, and when; what an API or a file said of it where no touch does."""
    rows = await conn.fetch(
        """
        SELECT DISTINCT ON (lead_id) lead_id, click_ids ->> $2 AS click, occurred_at FROM touch
        WHERE lead_id = ANY($1::uuid[]) AND click_ids ? $2 ORDER BY lead_id, occurred_at DESC
        """,
        *([lead.id for lead in leads], name),
    )
    said = {lead.id: (lead.attributes[name], lead.created_at) for lead in leads if lead.attributes.get(name)}
    return said | {row["lead_id"]: (row["click"], row["occurred_at"]) for row in rows}


async def told_of(conn: Connection, platform: Platform, lead_ids: Sequence[UUID]) -> dict[UUID, list[Item]]:
    """Everything that a platform was told of leads."""
    found: dict[UUID, list[Item]] = {}
    for row in await conn.fetch(
        """
        SELECT id, lead_id, what, kind, original_id, name, occurred_at, told_at, amount, currency, person FROM feedback_item
        WHERE lead_id = ANY($1::uuid[]) AND platform = $2 ORDER BY id
        """,
        *(list(lead_ids), platform),
    ):
        found.setdefault(row["lead_id"], []).append(_item(row))
    return found


async def insert_items(conn: Connection, export: Export, items: Sequence[Item]) -> None:
    await conn.executemany(
        """
        INSERT INTO feedback_item (id, export_id, platform, lead_id, what, kind, original_id, name, occurred_at, told_at, amount,
                                   currency, person)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
        """,
        [
            (
                *(item.id, export.id, export.platform, item.lead_id, item.what, item.kind, item.original_id, item.name),
                *(item.occurred_at, item.told_at, *((item.amount.amount, item.amount.currency) if item.amount else (None, None))),
                dict(item.person),
            )
            for item in items
        ],
    )


async def forget_persons(conn: Connection, lead_ids: Sequence[UUID]) -> None:
    """Files of the past are given out without the hashed address and phone of these from now on; by a click they stay known."""
    await conn.execute(
        """
        UPDATE feedback_item SET person = nullif(person - 'em' - 'ph', '{}')
        WHERE lead_id = ANY($1::uuid[]) AND (person ? 'em' OR person ? 'ph')
        """,
        list(lead_ids),
    )


async def list_items(conn: Connection, export_id: UUID) -> list[Item]:
    """The lines of an export, in their order; an export has a bounded number of them."""
    rows = await conn.fetch(
        """
        SELECT id, lead_id, what, kind, original_id, name, occurred_at, told_at, amount, currency, person FROM feedback_item
        WHERE export_id = $1 ORDER BY id
        """,
        export_id,
    )
    return [_item(row) for row in rows]


def _item(row: Any) -> Item:
    fields = dict(row)
    amount, currency = fields.pop("amount"), fields.pop("currency")
    money = None if amount is None else Money.of(amount, currency)
    return Item(**{**fields, "amount": money, "person": fields["person"] or {}})


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
