"""A change of an order: assessed, then confirmed by the customer, then decided by delivery, who knows what has left.

The lines of an order become others only here. An answer may come late, again, and after what it overtook; the first one counts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import ROUND_DOWN, Decimal
from typing import Any, Literal
from uuid import UUID

from ltc_contracts.errors import DomainError, NotFound, NotYet, WrongTransition
from ltc_contracts.events import Line, OrderChanged, OrderChangeRequested
from ltc_contracts.money import Money

from order_svc.domain import lines as arithmetic
from order_svc.domain.assessment import NONE, Effects, Wish, resized
from order_svc.domain.order import BOUND, Order, PendingChange, touch

State = Literal["assessed", "requested", "granted", "refused"]
TRANSITIONS: dict[State, frozenset[State]] = {
    # An order that delivery does not know yet is changed at once.
    "assessed": frozenset({"requested", "granted"}),
    "requested": frozenset({"granted", "refused"}),
    "granted": frozenset(),
    "refused": frozenset(),
}


class AssessmentNotFound(NotFound):
    """The order has no such assessment."""

    def __init__(self, change_id: UUID) -> None:
        super().__init__(f"no assessment {change_id} of this order")


class ChangeNotKnownYet(NotYet):
    """An answer to a change came that we did not ask for yet."""

    def __init__(self, change_id: UUID) -> None:
        super().__init__(f"change {change_id} is not known yet")


class AssessmentExpired(DomainError):
    """What was shown to the customer holds for some time only; assess anew."""

    def __init__(self, expires_at: datetime) -> None:
        super().__init__(f"the assessment was good until {expires_at.isoformat()}; assess anew")


class ChangeOutdated(DomainError):
    """The order changed since in a way that matters: the customer would get something else than was shown."""

    def __init__(self, order: Order) -> None:
        super().__init__(f"order {order.number} is another by now, at version {order.version}; assess anew")
        self.version = order.version

    def members(self) -> dict[str, Any]:
        return {"current_version": self.version}


class ChangeNotAllowed(DomainError):
    """The order cannot be changed like this; `reasons` say why."""

    def __init__(self, effects: Effects) -> None:
        super().__init__("; ".join(f"{reason.code}: {reason.detail}" for reason in effects.reasons)[:2000])
        self.reasons = effects.reasons

    def members(self) -> dict[str, Any]:
        return {"reasons": [reason.model_dump(mode="json") for reason in self.reasons]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """`order_version` is the version of the order that was assessed; `lines`, the `lines_version` of it, what it became."""

    id: UUID
    order_id: UUID
    order_version: int
    state: State
    wish: Wish
    effects: Effects
    reason: str
    assessed_by: str
    assessed_at: datetime
    expires_at: datetime
    confirmed_by: str | None = None
    requested_at: datetime | None = None
    decided_at: datetime | None = None
    decision: str | None = None
    lines: tuple[Line, ...] | None = None
    lines_version: int | None = None


def move(change: Change, to: State, now: datetime, **more: Any) -> Change:
    """The next state. Raises `WrongTransition`."""
    if to not in TRANSITIONS[change.state]:
        raise WrongTransition(f"change {change.id}", change.state, to)
    if to == "requested":
        return replace(change, state=to, requested_at=now, **more)
    return replace(change, state=to, decided_at=now, **more)


def require_open(change: Change, now: datetime) -> None:
    """Whether what was shown can still be confirmed. Raises `WrongTransition`, `AssessmentExpired`, `ChangeNotAllowed`."""
    if change.state != "assessed":
        raise WrongTransition(f"change {change.id}", change.state, "confirm")
    if now >= change.expires_at:
        raise AssessmentExpired(change.expires_at)
    if not change.effects.allowed:
        raise ChangeNotAllowed(change.effects)


def require_same(change: Change, order: Order, fresh: Effects) -> None:
    """Whether the customer would get now what was shown. Raises `ChangeOutdated`, or `ChangeNotAllowed` for what others took meanwhile."""
    if not fresh.same_outcome(change.effects) or any(reason.code not in ("credit", "stock") for reason in fresh.reasons):
        raise ChangeOutdated(order)
    if not fresh.allowed:
        raise ChangeNotAllowed(fresh)


def request(order: Order, change: Change, by: str, now: datetime) -> tuple[Order, Change, OrderChangeRequested]:
    """Delivery is asked; until it answers, the order is as it was and shows what it may become."""
    effects = change.effects
    pending = PendingChange(id=change.id, requested_at=now, reason=change.reason, net=effects.net, gross=effects.gross)
    event = OrderChangeRequested(
        order_id=order.id,
        number=order.number,
        change_id=change.id,
        lines=effects.after,
        requested_on=change.wish.requested_on,
        reason=change.reason,
    )
    return touch(replace(order, change=pending), now), move(change, "requested", now, confirmed_by=by), event


def settled(before: Sequence[Line], after: Sequence[Line], delivered: Mapping[UUID, Decimal]) -> tuple[Line, ...]:
    """What the order becomes: what was wished, but no line less than what the customer has of it (and was ordered)."""
    wanted = {line.line_id: line for line in after}
    lines = []
    for line in before:
        to = wanted.pop(line.line_id, None)
        quantity = max(to.quantity if to else NONE, min(delivered.get(line.line_id, NONE), line.quantity))
        if quantity > 0:
            lines.append(to if to and to.quantity == quantity else resized(line, quantity))
    return (*lines, *wanted.values())


def become(order: Order, lines: tuple[Line, ...], requested_on: date | None, now: datetime) -> Order:
    """The order with other lines, and what follows from them for its worth."""
    net = Money.total((line.net for line in lines), order.net.currency)
    return touch(
        replace(
            order,
            net=net,
            gross=arithmetic.gross(lines, net),
            requested_on=requested_on,
            lines_version=order.lines_version + 1,
        ),
        now,
    )


def grant(
    order: Order, change: Change, delivered: Mapping[UUID, Decimal], promised_on: date, at: datetime, now: datetime
) -> tuple[Order, Change, OrderChanged]:
    """Delivery agreed at `at`; `delivered` is what the customer had then. Raises `WrongTransition` for a change not asked for."""
    before = change.effects.before
    lines = settled(before, change.effects.after, delivered)
    was = order.net
    order = become(replace(order, change=None), lines, change.effects.requested_on, now)
    order = replace(order, promised_on=promised_on, lines_changed_at=at)
    if order.state == "in_progress" and any(delivered.values()):
        order = replace(order, percent_delivered=percent_of(lines, delivered))
    event = OrderChanged(
        order_id=order.id,
        number=order.number,
        contract_id=order.contract_id,
        change_id=change.id,
        customer=order.customer,
        before=before,
        lines=lines,
        net=order.net,
        delta=order.net - was,
        payment_terms_days=order.payment_terms_days,
        invoicing=order.invoicing,
        promised_on=promised_on,
        reason=change.reason,
        changed_by=change.confirmed_by,
    )
    return order, move(change, "granted", now, lines=lines, lines_version=order.lines_version), event


def refuse(order: Order, change: Change, reason: str | None, now: datetime) -> tuple[Order, Change]:
    """Delivery did not agree: the order is as it was, and the change says why."""
    return touch(replace(order, change=None), now), move(change, "refused", now, decision=reason)


def percent_of(lines: Sequence[Line], delivered: Mapping[UUID, Decimal]) -> Decimal:
    """How much of the quantities the customer has, in per cent with two places, rounded down."""
    whole = sum((line.quantity for line in lines), NONE)
    gone = sum((min(delivered.get(line.line_id, NONE), line.quantity) for line in lines), NONE)
    return (gone * 100 / whole).quantize(Decimal("0.01"), rounding=ROUND_DOWN)


def expects(order: Order, change: Change) -> bool:
    """Whether an answer to this change is still to be acted on; a cancelled order has none."""
    return (
        change.state == "requested"
        and order.change is not None
        and order.change.id == change.id
        and order.state in (*BOUND, "closed")
    )
