"""HTTP in: what is made for deliveries, as the shop floor tells it; and a person's word when it cannot go on by itself."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated
from uuid import UUID

from ltc_chassis.api import Conn, Page, PageArgs, Tx, scope
from ltc_chassis.api import router as make_router
from ltc_chassis.inputs import Day
from ltc_contracts.events import JobState
from pydantic import BaseModel, Field

from delivery_svc.domain.production import Failure, Production, Silence, State
from delivery_svc.handlers import production_news as handlers
from delivery_svc.store import productions as store

router = make_router(prefix="/v1", tags=["productions"])


class ProductionView(BaseModel):
    """A production order with what the MES told last. `missing` is what is not good yet."""

    id: UUID
    number: str
    flow_id: UUID
    delivery_id: UUID
    order_id: UUID
    order_number: str
    line_id: UUID
    step_id: UUID
    sku: str
    description: str
    quantity: Decimal
    start_on: Annotated[date, Field(description="the day on which it has to begin, to be ready in time")]
    needed_by: date
    priority: Annotated[int, Field(description="the greater the sooner")]
    reorder_of: Annotated[UUID | None, Field(description="the production that did not make all of it")]
    attempt: int
    state: State
    failure: Failure | None
    reordered: bool
    settled: Annotated[bool, Field(description="it failed, and what it did not make is not wanted any more")]
    waits_for_a_person: Annotated[
        bool,
        Field(
            description="it failed and nothing goes on by itself: order the rest anew, or change the plan; or nothing is heard of it: ask"
        ),
    ]
    waiting_because: Annotated[
        Failure | Silence | None,
        Field(description="how it failed; or what nothing was heard of: `not_begun` in time, `not_finished` in time"),
    ]
    job_state: Annotated[JobState | None, Field(description="as the MES says, by ISA-95 part 4; null before it said anything")]
    quantity_good: Decimal
    quantity_scrap: Decimal
    missing: Decimal
    segment: str | None
    work_center: str | None
    actual_start: datetime | None
    actual_end: datetime | None
    expected_end: datetime | None
    reason: str | None
    as_of: Annotated[datetime | None, Field(description="when it was so, by the clock of the MES")]
    ended_at: datetime | None
    created_at: datetime
    updated_at: datetime
    version: int

    @classmethod
    def of(cls, production: Production) -> "ProductionView":
        names = cls.model_fields.keys() - {"job_state", "waits_for_a_person"}
        report = production.report
        told = {name: getattr(report, name) for name in names if hasattr(report, name)}
        own = {name: getattr(production, name) for name in names - told.keys()}
        return cls(
            **own,
            **told,
            job_state=report.job_state,
            waits_for_a_person=production.waiting_because is not None,
        )


@router.get("/productions", dependencies=[scope("productions:read")])
async def list_productions(
    conn: Conn,
    page: PageArgs,
    delivery_id: UUID | None = None,
    order_id: UUID | None = None,
    state: State | None = None,
    waits_for_a_person: bool = False,
    needed_by: Day | None = None,
) -> Page[ProductionView]:
    """Productions in the order in which they were ordered, by delivery, order, state, those needed by a day, those that wait for a person."""
    found = await store.list_productions(
        conn,
        delivery_id=delivery_id,
        order_id=order_id,
        state=state,
        waits_for_a_person=waits_for_a_person,
        needed_by=needed_by,
        after=page.after,
        limit=page.limit + 1,
    )
    return page.of([ProductionView.of(each) for each in found], key=lambda view: view.id)


@router.get("/productions/{production_id}", dependencies=[scope("productions:read")])
async def get_production(production_id: UUID, conn: Conn) -> ProductionView:
    """One production order, and how far it is."""
    return ProductionView.of(await store.get_production(conn, production_id))


@router.post("/productions/{production_id}/reorder", dependencies=[scope("productions:write")])
async def reorder(production_id: UUID, tx: Tx) -> ProductionView:
    """Have made anew what a production failed to make, when it waits for a person."""
    return ProductionView.of(await handlers.reorder(tx, production_id))
