"""What is known of a lead when a journey asks: whether it may be written to, the values for conditions, its hours."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from ltc_chassis import mailroom
from ltc_chassis.db import Transaction
from ltc_contracts.errors import DomainError
from ltc_rules.calendar import Calendar

from lead_svc.domain import nurture as rules
from lead_svc.domain.consent import address_hash
from lead_svc.domain.fields import values_of
from lead_svc.domain.lead import Lead
from lead_svc.domain.nurture import Plan, Silent
from lead_svc.domain.score import Activity, Rule, score
from lead_svc.store import consent, leads
from lead_svc.store import nurture as store
from lead_svc.store.nurture import Enrolment


def hash_of(lead: Lead) -> bytes | None:
    """By what the lead's address is recognised; None when there is none that a mail can be sent to."""
    email = lead.contact.email if lead.contact else None
    if email is None:
        return None
    try:
        mailroom.check_address(email)
    except DomainError:
        return None
    return address_hash(email)


async def refusals(tx: Transaction, some: Sequence[Lead]) -> dict[UUID, Silent]:
    """Those of the leads that may not be written to, and why."""
    hashes = {lead.id: hash_of(lead) for lead in some}
    agreed = await consent.agreed(tx.conn, [lead.id for lead in some], "marketing")
    silent = await consent.suppressed(tx.conn, [hashed for hashed in hashes.values() if hashed is not None])
    found: dict[UUID, Silent] = {}
    for lead in some:
        hashed = hashes[lead.id]
        if not lead.is_open:
            found[lead.id] = "not_open"
        elif hashed is None:
            found[lead.id] = "no_address"
        elif hashed in silent:
            found[lead.id] = "suppressed"
        elif lead.id not in agreed:
            found[lead.id] = "no_consent"
    return found


async def reactions(tx: Transaction, enrolment: Enrolment) -> dict[str, bool]:
    """Which mails of this journey the lead has opened and clicked; who clicks has opened."""
    found: dict[str, bool] = {}
    for delivery in await store.list_deliveries(tx.conn, enrolment_id=enrolment.id):
        found[f"opened.{delivery.step}"] = delivery.opened_at is not None or delivery.clicked_at is not None
        found[f"clicked.{delivery.step}"] = delivery.clicked_at is not None
    return found


async def known_of(tx: Transaction, lead: Lead, rule: Rule, seen: Mapping[str, bool]) -> dict[str, Any]:
    """The values for the conditions of a journey, as of now."""
    return values_now(lead, await leads.list_activities(tx.conn, lead.id), rule, seen, tx.now)


def values_now(lead: Lead, done: Sequence[Activity], rule: Rule, seen: Mapping[str, bool], now: datetime) -> dict[str, Any]:
    """The same with the activities given."""
    result = score(lead.facts, done, rule, now)
    latest: dict[str, datetime] = {}
    for activity in done:
        latest[activity.code] = max(activity.occurred_at, latest.get(activity.code, activity.occurred_at))
    return rules.values(
        values_of(lead),
        fit=result.fit,
        engagement=result.engagement,
        band=result.band,
        status=lead.status,
        owner=lead.owner,
        activities=latest,
        captured_at=lead.created_at,
        reactions=seen,
        now=now,
    )


def calendar_of(plan: Plan, lead: Lead) -> Calendar | None:
    """When a mail may leave to this lead; None is at any time."""
    if plan.hours is None:
        return None
    return rules.calendar_for(plan.hours, country=lead.country, timezone=lead.attributes.get("timezone"))


async def sent_to(tx: Transaction, plan: Plan, lead: Lead) -> list[datetime]:
    """When the lead's address got nurture mails, as far back as the cap looks. Two steps to one address decide after each other."""
    hashed = hash_of(lead)
    if plan.cap is None or hashed is None:
        return []
    await store.lock_address(tx.conn, hashed)
    return await store.sent_to(tx.conn, hashed, tx.now - plan.cap.within)


def custom_of(lead: Lead) -> Mapping[str, Any]:
    """A company's own fields of a lead, as far as leads have them."""
    found: Mapping[str, Any] = getattr(lead, "custom", None) or {}
    return found
