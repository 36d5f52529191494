"""What past deals would have earned under a changed plan. Pure, so nothing can be booked by it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from ltc_contracts.money import Money

from sales_svc.domain import commission
from sales_svc.domain.commission import Deal, InvoiceFacts, Position
from sales_svc.domain.commission_plan import Assignment, Plan, Share, in_force, period_of

_Counter = tuple[str, str, str, date]


@dataclass(frozen=True, slots=True)
class Past:
    """What happened. `deals` are in the order of signature, from the beginning of the period in which the span begins."""

    deals: Sequence[Deal]
    assignments: Sequence[Assignment]
    versions: Sequence[Plan]
    agreed: Mapping[UUID, Sequence[Share]]
    invoices: Mapping[UUID, Sequence[InvoiceFacts]]
    booked: Sequence[Position]


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of one rep and currency: booked now, and what would be booked under the changed plan, by all the facts known today."""

    rep: str
    currency: str
    deals: int
    accrued: Money
    vested: Money
    accrued_then: Money
    vested_then: Money


def try_out(changed: Plan, past: Past, *, since: datetime, reps: Sequence[str] | None) -> list[Outcome]:
    """Deals from `since` on, by rep. The changed plan replaces every version of its code; other plans are as they were."""
    others = [plan for plan in past.versions if plan.code != changed.code]
    sums: dict[tuple[str, str], Outcome] = {}
    seen: dict[tuple[str, str], set[UUID]] = {}

    def add(rep: str, deal_id: UUID, **amounts: Money) -> None:
        currency = next(iter(amounts.values())).currency
        key, zero = (rep, currency), Money.zero(currency)
        known = sums.get(key, Outcome(rep, currency, 0, zero, zero, zero, zero))
        seen.setdefault(key, set()).add(deal_id)
        grown = {name: getattr(known, name) + amount for name, amount in amounts.items()}
        sums[key] = replace(known, deals=len(seen[key]), **grown)

    for position in past.booked:
        add(position.earning.rep, position.contract_id, accrued=position.accrued, vested=position.vested)
    counted: dict[_Counter, Decimal] = {}
    for deal in past.deals:
        plans = _plans(deal, changed, others, past.assignments, reps)
        shares = past.agreed.get(deal.opportunity_id, ())
        counters = {
            (plan.code, rep): counter
            for plan, rep in commission.participants(deal, plans, shares)
            if (counter := _counter(deal, plan, rep)) is not None
        }
        before = {key: counted.get(counter, Decimal(0)) for key, counter in counters.items()}
        for earning in commission.earn(deal, plans, shares, before):
            if (mine := counters.get((earning.plan, earning.rep))) is not None:
                counted[mine] = counted.get(mine, Decimal(0)) + earning.base.amount
            if deal.signed_at >= since:
                accrued, vested = commission.due(deal, earning.amount, past.invoices.get(deal.contract_id, ()))
                add(earning.rep, deal.contract_id, accrued_then=accrued, vested_then=vested)
    return sorted(sums.values(), key=lambda outcome: (outcome.rep, outcome.currency))


def _plans(
    deal: Deal, changed: Plan, others: Sequence[Plan], assignments: Sequence[Assignment], reps: Sequence[str] | None
) -> list[Plan]:
    codes = {each.plan for each in assignments if each.rep == deal.owner and each.covers(deal.signed_at)}
    if reps is not None:
        codes = codes - {changed.code} | ({changed.code} if deal.owner in reps else set())
    plans = in_force([plan for plan in others if plan.code in codes], deal.signed_at)
    return [*plans, changed] if changed.code in codes else plans


def _counter(deal: Deal, plan: Plan, rep: str) -> _Counter | None:
    """Where this deal counts as attained; None where the plan does not count."""
    if plan.period is None or plan.currency != deal.net.currency:
        return None
    return plan.code, rep, plan.currency, period_of(deal.signed_at.date(), plan.period)[0]
