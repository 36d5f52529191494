"""What is to be made. Whoever plans calls `follow_plan` after each change of a plan."""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from uuid import UUID

from ltc_chassis.db import Transaction
from ltc_chassis.ids import new_id
from ltc_contracts.events import Event

from delivery_svc.domain import delivery as deliveries
from delivery_svc.domain import plan as planned
from delivery_svc.domain import production as rules
from delivery_svc.domain import working_days
from delivery_svc.domain.delivery import Delivery
from delivery_svc.domain.plan import Plan, Step
from delivery_svc.domain.production import Production, Wanted
from delivery_svc.handlers.fulfilment import open_book
from delivery_svc.store import productions


async def follow_plan(tx: Transaction, delivery: Delivery, plan: Plan, *, reason: str = "not needed any more") -> None:
    """Have made what the production steps of a plan want: ordered once, changed, or cancelled with the reason; what failed and is not
    wanted any more waits for nobody. Again is no harm."""
    steps = [step for step in plan.steps if step.kind == "production"]
    if not steps:
        return
    known = await productions.list_productions_of(tx.conn, delivery.id)
    for step in steps:
        wanted = wanted_of(delivery, plan, step)
        settled = {each.id: each for each in rules.settle(wanted, known, tx.now)}
        for before in known:
            if before.id in settled:
                await save_production(tx, before, (settled[before.id], []))
        known = [settled.get(each.id, each) for each in known]
        running, quantity = rules.follow(wanted, known)
        if quantity > 0:
            calendar = (await open_book(tx)).calendar(wanted.sku)
            start_on = working_days.earlier(calendar, step.planned_on, step.days)
            if running is not None:
                await save_production(tx, running, rules.change(running, quantity, start_on, step.planned_on, tx.now))
            else:
                await _order(tx, delivery, wanted, quantity, start_on, [each for each in known if each.step_id == step.id])
        elif running is not None:
            await save_production(tx, running, rules.cancel(running, reason, tx.now))


async def why_not(tx: Transaction, delivery_id: UUID, wanted: Mapping[UUID, Decimal]) -> str | None:
    """Why lines cannot be wanted in these quantities any more, because more is finished; None: they can. A line not named: 0."""
    return rules.hindrance(await productions.list_productions_of(tx.conn, delivery_id), wanted)


def wanted_of(delivery: Delivery, plan: Plan, step: Step) -> Wanted:
    """What a production step of a plan wants to be made."""
    line = next(each.line for each in plan.lines if each.id == step.line_id)
    kept = step.done if delivery.state != "cancelled" else rules.NONE
    return Wanted(
        step_id=step.id,
        line_id=step.line_id,
        sku=line.sku,
        description=line.description,
        quantity=step.quantity if step.state in planned.OPEN_STEP and delivery.state in deliveries.OPEN else kept,
        done=step.done,
        needed_by=step.planned_on,
    )


async def _order(
    tx: Transaction, delivery: Delivery, wanted: Wanted, quantity: Decimal, start_on: date, before: Sequence[Production]
) -> None:
    failed = [each for each in before if each.state == "failed"]
    production = Production(
        id=new_id(),
        flow_id=delivery.flow_id,
        version=1,
        number=await productions.draw_number(tx.conn, tx.now),
        delivery_id=delivery.id,
        order_id=delivery.order_id,
        order_number=delivery.order_number,
        line_id=wanted.line_id,
        step_id=wanted.step_id,
        sku=wanted.sku,
        description=wanted.description,
        quantity=quantity,
        start_on=start_on,
        needed_by=wanted.needed_by,
        priority=rules.PRIORITY_ANEW if failed else rules.PRIORITY,
        reorder_of=failed[-1].id if failed else None,
        attempt=1 + len(failed),
        created_at=tx.now,
        updated_at=tx.now,
    )
    await productions.insert_production(tx.conn, production)
    _announce(tx, production, rules.order(production))


async def save_production(tx: Transaction, before: Production, decision: rules.Decision) -> None:
    """Write what was decided, and tell it."""
    production, events = decision
    if production != before:
        await productions.save_production(tx.conn, production)
    _announce(tx, production, events)


def _announce(tx: Transaction, production: Production, events: Sequence[Event]) -> None:
    """Events on the delivery's flow; the last one has the production's version, those before it the ones before."""
    for sequence, event in enumerate(events, start=production.version - len(events) + 1):
        ended = event.TOPIC in ("production.completed", "production.failed")
        # It ended where the shop floor says, not where that was heard.
        tx.emit(event, flow_id=production.flow_id, sequence=sequence, occurred_at=production.ended_at if ended else None)
