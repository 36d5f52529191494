"""The verbs of fairs: scans of badges become leads, each at the time it was made, however late it comes in."""

from collections.abc import Sequence
from dataclasses import replace

from ltc_chassis.db import Transaction
from ltc_contracts.errors import DomainError, Invalid, NotFound

from lead_svc.domain.badge import ACTIVITY, scanned_at
from lead_svc.domain.campaign import Campaign
from lead_svc.domain.consent import Consent
from lead_svc.domain.score import Activity
from lead_svc.handlers.bulk import Result, capture_given
from lead_svc.handlers.capture import Arrival
from lead_svc.store import campaigns, consent


async def fair_of(tx: Transaction, code: str) -> Campaign:
    """The campaign that is a fair. Raises `Invalid`."""
    try:
        campaign = await campaigns.get_campaign(tx.conn, code)
    except NotFound as error:
        raise Invalid(f"no campaign '{code}'", field="campaign") from error
    kinds = {channel.code: channel.kind for channel in await campaigns.list_channels(tx.conn)}
    if kinds.get(campaign.channel) != "event":
        raise Invalid(f"the campaign '{code}' is no event", field="campaign")
    return campaign


async def take_scans(tx: Transaction, scans: Sequence[Result], agreed: Sequence[Consent | None]) -> list[Result]:
    """What became of each scan; its lead began when it was made (`lead.created_at` as the scanner tells it). `agreed` are the scans'
    own opt-ins, kept with the leads that were taken."""
    results = await capture_given(tx, [_dated(tx, scan) for scan in scans])
    said = [
        replace(word, lead_id=result.lead.merged_into or result.lead.id, said_at=result.activities[0].occurred_at)
        for word, result in zip(agreed, results, strict=True)
        if word is not None and isinstance(result, Arrival)
    ]
    if said:
        await consent.insert_consents(tx.conn, said)
    return results


def _dated(tx: Transaction, scan: Result) -> Result:
    if isinstance(scan, DomainError):
        return scan
    try:
        at = scanned_at(scan.lead.created_at, tx.now)
    except Invalid as error:
        return error
    return replace(scan, lead=replace(scan.lead, created_at=at), activities=[Activity(ACTIVITY, at)], occurred_at=at)
