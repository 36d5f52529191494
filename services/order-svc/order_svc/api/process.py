"""HTTP in: where the process of an order stands, and how long its steps may take."""

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Query
from ltc_chassis.api import Conn, Principal, Tx, scope
from ltc_chassis.api import router as make_router
from pydantic import BaseModel, ConfigDict, Field

from order_svc.api.orders import Reason
from order_svc.domain.process import Action, Policy, Step
from order_svc.handlers import process as handlers
from order_svc.store import orders
from order_svc.store import process as store

router = make_router(prefix="/v1", tags=["process"])
Configurer = Annotated[Principal, scope("orders:configure")]
# Of one order; beyond it the oldest are left out.
_MOST_STEPS = 500


class StepView(BaseModel):
    """A step that is over: `late` is a deadline that passed in it; `cause` is the event that ended it, null for a person or a timer."""

    step: str
    started_at: datetime
    ended_at: datetime
    outcome: str
    cause: UUID | None


class ProcessView(BaseModel):
    """The step an order is at, what it waits for and since when; `attempt` counts the deadlines that passed in it."""

    order_id: UUID
    step: str
    waiting_for: Annotated[str | None, Field(description="a topic, or `person`; null at the end")]
    since: datetime
    deadline: datetime | None
    attempt: int
    compensating: bool
    steps: list[StepView]


class SetPolicy(BaseModel):
    """How long a step may take (null: for ever), how often its deadline is told, and what happens at the last."""

    model_config = ConfigDict(extra="forbid")
    step: Step
    invoicing: Literal["any", "on_delivery", "on_confirmation"] = "any"
    timeout_hours: Annotated[int | None, Field(ge=1, le=87600)]
    attempts: Annotated[int, Field(ge=1, le=20)] = 1
    action: Action = "tell"
    reason: Reason


class PolicyView(BaseModel):
    """One version of a policy; the highest counts for steps that begin after it, one for the way of invoicing before `any`."""

    id: int
    step: str
    invoicing: str
    version: int
    timeout_hours: int | None
    attempts: int
    action: str
    by: str
    reason: str | None
    created_at: datetime


class PoliciesView(BaseModel):
    """Policies in the order in which they were made; go on with `after`."""

    items: list[PolicyView]
    next: int | None


class PolicySet(BaseModel):
    """The version that counts from now on."""

    step: str
    invoicing: str
    version: int


@router.get("/orders/{order_id}/process", dependencies=[scope("orders:read")])
async def get_process(order_id: UUID, conn: Conn) -> ProcessView:
    """What the order waits for, since when and until when, and every step it went through."""
    order = await orders.get_order(conn, order_id)
    row = await store.get_process(conn, order.id)
    steps = await store.list_steps(conn, order.id, limit=_MOST_STEPS)
    return ProcessView(
        order_id=order.id,
        step=row["step"],
        waiting_for=row["waiting_for"],
        since=row["since"],
        deadline=row["deadline"],
        attempt=row["attempt"],
        compensating=row["compensating"],
        steps=[
            StepView(
                step=step["step"],
                started_at=step["started_at"],
                ended_at=step["ended_at"],
                outcome=step["outcome"],
                cause=step["cause"],
            )
            for step in steps
        ],
    )


@router.post("/process-policies", status_code=201)
async def set_policy(body: SetPolicy, tx: Tx, caller: Configurer) -> PolicySet:
    """A step's next policy. Orders that are at the step keep the one under which they came to it."""
    timeout = None if body.timeout_hours is None else timedelta(hours=body.timeout_hours)
    policy = Policy(timeout=timeout, attempts=body.attempts, action=body.action)
    version = await handlers.set_policy(tx, body.step, body.invoicing, policy, by=caller.subject, reason=body.reason)
    return PolicySet(step=body.step, invoicing=body.invoicing, version=version)


@router.get("/process-policies", dependencies=[scope("orders:read")])
async def list_policies(
    conn: Conn,
    step: Step | None = None,
    after: Annotated[int | None, Query(ge=0, lt=2**63)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> PoliciesView:
    """Every version of every policy, with who made it and why."""
    rows = await store.list_policies(conn, step=step, after=after, limit=limit + 1)
    items = [_policy(row) for row in rows[:limit]]
    return PoliciesView(items=items, next=items[-1].id if len(rows) > limit else None)


def _policy(row: Any) -> PolicyView:
    timeout: timedelta | None = row["timeout"]
    return PolicyView(
        id=row["id"],
        step=row["step"],
        invoicing=row["invoicing"],
        version=row["version"],
        timeout_hours=None if timeout is None else int(timeout / timedelta(hours=1)),
        attempts=row["attempts"],
        action=row["action"],
        by=row["changed_by"],
        reason=row["reason"],
        created_at=row["created_at"],
    )
