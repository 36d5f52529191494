"""What came back, and what could not be handed over."""

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

from ltc_chassis.db import Transaction
from ltc_chassis.ids import new_id

from delivery_svc.domain import attempt as attempts
from delivery_svc.domain import goods_return as rules
from delivery_svc.domain import working_days
from delivery_svc.domain.attempt import Attempt, Why
from delivery_svc.domain.goods_return import Back, GoodsReturn
from delivery_svc.handlers import fulfilment, planning
from delivery_svc.handlers.journal import delivery_for_update, save, save_plan
from delivery_svc.store import plans
from delivery_svc.store import returns as store


async def take_back(
    tx: Transaction, delivery_id: UUID, parts: Sequence[Back], *, reason: str, at: datetime | None, by: str, again: bool
) -> GoodsReturn:
    """The customer sent these parts back: what was invoiced of them is credited; `again`: they are delivered once more."""
    delivery = await delivery_for_update(tx, delivery_id)
    before = await plans.get_plan(tx.conn, delivery.id)
    _, steps_for = planning.planners(await fulfilment.open_book(tx), delivery, before)
    made = rules.take_back(
        delivery, before, parts, steps_for, return_id=new_id(), reason=reason, at=at, now=tx.now, by=by, again=again
    )
    await store.insert_return(tx.conn, made.goods_return)
    saved = await save(tx, delivery, (made.delivery, made.events), occurred_at=made.goods_return.returned_at)
    await save_plan(tx, saved, before, made.plan)
    return made.goods_return


async def record_attempt(
    tx: Transaction,
    delivery_id: UUID,
    code: Why,
    *,
    at: datetime | None,
    next_attempt_on: date | None,
    note: str | None,
    by: str,
) -> Attempt:
    """It was not handed over. The next attempt is on the day that is said, or the next working day unless the customer refused."""
    delivery = await delivery_for_update(tx, delivery_id)
    before = await plans.get_plan(tx.conn, delivery.id)
    if next_attempt_on is None and code != "refused":
        book = await fulfilment.open_book(tx)
        left = [line.line.sku for line in before.wanted if line.left]
        next_attempt_on = max((working_days.later(book.calendar(sku), book.today, 1) for sku in left), default=None)
    made = attempts.fail(
        delivery,
        before,
        code,
        attempt_id=new_id(),
        at=at,
        next_attempt_on=next_attempt_on,
        now=tx.now,
        by=by,
        note=note,
    )
    await store.insert_attempt(tx.conn, made.attempt)
    saved = await save(tx, delivery, (made.delivery, made.events), occurred_at=made.attempt.failed_at)
    await save_plan(tx, saved, before, made.plan)
    return made.attempt
