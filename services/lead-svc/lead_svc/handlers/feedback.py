"""Cash is counted for the lead of its flow; ad platforms are told, a chunk of leads per transaction, each conversion once."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime
from uuid import UUID

from ltc_chassis.db import Transaction
from ltc_chassis.ids import new_id
from ltc_contracts.errors import Invalid
from ltc_contracts.money import Money

from lead_svc.domain import feedback as rules
from lead_svc.domain.feedback import CLICK_ID, Export, ExportRuns, Platform, Setting, SettingExists
from lead_svc.store import consent, leads, outcomes
from lead_svc.store import feedback as store

MOST_LINES = 100_000
_LONGEST_DAYS = 3660


async def count_cash(tx: Transaction, flow_id: UUID | None, amount: Money, invoice_id: UUID, at: datetime) -> None:
    """Money came in for a flow, or went back (negative); that of a flow without a lead is nobody's here."""
    lead_id = None if flow_id is None else await outcomes.find_lead_of_flow(tx.conn, flow_id)
    lead = None if lead_id is None else await leads.find_living_for_update(tx.conn, lead_id)
    if lead is not None:
        await store.insert_cash(tx.conn, new_id(), lead.id, amount, invoice_id=invoice_id, occurred_at=at)


async def add_setting(tx: Transaction, setting: Setting, by: str) -> None:
    """How a platform calls things from now on. Raises `Invalid`, `SettingExists`."""
    rules.check(setting)
    latest = await store.get_setting(tx.conn, setting.platform)
    if setting.version != latest.version + 1 or not await store.insert_setting(tx.conn, setting, by=by, now=tx.now):
        raise SettingExists(f"the latest version is {latest.version}; a new one is the next", field="version")


async def start_export(tx: Transaction, platform: Platform, period_from: date, period_until: date, by: str) -> Export:
    """Have a file made of what is new to a platform in a period. Raises `Invalid`, `ExportRuns`."""
    if period_from >= period_until or (period_until - period_from).days > _LONGEST_DAYS:
        raise Invalid(
            "a period has at least a day and at most ten years; its end is the first day after it", field="period_until"
        )
    if period_until > tx.now.date():
        raise Invalid("the period is not over", field="period_until")
    await store.lock_platform(tx.conn, platform)
    if await store.has_unfinished(tx.conn, platform):
        raise ExportRuns("an export for this platform is not finished yet; wait for it")
    setting = await store.get_setting(tx.conn, platform)
    made = Export(new_id(), platform, setting.version, period_from, period_until, "waiting", by, tx.now)
    await store.insert_export(tx.conn, made)
    return made


async def export_chunk(tx: Transaction, *, limit: int) -> int:
    """The next leads of the oldest unfinished export; a kill repeats at most this chunk. Returns the number handled, 0 at rest."""
    export = await store.claim_export(tx.conn)
    if export is None:
        return 0
    setting = await store.get_setting(tx.conn, export.platform, export.setting_version)
    ids = await store.next_leads(tx.conn, export, limit=limit)
    facts = await store.facts_of(tx.conn, export, await _persons(tx, export.platform, ids))
    told = await store.told_of(tx.conn, export.platform, ids)
    decided = [rules.decide(setting, each, told.get(each.lead_id, ()), tx.now, new_id) for each in facts]
    items = [item for some in decided for item in some if item.person]
    await store.insert_items(tx.conn, export, items)
    conversions = sum(item.kind == "conversion" for item in items)
    export = replace(
        export,
        state="running",
        examined=export.examined + len(ids),
        conversions=export.conversions + conversions,
        adjustments=export.adjustments + len(items) - conversions,
        left_out=export.left_out + sum(any(not item.person for item in some) for some in decided),
        last_lead_id=ids[-1] if ids else export.last_lead_id,
    )
    full = export.conversions + export.adjustments >= MOST_LINES
    if full or len(ids) < limit:
        export = replace(export, state="done", complete=len(ids) < limit, finished_at=tx.now)
    await store.save_export(tx.conn, export)
    return max(len(ids), 1)


async def _persons(tx: Transaction, platform: Platform, ids: list[UUID]) -> Mapping[UUID, Mapping[str, str]]:
    found = await leads.get_leads(tx.conn, ids)
    clicks = await store.clicks_of(tx.conn, found, CLICK_ID[platform])
    # An address or a phone, though hashed, is told of those only who agreed to it; a click the platform made itself.
    agreed = await consent.agreed(tx.conn, ids, "ad_sharing")
    return {
        lead.id: rules.person_of(platform, clicks.get(lead.id), lead.contact if lead.id in agreed else None, lead.country)
        for lead in found
    }
