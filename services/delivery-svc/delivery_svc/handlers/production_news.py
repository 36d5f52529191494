"""What the shop floor tells of a production, and what follows from it for plan and promise."""

from datetime import timedelta
from decimal import Decimal
from uuid import UUID

from ltc_chassis.db import Transaction
from ltc_contracts.events import MesProductionProgressed

from delivery_svc.domain import delivery as deliveries
from delivery_svc.domain import plan as planned
from delivery_svc.domain import production as rules
from delivery_svc.domain.delivery import Delivery
from delivery_svc.domain.plan import Plan
from delivery_svc.domain.production import NothingToReorder, Production, ProductionNotKnownYet
from delivery_svc.domain.slip import Patience, slip
from delivery_svc.handlers.fulfilment import open_book
from delivery_svc.handlers.journal import delivery_for_update, save
from delivery_svc.handlers.production import follow_plan, save_production, wanted_of
from delivery_svc.settings import Settings
from delivery_svc.store import plans, productions


async def learn(tx: Transaction, told: MesProductionProgressed) -> None:
    """An MES tells: the step goes on or is done, the rest of what came out short is ordered anew, and a day that cannot be kept is
    promised anew. Raises `ProductionNotKnownYet`."""
    found = await productions.find_production(tx.conn, told.production_id)
    if found is None:
        raise ProductionNotKnownYet(told.production_id)
    delivery = await delivery_for_update(tx, found.delivery_id)
    # Read again under the lock: another report may have come in between.
    before = await productions.get_production(tx.conn, found.id)
    decision = rules.learn(before, told, tx.now)
    if decision[0] == before:
        return
    await save_production(tx, before, decision)
    # Figures of a job that are restated after it was complete, or cancelled, move nothing any more.
    if delivery.state in deliveries.OPEN and (before.state in rules.OPEN or before.state == "failed"):
        await _go_on(tx, delivery, decision[0])


async def reorder(tx: Transaction, production_id: UUID) -> Production:
    """A person has the missing pieces made after all. Raises `ProductionNotFound`, `NothingToReorder`."""
    found = await productions.get_production(tx.conn, production_id)
    delivery = await delivery_for_update(tx, found.delivery_id)
    before = await productions.get_production(tx.conn, found.id)
    after = rules.reorder(before, tx.now)
    await save_production(tx, before, (after, []))
    plan = await plans.get_plan(tx.conn, delivery.id)
    step = next(each for each in plan.steps if each.id == after.step_id)
    others = [after if each.id == after.id else each for each in await productions.list_productions_of(tx.conn, delivery.id)]
    if not rules.follow(wanted_of(delivery, plan, step), others)[1]:
        raise NothingToReorder(f"the step of production {after.number}", step.state, "reorder")
    await follow_plan(tx, delivery, plan)
    return after


async def _go_on(tx: Transaction, delivery: Delivery, production: Production) -> None:
    """What a report means for the plan of the delivery, its promise, and what else is to be made."""
    before = await plans.get_plan(tx.conn, delivery.id)
    of_step = [each for each in await productions.list_productions_of(tx.conn, delivery.id) if each.step_id == production.step_id]
    plan = _advanced(before, production.step_id, rules.made(of_step), begun=production.state != "ordered")
    ready_at = rules.ready_at(production, tx.now)
    if ready_at is not None:
        settings = tx.settings_as(Settings)
        patience = Patience(timedelta(minutes=settings.production_tolerance_minutes), settings.production_days_in_hand)
        calendar = (await open_book(tx)).calendar(production.sku)
        plan, promised_on = slip(plan, production.step_id, ready_at, delivery.promised_on, calendar, patience)
        if promised_on is not None:
            reason = f"{production.description} will be ready later than planned"
            delivery = await save(tx, delivery, deliveries.promise(delivery, promised_on, tx.now, reason=reason))
    await plans.save_plan(tx.conn, delivery.id, before, plan)
    await follow_plan(tx, delivery, plan)


def _advanced(plan: Plan, step_id: UUID, made: Decimal, *, begun: bool) -> Plan:
    """The step with what is good; what was done by another way stays done."""
    step = next(each for each in plan.steps if each.id == step_id)
    good = min(made, step.quantity)
    if step.state in planned.OPEN_STEP and good > step.done:
        return plan.with_steps([planned.advance(step, good - step.done)])
    if step.state == "planned" and begun:
        return plan.with_steps([planned.move(step, "in_progress")])
    return plan
