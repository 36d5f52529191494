"""Work that hands nothing over, and lines that end short."""

from decimal import Decimal
from uuid import UUID

from ltc_chassis.db import Transaction

from delivery_svc.domain import step_report as rules
from delivery_svc.domain.delivery import Delivery
from delivery_svc.handlers.journal import delivery_for_update, save, save_plan
from delivery_svc.store import plans


async def report_step(tx: Transaction, delivery_id: UUID, step_id: UUID, done: Decimal, note: str | None) -> Delivery:
    """So much of a step is done in all: the work on the delivery has begun."""
    delivery = await delivery_for_update(tx, delivery_id)
    before = await plans.get_plan(tx.conn, delivery.id)
    decided, plan, events = rules.report(delivery, before, step_id, done, note, tx.now)
    saved = await save(tx, delivery, (decided, events))
    await save_plan(tx, saved, before, plan)
    return saved


async def close_line(tx: Transaction, delivery_id: UUID, line_id: UUID) -> Delivery:
    """What is missing of a line is never delivered; the last line that is closed completes the delivery."""
    delivery = await delivery_for_update(tx, delivery_id)
    before = await plans.get_plan(tx.conn, delivery.id)
    decided, plan, events = rules.close_line(delivery, before, line_id, tx.now)
    saved = await save(tx, delivery, (decided, events))
    await save_plan(tx, saved, before, plan, reason="delivered without it")
    return saved
