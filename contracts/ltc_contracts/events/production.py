"""Facts of made-to-order production: orders to the shop floor by delivery-svc, and what an MES tells of them.

The vocabulary is that of ISA-95 part 4 (IEC 62264-4) as OPC 10031-4 and B2MML write it: a production order is a job order, its
`production_id` the JobOrderID; what an MES tells is a job response. docs/mes.md has the mapping field by field.
"""

from typing import Annotated, ClassVar, Literal
from uuid import UUID

from pydantic import AwareDatetime, Field

from ltc_contracts.events.model import Code, Day, Event, Exact, Name, Text

Made = Annotated[Exact, Field(ge=0)]
# The states of a job order, by their names in the standard. Cancelled before its start it is Aborted.
JobState = Literal["NotAllowedToStart", "AllowedToStart", "Running", "Interrupted", "Ended", "Aborted"]


class ProductionOrdered(Event):
    """Pieces of an order's line are to be made by the end of a day."""

    TOPIC: ClassVar[str] = "production.ordered"
    SUBJECT: ClassVar[str] = "production_id"

    production_id: UUID
    number: Annotated[Code, Field(description="P-YYYY-NNNNNN")]
    delivery_id: UUID
    order_id: UUID
    order_number: Code
    line_id: UUID
    sku: Code
    description: Name
    quantity: Annotated[Exact, Field(gt=0)]
    needed_by: Annotated[Day, Field(description="ready by the end of this day, so that the promise holds")]
    priority: Annotated[int, Field(ge=0, le=100, description="the greater the sooner")]
    reorder_of: Annotated[UUID | None, Field(description="the production that did not make all of it")] = None


class ProductionChanged(ProductionOrdered):
    """Another quantity, day or priority. Carries the whole job order: of both events the one with the greater sequence counts."""

    TOPIC: ClassVar[str] = "production.changed"


class ProductionCancelled(Event):
    """Not needed any more. What was made of it already is the shop floor's to keep."""

    TOPIC: ClassVar[str] = "production.cancelled"
    SUBJECT: ClassVar[str] = "production_id"

    production_id: UUID
    number: Code
    delivery_id: UUID
    order_id: UUID
    reason: Text


class ProductionCompleted(Event):
    """All pieces are good; `late` says that the day they were needed by had passed."""

    TOPIC: ClassVar[str] = "production.completed"
    SUBJECT: ClassVar[str] = "production_id"

    production_id: UUID
    number: Code
    delivery_id: UUID
    order_id: UUID
    sku: Code
    quantity: Annotated[Exact, Field(gt=0)]
    quantity_good: Made
    quantity_scrap: Made
    work_center: Code | None = None
    ordered_at: AwareDatetime
    started_at: AwareDatetime | None = None
    completed_at: AwareDatetime
    needed_by: Day
    late: bool


class ProductionFailed(Event):
    """It ended without all pieces: `short` with fewer good ones than ordered, `aborted` by the shop floor."""

    TOPIC: ClassVar[str] = "production.failed"
    SUBJECT: ClassVar[str] = "production_id"

    production_id: UUID
    number: Code
    delivery_id: UUID
    order_id: UUID
    sku: Code
    code: Annotated[Literal["short", "aborted"], Field(description="how it ended")]
    quantity: Annotated[Exact, Field(gt=0)]
    quantity_good: Made
    quantity_scrap: Made
    missing: Annotated[Exact, Field(gt=0)]
    reason: Text | None = None
    failed_at: AwareDatetime
    reordered: Annotated[bool, Field(description="the missing pieces are ordered anew; otherwise a person decides")]


class MesProductionProgressed(Event):
    """How far a job order is, by an MES. Quantities are totals since its start, so told again or out of order they do no harm."""

    TOPIC: ClassVar[str] = "mes.production_progressed"
    SUBJECT: ClassVar[str] = "production_id"
    OF_A_FLOW: ClassVar[bool] = False

    production_id: Annotated[UUID, Field(description="the job order")]
    state: JobState
    quantity_good: Made
    quantity_scrap: Made
    as_of: Annotated[AwareDatetime, Field(description="when it was so, by the clock of the MES; what is older changes nothing")]
    sequence: Annotated[int, Field(ge=0, lt=2**63, description="tells apart what was so at the same moment")] = 0
    segment: Annotated[Code | None, Field(description="the operations segment that is worked on")] = None
    work_center: Code | None = None
    actual_start: AwareDatetime | None = None
    actual_end: AwareDatetime | None = None
    expected_end: Annotated[AwareDatetime | None, Field(description="when the last piece will be good")] = None
    reason: Annotated[Text | None, Field(description="why interrupted, aborted or later than told before")] = None
