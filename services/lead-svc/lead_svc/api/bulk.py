"""HTTP in: leads by the hundred, each answered by itself."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Response
from ltc_chassis import errors
from ltc_chassis.api import MB, Principal, Tx, body_up_to, scope
from ltc_chassis.api import router as make_router
from ltc_contracts.errors import DomainError
from pydantic import BaseModel, Field, ValidationError

from lead_svc.api.leads import Body, NewLead
from lead_svc.domain.duplicates import PossibleDuplicate
from lead_svc.domain.lead import DuplicateLead
from lead_svc.handlers.bulk import Result, capture_given
from lead_svc.store import leads as store

router = make_router(prefix="/v1", tags=["leads"])
MOST_ROWS = 1000


class NewLeads(Body):
    """Each row is what `POST /v1/leads` takes. Its `external_ref` is its own key: a row that comes again is known, not taken twice."""

    leads: Annotated[list[Any], Field(min_length=1, max_length=MOST_ROWS, description="each as in POST /v1/leads")]


class RowView(BaseModel):
    """What became of a row, `row` counts from 0. Taken: the new lead's id and flow, and what it is a duplicate of for who may read leads.
    Known: the lead that has its reference. Refused: `problem` has the members of RFC 9457, with the field."""

    row: int
    result: Literal["taken", "known", "refused"]
    external_ref: str | None = None
    id: UUID | None = None
    flow_id: UUID | None = None
    duplicate_of: UUID | None = None
    problem: dict[str, Any] | None = None


class RowsView(BaseModel):
    """taken + known + refused = the number of rows; `rows` in their order."""

    taken: int
    known: int
    refused: int
    rows: list[RowView]

    @classmethod
    def of(cls, rows: list[RowView]) -> "RowsView":
        counts = {name: sum(row.result == name for row in rows) for name in ("taken", "known", "refused")}
        return cls(**counts, rows=rows)


@router.post("/leads/bulk", response_model=RowsView, dependencies=[scope("leads:write"), body_up_to(4 * MB)])
async def create_leads(body: NewLeads, tx: Tx, caller: Annotated[Principal, scope("leads:write")]) -> Response:
    """Capture up to 1,000 leads; each is taken or refused by itself, in one transaction. The answer is 200 whatever became of them."""
    shapes = [_shape(row) for row in body.leads]
    rows = [row.arrival(tx.now) if isinstance(row, NewLead) else Malformed(row) for row in shapes]
    results = await capture_given(tx, rows)
    reads = bool(caller.scopes & {"leads:read", "*"})
    references = [row.external_ref if isinstance(row, NewLead) else None for row in shapes]
    return answer(await views(tx, results, references, reads=reads))


async def views(tx: Tx, results: Sequence[Result], references: Sequence[str | None], *, reads: bool) -> list[RowView]:
    """What became of rows, of which `references` are the external ones; `reads`: the caller may read leads."""
    known = {
        reference
        for result, reference in zip(results, references, strict=True)
        if isinstance(result, DuplicateLead) and reference is not None
    }
    found = await store.find_lead_ids(tx.conn, known) if known else {}
    return [
        _view(number, result, reference, found, reads=reads)
        for number, (result, reference) in enumerate(zip(results, references, strict=True))
    ]


def answer(rows: list[RowView]) -> Response:
    # Written once: FastAPI would read and check each row again.
    return Response(RowsView.of(rows).model_dump_json(exclude_none=True), media_type="application/json")


def _shape(row: Any) -> NewLead | ValidationError:
    try:
        return NewLead.model_validate(row)
    except ValidationError as error:
        return error


def _view(number: int, result: Result, reference: str | None, found: dict[str, UUID], *, reads: bool) -> RowView:
    if isinstance(result, DuplicateLead) and reference in found:
        return RowView.model_construct(row=number, result="known", external_ref=reference, id=found[reference])
    if isinstance(result, DomainError):
        return RowView(row=number, result="refused", external_ref=reference, problem=_problem(result, reads=reads))
    lead = result.lead
    other = (lead.duplicate_of or lead.merged_into) if reads else None
    return RowView.model_construct(
        row=number, result="taken", external_ref=reference, id=lead.id, flow_id=lead.flow_id, duplicate_of=other
    )


def _problem(error: DomainError, *, reads: bool) -> dict[str, Any]:
    if isinstance(error, Malformed):
        return errors.members_of_shape(error.shape)
    if isinstance(error, PossibleDuplicate) and reads:
        error = error.told()
    return errors.members_of(error)


class Malformed(DomainError):
    """A row has not the expected shape."""

    kind = "invalid"

    def __init__(self, shape: ValidationError) -> None:
        super().__init__("the row has not the expected shape", field="row")
        self.shape = shape
