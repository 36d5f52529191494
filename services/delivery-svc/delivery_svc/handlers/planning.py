"""How the lines of an order are delivered: their steps, and when."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal

from ltc_chassis.db import Transaction
from ltc_contracts.events import Line, OrderConfirmed

from delivery_svc.domain.delivery import Delivery
from delivery_svc.domain.fulfilment import Book, schedule
from delivery_svc.domain.plan import OPEN_STEP, Plan, PlannedLine, Step, end_steps
from delivery_svc.handlers.fulfilment import open_book
from delivery_svc.handlers.journal import save_plan
from delivery_svc.store import plans


def first_promise(book: Book, order: OrderConfirmed) -> date:
    """The order's day; a service for a period is not delivered before the period ends."""
    until = order.period_until
    kinds = {spec.kind for line in order.lines for spec in book.specs(line.sku, of_a_period=until is not None)}
    return max(order.promised_on, until) if until is not None and "period" in kinds else order.promised_on


def plan_lines(book: Book, delivery: Delivery, lines: Sequence[Line]) -> Plan:
    """Each line by the rule of its product."""
    plan_line, steps_for = planners(book, delivery)
    planned = tuple(plan_line(line, position) for position, line in enumerate(lines, start=1))
    return Plan(lines=planned, steps=tuple(step for line in planned for step in steps_for(line, line.left)))


def planners(
    book: Book, delivery: Delivery, plan: Plan | None = None
) -> tuple[Callable[[Line, int], PlannedLine], Callable[[PlannedLine, Decimal], Sequence[Step]]]:
    """How a line of the delivery is planned, and the steps of so much of it, behind those that it has in `plan`."""

    def plan_line(line: Line, position: int) -> PlannedLine:
        prepaid = delivery.invoicing == "on_confirmation"
        return book.line(line, position, of_a_period=delivery.period_until is not None, prepaid=prepaid)

    def steps_for(line: PlannedLine, quantity: Decimal) -> Sequence[Step]:
        before = [step for step in (plan.steps if plan else ()) if step.line_id == line.id]
        return book.chain(
            line.line,
            quantity,
            behind=max((step.position for step in before), default=0),
            promised_on=delivery.promised_on,
            period_until=delivery.period_until,
            number=1 + max((step.chain for step in before), default=0),
        )

    return plan_line, steps_for


async def move_plan(tx: Transaction, delivery: Delivery) -> None:
    """What is to be done still follows the day that is promised now, each chain of a line for itself: they are worked on side by side."""
    book = await open_book(tx)
    before = plan = await plans.get_plan(tx.conn, delivery.id)
    for line in plan.wanted:
        for chain in plan.chains(line.id):
            steps = [step for step in chain if step.state in OPEN_STEP and step.kind != "period"]
            if not steps:
                continue
            days = schedule([step.days for step in steps], book.calendar(line.line.sku), book.today, delivery.promised_on)
            plan = plan.with_steps([replace(step, planned_on=day) for step, day in zip(steps, days, strict=True)])
    await save_plan(tx, delivery, before, plan)


async def cancel_plan(tx: Transaction, delivery: Delivery, reason: str) -> None:
    """Nothing of it is done any more."""
    before = plan = await plans.get_plan(tx.conn, delivery.id)
    for line in before.lines:
        plan = end_steps(plan, line.id)
    await save_plan(tx, delivery, before, plan, reason=reason)
