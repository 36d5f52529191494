"""The verbs of partners: who sends leads, by which codes, and what a partner registers itself."""

import secrets
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from ltc_chassis.db import Transaction
from ltc_chassis.ids import new_id
from ltc_contracts.errors import DomainError, Invalid, NotFound, VersionConflict

from lead_svc.domain import partner as rules
from lead_svc.domain.partner import Introduced, Partner, PartnerCode, PartnerExists, TooManyCodes
from lead_svc.store import partners as store

if TYPE_CHECKING:
    from lead_svc.handlers.capture import Arrival


async def add_partner(tx: Transaction, partner: Partner) -> PartnerCode:
    """A partner with its first code. Raises `PartnerExists`."""
    if not await store.insert_partner(tx.conn, partner):
        raise PartnerExists("another partner has this name, or this subject", field="name")
    await store.insert_change(tx.conn, partner, {"created": [None, partner.name]}, by=partner.created_by, now=tx.now)
    return await _draw(tx, partner, partner.created_by, None)


async def change_partner(tx: Transaction, partner_id: UUID, given: dict[str, Any], *, version: int, by: str) -> Partner:
    """Change what is given; one that is not `active` is retired: its codes and its token count no more.

    Raises `NotFound`, `VersionConflict`, `PartnerExists`.
    """
    known = await store.get_partner_for_update(tx.conn, partner_id)
    if known.version != version:
        raise VersionConflict("the partner", known.version)
    changed = replace(known, **given, version=version + 1, updated_by=by, updated_at=tx.now)
    if not await store.save_partner(tx.conn, changed):
        raise PartnerExists("another partner has this name, or this subject", field="name")
    await store.insert_change(tx.conn, changed, rules.differences(known, changed), by=by, now=tx.now)
    return changed


async def add_code(
    tx: Transaction, partner_id: UUID, *, expires_at: datetime | None, others_expire_at: datetime | None, by: str
) -> PartnerCode:
    """A further code; `others_expire_at` is of those that are there, which the new one replaces. Raises `Invalid`, `TooManyCodes`."""
    if any(at is not None and at < tx.now for at in (expires_at, others_expire_at)):
        raise Invalid("a code cannot expire in the past", field="expires_at")
    partner = await store.get_partner_for_update(tx.conn, partner_id)
    if others_expire_at is not None:
        await store.expire_codes(tx.conn, partner_id, others_expire_at)
    if await store.count_codes(tx.conn, partner_id, tx.now) >= rules.MOST_CODES:
        raise TooManyCodes(f"a partner has {rules.MOST_CODES} codes at a time")
    code = await _draw(tx, partner, by, expires_at)
    told = {"code_added": [None, str(code.id)], "others_expire_at": [None, others_expire_at and others_expire_at.isoformat()]}
    await store.insert_change(tx.conn, partner, told, by=by, now=tx.now)
    return code


async def expire_code(tx: Transaction, partner_id: UUID, code_id: UUID, at: datetime, *, by: str) -> None:
    """A code counts until then, at the latest; told again, nothing changes. Raises `Invalid`, `NotFound`."""
    if at < tx.now:
        raise Invalid("a code cannot expire in the past", field="expires_at")
    partner = await store.get_partner_for_update(tx.conn, partner_id)
    if code_id not in {code.id for code in await store.list_codes(tx.conn, partner_id)}:
        raise NotFound(f"no code {code_id}")
    if await store.expire_codes(tx.conn, partner_id, at, code_id=code_id):
        told = {"code_expires": [str(code_id), at.isoformat()]}
        await store.insert_change(tx.conn, partner, told, by=by, now=tx.now)


async def introduce(tx: Transaction, rows: Sequence["Arrival | DomainError"]) -> list["Arrival | DomainError"]:
    """Who sent each lead, by its partner code; one whose code is unknown or counts no more is refused. What is an error already stays."""
    codes = {
        rules.normal_code(row.partner_code) for row in rows if not isinstance(row, DomainError) and row.partner_code is not None
    }
    found = await store.find_codes(tx.conn, codes) if codes else {}
    return [row if isinstance(row, DomainError) else _introduced(row, found, tx.now) for row in rows]


async def keep_referrals(tx: Transaction, new: Sequence["Arrival"]) -> None:
    """A step of capture: which new leads came by whom."""
    referred = [(arrival.lead.id, arrival.partner, tx.now) for arrival in new if arrival.partner is not None]
    if referred:
        await store.insert_referrals(tx.conn, referred)


def _introduced(arrival: "Arrival", found: dict[str, tuple[PartnerCode, Partner]], now: datetime) -> "Arrival | DomainError":
    if arrival.partner_code is None:
        return arrival
    known = found.get(rules.normal_code(arrival.partner_code))
    if known is None:
        return Invalid("no partner has this code", field="partner_code")
    try:
        introduce_by(arrival, rules.usable(*known, now))
    except Invalid as error:
        return error
    return arrival


def introduce_by(arrival: "Arrival", by: Introduced) -> None:
    """The lead comes by this partner. Conditions of rules see the name as `attributes.partner`."""
    arrival.partner = by
    arrival.lead = replace(arrival.lead, attributes={**arrival.lead.attributes, "partner": by.name})


async def _draw(tx: Transaction, partner: Partner, by: str, expires_at: datetime | None) -> PartnerCode:
    while True:
        drawn = "".join(secrets.choice(rules.SIGNS) for _ in range(rules.LENGTH))
        code = PartnerCode(new_id(), partner.id, drawn, by, tx.now, expires_at)
        if await store.insert_code(tx.conn, code):
            return code
