"""HTTP in: pipelines, and what a deal has and lacks in its stage."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from ltc_chassis.api import Conn, Page, PageArgs, Principal, Tx, scope
from ltc_chassis.api import router as make_router
from ltc_contracts.events.model import Name
from pydantic import BaseModel, Field

from sales_svc.api.shapes import Body, ChangeView, IfMatch, Version
from sales_svc.domain.pipeline import CLOSED, ActivityNeed, Category, Document, Item, Pipeline, Stage, missing
from sales_svc.handlers import opportunities as deals
from sales_svc.handlers import pipelines as handlers
from sales_svc.store import changes, opportunities, pipelines
from sales_svc.store.pipelines import Listed

router = make_router(prefix="/v1", tags=["pipelines"])
Admin = Annotated[Principal, scope("pipelines:configure")]
Seller = Annotated[Principal, scope("opportunities:write")]
Slug = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
Playbook = Annotated[str, Field(max_length=10_000)]


class ItemBody(Body):
    code: Slug
    label: Name
    required: bool = True


class NeedBody(Body):
    type: Literal["call", "email", "meeting", "note", "task"]
    at_least: Annotated[int, Field(ge=1, le=100)] = 1


class ExitBody(Body):
    """What a deal must have before it leaves the stage: a condition on its fields, activities, papers."""

    fields: dict[str, Any] | None = None
    activities: Annotated[list[NeedBody], Field(max_length=20)] = Field(default_factory=list)
    documents: Annotated[list[Document], Field(max_length=20)] = Field(default_factory=list)


class StageBody(Body):
    """`probability` in per cent; `category` is how the forecast counts it; `kind` is open, or an outcome in what is shown."""

    code: Slug
    label: Name
    probability: Annotated[int, Field(ge=0, le=100)]
    category: Category = "pipeline"
    exit: ExitBody = Field(default_factory=ExitBody)
    checklist: Annotated[list[ItemBody], Field(max_length=50)] = Field(default_factory=list)
    playbook: Playbook = ""

    def kept(self, position: int) -> Stage:
        return Stage(
            code=self.code,
            position=position,
            probability=self.probability,
            label=self.label,
            category=self.category,
            fields=self.exit.fields,
            activities=tuple(ActivityNeed(need.type, need.at_least) for need in self.exit.activities),
            documents=tuple(self.exit.documents),
            checklist=tuple(Item(item.code, item.label, item.required) for item in self.checklist),
            playbook=self.playbook,
        )


Stages = Annotated[list[StageBody], Field(min_length=1, max_length=30)]


class NewPipeline(Body):
    code: Slug
    name: Name
    stages: Stages


class PipelineChange(Body):
    """`version` is the one that was read."""

    name: Name
    stages: Stages
    version: Version | None = None


class PipelineState(Body):
    is_default: bool = False
    archived: bool = False


class StageView(BaseModel):
    """A stage, or an outcome: kind won (100 %) or lost (0 %)."""

    code: str
    label: str
    position: int
    probability: int
    kind: Literal["open", "won", "lost"]
    category: str | None
    exit: dict[str, Any]
    checklist: list[dict[str, Any]]
    playbook: str


class PipelineView(BaseModel):
    code: str
    version: int
    name: str
    stages: list[StageView]

    @classmethod
    def of(cls, pipeline: Pipeline) -> "PipelineView":
        stages = [_stage_view(stage) for stage in pipeline.stages]
        for number, (code, probability) in enumerate(CLOSED.items(), len(stages) + 1):
            outcome: dict[str, Any] = {"code": code, "kind": code, "label": code.capitalize(), "probability": probability}
            stages.append(StageView(**outcome, position=number, category=None, exit={}, checklist=[], playbook=""))
        return cls(code=pipeline.code, version=pipeline.version, name=pipeline.name, stages=stages)


class ListedPipeline(PipelineView):
    is_default: bool
    archived: bool
    created_by: str
    created_at: datetime

    @classmethod
    def of_listed(cls, listed: Listed) -> "ListedPipeline":
        names = ("is_default", "archived", "created_by", "created_at")
        return cls(**PipelineView.of(listed.pipeline).model_dump(), **{name: getattr(listed, name) for name in names})


class MissingView(BaseModel):
    """`kind` is field, activity, document or checklist; `what` names it; `reason` is for people."""

    stage: str
    kind: str
    what: str
    reason: str


class ChecklistItem(BaseModel):
    code: str
    label: str
    required: bool
    done_by: str | None
    done_at: datetime | None


class Guide(BaseModel):
    """What to do in the present stage, and what is missing before it can be left."""

    stage: str
    label: str
    playbook: str
    checklist: list[ChecklistItem]
    missing: list[MissingView]


class Done(Body):
    done: bool = True


@router.get("/pipelines", dependencies=[scope("pipelines:read")])
async def list_pipelines(conn: Conn) -> list[ListedPipeline]:
    """Every pipeline in its latest version; at most 200."""
    return [ListedPipeline.of_listed(row) for row in await pipelines.list_latest(conn)]


@router.post("/pipelines", status_code=201)
async def create_pipeline(body: NewPipeline, tx: Tx, caller: Admin) -> PipelineView:
    """Another way that deals go."""
    return PipelineView.of(await handlers.create_pipeline(tx, body.code, body.name, _stages(body.stages), caller.subject))


@router.get("/pipelines/{code}", dependencies=[scope("pipelines:read")])
async def get_pipeline(code: str, conn: Conn, version: Version | None = None) -> PipelineView:
    """A pipeline in its latest version, or in another one."""
    found = await (pipelines.get_latest(conn, code) if version is None else pipelines.get_version(conn, code, version))
    return PipelineView.of(found)


@router.put("/pipelines/{code}")
async def change_pipeline(code: str, body: PipelineChange, tx: Tx, caller: Admin, if_match: IfMatch) -> PipelineView:
    """The next version, for deals opened from now on; those that run keep theirs."""
    expected = body.version if body.version is not None else if_match
    made = await handlers.change_pipeline(tx, code, body.name, _stages(body.stages), caller.subject, expected=expected)
    return PipelineView.of(made)


@router.put("/pipelines/{code}/state")
async def set_state(code: str, body: PipelineState, tx: Tx, caller: Admin) -> ListedPipeline:
    """Make it the default for new deals, or archive it: it takes no new ones, those that run go on."""
    await handlers.set_state(tx, code, caller.subject, is_default=body.is_default, archived=body.archived)
    return ListedPipeline.of_listed((await pipelines.list_versions(tx.conn, code))[0])


@router.get("/pipelines/{code}/versions", dependencies=[scope("pipelines:read")])
async def list_versions(code: str, conn: Conn) -> list[ListedPipeline]:
    """Every version with who made it and when, the latest first; at most 500."""
    return [ListedPipeline.of_listed(row) for row in await pipelines.list_versions(conn, code)]


@router.get("/pipelines/{code}/changes", dependencies=[scope("pipelines:read")])
async def list_changes(code: str, conn: Conn, page: PageArgs) -> Page[ChangeView]:
    """Who made it the default or archived it."""
    await pipelines.get_latest(conn, code)
    rows = await changes.list_changes(conn, "pipeline", code, after=page.after, limit=page.limit + 1)
    return page.of([ChangeView.of(row) for row in rows], key=lambda view: view.id)


@router.get("/opportunities/{opportunity_id}/guide", dependencies=[scope("opportunities:read")])
async def get_guide(opportunity_id: UUID, conn: Conn) -> Guide:
    """The playbook and checklist of the deal's stage, and everything that is missing before it can be left."""
    opportunity = await opportunities.get_opportunity(conn, opportunity_id)
    if not opportunity.is_open:
        return Guide(stage=opportunity.stage, label=opportunity.stage.capitalize(), playbook="", checklist=[], missing=[])
    pipeline = await pipelines.get_version(conn, opportunity.pipeline, opportunity.pipeline_version)
    stage = pipeline.stage(opportunity.stage)
    evidence, labels = await deals.evidence_of(conn, opportunity)
    done = await opportunities.list_done(conn, opportunity_id)
    lacking = missing([stage], evidence, labels)
    return Guide(
        stage=stage.code,
        label=stage.label,
        playbook=stage.playbook,
        checklist=[_item(item, done.get((stage.code, item.code))) for item in stage.checklist],
        missing=[MissingView(stage=m.stage, kind=m.kind, what=m.what, reason=m.reason) for m in lacking],
    )


@router.put("/opportunities/{opportunity_id}/checklist/{stage}/{item}")
async def tick(opportunity_id: UUID, stage: str, item: str, body: Done, tx: Tx, caller: Seller) -> Guide:
    """Mark a line of a stage's checklist as done, or as not done after all."""
    await deals.tick(tx, opportunity_id, stage, item, caller.subject, done=body.done)
    return await get_guide(opportunity_id, tx.conn)


def _stages(bodies: Sequence[StageBody]) -> list[Stage]:
    return [body.kept(position) for position, body in enumerate(bodies, 1)]


def _stage_view(stage: Stage) -> StageView:
    return StageView(
        code=stage.code,
        label=stage.label or stage.code,
        position=stage.position,
        probability=stage.probability,
        kind="open",
        category=stage.category,
        exit={
            "fields": stage.fields,
            "activities": [{"type": need.type, "at_least": need.at_least} for need in stage.activities],
            "documents": list(stage.documents),
        },
        checklist=[{"code": item.code, "label": item.label, "required": item.required} for item in stage.checklist],
        playbook=stage.playbook,
    )


def _item(item: Item, done: tuple[str, datetime] | None) -> ChecklistItem:
    by, at = done or (None, None)
    return ChecklistItem(code=item.code, label=item.label, required=item.required, done_by=by, done_at=at)
