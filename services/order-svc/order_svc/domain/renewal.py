"""What time does to a subscription: it starts, is ordered period by period, and ends. And what the next orders will be."""

from datetime import datetime
from uuid import UUID

from ltc_contracts.events import SubscriptionRenewed, SubscriptionStarted

from order_svc.domain import subscription as rules
from order_svc.domain.amendment import apply_pending
from order_svc.domain.placement import Placement
from order_svc.domain.subscription import Purchase, Step, Subscription
from order_svc.domain.termination import end


def advance(subscription: Subscription, now: datetime) -> Step:
    """What is due on `next_on` by itself: the start, the next period, or the end. One step at a time, each for its own day."""
    due = subscription.next_on
    if due is None or due > now.date():
        raise AssertionError(f"subscription {subscription.number}: nothing is due before {due}")
    if subscription.state == "scheduled":
        return _start(subscription, now)
    if subscription.ends_on is not None and due == rules.day_after(subscription.ends_on):
        return end(subscription, now)
    return _renew(subscription, now)


def _start(subscription: Subscription, now: datetime) -> Step:
    day = subscription.starts_on
    started, first = rules.purchase(rules.move(subscription, "start"), "renewal", day)
    event = SubscriptionStarted(
        **rules.named(started),
        contract_id=started.contract_id,
        lines=started.lines,
        net=started.net,
        interval_unit=started.rhythm.interval.unit,
        interval_count=started.rhythm.interval.count,
        invoicing=started.invoicing,
        starts_on=day,
        ends_on=started.ends_on,
        period_until=first.period.last,
        ordered=first.bill.net,
    )
    started, moved = rules.revenue(started, "new", day)
    return rules.told(started, now, day, [("started", event), *moved], ordered=first)


def _renew(subscription: Subscription, now: datetime) -> Step:
    assert subscription.charged_until is not None
    day = rules.day_after(subscription.charged_until)
    renewed, changed = apply_pending(rules.move(subscription, "renew"), day)
    renewed, next_one = rules.purchase(renewed, "renewal", day)
    bill = next_one.bill
    event = SubscriptionRenewed(
        **rules.named(renewed),
        term=renewed.rhythm.number(day) - renewed.rhythm.number(renewed.starts_on) + 1,
        period_from=next_one.period.first,
        period_until=next_one.period.last,
        charged=bill.charged,
        credit_used=bill.used,
        ordered=bill.net,
        credit_left=renewed.balance,
    )
    renewed, moved = rules.revenue(renewed, None, day)
    return rules.told(renewed, now, day, [*changed, ("renewed", event), *moved], ordered=next_one)


def upcoming(subscription: Subscription, orders: int) -> list[Purchase]:
    """What will be ordered next if nobody changes anything: the very steps that time will take."""
    found: list[Purchase] = []
    while len(found) < orders and subscription.next_on is not None:
        step = advance(subscription, rules.beginning_of(subscription.next_on))
        subscription = step.subscription
        if step.purchase is not None:
            found.append(step.purchase)
    return found


def placement(subscription: Subscription, ordered: Purchase, contract_id: UUID) -> Placement:
    """The order of a period. Everything in it is to be delivered by its last day; its journey is a new one, of the subscription's."""
    return Placement(
        contract_id=contract_id,
        source="subscription",
        external_ref=ordered.external_ref,
        customer=subscription.customer,
        lines=ordered.bill.lines,
        net=ordered.bill.net,
        payment_terms_days=subscription.payment_terms_days,
        requested_on=ordered.period.last,
        invoicing=subscription.invoicing,
        subscription_id=subscription.id,
        period_from=ordered.period.first,
        period_until=ordered.period.last,
        parent_flow_id=subscription.flow_id,
    )
