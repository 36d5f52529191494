"""HTTP in: endpoints of ad platforms, their versions, and how long deliveries are kept."""

import secrets
from datetime import datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import Request
from ltc_chassis.api import Conn, Now, Page, PageArgs, Principal, Tx, runtime_of, scope
from ltc_chassis.api import router as make_router
from ltc_chassis.ids import new_id
from ltc_contracts.errors import Invalid
from ltc_contracts.events.model import Code, Name
from pydantic import BaseModel, ConfigDict, Field

from lead_svc.domain.consent import Purpose
from lead_svc.domain.hook import ConsentRule, Endpoint, Kind, Setting, body_of
from lead_svc.domain.hook_platforms import PLATFORMS
from lead_svc.handlers import hook_endpoints as handlers
from lead_svc.store import hook_deliveries
from lead_svc.store import hooks as store

router = make_router(prefix="/v1", tags=["capture endpoints"])
Writer = Annotated[Principal, scope("hooks:write")]
_KEY_BYTES = 24

SecretName = Annotated[str, Field(max_length=63)]
Question = Annotated[str, Field(min_length=1, max_length=300)]
Questions = Question | Annotated[list[Question], Field(min_length=1, max_length=5)]
Mapping = Annotated[
    dict[Annotated[str, Field(max_length=80)], Annotated[list[Questions], Field(max_length=10)]], Field(max_length=200)
]
Campaigns = Annotated[dict[Annotated[str, Field(min_length=1, max_length=120)], Code], Field(max_length=1000)]
Address = Annotated[str, Field(max_length=300)]
Version = Annotated[str, Field(pattern=r"^v?[0-9]{1,6}(\.[0-9]{1,3})?$")]
Skew = Annotated[int, Field(ge=10, le=86_400)]


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Consent(Body):
    """The question whose answer is a consent, the answers that mean yes, the words that the form shows, and to what they are."""

    question: Question
    yes: Annotated[list[Annotated[str, Field(min_length=1, max_length=200)]], Field(min_length=1, max_length=20)] = [
        "yes",
        "true",
        "1",
    ]
    wording: Annotated[str, Field(min_length=1, max_length=4000)]
    purpose: Purpose = "marketing"


class NewEndpoint(Body):
    """`secret`, `verify_secret` and `fetch_secret` are names of files in the directory of secrets, never the secrets.

    `mapping`: field of a lead -> the questions that answer it, the first that is answered counts; a list in the list is joined by a
    space. What the platform has names for is mapped without a word; an empty list takes a field out.
    """

    kind: Kind
    name: Name
    secret: SecretName
    verify_secret: SecretName | None = None
    fetch_secret: SecretName | None = None
    fetch_url: Address | None = None
    fetch_version: Version | None = None
    channel: Code
    source: Name
    campaign: Code | None = None
    campaigns: Campaigns = {}
    mapping: Mapping = {}
    consent: Consent | None = None
    skew_s: Skew = 300
    active: bool = True


class EndpointChange(Body):
    """`version` is the one that was read. What is left out stays."""

    version: Annotated[int, Field(ge=1)]
    name: Name | None = None
    secret: SecretName | None = None
    verify_secret: SecretName | None = None
    fetch_secret: SecretName | None = None
    fetch_url: Address | None = None
    fetch_version: Version | None = None
    channel: Code | None = None
    source: Name | None = None
    campaign: Code | None = None
    campaigns: Campaigns | None = None
    mapping: Mapping | None = None
    consent: Consent | None = None
    skew_s: Skew | None = None
    active: bool | None = None


class EndpointView(BaseModel):
    """`address` is what the platform is told; `fields` is the mapping that counts; `dropped` deliveries of the last day were not
    genuine, or told nothing new, and were only counted."""

    id: UUID
    kind: str
    name: str
    address: str
    secret: str
    verify_secret: str | None
    fetch_secret: str | None
    fetch_url: str | None
    fetch_version: str | None
    channel: str
    source: str
    campaign: str | None
    campaigns: dict[str, str]
    mapping: dict[str, list[list[str]]]
    fields: dict[str, list[list[str]]]
    consent: Consent | None
    skew_s: int
    active: bool
    dropped: int
    version: int
    created_by: str
    created_at: datetime
    updated_by: str
    updated_at: datetime
    retired_by: str | None
    retired_at: datetime | None


class EndpointVersion(BaseModel):
    version: int
    body: dict[str, Any]
    changed_by: str
    changed_at: datetime


class NewSetting(Body):
    """Days that bytes of deliveries are kept; deliveries and bytes per endpoint and hour that are kept of what is not genuine."""

    version: Annotated[int, Field(ge=2)]
    keep_days: Annotated[int, Field(ge=1, le=3650)]
    bad_per_hour: Annotated[int, Field(ge=0, le=100_000)] = 100
    bad_bytes: Annotated[int, Field(ge=0, le=2**30)] = 2**20


class SettingView(NewSetting):
    version: int
    created_by: str
    created_at: datetime


@router.post("/capture-endpoints", status_code=201, dependencies=[scope("hooks:write")])
async def add_endpoint(body: NewEndpoint, request: Request, tx: Tx, caller: Writer) -> EndpointView:
    """A form or account of a platform gets an address, which nobody can guess, to push leads to."""
    given = body.model_dump(exclude={"mapping", "consent"})
    endpoint = Endpoint(
        **given,
        id=new_id(),
        key=secrets.token_urlsafe(_KEY_BYTES),
        mapping=_ways(body.mapping),
        consent=_rule(body.consent),
        version=1,
        created_by=caller.subject,
        created_at=tx.now,
        updated_by=caller.subject,
        updated_at=tx.now,
    )
    await handlers.add_endpoint(tx, endpoint)
    return _view(request, endpoint, 0)


@router.get("/capture-endpoints", dependencies=[scope("hooks:read")])
async def list_endpoints(request: Request, conn: Conn, now: Now, page: PageArgs, kind: Kind | None = None) -> Page[EndpointView]:
    """Endpoints in the order in which they were made, retired ones as well."""
    rows = await store.list_endpoints(conn, kind=kind, after=page.after, limit=page.limit + 1)
    dropped = await hook_deliveries.dropped_since(conn, [row.id for row in rows], now - timedelta(days=1))
    return page.of([_view(request, row, dropped.get(row.id, 0)) for row in rows], key=lambda view: view.id)


@router.get("/capture-endpoints/{endpoint_id}", dependencies=[scope("hooks:read")])
async def get_endpoint(endpoint_id: UUID, request: Request, conn: Conn, now: Now) -> EndpointView:
    """One endpoint."""
    row = await store.get_endpoint(conn, endpoint_id)
    dropped = await hook_deliveries.dropped_since(conn, [row.id], now - timedelta(days=1))
    return _view(request, row, dropped.get(row.id, 0))


@router.get("/capture-endpoints/{endpoint_id}/versions", dependencies=[scope("hooks:read")])
async def list_versions(endpoint_id: UUID, conn: Conn) -> list[EndpointVersion]:
    """Who changed an endpoint, when, to what; the newest 200."""
    await store.get_endpoint(conn, endpoint_id)
    return [EndpointVersion(**dict(row)) for row in await store.list_versions(conn, endpoint_id)]


@router.patch("/capture-endpoints/{endpoint_id}", dependencies=[scope("hooks:write")])
async def change_endpoint(endpoint_id: UUID, body: EndpointChange, request: Request, tx: Tx, caller: Writer) -> EndpointView:
    """Change an endpoint, or let it rest: what comes to one that is not active is refused, kept, and may be tried again."""
    given: dict[str, Any] = {name: getattr(body, name) for name in body.model_fields_set - {"version"}}
    for name in ("name", "secret", "channel", "source", "campaigns", "mapping", "skew_s", "active"):
        if name in given and given[name] is None:
            raise Invalid("cannot be null", field=name)
    if body.mapping is not None:
        given["mapping"] = _ways(body.mapping)
    if body.consent is not None:
        given["consent"] = _rule(body.consent)
    changed = await handlers.change_endpoint(tx, endpoint_id, given, version=body.version, by=caller.subject)
    return _view(request, changed, 0)


@router.post("/capture-endpoints/{endpoint_id}/retire", dependencies=[scope("hooks:write")])
async def retire_endpoint(endpoint_id: UUID, request: Request, tx: Tx, caller: Writer) -> EndpointView:
    """The address takes nothing any more, for good."""
    return _view(request, await handlers.retire_endpoint(tx, endpoint_id, caller.subject), 0)


@router.get("/capture-settings", dependencies=[scope("hooks:read")])
async def list_settings(conn: Conn) -> list[SettingView]:
    """How long deliveries are kept; the newest version counts."""
    return [_setting(row) for row in await store.list_settings(conn)]


@router.post("/capture-settings", status_code=201, dependencies=[scope("hooks:write")])
async def add_setting(body: NewSetting, tx: Tx, caller: Writer) -> SettingView:
    """A new version, one more than the latest; it counts at once."""
    setting = Setting(**body.model_dump(), created_by=caller.subject, created_at=tx.now)
    return _setting(await handlers.change_setting(tx, setting))


def _ways(mapping: dict[str, list[Any]]) -> dict[str, list[list[str]]]:
    return {name: [[way] if isinstance(way, str) else list(way) for way in ways] for name, ways in mapping.items()}


def _rule(consent: Consent | None) -> ConsentRule | None:
    return None if consent is None else ConsentRule(consent.question, tuple(consent.yes), consent.wording, consent.purpose)


def _view(request: Request, endpoint: Endpoint, dropped: int) -> EndpointView:
    body = body_of(endpoint)
    body.pop("retired")
    public = runtime_of(request).settings.public_url.rstrip("/")
    fields = {**PLATFORMS[endpoint.kind].fields, **endpoint.mapping}
    more = ("id", "kind", "version", "created_by", "created_at", "updated_by", "updated_at", "retired_by", "retired_at")
    return EndpointView(
        **body,
        **{name: getattr(endpoint, name) for name in more},
        address=f"{public}/in/{endpoint.kind}/{endpoint.key}",
        fields={name: [list(keys) for keys in ways] for name, ways in fields.items() if ways},
        dropped=dropped,
    )


def _setting(setting: Setting) -> SettingView:
    return SettingView(**{name: getattr(setting, name) for name in SettingView.model_fields})
