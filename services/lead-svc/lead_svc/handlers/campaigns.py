"""The verbs of marketing: channels, campaigns, and what they cost."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time
from typing import Any

from ltc_chassis.db import Transaction
from ltc_contracts.errors import DomainError, Invalid, NotFound

from lead_svc.domain import campaign as rules
from lead_svc.domain.campaign import Campaign, CampaignChanged, CampaignExists, Channel, RefusedRow, Spend
from lead_svc.store import campaigns as store


async def add_channel(tx: Transaction, channel: Channel) -> None:
    """A way by which people come. Raises `CampaignExists` for a taken code."""
    if not await store.insert_channel(tx.conn, channel):
        raise CampaignExists(f"there is a channel '{channel.code}' already", field="code")


async def add_campaign(tx: Transaction, campaign: Campaign) -> None:
    """A campaign that leads and spend may name. Raises `Invalid`, `CampaignExists`."""
    rules.check(campaign)
    if not await store.has_channel(tx.conn, campaign.channel):
        raise Invalid(f"no channel '{campaign.channel}'", field="channel")
    if not await store.insert_campaign(tx.conn, campaign):
        raise CampaignExists(f"there is a campaign '{campaign.code}' already", field="code")


async def change_campaign(tx: Transaction, code: str, changes: dict[str, Any], *, version: int, by: str) -> Campaign:
    """Change what is said of a campaign; its code and channel stay. Raises `CampaignChanged` for an old version."""
    known = await store.get_campaign_for_update(tx.conn, code)
    if known.version != version:
        raise CampaignChanged(f"the campaign is at version {known.version}, you changed {version}", field="version")
    changed = replace(known, **changes, version=version + 1, updated_by=by, updated_at=tx.now)
    rules.check(changed)
    await store.save_campaign(tx.conn, changed)
    return changed


async def record_spend(tx: Transaction, rows: Sequence[tuple[int, Spend]], *, by: str) -> tuple[int, list[RefusedRow]]:
    """Keep what campaigns cost; told again, nothing changes. Returns how many rows were new or other, and the refused ones.

    The whole amount of a day and source is told each time, so a repeated or late file cannot add up twice.
    """
    campaigns = await store.lock_campaigns(tx.conn, sorted({spend.campaign for _, spend in rows}))
    known = await store.find_spend(tx.conn, list(campaigns.values()), sorted({spend.day for _, spend in rows}))
    kept: dict[tuple[str, date, str], Spend] = {}
    refused: list[RefusedRow] = []
    for line, told in rows:
        key = (told.campaign, told.day, told.source)
        campaign = campaigns.get(told.campaign)
        if campaign is None:
            refused.append(RefusedRow(line, "campaign", f"no campaign '{told.campaign}'"))
        elif told.day > tx.now.date():
            refused.append(RefusedRow(line, "day", "lies in the future"))
        elif key in kept:
            refused.append(RefusedRow(line, "row", "another row of this file tells the same campaign, day and source"))
        else:
            try:
                news = rules.record(known.get(key), told, campaign)
            except Invalid as error:
                refused.append(RefusedRow(line, error.field or "row", error.reason))
                continue
            kept[key] = news[0] if news else told
            if news:
                moment = min(datetime.combine(told.day, time.max, UTC), tx.now)
                tx.emit(news[1], flow_id=None, sequence=news[0].revision, occurred_at=moment)
    changed = [(campaigns[spend.campaign].id, spend) for spend in kept.values() if spend.revision]
    if changed:
        await store.save_spend(tx.conn, changed, by=by, now=tx.now)
    return len(changed), refused


def only(refused: Sequence[RefusedRow]) -> None:
    """Raise the refusal of a single row as the error it is."""
    for row in refused:
        error: type[DomainError] = NotFound if row.field == "campaign" else Invalid
        raise error(row.reason, field=row.field)
