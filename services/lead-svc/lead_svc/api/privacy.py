"""HTTP in: what persons ask for: a copy of what is known of them, and to be forgotten. No answer names a person."""

from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Request as HttpRequest
from fastapi import Response
from ltc_chassis.api import Conn, Page, PageArgs, Principal, Tx, runtime_of, scope
from ltc_chassis.api import router as make_router
from ltc_contracts.events.model import Country
from pydantic import BaseModel, ConfigDict, Field

from lead_svc.domain.privacy import Kind, Request, State
from lead_svc.handlers import privacy as handlers
from lead_svc.handlers import privacy_exports as exports
from lead_svc.store import privacy as store

router = make_router(prefix="/v1/privacy/requests", tags=["privacy"])
Writer = Annotated[Principal, scope("privacy:write")]
Reader = Annotated[Principal, scope("privacy:read")]
Email = Annotated[str, Field(min_length=3, max_length=254)]
Phone = Annotated[str, Field(min_length=3, max_length=40)]
Identity = Literal["signed_in", "answered_from_address", "document_seen", "known_in_person", "court_or_authority"]


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Subject(Body):
    """Who it is. A national phone number needs its country."""

    email: Email | None = None
    phone: Phone | None = None
    country: Country | None = None


class NewRequest(Subject):
    """`lead_ids` names leads that are the person's though they have another address or none. `reference` is a ticket, not a name."""

    kind: Kind
    lead_ids: Annotated[list[UUID], Field(max_length=100)] = []
    reason: Literal["asked", "asked_by_guardian", "consent_withdrawn", "not_needed_any_more", "unlawful", "authority"] = "asked"
    channel: Literal["mail", "letter", "phone", "form", "in_person", "other"] = "other"
    reference: Annotated[str, Field(pattern=r"^[A-Za-z0-9._/#-]{1,64}$")] | None = None


class Confirmation(Body):
    """How it was made sure who asks; of an erasure the `digest` of the preview that was looked at."""

    identity: Identity
    digest: Annotated[str, Field(min_length=64, max_length=64)] | None = None


class Refusal(Body):
    """Why not; `legal_claims` and `excessive` are GDPR 17 (3) e and 12 (5)."""

    reason: Literal["identity_not_proven", "not_known", "excessive", "legal_duty", "legal_claims", "withdrawn"]


class Extension(Body):
    reason: Literal["complex", "many_requests"]


class FileView(BaseModel):
    """The file of an export, until it is deleted."""

    size: int
    sha256: str
    made_at: datetime
    expires_at: datetime


class RequestView(BaseModel):
    """A request. `preview` counts what there is by table, with what becomes of each column and what is kept and why; `doubtful` leads
    in it share a phone or a merge with the person, have somebody else's address, and are left alone unless they are named."""

    id: UUID
    kind: Kind
    state: State
    lead_ids: list[UUID]
    reason: str
    channel: str
    reference: str | None
    received_by: str
    received_at: datetime
    due_on: date
    preview: dict[str, Any] | None
    digest: str | None
    identity: str | None
    confirmed_by: str | None
    outcome: dict[str, Any] | None
    refusal: str | None
    closed_at: datetime | None
    file: FileView | None = None

    @classmethod
    def of(cls, request: Request, file: Any | None = None) -> "RequestView":
        given = {name: getattr(request, name) for name in cls.model_fields if name != "file"}
        return cls(**given, file=None if file is None else FileView(**dict(file)))


class MoveView(BaseModel):
    """Who did what with a request."""

    move: str
    by: str
    at: datetime
    detail: str | None


class LinkView(BaseModel):
    """An address at which the person, without a token, finds the file until it is deleted. Send it to the address they asked from."""

    url: str
    expires_at: datetime


@router.post("", status_code=201, dependencies=[scope("privacy:write")])
async def receive(body: NewRequest, tx: Tx, caller: Writer) -> RequestView:
    """A person asks for a copy of what is known of them, or to be forgotten; the law gives a month."""
    return RequestView.of(await handlers.receive(tx, **body.model_dump(), by=caller.subject))


@router.get("", dependencies=[scope("privacy:read")])
async def list_requests(
    conn: Conn, page: PageArgs, kind: Kind | None = None, state: State | None = None, due_until: date | None = None
) -> Page[RequestView]:
    """In the order in which they came; `due_until` finds open ones that are due by that day."""
    rows = await store.list_requests(conn, kind=kind, state=state, due_until=due_until, after=page.after, limit=page.limit + 1)
    return page.of([RequestView.of(row) for row in rows], key=lambda view: view.id)


@router.post("/look-up", dependencies=[scope("privacy:read")])
async def look_up(body: Subject, tx: Tx) -> list[RequestView]:
    """What a person asked for before, by its e-mail address or phone; a POST, so that they stand in no log of paths."""
    found = await handlers.requests_of(tx, email=body.email, phone=body.phone, country=body.country)
    return [RequestView.of(each) for each in found]


@router.get("/{request_id}", dependencies=[scope("privacy:read")])
async def get_request(request_id: UUID, conn: Conn) -> RequestView:
    """How far it is."""
    return RequestView.of(await store.get_request(conn, request_id), await store.find_file(conn, request_id))


@router.get("/{request_id}/history", dependencies=[scope("privacy:read")])
async def history(request_id: UUID, conn: Conn) -> list[MoveView]:
    """Who did what with it, downloads too; oldest first, at most 500."""
    await store.get_request(conn, request_id)
    return [MoveView(**dict(row)) for row in await store.list_moves(conn, request_id)]


@router.post("/{request_id}/preview", dependencies=[scope("privacy:write")])
async def preview(request_id: UUID, tx: Tx, caller: Writer) -> RequestView:
    """What would be shown or erased, without doing it."""
    return RequestView.of(await handlers.preview(tx, request_id, caller.subject))


@router.post("/{request_id}/confirm", status_code=202, dependencies=[scope("privacy:write")])
async def confirm(request_id: UUID, body: Confirmation, tx: Tx, caller: Writer) -> RequestView:
    """It shall be done, and is within moments; 409 where the data changed since the preview of an erasure."""
    done = await handlers.confirm(tx, request_id, digest=body.digest, identity=body.identity, by=caller.subject)
    return RequestView.of(done)


@router.post("/{request_id}/refuse", dependencies=[scope("privacy:write")])
async def refuse(request_id: UUID, body: Refusal, tx: Tx, caller: Writer) -> RequestView:
    """It is not done; the person is to be told why, and that an authority can be asked."""
    return RequestView.of(await handlers.refuse(tx, request_id, reason=body.reason, by=caller.subject))


@router.post("/{request_id}/extend", dependencies=[scope("privacy:write")])
async def extend(request_id: UUID, body: Extension, tx: Tx, caller: Writer) -> RequestView:
    """It takes up to two months longer; the person is to be told within the first."""
    return RequestView.of(await handlers.extend(tx, request_id, reason=body.reason, by=caller.subject))


@router.post("/{request_id}/link", dependencies=[scope("privacy:write")])
async def make_link(request_id: UUID, tx: Tx, caller: Writer) -> LinkView:
    """An address for the person to get the file at; who made it is kept."""
    url, expires_at = await exports.link(tx, request_id, by=caller.subject)
    return LinkView(url=url, expires_at=expires_at)


@router.get("/{request_id}/file", dependencies=[scope("privacy:read")])
async def get_file(request_id: UUID, request: HttpRequest, caller: Reader) -> Response:
    """The export: a ZIP with data.json for machines and index.html for people. Each download is kept in the history."""
    async with runtime_of(request).db.transaction() as tx:
        content = await exports.download(tx, request_id, by=caller.subject, detail=None)
    return zip_of(request_id, content)


def zip_of(request_id: UUID, content: bytes) -> Response:
    headers = {
        "Content-Disposition": f'attachment; filename="personal-data-{request_id}.zip"',
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
    }
    return Response(content, media_type="application/zip", headers=headers)
