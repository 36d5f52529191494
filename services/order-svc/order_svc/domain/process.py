"""The process of an order: which step it is at, what that waits for, and since when.

Nothing is remembered that the order's facts do not say, so that no event can be missed: whatever came, in whatever order,
however often, and whenever we were killed in between, the position follows from what is known now.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from ltc_contracts.errors import Invalid

from order_svc.domain.order import HoldReason, Order
from order_svc.domain.placement import Invoicing

Step = Literal[
    "validate",
    "credit",
    "stock",
    "review",
    "confirm",
    "promise",
    "deliver",
    "invoice",
    "collect",
    "change",
    "stop_delivery",
    "credit_note",
    "closed",
    "cancelled",
]
Action = Literal["tell", "cancel"]
Outcome = Literal["done", "held", "compensated", "refused", "late"]

# What comes after the confirmation, by when it is invoiced.
PLANS: dict[Invoicing, tuple[Step, ...]] = {
    "on_delivery": ("promise", "deliver", "invoice", "collect"),
    "on_confirmation": ("promise", "invoice", "collect", "deliver"),
}
# The topic that ends a step; `person` where only somebody's decision does.
WAITS_FOR: dict[Step, str] = {
    "validate": "person",
    "credit": "payment.allocated",
    "stock": "erp.stock_changed",
    "review": "person",
    "confirm": "order.confirmed",
    "promise": "delivery.promised",
    "deliver": "delivery.completed",
    "invoice": "invoice.issued",
    "collect": "invoice.paid",
    "change": "delivery.change_decided",
    "stop_delivery": "delivery.cancelled",
    "credit_note": "invoice.credited",
}
CHECKS: dict[HoldReason, Step] = {"validation": "validate", "credit": "credit", "stock": "stock", "manual": "review"}
COMPENSATIONS: frozenset[Step] = frozenset({"stop_delivery", "credit_note", "cancelled"})
ENDS: frozenset[Step] = frozenset({"closed", "cancelled"})


@dataclass(frozen=True, slots=True)
class Position:
    """Where the process stands. `since` is when this wait began, by the times of the facts."""

    step: Step
    since: datetime

    @property
    def waiting_for(self) -> str | None:
        return WAITS_FOR.get(self.step)

    @property
    def compensating(self) -> bool:
        return self.step in COMPENSATIONS


@dataclass(frozen=True, slots=True)
class Ended:
    """A step that is over."""

    step: Step
    started_at: datetime
    ended_at: datetime
    outcome: Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How long a step may take, how many deadlines are told, and what happens at the last. None: it may take for ever."""

    timeout: timedelta | None
    attempts: int = 1
    action: Action = "tell"


def position(order: Order) -> Position:
    """A pure function of the order's facts."""
    times = order.milestones
    if order.state == "received":
        return Position("confirm", order.created_at)
    if order.state == "held" and order.hold is not None:
        return Position(min((CHECKS[reason] for reason in order.hold.reasons), key=list(WAITS_FOR).index), order.hold.since)
    confirmed_at = times.confirmed_at or order.created_at
    if order.state == "cancelled":
        cancelled_at = times.cancelled_at or order.updated_at
        if order.credited < order.invoiced:
            return Position("credit_note", max(cancelled_at, times.invoiced_at or cancelled_at))
        return Position("cancelled", cancelled_at)
    if order.state == "cancelling" and order.cancellation is not None:
        return Position("stop_delivery", order.cancellation.requested_at)
    if order.change is not None:
        return Position("change", order.change.requested_at)
    if order.state == "closed":
        return Position("closed", max(filter(None, (confirmed_at, times.delivered_at, times.invoiced_at, times.paid_at))))
    since = confirmed_at
    for step in PLANS[order.invoicing]:
        done, at = _met(order, step)
        if not done:
            # What an order became dearer by is invoiced and paid from the change on.
            anew = order.lines_changed_at if step in ("invoice", "collect") else None
            return Position(step, max(since, anew or since))
        since = max(since, at or since)
    return Position("closed", since)


def _met(order: Order, step: Step) -> tuple[bool, datetime | None]:
    """Whether a step of the plan is over, and when. What comes later proves what came before: who delivers has promised."""
    times = order.milestones
    if step == "promise":
        return times.promised_at is not None or order.percent_delivered > 0 or order.state == "in_progress", times.promised_at
    if step == "deliver":
        return times.delivered_at is not None, times.delivered_at
    if step == "invoice":
        return times.invoiced_at is not None or times.paid_at is not None, times.invoiced_at
    return order.settled, times.paid_at


def ended(before: Position, after: Position, now: datetime, *, refused: bool = False) -> Ended | None:
    """How the step that the process left came out (a change: by delivery's answer); None while it is at it still."""
    if before.step == after.step:
        return None
    outcome: Outcome = "refused" if refused and before.step == "change" else "done"
    if after.compensating and not before.compensating:
        outcome = "compensated"
    elif before.step == "stop_delivery" and after.step != "cancelled" and after.step != "credit_note":
        outcome = "refused"
    return Ended(before.step, before.since, now, outcome)


def passed(order: Order, held: tuple[HoldReason, ...], now: datetime) -> list[Ended]:
    """The checks of an order that was just received, as the steps they are; what was in the way is told as `held`."""
    failing = {CHECKS[reason] for reason in held}
    steps: list[Ended] = []
    checks: tuple[Step, ...] = ("validate", "credit", "stock")
    for step in checks:
        if step in failing:
            steps.append(Ended(step, order.created_at, now, "held"))
        elif "validate" not in failing:
            steps.append(Ended(step, order.created_at, now, "done"))
    return steps if failing or "manual" in held else [*steps, Ended("confirm", order.created_at, now, "done")]


def deadline(since: datetime, policy: Policy, attempt: int) -> datetime | None:
    """The next moment at which the step is late, after `attempt` that were told; None when no more is told."""
    if policy.timeout is None or attempt >= policy.attempts:
        return None
    return since + policy.timeout * (attempt + 1)


def require_sound(step: Step, policy: Policy) -> None:
    """Raises `Invalid` for a policy that could not be kept."""
    if step in ENDS:
        raise Invalid(f"'{step}' waits for nothing", field="step")
    if policy.action == "cancel" and step in COMPENSATIONS:
        raise Invalid(f"'{step}' undoes an order already", field="action")
    if policy.action == "cancel" and step == "change":
        raise Invalid("while a change is being decided nothing else can be asked of delivery", field="action")
    if policy.action == "cancel" and policy.timeout is None:
        raise Invalid("an order is cancelled after a time", field="timeout_hours")
