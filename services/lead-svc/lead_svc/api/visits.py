"""HTTP in: sites and their page rules, the script and what it tells, touches of a lead."""

import importlib.resources
import json
from datetime import datetime
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from uuid import UUID

from fastapi import Depends, Request, Response
from ltc_chassis.api import Conn, Page, PageArgs, Principal, Tx, scope
from ltc_chassis.api import router as make_router
from ltc_chassis.ids import new_id
from ltc_chassis.inputs import Moment
from ltc_chassis.pages import Throttle, public_router
from ltc_contracts.errors import Invalid
from ltc_contracts.events import Touch
from ltc_contracts.events.model import Code, Name
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lead_svc.domain.visit import PageRule, Site, allowed_clicks, clean, host_names, is_bot
from lead_svc.handlers import visits as handlers
from lead_svc.store import leads
from lead_svc.store import visits as store

router = make_router(prefix="/v1", tags=["visits"])
public = public_router(
    prefix="",
    tags=["visits"],
    why="a visitor's browser has no token; it tells of a page of a known site, and nothing is read back",
)
Writer = Annotated[Principal, scope("sites:write")]
Short = Annotated[str, Field(max_length=200)]
Place = Annotated[str, Field(max_length=2000)]
_LARGEST = 8 * 1024
_SCRIPT = (importlib.resources.files("lead_svc") / "static" / "t.js").read_text()


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NewTouch(Body):
    """One contact before capture, for callers that keep their own. Unknown click ids are dropped, control signs too."""

    occurred_at: Moment
    channel: Code | None = None
    source: Short | None = None
    medium: Short | None = None
    campaign: Short | None = None
    term: Short | None = None
    content: Short | None = None
    page: Annotated[str, Field(max_length=500)] | None = None
    referrer: Annotated[str, Field(max_length=500)] | None = None
    click_ids: Annotated[dict[Code, Annotated[str, Field(max_length=500)]], Field(max_length=20)] = Field(default_factory=dict)

    def touch(self) -> Touch:
        texts = {
            name: clean(value, 500 if name in ("page", "referrer") else 200)
            for name in ("source", "medium", "campaign", "term", "content", "page", "referrer")
            if (value := getattr(self, name)) is not None
        }
        return Touch(occurred_at=self.occurred_at, channel=self.channel, click_ids=allowed_clicks(self.click_ids), **texts)


class NewSite(Body):
    """`key` stands in the script's tag; `hosts` are the names under which the site is served, without scheme and port."""

    key: Annotated[str, Field(pattern=r"^[a-z0-9-]{3,40}$")]
    name: Name
    hosts: Annotated[list[Short], Field(min_length=1, max_length=50)]


class SiteChange(Body):
    """`version` is the one that was read. A site that is not active is not counted."""

    version: Annotated[int, Field(ge=1)]
    name: Name | None = None
    hosts: Annotated[list[Short], Field(min_length=1, max_length=50)] | None = None
    active: bool | None = None


class SiteView(BaseModel):
    key: str
    name: str
    hosts: list[str]
    active: bool
    version: int
    created_by: str
    created_at: datetime
    updated_by: str
    updated_at: datetime

    @classmethod
    def of(cls, site: Site) -> "SiteView":
        return cls(**{name: getattr(site, name) for name in cls.model_fields})


class NewPageRule(Body):
    """Pages whose path begins with `path_prefix` mean `activity` (a code of the scoring rule)."""

    path_prefix: Annotated[str, Field(pattern=r"^/", max_length=500)]
    activity: Code


class PageRuleView(NewPageRule):
    id: UUID
    created_by: str
    created_at: datetime


class TouchesView(BaseModel):
    """Oldest first; `first` and `last` are among them."""

    first: Touch | None
    last: Touch | None
    items: list[Touch]


class PageViewView(BaseModel):
    id: UUID
    site: str
    kind: str
    path: str
    channel: str
    source: str
    campaign: str | None
    occurred_at: datetime


class ReportRow(BaseModel):
    """`visitors` are those who agreed to be recognised, `leads` those of them whom we know by now."""

    key: str
    views: int
    form_views: int
    visitors: int
    leads: int


class Told(BaseModel):
    """What the script sends; more than it knows is ignored."""

    site: Annotated[str, Field(max_length=40)]
    url: Place = ""
    referrer: Place = ""
    kind: Literal["page", "form"] = "page"
    visitor: UUID | None = None
    forget: bool = False


@router.get("/sites", dependencies=[scope("sites:read")])
async def list_sites(conn: Conn) -> list[SiteView]:
    """Web sites whose visits are counted; the first 200."""
    return [SiteView.of(site) for site in await store.list_sites(conn)]


@router.post("/sites", status_code=201, dependencies=[scope("sites:write")])
async def add_site(body: NewSite, tx: Tx, caller: Writer) -> SiteView:
    """A web site whose pages carry the script: `<script src=".../t.js" data-site="KEY" defer></script>`."""
    site = Site(
        key=body.key,
        name=body.name,
        hosts=host_names(body.hosts),
        active=True,
        version=1,
        created_by=caller.subject,
        created_at=tx.now,
        updated_by=caller.subject,
        updated_at=tx.now,
    )
    await handlers.add_site(tx, site)
    return SiteView.of(site)


@router.patch("/sites/{key}", dependencies=[scope("sites:write")])
async def change_site(key: str, body: SiteChange, tx: Tx, caller: Writer) -> SiteView:
    """Change a site's name or hosts, or switch it off."""
    hosts = None if body.hosts is None else host_names(body.hosts)
    changed = await handlers.change_site(
        tx, key, version=body.version, name=body.name, hosts=hosts, active=body.active, by=caller.subject
    )
    return SiteView.of(changed)


@router.get("/sites/{key}/page-rules", dependencies=[scope("sites:read")])
async def list_page_rules(key: str, conn: Conn) -> list[PageRuleView]:
    """What its pages mean; the rules in force, the first 500."""
    rows = await store.list_page_rules(conn, key)
    return [PageRuleView(**{name: getattr(row, name) for name in PageRuleView.model_fields}) for row in rows]


@router.post("/sites/{key}/page-rules", status_code=201, dependencies=[scope("sites:write")])
async def add_page_rule(key: str, body: NewPageRule, tx: Tx, caller: Writer) -> PageRuleView:
    """Pages that mean something: a lead that sees one engages."""
    rule = PageRule(new_id(), key, body.path_prefix, body.activity, caller.subject, tx.now)
    await handlers.add_page_rule(tx, rule)
    return PageRuleView(**body.model_dump(), id=rule.id, created_by=caller.subject, created_at=tx.now)


@router.post("/sites/{key}/page-rules/{rule_id}/retire", status_code=204, dependencies=[scope("sites:write")])
async def retire_page_rule(key: str, rule_id: UUID, tx: Tx, caller: Writer) -> None:
    """These pages mean nothing any more; what was counted stays."""
    await handlers.retire_page_rule(tx, key, rule_id, caller.subject)


@router.get("/leads/{lead_id}/touches", dependencies=[scope("leads:read")])
async def list_touches(lead_id: UUID, conn: Conn) -> TouchesView:
    """By which ways the lead came: first, last, and every touch between; the newest thousand."""
    await leads.get_lead(conn, lead_id)
    found = (await store.touches_of(conn, [lead_id]))[lead_id]
    return TouchesView(first=found[0] if found else None, last=found[-1] if found else None, items=found)


@router.get("/leads/{lead_id}/visits", dependencies=[scope("leads:read")])
async def list_visits(lead_id: UUID, conn: Conn, page: PageArgs) -> Page[PageViewView]:
    """The pages that the lead saw, before and after its capture."""
    await leads.get_lead(conn, lead_id)
    rows = await store.list_page_views(conn, lead_id, after=page.after, limit=page.limit + 1)
    return page.of([PageViewView(**dict(row)) for row in rows], key=lambda view: view.id)


@router.get("/visit-report", dependencies=[scope("sites:read")])
async def visit_report(
    conn: Conn, start: Moment, end: Moment, by: Literal["channel", "source", "campaign", "page"] = "channel"
) -> list[ReportRow]:
    """Visits in a window (its end excluded), the largest 500 rows."""
    if end <= start:
        raise Invalid("must lie after `start`", field="end")
    return [ReportRow(**dict(row)) for row in await store.visit_report_view(conn, start, end, by)]


@public.get("/t.js")
async def script() -> Response:
    """The script for pages: counts without consent, recognises only with it, and does nothing for who does not want to be tracked."""
    headers = {"Cache-Control": "public, max-age=3600", "X-Content-Type-Options": "nosniff", "Access-Control-Allow-Origin": "*"}
    return Response(_SCRIPT, media_type="text/javascript", headers=headers)


@public.post("/t", status_code=204, dependencies=[Depends(Throttle(300, per_s=60))])
async def tell(request: Request, tx: Tx) -> Response:
    """A page was seen. JSON as text/plain, so that a browser may send it from another origin without asking first."""
    # By Do Not Track and Global Privacy Control nothing is kept at all, whatever the script did.
    unwanted = request.headers.get("dnt") == "1" or request.headers.get("sec-gpc") == "1"
    given = _told(await request.body())
    if given.forget and given.visitor is not None:
        await handlers.forget(tx, given.visitor)
    elif not unwanted and not is_bot(request.headers.get("user-agent", "")):
        await handlers.see(
            tx, site_key=given.site, url=given.url, referrer=given.referrer, kind=given.kind, visitor_id=given.visitor
        )
    origin = request.headers.get("origin", "")
    allowed = {"Access-Control-Allow-Origin": origin, "Vary": "Origin"} if await _is_ours(tx, given.site, origin) else {}
    return Response(status_code=204, headers=allowed)


def _told(raw: bytes) -> Told:
    if len(raw) > _LARGEST:
        raise Invalid("is longer than a page's address can be", field="body")
    try:
        return Told.model_validate(json.loads(raw))
    except ValidationError as error:
        first: Any = error.errors()[0]
        raise Invalid(first["msg"], field=".".join(map(str, first["loc"])) or "body") from error
    except (ValueError, RecursionError) as error:
        raise Invalid("is not JSON", field="body") from error


async def _is_ours(tx: Tx, site_key: str, origin: str) -> bool:
    site = await store.find_site(tx.conn, site_key)
    try:
        host = urlsplit(origin).hostname or ""
    except ValueError:
        return False
    return site is not None and host in site.hosts
