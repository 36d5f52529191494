"""HTTP in: reps with their capacity and absences, territories, and why a lead went to whom."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query
from ltc_chassis.api import Conn, Now, Page, PageArgs, Principal, Tx, scope
from ltc_chassis.api import router as make_router
from ltc_chassis.inputs import Moment
from ltc_contracts.events.model import Code, Name
from pydantic import BaseModel, ConfigDict, Field

from lead_svc.domain import assignment as rules
from lead_svc.domain.assignment import Absence, Candidate, Rep, Territory
from lead_svc.handlers import assignment as handlers
from lead_svc.store import assignment as store
from lead_svc.store import leads, protection
from lead_svc.store.assignment import Assigned

router = make_router(prefix="/v1", tags=["assignment"])
Admin = Annotated[Principal, scope("leads:configure")]
Version = Annotated[int, Field(ge=1, description="the version that was read; none for a new one")]
Language = Annotated[str, Field(pattern=r"^[a-z]{2,3}$", description="ISO 639")]


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class RepBody(Body):
    """`max_per_30_days` / 30, rounded half up, is the daily quota: below 15 a rep gets none by rule."""

    name: Name
    team: Name | None = None
    max_per_30_days: Annotated[int, Field(ge=0, le=100_000)]
    languages: Annotated[list[Language], Field(max_length=50)] = []
    active: bool = True
    version: Version | None = None


class RepView(BaseModel):
    """`owed` is what the rep is owed of the leads that he could have had, in leads; negative: he had them in advance."""

    subject: str
    name: str
    team: str | None
    max_per_30_days: int
    languages: list[str]
    active: bool
    owed: str
    version: int

    @classmethod
    def of(cls, rep: Rep) -> "RepView":
        same = {name: getattr(rep, name) for name in ("subject", "name", "team", "max_per_30_days", "active", "version")}
        return cls(**same, languages=sorted(rep.languages), owed=f"{rep.credit:.2f}")


class NewAbsence(Body):
    since: Moment
    until: Moment


class AbsenceView(BaseModel):
    """Away from `since` until before `until`."""

    id: UUID
    since: datetime
    until: datetime

    @classmethod
    def of(cls, absence: Absence) -> "AbsenceView":
        return cls(id=absence.id, since=absence.since, until=absence.until)


class RepDetail(RepView):
    """With the daily quota, what is left of it, and absences that are not over."""

    daily_quota: int
    left_today: int
    absent: bool
    held: int
    absences: list[AbsenceView]


class RepsView(BaseModel):
    """`next` is the subject to go on after."""

    items: list[RepView]
    next: str | None


class TerritoryBody(Body):
    """`condition` is over fields of a lead; the smaller `priority` is asked first; `language` must be spoken by who gets the lead."""

    name: Name
    priority: Annotated[int, Field(ge=0, le=1_000_000)] = 100
    condition: dict[str, Any]
    members: Annotated[list[Name], Field(max_length=500)]
    language: Language | None = None
    active: bool = True
    version: Version | None = None


class TerritoryView(BaseModel):
    code: str
    name: str
    priority: int
    condition: dict[str, Any]
    members: list[str]
    language: str | None
    active: bool
    version: int

    @classmethod
    def of(cls, territory: Territory) -> "TerritoryView":
        same = {name: getattr(territory, name) for name in cls.model_fields if name not in ("members", "condition")}
        return cls(**same, members=list(territory.members), condition=dict(territory.condition))


class ChangeView(BaseModel):
    """What was written, by whom."""

    id: UUID
    version: int
    body: dict[str, Any]
    by: str
    at: datetime


class CandidateView(BaseModel):
    """A member of a territory: `blocked` says why he gets nothing, `owed` decides among the others."""

    rep: str
    max_per_30_days: int
    daily_quota: int
    assigned_in_24_hours: int
    held: int
    absent: bool
    owed: str
    blocked: str | None


class AssignedView(BaseModel):
    """`by` is rule, or who did it by hand; `candidates` are as they stood then."""

    rep: str
    by: str
    territory: str | None
    territory_version: int | None
    assigned_at: datetime
    candidates: list[CandidateView]

    @classmethod
    def of(cls, made: Assigned) -> "AssignedView":
        return cls(**{name: getattr(made, name) for name in cls.model_fields})


class LookView(BaseModel):
    territory: str
    priority: int
    candidates: list[CandidateView]

    @classmethod
    def of(cls, code: str, priority: int, candidates: tuple[Candidate, ...]) -> "LookView":
        return cls(territory=code, priority=priority, candidates=[CandidateView(**each) for each in rules.explain(candidates)])


class ExplanationView(BaseModel):
    """`history`, the newest first, is to whom the lead was given and why; `now` is what the rule sees at this moment, first to last.

    `would_go_to` is who would get it if it were assigned now; a lead that was ever given or claimed is not assigned by rule.
    """

    lead_id: UUID
    history: list[AssignedView]
    never_assigned: bool
    now: list[LookView]
    would_go_to: str | None


@router.put("/reps/{subject}")
async def put_rep(subject: Name, body: RepBody, tx: Tx, caller: Admin) -> RepView:
    """Enter a rep by the subject of his tokens, or change him in the version that was read."""
    given = body.model_dump(exclude={"version", "languages"})
    rep = Rep(subject=subject, languages=frozenset(body.languages), credit=rules.NOTHING, version=0, **given)
    return RepView.of(await handlers.put_rep(tx, rep, caller.subject, expected=body.version))


@router.get("/reps", dependencies=[scope("leads:read")])
async def list_reps(
    conn: Conn,
    after: Annotated[str | None, Query(max_length=200)] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> RepsView:
    """Reps by subject."""
    rows = await store.list_reps(conn, after=after, limit=limit + 1)
    shown = rows[:limit]
    return RepsView(items=[RepView.of(row) for row in shown], next=shown[-1].subject if len(rows) > limit else None)


@router.get("/reps/{subject}", dependencies=[scope("leads:read")])
async def get_rep(subject: Name, conn: Conn, now: Now) -> RepDetail:
    """One rep with his quota of this moment."""
    rep = await store.get_rep(conn, subject)
    standing = (await store.standings(conn, [subject], now, (await protection.get_policy(conn, now)).max_held))[subject]
    return RepDetail(
        **RepView.of(rep).model_dump(),
        daily_quota=rules.daily(rep.max_per_30_days),
        left_today=max(standing.quota, 0),
        absent=standing.absent,
        held=standing.held,
        absences=[AbsenceView.of(each) for each in await store.list_absences(conn, subject, since=now)],
    )


@router.post("/reps/{subject}/absences", status_code=201)
async def add_absence(subject: Name, body: NewAbsence, tx: Tx, caller: Admin) -> AbsenceView:
    """The rep gets no lead in this time."""
    return AbsenceView.of(await handlers.add_absence(tx, subject, body.since, body.until, caller.subject))


@router.delete("/reps/{subject}/absences/{absence_id}", status_code=204)
async def remove_absence(subject: Name, absence_id: UUID, tx: Tx, caller: Admin) -> None:
    """The rep is here after all."""
    await handlers.remove_absence(tx, subject, absence_id, caller.subject)


@router.get("/reps/{subject}/changes", dependencies=[scope("leads:read")])
async def list_rep_changes(subject: Name, conn: Conn, page: PageArgs) -> Page[ChangeView]:
    """Who changed what of a rep and his absences."""
    await store.get_rep(conn, subject)
    rows = await store.list_changes(conn, "rep", subject, after=page.after, limit=page.limit + 1)
    return page.of([ChangeView(**dict(row)) for row in rows], key=lambda view: view.id)


@router.put("/territories/{code}")
async def put_territory(code: Code, body: TerritoryBody, tx: Tx, caller: Admin) -> TerritoryView:
    """Enter a territory, or its next version; every lead that nobody was ever given is looked at again."""
    given = body.model_dump(exclude={"version", "members"})
    territory = Territory(code=code, members=tuple(dict.fromkeys(body.members)), version=0, **given)
    return TerritoryView.of(await handlers.put_territory(tx, territory, caller.subject, expected=body.version))


@router.get("/territories", dependencies=[scope("leads:read")])
async def list_territories(conn: Conn) -> list[TerritoryView]:
    """In the order in which they are asked."""
    return [TerritoryView.of(each) for each in await store.list_territories(conn)]


@router.get("/territories/{code}/changes", dependencies=[scope("leads:read")])
async def list_territory_changes(code: Code, conn: Conn, page: PageArgs) -> Page[ChangeView]:
    """Every version of a territory, with who wrote it."""
    rows = await store.list_changes(conn, "territory", code, after=page.after, limit=page.limit + 1)
    return page.of([ChangeView(**dict(row)) for row in rows], key=lambda view: view.id)


@router.get("/leads/{lead_id}/assignment", dependencies=[scope("leads:read")])
async def explain_assignment(lead_id: UUID, conn: Conn, now: Now) -> ExplanationView:
    """Why the lead went to this rep, with everybody who was looked at, and to whom it would go at this moment."""
    lead = await leads.get_lead(conn, lead_id)
    looks = await handlers.looks(conn, lead, now)
    choice = rules.choose(looks)
    return ExplanationView(
        lead_id=lead_id,
        history=[AssignedView.of(made) for made in await store.list_assignments(conn, lead_id)],
        never_assigned=bool(await store.never_assigned(conn, [lead_id])),
        now=[LookView.of(each.territory.code, each.territory.priority, each.candidates) for each in looks],
        would_go_to=choice.rep if choice else None,
    )
