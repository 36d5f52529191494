"""Holds: an order that waits, before we bind ourselves, for something to be put right or decided."""

from dataclasses import replace
from datetime import datetime

from ltc_contracts.errors import DomainError, WrongTransition
from ltc_contracts.events import Line, OrderHeld, OrderReleased

from order_svc.domain.order import Change, Decision, Hold, HoldReason, Order, PromiseRule, confirm, move, touch


class HoldNotReleasable(DomainError):
    """What is wrong with the order itself nobody can take the risk of; it is cancelled and placed anew."""

    def __init__(self, number: str, detail: str) -> None:
        super().__init__(f"order {number} cannot be released: {detail}; cancel it and have it placed anew")


def hold(
    order: Order,
    reasons: tuple[HoldReason, ...],
    detail: str,
    now: datetime,
    *,
    wish: str | None = None,
    by: str | None = None,
) -> Decision:
    """The order waits. Held for the very same reasons already, nothing is new; `since` is when it was first held."""
    if order.state not in ("received", "held"):
        raise WrongTransition(f"order {order.number}", order.state, "hold")
    before = order.hold
    if before is not None and set(before.reasons) == set(reasons):
        return order, []
    since, holder = (now, by) if before is None else (before.since, by or before.by)
    held = Hold(reasons=reasons, detail=detail[:2000], since=since, wish=wish, by=holder if wish else None)
    event = OrderHeld(
        order_id=order.id, number=order.number, reasons=held.reasons, detail=held.detail, net=order.net, held_by=held.by
    )
    return move(replace(order, hold=held), "held", "hold", now, reason=held.detail, by=by, event=event)


def waive(order: Order) -> Order:
    """A person takes the risk of what the order is held for. Raises `WrongTransition`, `HoldNotReleasable`."""
    if order.state != "held" or order.hold is None:
        raise WrongTransition(f"order {order.number}", order.state, "release")
    if "validation" in order.hold.reasons:
        raise HoldNotReleasable(order.number, order.hold.detail)
    return replace(order, waived=order.waived | set(order.hold.reasons))


def release(
    order: Order, lines: tuple[Line, ...], rule: PromiseRule, now: datetime, *, by: str | None = None, reason: str | None = None
) -> Decision:
    """The hold ends, and we bind ourselves."""
    ended = order.hold
    if order.state != "held" or ended is None:
        raise WrongTransition(f"order {order.number}", order.state, "release")
    # The release has a version of its own, so that both events are told in their order.
    order = touch(order, now)
    event = OrderReleased(
        order_id=order.id,
        number=order.number,
        reasons=ended.reasons,
        released_by=by,
        held_seconds=max(0, int((now - ended.since).total_seconds())),
    )
    said = reason or f"released: {', '.join(ended.reasons)} no longer in the way"
    released = Change(version=order.version, from_state="held", to_state="held", changed_at=now, reason=said, by=by, event=event)
    order, confirmed = confirm(replace(order, hold=None), lines, rule, now)
    return order, [released, *confirmed]
