"""Subscriptions begin, are ordered period by period, change, rest and end."""

import logging
from collections.abc import Callable
from datetime import date, timedelta
from uuid import UUID

from ltc_chassis.db import Transaction, is_refused
from ltc_chassis.ids import new_id
from ltc_contracts.errors import DomainError, VersionConflict
from ltc_contracts.events import Line, SubscriptionRevenueMoved

from order_svc.domain import amendment, lapse, renewal, suspension, termination
from order_svc.domain import subscription as rules
from order_svc.domain.amendment import Assessment, AssessmentOutdated, When
from order_svc.domain.subscription import Step, Subscription, SubscriptionBehind, SubscriptionRefReused
from order_svc.domain.termination import CancelAt
from order_svc.handlers import acceptance, erasure
from order_svc.store import subscription as store

logger = logging.getLogger(__name__)
# How many periods a caller waits for; more are left to the timer.
_AT_ONCE = 12
_AGAIN = timedelta(hours=1)


async def start(
    tx: Transaction, agreed: Callable[[int], Step], *, source: str, external_ref: str, fingerprint: str
) -> tuple[Subscription, bool]:
    """A subscription, begun and ordered if its day has come; repeated with the same reference and content it is the same, and False.

    `agreed` makes it, given the drawn number. Raises `SubscriptionRefReused` for another content.
    """
    known = await store.find_ref(tx.conn, source, external_ref)
    if known is None:
        step = agreed(await store.draw_number(tx.conn))
        subscription = step.subscription
        if await store.insert_subscription(tx.conn, subscription, fingerprint):
            await store.insert_facts(tx.conn, subscription, step.facts)
            if subscription.starts_on <= tx.now.date():
                subscription = await _take(tx, renewal.advance(subscription, tx.now))
            return subscription, True
        # Somebody started the same at the same time and was first; it is committed, since we waited for it.
        known = await store.find_ref(tx.conn, source, external_ref)
        assert known is not None
    subscription_id, number, before = known
    if before != fingerprint:
        raise SubscriptionRefReused(external_ref, number)
    subscription, _ = await store.get_subscription(tx.conn, subscription_id)
    return subscription, False


async def go_on(tx: Transaction) -> int:
    """Timer: one step of what is due for one subscription, the one that waits longest first; 0 when nothing is due."""
    subscription = await store.claim_due(tx.conn, tx.now)
    if subscription is None:
        return 0
    try:
        async with tx.savepoint():
            await _take(tx, renewal.advance(subscription, tx.now))
    except Exception as error:
        # The others must not wait for it. It shows what is in the way, and what is due stays due.
        if isinstance(error, DomainError):
            reason = error.reason
        elif is_refused(error):
            reason = f"the database refuses it ({type(error).__name__})"
        else:
            raise
        logger.warning("subscription %s cannot go on: %s", subscription.number, reason)
        await store.save_trouble(tx.conn, subscription.id, reason, tx.now + _AGAIN)
    return 1


async def take_back_orders(tx: Transaction) -> int:
    """Timer: an order that was cancelled charges nothing, and nothing is served for it; 0 when there is none."""
    claimed = await store.claim_lapse(tx.conn)
    if claimed is None:
        return 0
    subscription_id, order_id = claimed
    subscription = await store.get_subscription_for_update(tx.conn, subscription_id)
    order, *later = await store.list_standing(tx.conn, subscription_id, order_id, subscription.currency)
    step, later = lapse.lapse(subscription, order, later, tx.now)
    await store.save_lapse(tx.conn, order_id, later, tx.now)
    await _take(tx, step)
    return 1


async def assess(tx: Transaction, subscription_id: UUID, lines: tuple[Line, ...], when: When) -> tuple[Subscription, Assessment]:
    """What other lines would do today, and the subscription as it is; nothing of it is done."""
    subscription = await _current(tx, subscription_id)
    return subscription, amendment.assess(subscription, lines, when, tx.now)


async def change(
    tx: Transaction,
    subscription_id: UUID,
    lines: tuple[Line, ...],
    when: When,
    *,
    version: int,
    effective_on: date,
    reason: str | None,
    by: str,
) -> Subscription:
    """Other lines, as assessed: raises `VersionConflict` or `AssessmentOutdated` where what was shown counts no longer."""
    subscription = await _current(tx, subscription_id)
    if subscription.version != version:
        raise VersionConflict(f"subscription {subscription.number}", subscription.version)
    reason = reason and await erasure.said(tx, subscription.flow_id, reason)
    assessed = amendment.assess(subscription, lines, when, tx.now, reason=reason, by=by)
    if assessed.effective_on != effective_on:
        raise AssessmentOutdated(assessed.effective_on)
    return await _take(tx, assessed.step)


async def pause(tx: Transaction, subscription_id: UUID, reason: str | None, *, by: str) -> Subscription:
    """Nothing is served and ordered from today on."""
    subscription = await _current(tx, subscription_id)
    reason = reason and await erasure.said(tx, subscription.flow_id, reason)
    return await _take(tx, suspension.pause(subscription, reason, tx.now, by=by))


async def resume(tx: Transaction, subscription_id: UUID, *, by: str) -> Subscription:
    """It is served again from today on, and the rest of the period ordered."""
    return await _take(tx, suspension.resume(await _current(tx, subscription_id), tx.now, by=by))


async def cancel(tx: Transaction, subscription_id: UUID, at: CancelAt, reason: str, *, by: str) -> Subscription:
    """It will end, or ends at once where it is not served."""
    subscription = await _current(tx, subscription_id)
    reason = await erasure.said(tx, subscription.flow_id, reason)
    return await _take(tx, termination.cancel(subscription, at, reason, tx.now, by=by))


async def withdraw_cancellation(tx: Transaction, subscription_id: UUID, reason: str, *, by: str) -> Subscription:
    """It goes on after all."""
    subscription = await _current(tx, subscription_id)
    reason = await erasure.said(tx, subscription.flow_id, reason)
    return await _take(tx, termination.withdraw(subscription, reason, tx.now, by=by))


async def _current(tx: Transaction, subscription_id: UUID) -> Subscription:
    """Locked, with everything done that is due: a wish of today comes after what time did. Raises `SubscriptionBehind`."""
    subscription = await store.get_subscription_for_update(tx.conn, subscription_id)
    for _ in range(_AT_ONCE):
        if subscription.next_on is None or subscription.next_on > tx.now.date():
            return subscription
        subscription = await _take(tx, renewal.advance(subscription, tx.now))
    raise SubscriptionBehind(subscription.number)


async def _take(tx: Transaction, step: Step) -> Subscription:
    """Place the order of a step, write what it made of the subscription, and tell."""
    subscription, purchase = step.subscription, step.purchase
    if purchase is not None:
        placement = renewal.placement(subscription, purchase, contract_id=new_id())
        order, _ = await acceptance.place(tx, placement, flow_id=None)
        await erasure.follow(tx, order.flow_id, subscription.flow_id)
        step = step.ordered_as(order.id)
        await store.insert_order(tx.conn, subscription.id, order.id, purchase, tx.now)
    if subscription.state == "ended" and subscription.balance.amount:
        step = termination.tell_owed(step, await store.list_charged(tx.conn, subscription.id, subscription.currency))
    await store.save_subscription(tx.conn, subscription)
    await store.insert_facts(tx.conn, subscription, step.facts)
    for fact in step.facts:
        if fact.event is not None:
            # Revenue moves on its day, however late the timer is: what it was on a day must not depend on that.
            moved = isinstance(fact.event, SubscriptionRevenueMoved)
            late = moved and fact.effective_on < tx.now.date()
            at = rules.beginning_of(fact.effective_on) if late else tx.now
            tx.emit(fact.event, flow_id=subscription.flow_id, sequence=fact.version, occurred_at=at)
    return subscription
