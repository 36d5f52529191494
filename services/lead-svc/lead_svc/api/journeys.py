"""HTTP in: nurture journeys as a company sets them up."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from ltc_chassis.api import Conn, Page, PageArgs, Principal, Tx, scope
from ltc_chassis.api import router as make_router
from ltc_contracts.events.model import Code, Name
from pydantic import BaseModel, ConfigDict, Field

from lead_svc.domain.nurture import MOST_STEPS
from lead_svc.handlers import journeys as handlers
from lead_svc.handlers import nurture
from lead_svc.store import journeys as store
from lead_svc.store import nurture as enrolments
from lead_svc.store.journeys import Journey, Version

router = make_router(prefix="/v1/journeys", tags=["nurture"])
Caller = Annotated[Principal, scope("journeys:configure")]
Key = Annotated[str, Field(min_length=1, max_length=40)]
Condition = Annotated[dict[str, Any], Field(description="over fields of a lead, fit, engagement, band, status, activities, ...")]


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Wait(Body):
    days: Annotated[int, Field(ge=0, le=365)] = 0
    hours: Annotated[int, Field(ge=0, le=8760)] = 0
    minutes: Annotated[int, Field(ge=0, le=60_000)] = 0


class MailBody(Body):
    """Templates: `Hello {{ first_name | default("there") }}`. `html` is beside the text, not instead of it."""

    subject: Annotated[str, Field(max_length=500)]
    text: Annotated[str, Field(max_length=20_000)]
    html: Annotated[str, Field(max_length=100_000)] | None = None


class StepBody(Body):
    """`after` the step before; holds `when`, the mail goes out and `next` follows, else `otherwise`: skip, end, or a later step's key."""

    key: Key
    after: Wait = Wait()
    when: Condition | None = None
    otherwise: Key = "skip"
    mail: MailBody | None = None
    next: Key | None = None


class HoursBody(Body):
    """When mails leave: `week` in the time zone of the lead (as far as it is known) or the company; not on public holidays."""

    of: Literal["lead", "company"] = "lead"
    timezone: Annotated[str, Field(max_length=64)]
    week: Annotated[dict[str, list[tuple[str, str]]], Field(max_length=7)]
    country: Annotated[str, Field(max_length=2)] | None = None
    extra_holidays: Annotated[list[str], Field(max_length=1000)] = []
    holidays: bool = False


class CapBody(Body):
    """At most so many nurture mails to one address, of all journeys, within so many days."""

    mails: Annotated[int, Field(ge=1, le=100)]
    days: Annotated[int, Field(ge=1, le=365)]


class PlanBody(Body):
    """`entry`: whom it takes by itself; null is by hand. `goal`: it ends when that holds. `again_after_days`: null is never again."""

    entry: Condition | None = None
    goal: Condition | None = None
    again_after_days: Annotated[int, Field(ge=0, le=3650)] | None = None
    from_name: Annotated[str, Field(max_length=200)] | None = None
    reply_to: Annotated[str, Field(max_length=254)] | None = None
    language: Literal["en", "zh"] = "en"
    footer: Annotated[str, Field(max_length=1000, description="the company's name and postal address")] = ""
    hours: HoursBody | None = None
    cap: CapBody | None = None
    steps: Annotated[list[StepBody], Field(min_length=1, max_length=MOST_STEPS)]

    def stored(self) -> dict[str, Any]:
        return self.model_dump(mode="json")


class NewJourney(Body):
    code: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
    name: Name
    plan: PlanBody


class Retirement(Body):
    """`end_running`: leads that are under way are not written to any more; else they go on to the version's end."""

    end_running: bool = False


class VersionLine(BaseModel):
    version: int
    state: Literal["draft", "active", "paused", "retired"]
    created_by: str
    created_at: datetime


class JourneyView(BaseModel):
    id: UUID
    code: str
    name: str
    created_by: str
    created_at: datetime

    @classmethod
    def of(cls, journey: Journey) -> "JourneyView":
        return cls(**{name: getattr(journey, name) for name in cls.model_fields})


class JourneyDetail(JourneyView):
    """With its versions, the newest first, at most 200."""

    versions: list[VersionLine]


class MoveView(BaseModel):
    move: str
    by: str
    at: datetime


class VersionView(VersionLine):
    """A version with its plan and who moved it."""

    code: str
    plan: dict[str, Any]
    moves: list[MoveView]


class PreviewRequest(Body):
    lead_id: UUID
    step: Code


class PreviewView(BaseModel):
    """What the step would do now: `fits` and the reasons against it, `refusal` if the lead is not written to, and the mail."""

    fits: bool
    reasons: list[str]
    refusal: str | None
    leaves_at: datetime
    subject: str | None
    text: str | None
    html: str | None


class StepNumbers(BaseModel):
    """Opens and clicks are counted once a mail; those by programs only are apart."""

    version: int
    step: str
    posted: int
    sent: int
    failed: int
    in_doubt: int
    taken_back: int
    opened: int
    opened_by_bots_only: int
    clicked: int
    clicked_by_bots_only: int
    replied: int
    unsubscribed: int


class StatisticsView(BaseModel):
    enrolled: int
    running: int
    ended: dict[str, int]
    steps: list[StepNumbers]


@router.post("", status_code=201, dependencies=[scope("journeys:configure")])
async def add_journey(body: NewJourney, tx: Tx, caller: Caller) -> VersionView:
    """A journey with its first version, a draft."""
    return await _view(tx.conn, await handlers.add_journey(tx, body.code, body.name, body.plan.stored(), caller.subject))


@router.get("", dependencies=[scope("journeys:read")])
async def list_journeys(conn: Conn, page: PageArgs) -> Page[JourneyView]:
    """Journeys in the order they were made."""
    rows = await store.list_journeys(conn, after=page.after, limit=page.limit + 1)
    return page.of([JourneyView.of(row) for row in rows], key=lambda view: view.id)


@router.get("/{code}", dependencies=[scope("journeys:read")])
async def get_journey(code: str, conn: Conn) -> JourneyDetail:
    """One journey with its versions."""
    journey = await store.get_journey(conn, code)
    versions = [VersionLine(**dict(row)) for row in await store.list_versions(conn, journey.id)]
    return JourneyDetail(**JourneyView.of(journey).model_dump(), versions=versions)


@router.post("/{code}/versions", status_code=201, dependencies=[scope("journeys:configure")])
async def add_version(code: str, body: PlanBody, tx: Tx, caller: Caller) -> VersionView:
    """A new version, a draft; a version is never edited."""
    return await _view(tx.conn, await handlers.add_version(tx, code, body.stored(), caller.subject))


@router.get("/{code}/versions/{version}", dependencies=[scope("journeys:read")])
async def get_version(code: str, version: int, conn: Conn) -> VersionView:
    """One version with its plan and its history."""
    return await _view(conn, await store.get_version(conn, code, _number(version)))


@router.post("/{code}/versions/{version}/activate", dependencies=[scope("journeys:configure")])
async def activate(code: str, version: int, tx: Tx, caller: Caller) -> VersionView:
    """It takes leads from now on, or goes on after a pause; the version that did before is retired, its leads go on to its end."""
    return await _view(tx.conn, await handlers.move(tx, code, _number(version), "activate", caller.subject))


@router.post("/{code}/versions/{version}/pause", dependencies=[scope("journeys:configure")])
async def pause(code: str, version: int, tx: Tx, caller: Caller) -> VersionView:
    """Nothing leaves any more, not even mails that wait for the mail server."""
    return await _view(tx.conn, await handlers.move(tx, code, _number(version), "pause", caller.subject))


@router.post("/{code}/versions/{version}/retire", dependencies=[scope("journeys:configure")])
async def retire(code: str, version: int, tx: Tx, caller: Caller, body: Retirement | None = None) -> VersionView:
    """It takes no more leads."""
    end_running = body is not None and body.end_running
    return await _view(
        tx.conn, await handlers.move(tx, code, _number(version), "retire", caller.subject, end_running=end_running)
    )


@router.post("/{code}/versions/{version}/preview", dependencies=[scope("journeys:read")])
async def preview(code: str, version: int, body: PreviewRequest, tx: Tx) -> PreviewView:
    """What a step would do for a lead, and its mail; nothing is sent."""
    found = await nurture.preview(tx, await store.get_version(tx.conn, code, _number(version)), body.step, body.lead_id)
    subject = found.mail.subject if found.mail else None
    return PreviewView(
        fits=found.fits,
        reasons=found.reasons,
        refusal=found.refusal,
        leaves_at=found.leaves_at,
        subject=subject,
        text=found.text,
        html=found.html,
    )


@router.get("/{code}/statistics", dependencies=[scope("journeys:read")])
async def statistics(code: str, conn: Conn, version: int | None = None) -> StatisticsView:
    """How many leads entered and how it ended, and per step how its mails were taken up; of a version or of all."""
    journey = await store.get_journey(conn, code)
    number = None if version is None else _number(version)
    entered = {row["ended_by"]: row["n"] for row in await enrolments.count_enrolments(conn, journey.id, number)}
    names = set(StepNumbers.model_fields)
    steps = [
        StepNumbers(**{name: value for name, value in dict(row).items() if name in names})
        for row in await enrolments.count_deliveries(conn, journey.id, number)
    ]
    running = entered.pop(None, 0)
    return StatisticsView(enrolled=running + sum(entered.values()), running=running, ended=entered, steps=steps)


async def _view(conn: Conn, version: Version) -> VersionView:
    moves = [MoveView(**dict(row)) for row in await store.list_moves(conn, version.journey_id, version.version)]
    line = {name: getattr(version, name) for name in VersionLine.model_fields}
    return VersionView(**line, code=version.code, plan=version.body, moves=moves)


def _number(version: int) -> int:
    """A number that the database can hold."""
    return version if 0 < version < 2**31 else 0
