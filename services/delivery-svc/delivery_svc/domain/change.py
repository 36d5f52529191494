"""Changes that an order wishes: what is not handed over yet becomes what was wished, or nothing changes.

A quantity that is named anew is what the customer is to have in the end. So what came back for credit and is still within it is delivered
(and invoiced) again; who does not want it again names less. That is what users of others expect: once the quantity of a line is written,
Odoo procures what is ordered less what went out, pieces returned for refund taken off; in ERPNext an order of which something came back
is to be delivered again. A line whose quantity stays is not touched: to send back for credit is no wish for another piece, and neither
is a change of another line. Who wants another piece of the same says so with the return (`replace`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from ltc_contracts.errors import DomainError
from ltc_contracts.events import DeliveryChangeDecided, Event, Line, LineQuantity
from ltc_contracts.money import Money

from delivery_svc.domain import delivery as deliveries
from delivery_svc.domain.delivery import OPEN, Delivery, move, touch
from delivery_svc.domain.handover import follow
from delivery_svc.domain.plan import NONE, Plan, PlannedLine, Step, end_steps, lessen

# The customer is told this; why an order is changed is our people's own note.
CHANGED = "the order was changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """The order shall become these lines, whole; `promised_on` is the day to promise then, if another."""

    change_id: UUID
    lines: Sequence[Line]
    promised_on: date | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What was decided; `refused` is why not."""

    delivery: Delivery
    plan: Plan
    refused: str | None
    events: list[Event]


def decide(
    delivery: Delivery,
    plan: Plan,
    wish: Wish,
    plan_line: Callable[[Line, int], PlannedLine],
    steps_for: Callable[[PlannedLine, Decimal], Sequence[Step]],
    now: datetime,
) -> Answer:
    """Grant the wish, or say why not. Steps of what is not wanted any more are cancelled; when nothing is left the delivery completes."""
    why = _hindrance(delivery, plan, wish)
    if why is not None:
        told = touch(delivery, now)
        return Answer(delivery=told, plan=plan, refused=why, events=[_decided(told, plan, wish, why)])
    delivered = plan
    plan = _become(plan, wish.lines, plan_line, steps_for)
    net = Money.total((line.net for line in wish.lines), delivery.net.currency)
    delivery = replace(delivery, net=net, changes=delivery.changes + 1)
    promised: list[Event] = []
    if wish.promised_on is not None and not plan.complete:
        delivery, promised = deliveries.promise(delivery, wish.promised_on, now, reason=CHANGED)
    delivery = touch(delivery, now)
    events: list[Event] = [*promised, _decided(delivery, delivered, wish, None)]
    if plan.complete:
        delivery = replace(move(delivery, "completed", "change", now), version=delivery.version)
    if plan.complete or (delivery.handovers and plan.percent != delivery.percent):
        delivery, then = follow(delivery, plan, now)
        events += then
    return Answer(delivery=delivery, plan=plan, refused=None, events=events)


def _hindrance(delivery: Delivery, plan: Plan, wish: Wish) -> str | None:
    """The first reason for which the wish cannot be granted."""
    if delivery.state not in OPEN:
        return f"the delivery is {delivery.state}"
    wished = {line.line_id: line for line in wish.lines}
    if len(wished) < len(wish.lines):
        return "a line is named twice"
    if any(line.net.currency != delivery.net.currency for line in wish.lines):
        return f"the order is in {delivery.net.currency}"
    for line in plan.wanted:
        wanted = wished.get(line.id)
        quantity = wanted.quantity if wanted else NONE
        if quantity < line.held and quantity < line.line.quantity:
            return f"the customer has {line.held.normalize():f} of {line.line.sku}"
        if line.held > line.line.quantity and quantity != line.line.quantity:
            return f"more of {line.line.sku} than ordered is delivered"
        # What was made and came back is not among what is there for them.
        made = sum((step.done for step in plan.steps if step.line_id == line.id and step.kind == "production"), -line.returned)
        if quantity < made:
            return f"{made.normalize():f} of {line.line.sku} are made"
        if wanted and (line.handed_over or made > 0) and not _same_terms(wanted, line.line):
            return f"product and price of {line.line.sku} are fixed, since it is delivered in part"
    try:
        for given in wish.lines:
            PlannedLine(line=given, position=1).worth(given.quantity / 2)
    except DomainError as error:
        return error.reason
    return None


def _same_terms(a: Line, b: Line) -> bool:
    same = {"quantity", "net", "description"}
    return a.model_dump(exclude=same) == b.model_dump(exclude=same)


def _become(
    plan: Plan,
    wished: Sequence[Line],
    plan_line: Callable[[Line, int], PlannedLine],
    steps_for: Callable[[PlannedLine, Decimal], Sequence[Step]],
) -> Plan:
    known = {line.id: line for line in plan.lines}
    named = {line.line_id for line in wished}
    for line in plan.wanted:
        if line.id not in named:
            plan = end_steps(plan.with_line(replace(line, dropped=True)), line.id)
    position = max((line.position for line in plan.lines), default=0)
    for given in wished:
        before = known.get(given.line_id)
        if before is None:
            position += 1
            made = plan_line(given, position)
            plan = replace(plan, lines=(*plan.lines, made), steps=(*plan.steps, *steps_for(made, made.left)))
            continue
        # What was closed short stays closed, unless more is wanted than ever.
        reopened = given.quantity > before.line.quantity
        changed = replace(before, line=given, dropped=False, closed=before.closed and not reopened)
        if given.quantity != before.line.quantity:
            changed = replace(changed, replaced=changed.returned)
        if given.sku != before.line.sku:
            planned = plan_line(given, before.position)
            changed = replace(changed, allowance=planned.allowance, rule=planned.rule, rule_version=planned.rule_version)
            plan = end_steps(plan, before.id)
        plan = lessen(plan.with_line(changed), changed)
        missing = changed.left - sum((step.open for step in plan.steps if step.line_id == before.id and step.hands_over), NONE)
        if missing > 0:
            plan = replace(plan, steps=(*plan.steps, *steps_for(changed, missing)))
    return plan


def _decided(delivery: Delivery, plan: Plan, wish: Wish, refused: str | None) -> DeliveryChangeDecided:
    return DeliveryChangeDecided(
        delivery_id=delivery.id,
        order_id=delivery.order_id,
        change_id=wish.change_id,
        granted=refused is None,
        reason=refused,
        delivered=tuple(LineQuantity(line_id=line.id, quantity=line.held) for line in plan.lines if line.held),
        promised_on=delivery.promised_on,
    )
