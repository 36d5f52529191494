"""What the customer got."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from ltc_chassis.db import Transaction
from ltc_chassis.ids import new_id

from delivery_svc.domain import handover as rules
from delivery_svc.domain.delivery import Delivery, require_open
from delivery_svc.domain.handover import Handover, Part
from delivery_svc.handlers.journal import delivery_for_update, save, save_plan
from delivery_svc.store import plans


async def hand_over(
    tx: Transaction, delivery_id: UUID, parts: Sequence[Part] | None, *, at: datetime | None, by: str, note: str | None = None
) -> Handover:
    """The customer got these parts, or all that was left (None): billing may invoice them; with the last the order is fulfilled."""
    delivery = await delivery_for_update(tx, delivery_id)
    _, handover = await _hand_over(tx, delivery, parts, at=at, by=by, note=note)
    return handover


async def complete_delivery(tx: Transaction, delivery_id: UUID, completed_at: datetime | None, *, by: str) -> Delivery:
    """The customer has everything: all that was left is handed over."""
    delivery = await delivery_for_update(tx, delivery_id)
    require_open(delivery, "complete")
    rules.require_completion_time(delivery, completed_at, tx.now)
    completed, _ = await _hand_over(tx, delivery, None, at=completed_at, by=by, note=None)
    return completed


async def _hand_over(
    tx: Transaction, delivery: Delivery, parts: Sequence[Part] | None, *, at: datetime | None, by: str, note: str | None
) -> tuple[Delivery, Handover]:
    before = await plans.get_plan(tx.conn, delivery.id)
    handing = rules.hand_over(
        delivery,
        before,
        rules.everything_left(before) if parts is None else parts,
        handover_id=new_id(),
        at=at,
        now=tx.now,
        by=by,
        note=note,
    )
    await plans.insert_handover(tx.conn, handing.handover)
    saved = await save(tx, delivery, (handing.delivery, handing.events), occurred_at=handing.handover.handed_over_at)
    await save_plan(tx, saved, before, handing.plan, reason="delivered without it")
    return saved, handing.handover
