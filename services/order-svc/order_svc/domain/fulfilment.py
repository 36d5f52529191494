"""What delivery and billing did for an order, as they tell it: late, again and in any order."""

from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from ltc_contracts.events import OrderClosed, OrderFulfilled
from ltc_contracts.money import CurrencyMismatch, Money

from order_svc.domain.cancellation import refuse_cancellation
from order_svc.domain.order import DELIVERED, Decision, Milestones, Order, move, touch


def note_promise(order: Order, at: datetime, now: datetime) -> Decision:
    """Delivery told the customer a day."""
    times = order.milestones
    return _note(order, replace(times, promised_at=_earliest(times.promised_at, at)), now)


def progress(order: Order, percent: Decimal, now: datetime, at: datetime | None = None) -> Decision:
    """Delivery has begun or went on. Progress never goes back, and says nothing new about an order that is decided.

    Per cent of what the order was before its last change are per cent of something else, and hand-overs are counted by themselves.

    `delivery.cancelled` means that nothing was delivered, so progress is also the answer to a cancellation request: refused.
    """
    if order.state in DELIVERED or order.state == "cancelled":
        return order, []
    outdated = at is not None and order.lines_changed_at is not None and at < order.lines_changed_at
    if outdated or order.handovers:
        percent = Decimal(0)
    if order.state == "in_progress" and percent <= order.percent_delivered:
        return order, []
    order, changes = refuse_cancellation(order, "delivery has begun", now)
    order = touch(replace(order, percent_delivered=max(order.percent_delivered, percent)), now)
    if order.state != "in_progress":
        order, begun = move(order, "in_progress", "progress", now)
        changes += begun
    return order, changes


def hand_over(order: Order, net: Money, percent: Decimal, now: datetime) -> Decision:
    """The customer has a part, which is to be invoiced; `percent` of the quantities they got so far. Call once per hand-over.

    Those that are told late may be the last that was missing. As progress, it answers a cancellation request: refused.
    """
    order = touch(replace(order, handed_net=order.handed_net + net, handovers=order.handovers + 1), now)
    if order.state in DELIVERED or order.state == "cancelled":
        return close_when_done(order, now)
    order, changes = refuse_cancellation(order, "delivery has begun", now)
    order = replace(order, percent_delivered=max(order.percent_delivered, percent))
    if order.state != "in_progress":
        order, begun = move(order, "in_progress", "progress", now)
        changes += begun
    return order, changes


def fulfil(
    order: Order, delivery_id: UUID, now: datetime, at: datetime | None = None, *, handovers: int | None = None
) -> Decision:
    """Everything was delivered, by so many hand-overs (None: it was not told in parts).

    A cancellation still undecided is refused by reality; an order already settled closes at once.
    """
    if order.state in DELIVERED:
        return order, []
    order, refused = refuse_cancellation(order, "everything was delivered", now)
    times = replace(order.milestones, delivered_at=at or now)
    order = replace(order, delivery_id=delivery_id, percent_delivered=Decimal(100), milestones=times, handovers_told=handovers)
    event = OrderFulfilled(order_id=order.id, number=order.number, delivery_id=delivery_id)
    order, fulfilled = move(order, "fulfilled", "fulfil", now, event=event)
    order, closed = close_when_done(order, now)
    return order, refused + fulfilled + closed


def has_left(order: Order) -> bool:
    """Whether the order's pieces are gone from the shelf. How many is known when no answer is waited for: less may have been delivered."""
    return order.milestones.delivered_at is not None and order.change is None


def knows_all_parts(order: Order) -> bool:
    """Whether every hand-over was told, so that what is still reserved stays on the shelf."""
    return has_left(order) and order.handovers_told is not None and order.handovers >= order.handovers_told


def note_invoice(order: Order, gross: Money, net: Money, at: datetime, now: datetime) -> Decision:
    """A part of the order, or all of it, was invoiced. Call once per invoice."""
    times = replace(order.milestones, invoiced_at=_earliest(order.milestones.invoiced_at, at))
    order = replace(
        order,
        invoiced=order.invoiced + gross,
        invoiced_net=order.invoiced_net + net,
        unpaid=order.unpaid + 1,
        milestones=times,
    )
    return close_when_done(touch(order, now), now)


def note_credit(order: Order, gross: Money, net: Money, now: datetime, *, for_change: bool = False) -> Decision:
    """A part of what was invoiced was taken back. Call once per credit note."""
    order = replace(order, credited=order.credited + gross)
    if for_change:
        order = replace(order, reduced=order.reduced + gross, reduced_net=order.reduced_net + net)
    return close_when_done(touch(order, now), now)


def recount(order: Order, collected: Money, now: datetime) -> Order:
    """So much of the money of its paid invoices is ours by now: a credit note or a refund came, or was told late, perhaps after `closed`.

    `order.closed` is told once, by what was known then; what is taken back later is told by `invoice.credited` and `payment.refunded`.
    """
    return order if order.collected in (None, collected) else touch(replace(order, collected=collected), now)


def settle(order: Order, collected: Money, now: datetime, at: datetime | None = None) -> Decision:
    """Nothing is open on an invoice of this order any more: remember the money; a fulfilled order closes when all is settled.

    Call once per invoice. `collected` is what its paid invoices brought by now, this one too.

    Money is a fact in every state. What comes after `closed` counts as well and closes nothing twice.
    """
    if collected.currency != order.net.currency:
        raise CurrencyMismatch(f"order {order.number} is in {order.net.currency}, paid were {collected}", field="currency")
    times = replace(order.milestones, paid_at=_earliest(order.milestones.paid_at, at or now))
    order = touch(replace(order, collected=collected, unpaid=order.unpaid - 1, milestones=times), now)
    return close_when_done(order, now)


def close_when_done(order: Order, now: datetime) -> Decision:
    """Delivered, invoiced and paid: the deal is done. Ask again after whatever may have been the last that was missing."""
    if order.state != "fulfilled" or order.collected is None or not order.settled:
        return order, []
    event = OrderClosed(order_id=order.id, number=order.number, collected=order.collected)
    return move(order, "closed", "close", now, event=event)


def _note(order: Order, times: Milestones, now: datetime) -> Decision:
    return (order, []) if times == order.milestones else (touch(replace(order, milestones=times), now), [])


def _earliest(known: datetime | None, told: datetime) -> datetime:
    return told if known is None else min(known, told)
