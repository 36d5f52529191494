"""Cancellation: the customer wants out, and delivery, who knows what has left, decides."""

from dataclasses import replace
from datetime import datetime

from ltc_contracts.events import OrderCancellationRequested, OrderCancelled

from order_svc.domain.order import Cancellation, ChangePending, Decision, Order, move


def request_cancellation(order: Order, reason: str, now: datetime, *, by: str | None = None) -> Decision:
    """The customer wants out; delivery decides. Asking again before the answer changes nothing.

    Of a held order delivery knows nothing: it is cancelled at once. Raises `ChangePending`, `WrongTransition`.
    """
    if order.state == "cancelling":
        return order, []
    if order.change is not None:
        raise ChangePending(order)
    if order.state == "held":
        asked = Cancellation(state="granted", reason=reason, requested_at=now, return_to="held", decided_at=now)
        return _cancel(replace(order, cancellation=asked, hold=None), reason, now, now, by=by)
    asked = Cancellation(state="requested", reason=reason, requested_at=now, return_to=order.state)
    event = OrderCancellationRequested(order_id=order.id, number=order.number, reason=reason)
    return move(replace(order, cancellation=asked), "cancelling", "cancel", now, reason=reason, by=by, event=event)


def cancel(order: Order, reason: str, now: datetime, at: datetime | None = None) -> Decision:
    """Delivery says that nothing was and nothing will be delivered; a change that it was asked for is no question any more."""
    if order.state == "cancelled":
        return order, []
    asked = order.cancellation
    if asked is not None and asked.state == "requested":
        order = replace(order, cancellation=replace(asked, state="granted", decided_at=now))
    return _cancel(order, reason, at or now, now)


def refuse_cancellation(order: Order, why: str, now: datetime) -> Decision:
    """What delivery did is the answer to a request that is still undecided."""
    if order.state != "cancelling" or order.cancellation is None:
        return order, []
    refused = replace(order.cancellation, state="refused", decided_at=now)
    return move(replace(order, cancellation=refused), refused.return_to, "refuse", now, reason=f"cancellation refused: {why}")


def _cancel(order: Order, reason: str, at: datetime, now: datetime, *, by: str | None = None) -> Decision:
    event = OrderCancelled(order_id=order.id, number=order.number, reason=reason, net=order.net, invoicing=order.invoicing)
    order = replace(order, milestones=replace(order.milestones, cancelled_at=at), change=None)
    return move(order, "cancelled", "cancel", now, reason=reason, by=by, event=event)
