"""HTTP in: predictive models, how they are made, and what a person says of a lead instead."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

from ltc_chassis.api import Conn, Page, PageArgs, Principal, Tx, scope
from ltc_chassis.api import router as make_router
from ltc_chassis.inputs import Moment
from ltc_contracts.events.model import Name
from pydantic import BaseModel, ConfigDict, Field

from lead_svc.domain.predictive import Manual, Policy
from lead_svc.handlers import predictive as handlers
from lead_svc.store import leads
from lead_svc.store import predictive as store

router = make_router(prefix="/v1", tags=["predictive"])
Keeper = Annotated[Principal, scope("leads:configure")]
Writer = Annotated[Principal, scope("leads:write")]
Share = Annotated[Decimal, Field(ge=0, le=1, decimal_places=4)]


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NewPolicy(Body):
    """`version` is the one after the latest. `positive` is what a model foretells: an opportunity, or a won one. `excluded` are columns
    that tell what came after the outcome, with * for any text. A model is used when its AUC is not below `min_auc`, nor below that of the
    present one by more than `margin`."""

    version: Annotated[int, Field(ge=2, le=1_000_000)]
    enabled: bool = True
    positive: Literal["converted", "won"] = "converted"
    excluded: Annotated[list[Name], Field(max_length=500)] = []
    min_examples: Annotated[int, Field(ge=10, le=100_000)] = 50
    min_auc: Annotated[Share, Field(ge=Decimal("0.5"))] = Decimal("0.65")
    margin: Annotated[Share, Field(le=Decimal("0.5"))] = Decimal("0.02")
    retrain_days: Annotated[int, Field(ge=1, le=365)] = 7
    max_rows: Annotated[int, Field(ge=100, le=200_000)] = 50_000


class PolicyView(BaseModel):
    version: int
    enabled: bool
    positive: str
    excluded: list[str]
    min_examples: int
    min_auc: Decimal
    margin: Decimal
    retrain_days: int
    max_rows: int
    created_by: str
    created_at: datetime


class ModelView(BaseModel):
    """`auc` is the mean area under the ROC curve over five folds of leads that the model had not seen; `note` says why it is not used."""

    id: UUID
    version: int
    state: Literal["waiting", "candidate", "active", "retired", "failed"]
    policy_version: int
    requested_by: str
    requested_at: datetime
    trained_at: datetime | None
    examples: int | None
    positives: int | None
    auc: float | None
    auc_folds: list[float] | None
    brier: float | None
    note: str | None
    decided_by: str | None
    decided_at: datetime | None


class ColumnView(BaseModel):
    """What each bucket of a column adds to the log-odds of the average lead."""

    name: str
    kind: Literal["number", "category"]
    edges: list[float]
    levels: list[str]
    effects: list[float]


class FullModelView(ModelView):
    """`calibration`: ten parts of equally many leads by rising chance, what was foretold and what came. `left_out`: column -> why."""

    calibration: list[dict[str, float]] | None
    left_out: dict[str, str] | None
    average: float | None
    columns: list[ColumnView] | None


class NewManual(Body):
    """Per cent. It counts instead of the model's until `expires_at`, or until it is withdrawn."""

    value: Annotated[Decimal, Field(ge=0, le=100, decimal_places=2)]
    reason: Annotated[str, Field(min_length=1, max_length=2000, pattern=r"\S")]
    expires_at: Moment | None = None


class ManualView(BaseModel):
    value: str
    reason: str
    set_by: str
    set_at: datetime
    expires_at: datetime | None
    ended_at: datetime | None
    ended_by: str | None

    @classmethod
    def of(cls, manual: Manual) -> "ManualView":
        return cls(**{**{name: getattr(manual, name) for name in cls.model_fields}, "value": str(manual.value)})


@router.get("/predictive-policies", dependencies=[scope("leads:read")])
async def list_policies(conn: Conn) -> list[PolicyView]:
    """How models are made: every version, the latest first."""
    return [PolicyView(**dict(row)) for row in await store.list_policies(conn)]


@router.post("/predictive-policies", status_code=201, dependencies=[scope("leads:configure")])
async def add_policy(body: NewPolicy, tx: Tx, caller: Keeper) -> PolicyView:
    """A new version; models that are trained from now on follow it."""
    policy = Policy(**{**body.model_dump(), "excluded": tuple(body.excluded)})
    await handlers.add_policy(tx, policy, caller.subject)
    return PolicyView(**body.model_dump(), created_by=caller.subject, created_at=tx.now)


@router.get("/predictive-models", dependencies=[scope("leads:read")])
async def list_models(conn: Conn, page: PageArgs) -> Page[ModelView]:
    """Every model with what it is worth, the oldest first."""
    rows = await store.list_models(conn, after=page.after, limit=page.limit + 1)
    return page.of([ModelView(**dict(row)) for row in rows], key=lambda view: view.id)


@router.post("/predictive-models", status_code=202, dependencies=[scope("leads:configure")])
async def train(tx: Tx, caller: Keeper) -> ModelView:
    """Train a model now, in the background, by the latest policy; ask for the result by its id."""
    return await _view(tx.conn, await handlers.request(tx, caller.subject))


@router.get("/predictive-models/{model_id}", dependencies=[scope("leads:read")])
async def get_model(model_id: UUID, conn: Conn) -> FullModelView:
    """One model: what it is worth, what it learnt, what it left out."""
    row = dict(await store.get_model(conn, model_id))
    body: dict[str, Any] = row.pop("body") or {"average": None, "columns": None}
    return FullModelView(**row, **body)


@router.post("/predictive-models/{model_id}/activate", dependencies=[scope("leads:configure")])
async def activate(model_id: UUID, tx: Tx, caller: Keeper) -> ModelView:
    """Put a candidate, or a model of before, into use."""
    await handlers.activate(tx, model_id, caller.subject)
    return await _view(tx.conn, model_id)


@router.post("/predictive-models/{model_id}/retire", dependencies=[scope("leads:configure")])
async def retire(model_id: UUID, tx: Tx, caller: Keeper) -> ModelView:
    """Use the model no longer."""
    await handlers.retire(tx, model_id, caller.subject)
    return await _view(tx.conn, model_id)


@router.put("/leads/{lead_id}/score/manual", dependencies=[scope("leads:write")])
async def set_manual(lead_id: UUID, body: NewManual, tx: Tx, caller: Writer) -> ManualView:
    """A person's own chance for a lead, with the reason; no model overwrites it."""
    return ManualView.of(await handlers.set_manual(tx, lead_id, body.value, body.reason, body.expires_at, caller.subject))


@router.delete("/leads/{lead_id}/score/manual", status_code=204, dependencies=[scope("leads:write")])
async def withdraw_manual(lead_id: UUID, tx: Tx, caller: Writer) -> None:
    """The model's value counts again."""
    await handlers.withdraw_manual(tx, lead_id, caller.subject)


@router.get("/leads/{lead_id}/score/manual", dependencies=[scope("leads:read")])
async def list_manual(lead_id: UUID, conn: Conn) -> list[ManualView]:
    """What persons said of the lead, the newest first, at most 200."""
    await leads.get_lead(conn, lead_id)
    return [ManualView.of(row) for row in await store.list_manual(conn, lead_id)]


async def _view(conn: Conn, model_id: UUID) -> ModelView:
    row = dict(await store.get_model(conn, model_id))
    return ModelView(**{name: row[name] for name in ModelView.model_fields})
