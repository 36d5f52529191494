"""The verbs of plans: a new version, who sells under it, what is agreed for one deal, and a trial over past deals."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

from ltc_chassis.db import Connection, Transaction
from ltc_chassis.ids import new_id
from ltc_contracts.errors import DomainError, Invalid, NotFound

from sales_svc.domain import commission_plan as rules
from sales_svc.domain import commission_trial as trials
from sales_svc.domain.commission_plan import Assignment, Plan, Share
from sales_svc.domain.commission_trial import Outcome
from sales_svc.domain.opportunity import DealClosed
from sales_svc.store import commission_plans, commissions, opportunities

MOST_DEALS = 10_000
MOST_ASSIGNMENTS = 100_000


class PlanExists(DomainError):
    """A version of the plan begins at that moment already; versions are never edited."""


class AlreadyAssigned(DomainError):
    """The rep sells under this plan at or after that moment."""


class AssignmentEnded(DomainError):
    """An end is written once."""


async def add_plan(tx: Transaction, plan: Plan, by: str) -> tuple[UUID, Plan]:
    """A new plan, or the next version of one. Deals signed before keep the version they were signed under."""
    if plan.valid_from < tx.now:
        raise Invalid("a plan cannot begin in the past", field="valid_from")
    rules.require_sound(plan)
    await commission_plans.lock_plan(tx.conn, plan.code)
    numbered = replace(plan, version=await commission_plans.next_plan_version(tx.conn, plan.code))
    plan_id = new_id()
    if not await commission_plans.insert_plan(tx.conn, plan_id, numbered, by=by, now=tx.now):
        raise PlanExists(f"a version of '{plan.code}' begins at that moment already", field="valid_from")
    return plan_id, numbered


async def assign(tx: Transaction, rep: str, plan: str, valid_from: datetime, by: str) -> Assignment:
    """A rep sells under a plan from a moment on, beside others."""
    if valid_from < tx.now:
        raise Invalid("an assignment cannot begin in the past", field="valid_from")
    if not await commission_plans.has_plan(tx.conn, plan):
        raise NotFound(f"no commission plan '{plan}'", field="plan")
    await commission_plans.lock_rep(tx.conn, rep)
    if await commission_plans.overlaps(tx.conn, rep, plan, valid_from):
        raise AlreadyAssigned(f"{rep} sells under '{plan}' at or after that moment; end that first", field="valid_from")
    made = Assignment(new_id(), rep, plan, valid_from, None, by, tx.now, None)
    await commission_plans.insert_assignment(tx.conn, made, now=tx.now)
    return made


async def end_assignment(tx: Transaction, assignment_id: UUID, valid_until: datetime, by: str) -> Assignment:
    """From a moment on the rep no longer sells under the plan; what was signed before stays as it is."""
    known = await commission_plans.get_assignment_for_update(tx.conn, assignment_id)
    if known.valid_until is not None:
        raise AssignmentEnded(f"it ends at {known.valid_until:%Y-%m-%d %H:%M} UTC")
    if valid_until < max(tx.now, known.valid_from):
        raise Invalid("an assignment cannot end in the past or before it begins", field="valid_until")
    await commission_plans.end_assignment(tx.conn, assignment_id, valid_until, by=by, now=tx.now)
    return replace(known, valid_until=valid_until, ended_by=by)


async def agree_split(tx: Transaction, opportunity_id: UUID, shares: Sequence[Share], by: str) -> int:
    """Who shares in this deal, instead of what the plan says; only until it is closed. Returns the version."""
    opportunity = await opportunities.get_opportunity_for_update(tx.conn, opportunity_id)
    if not opportunity.is_open:
        raise DealClosed(f"the opportunity is {opportunity.stage}; its commission is shared as it was")
    rules.require_whole(shares, field="shares")
    return await commission_plans.insert_split(tx.conn, new_id(), opportunity_id, shares, by=by, now=tx.now)


async def try_out(conn: Connection, plan: Plan, since: datetime, until: datetime, reps: Sequence[str] | None) -> list[Outcome]:
    """What deals signed in a span of time would have earned under a changed plan. Reads only.

    `reps` are taken to sell under it; without them, those who were assigned to it when they signed. Attainment is counted from
    the beginning of the periods in which `since` lies.
    """
    rules.require_sound(plan)
    if until <= since:
        raise Invalid("the span ends after it begins", field="until")
    assignments = await commission_plans.list_assignments(conn, rep=None, plan=None, after=None, limit=MOST_ASSIGNMENTS)
    versions = await commission_plans.list_versions(conn, sorted({each.plan for each in assignments}))
    firsts = [rules.period_of(since.date(), each.period)[0] for each in (plan, *versions) if each.period]
    begin = min([since, *(datetime(first.year, first.month, first.day, tzinfo=UTC) for first in firsts)])
    deals = await commissions.list_deals(conn, since=begin, until=until, limit=MOST_DEALS + 1)
    if len(deals) > MOST_DEALS:
        raise Invalid(f"more than {MOST_DEALS} deals were signed in that time; take a shorter span", field="since")
    past = trials.Past(
        deals=deals,
        assignments=assignments,
        versions=versions,
        agreed=await commission_plans.splits_of(conn, [deal.opportunity_id for deal in deals]),
        invoices=await commissions.invoices_of(conn, [deal.contract_id for deal in deals]),
        booked=await commissions.positions_of(conn, [deal.contract_id for deal in deals if deal.signed_at >= since]),
    )
    return await asyncio.to_thread(trials.try_out, plan, past, since=since, reps=reps)
