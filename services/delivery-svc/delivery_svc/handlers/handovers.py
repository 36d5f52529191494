"""What the customer got."""

from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from uuid import UUID

from ltc_chassis.db import Transaction
from ltc_chassis.ids import new_id

from delivery_svc.domain import handover as rules
from delivery_svc.domain.delivery import Delivery, require_open
from delivery_svc.domain.handover import Handover, Part
from delivery_svc.domain.proof import Proof
from delivery_svc.handlers.journal import delivery_for_update, save, save_plan
from delivery_svc.handlers.proofs import free_proof
from delivery_svc.store import plans, proofs


async def hand_over(
    tx: Transaction,
    delivery_id: UUID,
    parts: Sequence[Part] | None,
    *,
    at: datetime | None,
    by: str,
    note: str | None = None,
    proof_id: UUID | None = None,
) -> Handover:
    """The customer got these parts, or all that was left (None): billing may invoice them; with the last the order is fulfilled."""
    delivery = await delivery_for_update(tx, delivery_id)
    proof = None if proof_id is None else await free_proof(tx, delivery.id, proof_id)
    _, handover = await _hand_over(tx, delivery, parts, at=at, by=by, note=note, proof=proof)
    return handover


async def end_periods(tx: Transaction, *, limit: int) -> int:
    """Services for a period are handed over when its last day (UTC) is over, as of that moment; how many deliveries had some."""
    due = await plans.claim_periods(tx.conn, tx.now.date(), limit)
    for delivery in due:
        plan = await plans.get_plan(tx.conn, delivery.id)
        # A line that was changed has several steps for its period; it is one hand-over all the same.
        open_periods: dict[UUID, Decimal] = {}
        for step in plan.steps:
            if step.kind == "period" and step.open:
                open_periods[step.line_id] = open_periods.get(step.line_id, Decimal(0)) + step.open
        parts = [Part(line.id, min(line.left, open_periods[line.id])) for line in plan.wanted if line.id in open_periods]
        assert delivery.period_until is not None
        end = datetime.combine(delivery.period_until + timedelta(days=1), time(0), UTC) - timedelta.resolution
        await _hand_over(tx, delivery, parts, at=max(end, delivery.created_at), by="timer", note=None)
    return len(due)


async def complete_delivery(tx: Transaction, delivery_id: UUID, completed_at: datetime | None, *, by: str) -> Delivery:
    """The customer has everything: all that was left is handed over."""
    delivery = await delivery_for_update(tx, delivery_id)
    require_open(delivery, "complete")
    rules.require_completion_time(delivery, completed_at, tx.now)
    completed, _ = await _hand_over(tx, delivery, None, at=completed_at, by=by, note=None)
    return completed


async def _hand_over(
    tx: Transaction,
    delivery: Delivery,
    parts: Sequence[Part] | None,
    *,
    at: datetime | None,
    by: str,
    note: str | None,
    proof: Proof | None = None,
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
        proof_sha256=proof.sha256 if proof else None,
    )
    await plans.insert_handover(tx.conn, handing.handover)
    if proof is not None:
        await proofs.save_handover_of(tx.conn, proof.id, handing.handover.id)
    saved = await save(tx, delivery, (handing.delivery, handing.events), occurred_at=handing.handover.handed_over_at)
    await save_plan(tx, saved, before, handing.plan, reason="delivered without it")
    return saved, handing.handover
