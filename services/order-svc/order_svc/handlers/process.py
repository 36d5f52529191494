"""Time passes over the steps of orders: what is late is told once per deadline, and undone where the policy says so."""

from datetime import timedelta

from ltc_chassis.db import Transaction
from ltc_contracts.events import OrderStalled

from order_svc.domain import order as rules
from order_svc.domain import process
from order_svc.domain.order import TRANSITIONS, Order
from order_svc.domain.process import Ended, Policy, Step
from order_svc.handlers import changes
from order_svc.handlers.journal import cause_of, order_for_update
from order_svc.store import orders
from order_svc.store import process as processes

_AT_ONCE = 50


async def tell_late(tx: Transaction) -> int:
    """Tell of steps whose deadline has passed; at the last deadline of a policy that cancels, begin to undo the order."""
    rows = await processes.claim_late(tx.conn, tx.now, _AT_ONCE)
    for row in rows:
        policy = Policy(timeout=row["timeout"], attempts=row["attempts"], action=row["action"])
        order = await order_for_update(tx, row["order_id"])
        attempt = row["attempt"] + 1
        last = attempt >= policy.attempts
        undo = last and policy.action == "cancel" and _can_be_undone(order) and await changes.something_is_left(tx, order)
        told = rules.touch(order, tx.now)
        event = OrderStalled(
            order_id=order.id,
            number=order.number,
            step=row["step"],
            waiting_for=row["waiting_for"],
            since=row["since"],
            deadline=row["deadline"],
            attempt=attempt,
            compensating=row["compensating"] or undo,
        )
        await orders.save_order(tx.conn, told)
        tx.emit(event, flow_id=order.flow_id, sequence=told.version)
        late = Ended(row["step"], row["since"], tx.now, "late")
        await processes.save_late(tx.conn, order.id, attempt, process.deadline(row["since"], policy, attempt), late, cause_of(tx))
        if undo:
            await changes.cancel_locked(tx, told, _why(row["step"], policy, attempt))
    return len(rows)


async def set_policy(tx: Transaction, step: Step, invoicing: str, policy: Policy, *, by: str, reason: str | None) -> int:
    """How long a step may take from now on; what is at the step already keeps the policy under which it began."""
    process.require_sound(step, policy)
    return await processes.insert_policy(tx.conn, step, invoicing, policy, by=by, reason=reason, now=tx.now)


def _can_be_undone(order: Order) -> bool:
    return order.change is None and (order.state == "held" or "cancelling" in TRANSITIONS[order.state])


def _why(step: str, policy: Policy, attempt: int) -> str:
    after = (policy.timeout or timedelta()) * attempt
    return f"'{step}' did not happen within {after.days} days" if after.days else f"'{step}' did not happen within {after}"
