"""HTTP in: what customers are told of their delivery by mail, in which words, and the link by which they follow it."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from ltc_chassis.api import Conn, Principal, Tx, scope
from ltc_chassis.api import router as make_router
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from delivery_svc.domain import notice as rules
from delivery_svc.domain.notice import Kind, Language, Notice, State, Template
from delivery_svc.handlers import notices as handlers
from delivery_svc.handlers import tracking_links
from delivery_svc.store import deliveries
from delivery_svc.store import notices as store

router = make_router(prefix="/v1", tags=["delivery notices"])
Admin = Annotated[Principal, scope("deliveries:configure")]
_ONE_LINE = r"^[^\x00-\x1f\x7f\u0085\u2028\u2029]*$"
Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=_ONE_LINE)]
Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=5000, pattern=r"^[^\x00]*$")]


class TemplateBody(BaseModel):
    """`{order}`, `{customer}`, `{day}`, `{was}`, `{reason}`, `{items}`, `{next_day}` and `{link}` are filled in. A line of which nothing
    is known is left out. Inactive: nothing of this kind is told in this language."""

    model_config = ConfigDict(extra="forbid")

    subject: Line
    text: Words
    active: bool = True


class TemplateChange(TemplateBody):
    version: Annotated[int | None, Field(ge=1, description="the version that was read; none while the words are ours")] = None


class TemplateView(TemplateBody):
    """Version 0 is our own words."""

    kind: Kind
    language: Language
    version: int


class TemplateVersionView(TemplateView):
    changed_by: str
    changed_at: datetime


class NoticeView(BaseModel):
    """A fact that the customer is told once: `fact` says which promise, hand-over or attempt. Skipped: inactive, or too late."""

    id: UUID
    kind: Kind
    fact: str
    state: State
    reason: str | None
    language: Language | None
    template_version: int | None
    created_at: datetime
    settled_at: datetime | None

    @classmethod
    def of(cls, notice: Notice) -> "NoticeView":
        return cls(fact=notice.key, **{name: getattr(notice, name) for name in cls.model_fields if name != "fact"})


class LinkView(BaseModel):
    url: str
    expires_at: datetime


@router.get("/delivery-notices", dependencies=[scope("deliveries:read")])
async def list_templates(conn: Conn) -> list[TemplateView]:
    """The words of every kind in every language, the company's own or ours."""
    own = {(each.kind, each.language): each for each in await store.list_templates(conn)}
    kinds = ((kind, language) for kind in rules.KINDS for language in rules.LANGUAGES)
    return [_view(own.get((kind, language)) or rules.ours(kind, language)) for kind, language in kinds]


@router.put("/delivery-notices/{kind}/{language}")
async def put_template(kind: Kind, language: Language, body: TemplateChange, tx: Tx, caller: Admin) -> TemplateView:
    """Other words from now on, or none."""
    template = Template(kind=kind, language=language, **{**body.model_dump(), "version": 0})
    return _view(await handlers.put_template(tx, template, caller.subject, expected=body.version))


@router.get("/delivery-notices/{kind}/{language}/changes", dependencies=[scope("deliveries:read")])
async def list_template_changes(kind: Kind, language: Language, conn: Conn) -> list[TemplateVersionView]:
    """Every version of the company's own, the newest first, with who wrote it; at most 200."""
    return [TemplateVersionView(**dict(row)) for row in await store.list_template_versions(conn, kind, language)]


@router.get("/deliveries/{delivery_id}/notices", dependencies=[scope("deliveries:read")])
async def list_notices(delivery_id: UUID, conn: Conn) -> list[NoticeView]:
    """What the customer was told, or will be, in its order; at most 500."""
    await deliveries.get_delivery(conn, delivery_id)
    return [NoticeView.of(each) for each in await store.list_notices(conn, delivery_id)]


@router.post("/deliveries/{delivery_id}/tracking-link", dependencies=[scope("deliveries:write")])
async def make_link(delivery_id: UUID, tx: Tx) -> LinkView:
    """The address of the page on which the customer follows it. Every notice has one."""
    await deliveries.get_delivery(tx.conn, delivery_id)
    url, expires_at = tracking_links.address_of(tx, delivery_id)
    return LinkView(url=url, expires_at=expires_at)


def _view(template: Template) -> TemplateView:
    given: dict[str, Any] = {name: getattr(template, name) for name in TemplateView.model_fields}
    return TemplateView(**given)
