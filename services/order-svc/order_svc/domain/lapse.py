"""An order of a subscription comes to nothing: it was cancelled, so what it charged is not charged (ADR 18)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from uuid import UUID

from ltc_contracts.events import SubscriptionOrderLapsed

from order_svc.domain import proration, termination
from order_svc.domain import subscription as rules
from order_svc.domain.proration import Credit
from order_svc.domain.recurring import Period
from order_svc.domain.subscription import Step, Subscription


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """An order that a subscription placed, as far as its money counts.

    `taken` is the credit it used, `cost` what it costs after that, `without` the credit there would be if nothing were served from its
    first day on. `spent`: nothing is served for it any more, its cost lies in the credit.
    """

    order_id: UUID
    number: str
    period: Period
    taken: Credit
    cost: Credit
    without: Credit
    spent: bool = False


def lapse(subscription: Subscription, order: Standing, later: Sequence[Standing], now: datetime) -> tuple[Step, list[Standing]]:
    """Take an order back; `later` are those placed after it that stand. Returns with these as they are after it.

    In the period that was ordered last the service stops on the first day of the order: what it was for is neither charged nor served.
    Of an earlier period only the credit that it used comes back, since what was served then cannot be taken back.
    """
    if order.spent:
        return _told(subscription, order, _less(subscription.credit, order.cost), None, now), [
            replace(each, without=_less(each.without, order.cost)) for each in later
        ]
    if any(each.period.first > order.period.last for each in later):
        return _told(subscription, order, proration.with_credit(subscription.credit, order.taken), None, now), [
            replace(each, without=proration.with_credit(each.without, order.taken)) for each in later
        ]
    credit = order.without
    for each in later:
        credit = proration.with_credit(credit, each.cost)
    return _told(subscription, order, credit, order.period.first, now), [replace(each, spent=True) for each in later]


def _told(subscription: Subscription, order: Standing, credit: Credit, stops_on: date | None, now: datetime) -> Step:
    lapsed, today = replace(subscription, credit=credit), now.date()
    if stops_on is not None:
        assert subscription.charged_until is not None
        until = min(subscription.charged_until, rules.day_before(stops_on))
        lapsed = replace(rules.move(lapsed, "lapse"), charged_until=until)
    event = SubscriptionOrderLapsed(
        **rules.named(lapsed),
        order_id=order.order_id,
        order_number=order.number,
        period_from=order.period.first,
        period_until=order.period.last,
        stops_on=stops_on,
        credit_before=subscription.balance,
        credit_left=lapsed.balance,
    )
    if subscription.state == "cancelling" and lapsed.state == "ended":
        told = rules.told(lapsed, now, today, [("order_lapsed", event)])
        over = termination.close(told.subscription, {}, termination.last_day(lapsed), today, now)
        return replace(over, facts=(*told.facts, *over.facts))
    lapsed, moved = rules.revenue(lapsed, "churn", today)
    return rules.told(lapsed, now, today, [("order_lapsed", event), *moved])


def _less(credit: Credit, cost: Credit) -> Credit:
    """Credit without this cost, never below nothing: what was used meanwhile was served."""
    return {
        key: amount - cost[key] if key in cost else amount
        for key, amount in credit.items()
        if key not in cost or cost[key] < amount
    }
