"""HTTP in: forms and their versions, who changed them, what came in by them and how well they do."""

from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query, Request
from ltc_chassis import links
from ltc_chassis.api import Conn, Now, Page, PageArgs, Principal, Tx, runtime_of, scope
from ltc_chassis.api import router as make_router
from ltc_chassis.settings import ChassisSettings
from ltc_contracts.errors import Invalid, NotFound
from ltc_contracts.events.model import Code, Country, Name
from pydantic import BaseModel, ConfigDict, Field

from lead_svc.domain.consent import Purpose
from lead_svc.domain.form import Action, Form, FormVersion, Language, Outcome
from lead_svc.handlers import forms as handlers
from lead_svc.store import forms as store

router = make_router(prefix="/v1/forms", tags=["forms"])
Maker = Annotated[Principal, scope("leads:configure")]
Key = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{1,38}[a-z0-9]$")]
Version = Annotated[int, Field(ge=1, le=2_000_000_000)]
Address = Annotated[str, Field(min_length=1, max_length=500)]
ShortTexts = dict[Language, Annotated[str, Field(min_length=1, max_length=200)]]
LongTexts = dict[Language, Annotated[str, Field(min_length=1, max_length=2000)]]


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NewChoice(Body):
    """`value` is what is kept (of `company_size` a number, of `country` an ISO code), `label` what is shown."""

    value: Annotated[str, Field(min_length=1, max_length=100)]
    label: ShortTexts | None = None


class NewFormField(Body):
    """A field of a lead (`name`, `email`, `phone`, `company`, `website`, `country`, `industry`, `company_size`, `message`) or
    `custom.<key>`. One that is hidden has a fixed value, which no browser sees. Without a label it has the usual one."""

    name: Annotated[str, Field(min_length=1, max_length=70)]
    label: ShortTexts | None = None
    help: ShortTexts | None = None
    required: bool = False
    choices: Annotated[list[NewChoice], Field(max_length=500)] = []
    hidden: bool = False
    value: Annotated[str, Field(min_length=1, max_length=2000)] | None = None


class NewConsentText(Body):
    """A box to tick and the exact words beside it; addresses in them become links. Never ticked beforehand."""

    key: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
    purpose: Purpose = "marketing"
    required: bool = False
    wording: LongTexts


class NewPlan(Body):
    """What a form is: texts in each of its languages. Afterwards its sender sees `success` or goes to `redirect_url`.

    `origins` may show it in a frame. `site` is a web site whose page it is, for visits. `default_country` is of national phone
    numbers. Faster than `min_seconds` is no person; a page that is older than `expires_minutes` is sent again.
    """

    languages: Annotated[list[Language], Field(min_length=1, max_length=2)]
    title: ShortTexts
    intro: LongTexts | None = None
    submit: ShortTexts | None = None
    fields: Annotated[list[NewFormField], Field(min_length=1, max_length=50)]
    consents: Annotated[list[NewConsentText], Field(max_length=5)] = []
    channel: Code
    source: Name
    campaign: Name | None = None
    activity: Code = "form"
    success: LongTexts | None = None
    redirect_url: Address | None = None
    origins: Annotated[list[Address], Field(max_length=20)] = []
    site: Code | None = None
    default_country: Country | None = None
    min_seconds: Annotated[int, Field(ge=0, le=60)] = 3
    expires_minutes: Annotated[int, Field(ge=10, le=43_200)] = 1440


class NewForm(Body):
    """`key` stands in the form's address and is for good."""

    key: Key
    name: Name
    draft: NewPlan


class FormChange(Body):
    """What is named changes; `version` is the one that was read. A new draft is seen by nobody until it is published."""

    version: Version
    name: Name | None = None
    draft: NewPlan | None = None
    active: bool | None = None


class Read(Body):
    """The version of the form that was read."""

    version: Version


class FormView(BaseModel):
    """`version` counts changes; `published` is the version of the texts that is shown. `embed` is a frame for the pages of `origins`."""

    key: str
    name: str
    active: bool
    version: int
    published: int | None
    draft: NewPlan
    url: str | None
    embed: str | None
    created_by: str
    created_at: datetime
    updated_by: str
    updated_at: datetime
    retired_at: datetime | None

    @classmethod
    def of(cls, form: Form, settings: ChassisSettings) -> "FormView":
        given = {name: getattr(form, name) for name in cls.model_fields if name not in ("draft", "url", "embed")}
        url = links.address(settings, f"/f/{form.key}") if settings.public_url else None
        embed = f'<iframe src="{url}" title="{form.key}" style="width:100%;height:48rem;border:0"></iframe>' if url else None
        return cls(**given, draft=NewPlan.model_validate(form.draft), url=url, embed=embed)


class FormVersionView(BaseModel):
    """What was shown from `published_at` on, word by word."""

    form: str
    version: int
    body: NewPlan
    published_by: str
    published_at: datetime

    @classmethod
    def of(cls, version: FormVersion) -> "FormVersionView":
        given = {name: getattr(version, name) for name in cls.model_fields if name != "body"}
        return cls(**given, body=NewPlan.model_validate(version.body))


class FormChangeView(BaseModel):
    """`body`: name, active, published and draft as they were from then on."""

    id: UUID
    version: int
    action: Action
    body: dict[str, Any]
    by: str
    at: datetime


class SubmissionView(BaseModel):
    """`version` is the one that was filled in. `outcome`: a new lead (captured), part of a known one (merged), more of a known one since
    the policy for duplicates refuses a second (known), or refused by it."""

    id: UUID
    version: int
    language: str
    lead_id: UUID | None
    outcome: Outcome
    submitted_at: datetime


class Rejected(BaseModel):
    """Machines (honeypot, speed), too many from one address (rate), a page too old (expired), answers to mend (invalid)."""

    honeypot: int = 0
    speed: int = 0
    rate: int = 0
    expired: int = 0
    invalid: int = 0


class DayView(BaseModel):
    day: date
    views: int
    submissions: int
    rejected: Rejected


class StatsView(BaseModel):
    """`conversion` is submissions per hundred views, null without views. Robots are not counted as views."""

    since: date
    until: date
    views: int
    submissions: int
    conversion: str | None
    rejected: Rejected
    days: list[DayView]


@router.get("", dependencies=[scope("leads:read")])
async def list_forms(
    request: Request,
    conn: Conn,
    active: bool | None = None,
    after: Annotated[str | None, Query(max_length=40)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> list[FormView]:
    """Forms in the order of their keys; `after` is the last key of the page before."""
    settings = runtime_of(request).settings
    return [FormView.of(form, settings) for form in await store.list_forms(conn, active=active, after=after, limit=limit)]


@router.post("", status_code=201, dependencies=[scope("leads:configure")])
async def create_form(body: NewForm, tx: Tx, caller: Maker) -> FormView:
    """A form, to be published."""
    form = await handlers.create(tx, body.key, body.name, body.draft.model_dump(mode="json"), by=caller.subject)
    return FormView.of(form, tx.settings)


@router.get("/{key}", dependencies=[scope("leads:read")])
async def get_form(key: str, request: Request, conn: Conn) -> FormView:
    """One form with its draft."""
    return FormView.of(await store.get_form(conn, key), runtime_of(request).settings)


@router.patch("/{key}", dependencies=[scope("leads:configure")])
async def change_form(key: str, body: FormChange, tx: Tx, caller: Maker) -> FormView:
    """Change the draft or the name, or show or hide the form."""
    draft = body.draft.model_dump(mode="json") if body.draft else None
    form = await handlers.change(
        tx, key, version=body.version, name=body.name, draft=draft, active=body.active, by=caller.subject
    )
    return FormView.of(form, tx.settings)


@router.post("/{key}/publish", dependencies=[scope("leads:configure")])
async def publish_form(key: str, body: Read, tx: Tx, caller: Maker) -> FormView:
    """Show the draft to the world, as a version of its own that is never edited."""
    return FormView.of(await handlers.publish(tx, key, version=body.version, by=caller.subject), tx.settings)


@router.post("/{key}/retire", dependencies=[scope("leads:configure")])
async def retire_form(key: str, body: Read, tx: Tx, caller: Maker) -> FormView:
    """Close the form for good."""
    return FormView.of(await handlers.retire(tx, key, version=body.version, by=caller.subject), tx.settings)


@router.get("/{key}/versions", dependencies=[scope("leads:read")])
async def list_form_versions(
    key: str,
    conn: Conn,
    after: Annotated[int, Query(ge=0, le=2_000_000_000)] = 0,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> list[FormVersionView]:
    """What was shown, oldest first; `after` is the last version of the page before."""
    await store.get_form(conn, key)
    return [FormVersionView.of(each) for each in await store.list_versions(conn, key, after=after, limit=limit)]


@router.get("/{key}/versions/{version}", dependencies=[scope("leads:read")])
async def get_form_version(key: str, version: int, conn: Conn) -> FormVersionView:
    """The words that somebody agreed to who filled in this version."""
    found = await store.find_version(conn, key, version) if 0 < version < 2**31 else None
    if found is None:
        raise NotFound("no such version of this form")
    return FormVersionView.of(found)


@router.get("/{key}/changes", dependencies=[scope("leads:read")])
async def list_form_changes(key: str, conn: Conn, page: PageArgs) -> Page[FormChangeView]:
    """Who changed the form, when, to what."""
    await store.get_form(conn, key)
    rows = await store.list_changes(conn, key, after=page.after, limit=page.limit + 1)
    return page.of([FormChangeView(**dict(row)) for row in rows], key=lambda view: view.id)


@router.get("/{key}/submissions", dependencies=[scope("leads:read")])
async def list_submissions(key: str, conn: Conn, page: PageArgs) -> Page[SubmissionView]:
    """What came in by the form, oldest first; what was said is with the lead."""
    await store.get_form(conn, key)
    rows = await store.list_submissions(conn, key, after=page.after, limit=page.limit + 1)
    return page.of([SubmissionView(**dict(row)) for row in rows], key=lambda view: view.id)


@router.get("/{key}/stats", dependencies=[scope("leads:read")])
async def form_stats(key: str, conn: Conn, now: Now, since: date | None = None, until: date | None = None) -> StatsView:
    """How often the form was seen, sent and rejected, per day (UTC); without dates the last thirty days."""
    until = until or now.date()
    since = since or max(until, date(1, 1, 30)) - timedelta(days=29)
    if not 0 <= (until - since).days < 400:
        raise Invalid("at most 400 days after `since`, and not before it", field="until")
    await store.get_form(conn, key)
    days = [_day(row) for row in await store.counts_view(conn, key, since, until)]
    views, submissions = sum(day.views for day in days), sum(day.submissions for day in days)
    conversion = (Decimal(100 * submissions) / views).quantize(Decimal("0.01"), ROUND_HALF_UP) if views else None
    return StatsView(
        since=since,
        until=until,
        views=views,
        submissions=submissions,
        conversion=None if conversion is None else str(conversion),
        rejected=Rejected(**{kind: sum(getattr(day.rejected, kind) for day in days) for kind in Rejected.model_fields}),
        days=days,
    )


def _day(row: Any) -> DayView:
    rejected = Rejected(**{kind: row[kind] for kind in Rejected.model_fields})
    return DayView(day=row["day"], views=row["views"], submissions=row["submissions"], rejected=rejected)
