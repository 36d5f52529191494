"""HTTP in: segments and classifications, what one would take, and how far a new version has spread."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from ltc_chassis import custom_fields
from ltc_chassis.api import Conn, Principal, Tx, scope
from ltc_chassis.api import router as make_router
from ltc_chassis.inputs import Moment
from ltc_contracts.errors import NotFound
from ltc_rules import conditions
from pydantic import BaseModel, Field

from lead_svc.api.leads import Body
from lead_svc.domain.segments import RuleKind, SegmentRule, belongs, known_fields
from lead_svc.handlers import segments as handlers
from lead_svc.store import segments as store

router = make_router(prefix="/v1", tags=["segments"])
Configurer = Annotated[Principal, scope("leads:configure")]
Key = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
_BUDGET_S = 2.0
_CHUNK = 500


class NewRule(Body):
    """`condition` is of ltc_rules.conditions; of two rules the one with the smaller `priority` is more important.

    `replaces` is the version that this one follows, none for a new code; `active: false` ends the code. It begins now unless
    `valid_from` says when.
    """

    code: Key
    label: Annotated[str, Field(min_length=1, max_length=200)]
    condition: dict[str, Any]
    priority: Annotated[int, Field(ge=0, le=10_000)] = 100
    active: bool = True
    valid_from: Moment | None = None
    replaces: Annotated[int, Field(ge=1, le=2_000_000_000)] | None = None


class NewClassification(NewRule):
    """`sets` gives a region, an industry or a channel group to leads of which nobody has said it."""

    sets: Annotated[dict[str, Annotated[str, Field(min_length=1, max_length=200)]], Field(min_length=1, max_length=3)]


class SegmentView(BaseModel):
    """One version. In force is the one that began last."""

    code: str
    version: int
    label: str
    condition: dict[str, Any]
    priority: int
    active: bool
    valid_from: datetime
    created_by: str
    created_at: datetime


class ClassificationView(SegmentView):
    sets: dict[str, str]


class Preview(Body):
    condition: dict[str, Any]


class PreviewView(BaseModel):
    """Of `total` leads `looked_at` were compared, the latest first, and `matching` hold. Where time ran out `complete` is false and
    `estimate` extends what was seen to all. `sample` are the latest 20 that hold."""

    total: int
    looked_at: int
    matching: int
    complete: bool
    estimate: int
    sample: list[UUID]


class RunView(BaseModel):
    """A look at every lead, because a version begins."""

    id: UUID
    due_at: datetime
    looked_at: int
    changed: int
    done_at: datetime | None


@router.post("/segments", status_code=201, dependencies=[scope("leads:configure")])
async def add_segment(body: NewRule, tx: Tx, caller: Configurer) -> SegmentView:
    """A segment, or its next version; every lead is looked at again when it begins."""
    return SegmentView(**await _add(tx, "segment", body, {}, caller.subject))


@router.get("/segments", dependencies=[scope("leads:read")])
async def list_segments(conn: Conn) -> list[SegmentView]:
    """The latest version of each segment, the most important first."""
    return [SegmentView(**dict(row)) for row in await store.list_versions(conn, "segment", None)]


@router.get("/segments/{code}/versions", dependencies=[scope("leads:read")])
async def list_segment_versions(code: str, conn: Conn) -> list[SegmentView]:
    """Every version of a segment, the latest first: who wrote it, when, and from when on it counts."""
    return [SegmentView(**dict(row)) for row in await _versions(conn, "segment", code)]


@router.post("/segments/preview", dependencies=[scope("leads:read")])
async def preview(body: Preview, tx: Tx) -> PreviewView:
    """How many of the leads that are here a condition would take; it answers within two seconds, however many there are."""
    own = await custom_fields.load(tx.conn, "lead")
    conditions.check(body.condition, known_fields("segment", own))
    loop = asyncio.get_running_loop()
    until = loop.time() + _BUDGET_S
    total, looked_at, found = await store.count_leads(tx.conn), 0, 0
    sample: list[UUID] = []
    before: UUID | None = None
    complete = False
    while not complete and loop.time() < until:
        chunk = await store.list_before(tx.conn, before, _CHUNK)
        taken = [lead.id for lead, band in chunk if belongs(body.condition, lead, band, own)]
        looked_at, found, complete = looked_at + len(chunk), found + len(taken), len(chunk) < _CHUNK
        sample += taken[: 20 - len(sample)]
        before = chunk[-1][0].id if chunk else before
    estimate = found if complete else round(found * max(total, looked_at) / looked_at) if looked_at else 0
    return PreviewView(total=total, looked_at=looked_at, matching=found, complete=complete, estimate=estimate, sample=sample)


@router.get("/segments/runs", dependencies=[scope("leads:read")])
async def list_runs(conn: Conn) -> list[RunView]:
    """How far new versions have spread over the leads that were here before; the latest 100."""
    return [RunView(**{name: getattr(run, name) for name in RunView.model_fields}) for run in await store.list_runs(conn)]


@router.post("/classifications", status_code=201, dependencies=[scope("leads:configure")])
async def add_classification(body: NewClassification, tx: Tx, caller: Configurer) -> ClassificationView:
    """A rule that sets a region, an industry or a channel group, or its next version."""
    return ClassificationView(**await _add(tx, "classify", body, body.sets, caller.subject))


@router.get("/classifications", dependencies=[scope("leads:read")])
async def list_classifications(conn: Conn) -> list[ClassificationView]:
    """The latest version of each rule, the most important first."""
    return [ClassificationView(**dict(row)) for row in await store.list_versions(conn, "classify", None)]


@router.get("/classifications/{code}/versions", dependencies=[scope("leads:read")])
async def list_classification_versions(code: str, conn: Conn) -> list[ClassificationView]:
    """Every version of a rule, the latest first."""
    return [ClassificationView(**dict(row)) for row in await _versions(conn, "classify", code)]


async def _add(tx: Tx, kind: RuleKind, body: NewRule, sets: dict[str, str], by: str) -> dict[str, Any]:
    rule = SegmentRule(
        kind, body.code, 0, body.label, body.condition, sets, body.priority, body.active, body.valid_from or tx.now
    )
    made = await handlers.add_rule(tx, rule, replaces=body.replaces, by=by)
    return {**{name: getattr(made, name) for name in SegmentRule.__slots__}, "created_by": by, "created_at": tx.now}


async def _versions(conn: Conn, kind: RuleKind, code: str) -> Sequence[Any]:
    found = await store.list_versions(conn, kind, code)
    if not found:
        raise NotFound("no such code")
    return found
