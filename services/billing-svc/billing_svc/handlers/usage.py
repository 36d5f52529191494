"""Usage: agreed, recorded once per key, and invoiced in arrears, each period once."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Literal

from ltc_chassis.db import Transaction, is_down, is_retryable
from ltc_chassis.ids import new_id

from billing_svc.domain import usage as rules
from billing_svc.domain.usage import UsagePlan, Used
from billing_svc.handlers.journal import issue
from billing_svc.store import usage
from billing_svc.store.usage import Record

logger = logging.getLogger(__name__)
# Clocks of those who tell are not ours.
_AHEAD = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Outcome:
    """`known`: it came before and said the same."""

    result: Literal["recorded", "known", "refused"]
    reason: str | None = None


async def agree_usage(tx: Transaction, plan: UsagePlan) -> UsagePlan:
    """From its first day on usage is recorded and invoiced. Raises `Invalid` with the field."""
    rules.check_plan(plan)
    await usage.insert_plan(tx.conn, plan, rules.bill_on(plan, plan.starts_on))
    return plan


async def record_usage(tx: Transaction, records: Sequence[Record]) -> list[Outcome]:
    """What was used, in the order told; each counts once whatever comes again, and a wrong one spoils no other."""
    plans = await usage.share_plans(tx.conn, sorted({record.plan_id for record in records}))
    refused = [_refusal(record, plans.get(record.plan_id), tx.now) for record in records]
    first: dict[tuple[object, str], Record] = {}
    for record, reason in zip(records, refused, strict=True):
        if reason is None:
            first.setdefault((record.plan_id, record.key), record)
    fresh = await usage.insert_records(tx.conn, [(new_id(), record) for record in first.values()], tx.now)
    before = await usage.list_records(tx.conn, [(record.plan_id, record.key) for record in first.values()])
    outcomes = []
    for record, reason in zip(records, refused, strict=True):
        name = (record.plan_id, record.key)
        if reason is not None:
            outcomes.append(Outcome("refused", reason))
        elif before[name] != record:
            outcomes.append(Outcome("refused", "this key said something else before"))
        else:
            outcomes.append(Outcome("recorded" if name in fresh else "known"))
            fresh.discard(name)
    return outcomes


async def close_due(tx: Transaction, *, limit: int) -> int:
    """Periods that are over become invoices, with everything that was used before their end and is not invoiced yet.

    The plan is locked: what is told meanwhile waits, and belongs to the next period. All of it is one transaction, so a crash leaves
    the period as it was.
    """
    due = await usage.claim_due(tx.conn, tx.now.date(), limit)
    for plan in due:
        try:
            async with tx.savepoint():
                await _close(tx, plan)
        except Exception as error:
            if is_down(error) or is_retryable(error):
                raise
            # One that cannot be invoiced (a sum beyond what a document holds) must not keep the others waiting.
            logger.exception("usage plan %s: the period from %s is not invoiced", plan.id, plan.next_from)
            await usage.save_next_period(tx.conn, plan.id, plan.next_from, tx.now.date() + timedelta(days=1), tx.now)
    return len(due)


async def _close(tx: Transaction, plan: UsagePlan) -> None:
    begin = plan.next_from
    assert begin is not None, "a plan that is over is not claimed"
    tally = await usage.take_records(tx.conn, plan.id, begin, rules.last_day(plan, begin) + timedelta(days=1))
    occasion = rules.bill(plan, begin, Used(getattr(tally, plan.tariff.meter), tally.records, tally.late))
    if occasion is not None:
        await issue(tx, occasion, None, parent=plan.parent_flow_id)
    after = rules.following(plan, begin)
    await usage.save_next_period(tx.conn, plan.id, after, after and rules.bill_on(plan, after), tx.now)


def _refusal(record: Record, plan: UsagePlan | None, now: datetime) -> str | None:
    if plan is None:
        return "no such usage plan"
    if plan.next_from is None:
        return "the last period of the plan is invoiced"
    if record.used_at > now + _AHEAD:
        return "used in the future"
    if record.used_at < datetime.combine(plan.starts_on, time(), UTC):
        return "used before the plan starts"
    if plan.ends_on is not None and record.used_at >= datetime.combine(plan.ends_on + timedelta(days=1), time(), UTC):
        return "used after the plan ends"
    if (plan.tariff.meter == "unique") != (record.counted is not None):
        return "`counted` is for meters of different things, and they need it"
    return None
