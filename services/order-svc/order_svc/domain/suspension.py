"""A subscription rests and goes on. Its periods go on as they were meanwhile: what was not served is credited, not moved (ADR 18)."""

from dataclasses import replace
from datetime import datetime

from ltc_contracts.events import SubscriptionPaused, SubscriptionResumed

from order_svc.domain import proration
from order_svc.domain import subscription as rules
from order_svc.domain.amendment import apply_pending
from order_svc.domain.subscription import Step, Subscription


def pause(subscription: Subscription, reason: str | None, now: datetime, *, by: str | None = None) -> Step:
    """Nothing is served or ordered from today on; the unused rest of the period is credited."""
    today = now.date()
    paused = rules.move(subscription, "pause")
    unused = rules.not_served(subscription, today)
    paused = replace(
        paused,
        credit=proration.with_credit(subscription.credit, unused),
        charged_until=rules.day_before(today),
    )
    event = SubscriptionPaused(
        **rules.named(paused),
        effective_on=today,
        credited=proration.total(unused, paused.currency),
        credit_left=paused.balance,
        reason=reason,
    )
    paused, moved = rules.revenue(paused, "churn", today)
    return rules.told(paused, now, today, [("paused", event), *moved], reason=reason, by=by)


def resume(subscription: Subscription, now: datetime, *, by: str | None = None) -> Step:
    """It is served again from today on: the rest of the period in which today lies is ordered."""
    today = now.date()
    resumed, changed = apply_pending(rules.move(subscription, "resume"), today)
    resumed, rest = rules.purchase(resumed, "resume", today)
    event = SubscriptionResumed(
        **rules.named(resumed),
        effective_on=today,
        period_until=rest.period.last,
        charged=rest.bill.charged,
        credit_used=rest.bill.used,
        ordered=rest.bill.net,
        credit_left=resumed.balance,
    )
    resumed, moved = rules.revenue(resumed, "reactivation", today)
    return rules.told(resumed, now, today, [*changed, ("resumed", event), *moved], by=by, ordered=rest)
