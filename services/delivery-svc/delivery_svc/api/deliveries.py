"""HTTP in: deliveries with their plans; people report what is done, promise another day, and complete.

A delivery is planned by a confirmed order alone.
"""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from ltc_chassis.api import Conn, Page, PageArgs, Principal, Tx, scope
from ltc_chassis.api import router as make_router
from ltc_chassis.db import Connection
from ltc_chassis.inputs import Day
from ltc_contracts.events import Customer, Line
from ltc_contracts.events.model import Exact, Percent
from ltc_contracts.money import Money
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from delivery_svc.domain.delivery import CancellationState, Delivery, Invoicing, Promise, State
from delivery_svc.domain.plan import Kind, Plan, StepState
from delivery_svc.handlers import deliveries as handlers
from delivery_svc.handlers import handovers, steps
from delivery_svc.store import deliveries as store
from delivery_svc.store import plans

router = make_router(prefix="/v1", tags=["deliveries"])

Writer = Annotated[Principal, scope("deliveries:write")]
# NUL is the one character that PostgreSQL's text cannot hold.
Note = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000, pattern=r"^[^\x00]*$")]


class ReportProgress(BaseModel):
    """How much of the whole is done now."""

    model_config = ConfigDict(extra="forbid")
    percent: Percent
    note: Note | None = None


class ReportStep(BaseModel):
    """How much of the step's quantity is done in all; 0: it has begun."""

    model_config = ConfigDict(extra="forbid")
    done: Annotated[Exact, Field(ge=0, lt=10**9)]
    note: Note | None = None


class CompleteDelivery(BaseModel):
    """When the customer had everything; now, if not said."""

    model_config = ConfigDict(extra="forbid")
    completed_at: AwareDatetime | None = None


class PromiseDay(BaseModel):
    """The day we promise from now on, and why it is another."""

    model_config = ConfigDict(extra="forbid")
    promised_on: Day
    reason: Annotated[Note | None, Field(description="as the customer is told")] = None


class CancellationView(BaseModel):
    """The last cancellation request and what was decided."""

    state: CancellationState
    reason: str
    requested_at: datetime
    decided_at: datetime


class QuantitiesView(BaseModel):
    """What became of a line: `held` is what the customer has, `left` what is still to come. `closed`: short within its allowance."""

    line_id: UUID
    handed_over: Exact
    returned: Exact
    held: Exact
    left: Exact
    closed: bool


class StepView(BaseModel):
    """One thing to do for a line, in order. With one that `hands_over` the customer gets something."""

    id: UUID
    line_id: UUID
    kind: Kind
    name: str | None
    hands_over: bool
    quantity: Exact
    done: Exact
    state: StepState
    planned_on: date


class DeliveryView(BaseModel):
    """A delivery with its lines as wanted now. `promised_on` is the latest promise; `on_time` is null until it is completed."""

    id: UUID
    flow_id: UUID
    order_id: UUID
    order_number: str
    state: State
    customer: Customer
    lines: tuple[Line, ...]
    quantities: tuple[QuantitiesView, ...]
    steps: tuple[StepView, ...]
    net: Money
    payment_terms_days: int
    invoicing: Invoicing
    ship_complete: bool
    handovers: Annotated[int, Field(description="how many there were")]
    attempts: Annotated[int, Field(description="how many failed")]
    promised_on: date
    promise_version: int
    percent: Annotated[Percent, Field(description="0 to 100")]
    note: str | None
    completed_at: datetime | None
    on_time: bool | None
    cancellation: CancellationView | None
    created_at: datetime
    updated_at: datetime
    version: int

    @classmethod
    def of(cls, delivery: Delivery, plan: Plan) -> "DeliveryView":
        decided = delivery.cancellation
        return cls(
            id=delivery.id,
            flow_id=delivery.flow_id,
            order_id=delivery.order_id,
            order_number=delivery.order_number,
            state=delivery.state,
            customer=delivery.customer,
            lines=plan.ordered,
            quantities=tuple(
                QuantitiesView(
                    **{name: getattr(line, name) for name in QuantitiesView.model_fields if name != "line_id"}, line_id=line.id
                )
                for line in plan.wanted
            ),
            steps=tuple(StepView(**{name: getattr(step, name) for name in StepView.model_fields}) for step in plan.steps),
            net=delivery.net,
            payment_terms_days=delivery.payment_terms_days,
            invoicing=delivery.invoicing,
            ship_complete=delivery.ship_complete,
            handovers=delivery.handovers,
            attempts=delivery.attempts,
            promised_on=delivery.promised_on,
            promise_version=delivery.promise_version,
            percent=delivery.percent,
            note=delivery.note,
            completed_at=delivery.completed_at,
            on_time=delivery.on_time,
            cancellation=None
            if decided is None
            else CancellationView(
                state=decided.state, reason=decided.reason, requested_at=decided.requested_at, decided_at=decided.decided_at
            ),
            created_at=delivery.created_at,
            updated_at=delivery.updated_at,
            version=delivery.version,
        )


class PromiseView(BaseModel):
    """One version of the promise, and when it was made."""

    version: int
    promised_on: date
    promised_at: datetime
    reason: str | None

    @classmethod
    def of(cls, promise: Promise) -> "PromiseView":
        return cls(**{name: getattr(promise, name) for name in cls.model_fields})


class PromisesView(BaseModel):
    """Every promise made, oldest first."""

    items: list[PromiseView]


@router.get("/deliveries", dependencies=[scope("deliveries:read")])
async def list_deliveries(
    conn: Conn, page: PageArgs, flow_id: UUID | None = None, order_id: UUID | None = None, state: State | None = None
) -> Page[DeliveryView]:
    """Deliveries in the order they were planned, by flow, order or state."""
    found = await store.list_deliveries(
        conn, flow_id=flow_id, order_id=order_id, state=state, after=page.after, limit=page.limit + 1
    )
    planned = await plans.list_plans(conn, [delivery.id for delivery in found])
    return page.of([DeliveryView.of(delivery, planned[delivery.id]) for delivery in found], key=lambda view: view.id)


@router.get("/deliveries/{delivery_id}", dependencies=[scope("deliveries:read")])
async def get_delivery(delivery_id: UUID, conn: Conn) -> DeliveryView:
    """One delivery with its lines, promise and progress."""
    return await _view(conn, await store.get_delivery(conn, delivery_id))


@router.get("/deliveries/{delivery_id}/promises", dependencies=[scope("deliveries:read")])
async def get_promises(delivery_id: UUID, conn: Conn) -> PromisesView:
    """Every day that was ever promised for this delivery."""
    delivery = await store.get_delivery(conn, delivery_id)
    return PromisesView(items=[PromiseView.of(made) for made in await store.list_promises(conn, delivery.id)])


@router.post("/deliveries/{delivery_id}/progress", dependencies=[scope("deliveries:write")])
async def report_progress(delivery_id: UUID, body: ReportProgress, tx: Tx) -> DeliveryView:
    """Report how much is done, until something is handed over. It never goes back; 100 does not complete by itself.

    From here on cancellation is refused.
    """
    return await _view(tx.conn, await handlers.report_progress(tx, delivery_id, body.percent, body.note))


@router.post("/deliveries/{delivery_id}/complete")
async def complete_delivery(delivery_id: UUID, tx: Tx, caller: Writer, body: CompleteDelivery | None = None) -> DeliveryView:
    """The customer has everything: all that is left is handed over. On time is measured against the latest promise."""
    at = body.completed_at if body else None
    return await _view(tx.conn, await handovers.complete_delivery(tx, delivery_id, at, by=caller.subject))


@router.post("/deliveries/{delivery_id}/promise", dependencies=[scope("deliveries:write")])
async def promise_day(delivery_id: UUID, body: PromiseDay, tx: Tx) -> DeliveryView:
    """Promise another day, today or later. Earlier promises are kept; the day already promised changes nothing."""
    return await _view(tx.conn, await handlers.promise_day(tx, delivery_id, body.promised_on, reason=body.reason))


@router.post("/deliveries/{delivery_id}/steps/{step_id}/progress", dependencies=[scope("deliveries:write")])
async def report_step(delivery_id: UUID, step_id: UUID, body: ReportStep, tx: Tx) -> DeliveryView:
    """Work that hands nothing over (production, shipment before an installation) went on, or began. From here on cancellation is refused."""
    return await _view(tx.conn, await steps.report_step(tx, delivery_id, step_id, body.done, body.note))


@router.post("/deliveries/{delivery_id}/lines/{line_id}/close", dependencies=[scope("deliveries:write")])
async def close_line(delivery_id: UUID, line_id: UUID, tx: Tx) -> DeliveryView:
    """What is missing of a line is never delivered, if its allowance lets that pass."""
    return await _view(tx.conn, await steps.close_line(tx, delivery_id, line_id))


async def _view(conn: Connection, delivery: Delivery) -> DeliveryView:
    return DeliveryView.of(delivery, await plans.get_plan(conn, delivery.id))
