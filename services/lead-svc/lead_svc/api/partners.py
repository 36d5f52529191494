"""HTTP in: partners with their codes, the leads they sent; and what a partner's own system may do."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from ltc_chassis.api import Conn, Page, PageArgs, Principal, Tx, scope
from ltc_chassis.api import router as make_router
from ltc_chassis.ids import new_id
from ltc_chassis.inputs import Moment
from ltc_contracts.errors import Invalid
from ltc_contracts.events import Contact
from ltc_contracts.events.model import Country, Name, Text
from ltc_contracts.money import Money
from pydantic import BaseModel, Field

from lead_svc.api.leads import Body, NewContact
from lead_svc.domain import partner as rules
from lead_svc.domain.lead import blank
from lead_svc.domain.partner import Partner, PartnerCode, Referral
from lead_svc.handlers import partners as handlers
from lead_svc.handlers import referrals
from lead_svc.handlers.capture import Arrival
from lead_svc.store import partners as store

router = make_router(prefix="/v1", tags=["partners"])
Writer = Annotated[Principal, scope("partners:write")]
# A partner's own system: its token's subject says which partner it is, and it sees nothing else.
Referrer = Annotated[Principal, scope("partners:refer")]
Days = Annotated[int, Field(ge=0, le=3650)]
Subject = Annotated[str, Field(min_length=1, max_length=200, description="`sub` of the token of the partner's own system")]


class NewPartner(Body):
    """`exclusive_days`: how long what its own system registered is kept from other partners."""

    name: Name
    territory: Name | None = None
    notes: Text | None = None
    subject: Subject | None = None
    exclusive_days: Days = 90


class PartnerChange(Body):
    """`version` is the one that was read. What is left out stays; `active: false` retires."""

    version: Annotated[int, Field(ge=1, le=2_000_000_000)]
    name: Name | None = None
    territory: Name | None = None
    notes: Text | None = None
    subject: Subject | None = None
    exclusive_days: Days | None = None
    active: bool | None = None


class CodeView(BaseModel):
    """Compared without regard to case, hyphens and gaps."""

    id: UUID
    code: str
    created_by: str
    created_at: datetime
    expires_at: datetime | None

    @classmethod
    def of(cls, code: PartnerCode) -> "CodeView":
        given = {name: getattr(code, name) for name in cls.model_fields}
        return cls(**{**given, "code": rules.shown_code(code.code)})


class PartnerView(BaseModel):
    id: UUID
    name: str
    territory: str | None
    notes: str | None
    subject: str | None
    exclusive_days: int
    active: bool
    version: int
    created_by: str
    created_at: datetime
    updated_by: str
    updated_at: datetime

    @classmethod
    def of(cls, partner: Partner) -> "PartnerView":
        return cls(**{name: getattr(partner, name) for name in PartnerView.model_fields})


class PartnerDetail(PartnerView):
    """With its codes, the newest first; the last 200."""

    codes: list[CodeView]


class NewCode(Body):
    """`others_expire_at`: the codes that are there count until then (rotation)."""

    expires_at: Moment | None = None
    others_expire_at: Moment | None = None


class Expiry(Body):
    """Now, unless `expires_at` says when."""

    expires_at: Moment | None = None


class PartnerChangeView(BaseModel):
    """`changes`: name to [before, after]."""

    id: UUID
    version: int
    changes: dict[str, Any]
    by: str
    at: datetime


class PartnerLeadView(BaseModel):
    """`status` is of the lead that it is part of by now."""

    id: UUID
    lead_id: UUID
    reference: str | None
    company: str | None
    status: str
    referred_at: datetime


class StatisticsView(BaseModel):
    """Of the leads that came by the partner in the window: how far they have come by now."""

    captured: int
    qualified: int
    converted: int
    won: int
    closed: int


class NewReferral(Body):
    """`reference` is the partner's own key: the same one is not registered twice."""

    reference: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    company: Name
    country: Country | None = None
    website: Annotated[str, Field(max_length=500)] | None = None
    contact: NewContact | None = None
    estimated_value: Money | None = None


class ReferralView(BaseModel):
    """What a partner knows of a lead that it sent: `state` is open, qualified, converted or closed."""

    id: UUID
    reference: str | None
    state: str
    referred_at: datetime

    @classmethod
    def of(cls, referral: Referral) -> "ReferralView":
        return cls(**{name: getattr(referral, name) for name in cls.model_fields})


@router.post("/partners", status_code=201, dependencies=[scope("partners:write")])
async def add_partner(body: NewPartner, tx: Tx, caller: Writer) -> PartnerDetail:
    """A partner with its first code."""
    by: dict[str, Any] = {"created_by": caller.subject, "created_at": tx.now, "updated_by": caller.subject, "updated_at": tx.now}
    partner = Partner(**body.model_dump(), id=new_id(), active=True, version=1, **by)
    code = await handlers.add_partner(tx, partner)
    return PartnerDetail(**PartnerView.of(partner).model_dump(), codes=[CodeView.of(code)])


@router.get("/partners", dependencies=[scope("partners:read")])
async def list_partners(conn: Conn, page: PageArgs, active: bool | None = None) -> Page[PartnerView]:
    """Partners in the order they were made."""
    rows = await store.list_partners(conn, active=active, after=page.after, limit=page.limit + 1)
    return page.of([PartnerView.of(row) for row in rows], key=lambda view: view.id)


@router.get("/partners/{partner_id}", dependencies=[scope("partners:read")])
async def get_partner(partner_id: UUID, conn: Conn) -> PartnerDetail:
    """One partner with its codes."""
    partner = await store.get_partner(conn, partner_id)
    codes = [CodeView.of(code) for code in await store.list_codes(conn, partner_id)]
    return PartnerDetail(**PartnerView.of(partner).model_dump(), codes=codes)


@router.patch("/partners/{partner_id}", dependencies=[scope("partners:write")])
async def change_partner(partner_id: UUID, body: PartnerChange, tx: Tx, caller: Writer) -> PartnerDetail:
    """Change a partner, or retire it: its codes and its token count no more."""
    given = {name: getattr(body, name) for name in body.model_fields_set - {"version"}}
    for name in ("name", "exclusive_days", "active"):
        if given.get(name, "") is None:
            raise Invalid("cannot be empty", field=name)
    await handlers.change_partner(tx, partner_id, given, version=body.version, by=caller.subject)
    return await get_partner(partner_id, tx.conn)


@router.get("/partners/{partner_id}/changes", dependencies=[scope("partners:read")])
async def list_changes(partner_id: UUID, conn: Conn, page: PageArgs) -> Page[PartnerChangeView]:
    """Who changed a partner or its codes, and when."""
    await store.get_partner(conn, partner_id)
    rows = await store.list_changes(conn, partner_id, after=page.after, limit=page.limit + 1)
    return page.of([PartnerChangeView(**dict(row)) for row in rows], key=lambda view: view.id)


@router.post("/partners/{partner_id}/codes", status_code=201, dependencies=[scope("partners:write")])
async def add_code(partner_id: UUID, tx: Tx, caller: Writer, body: NewCode | None = None) -> CodeView:
    """A further code, or one that replaces the others."""
    asked = body or NewCode()
    code = await handlers.add_code(
        tx, partner_id, expires_at=asked.expires_at, others_expire_at=asked.others_expire_at, by=caller.subject
    )
    return CodeView.of(code)


@router.post("/partners/{partner_id}/codes/{code_id}/expire", dependencies=[scope("partners:write")])
async def expire_code(partner_id: UUID, code_id: UUID, tx: Tx, caller: Writer, body: Expiry | None = None) -> PartnerDetail:
    """A code counts no more, at once or from a moment on."""
    at = (body.expires_at if body else None) or tx.now
    await handlers.expire_code(tx, partner_id, code_id, at, by=caller.subject)
    return await get_partner(partner_id, tx.conn)


@router.get("/partners/{partner_id}/leads", dependencies=[scope("partners:read")])
async def list_partner_leads(partner_id: UUID, conn: Conn, page: PageArgs) -> Page[PartnerLeadView]:
    """The leads that came by a partner, in their order."""
    await store.get_partner(conn, partner_id)
    rows = await store.list_referrals(conn, partner_id, after=page.after, limit=page.limit + 1)
    views = [PartnerLeadView(**{name: getattr(row, name) for name in PartnerLeadView.model_fields}) for row in rows]
    return page.of(views, key=lambda view: view.id)


@router.get("/partners/{partner_id}/statistics", dependencies=[scope("partners:read")])
async def get_statistics(partner_id: UUID, conn: Conn, start: Moment, end: Moment) -> StatisticsView:
    """How far the leads of a partner came, of those referred in a window (its end excluded)."""
    if end <= start:
        raise Invalid("must lie after `start`", field="end")
    await store.get_partner(conn, partner_id)
    return StatisticsView(**dict(await store.referral_statistics_view(conn, partner_id, start, end)))


@router.post("/partner/leads", status_code=201, dependencies=[scope("partners:refer")])
async def register(body: NewReferral, tx: Tx, caller: Referrer) -> ReferralView:
    """The partner's own system registers a lead. 409 `already-known` where somebody works on it: neither who nor since when is told."""
    partner = _active(await store.find_by_subject(tx.conn, caller.subject))
    lead = blank(
        id=new_id(),
        flow_id=new_id(),
        captured_via="api",
        channel="partner",
        source=partner.name,
        company=body.company,
        country=body.country,
        website=body.website,
        contact=Contact(**body.contact.model_dump()) if body.contact else None,
        estimated_value=body.estimated_value,
        external_ref=f"partner:{partner.id}:{body.reference}" if body.reference is not None else None,
        created_at=tx.now,
        updated_at=tx.now,
    )
    return ReferralView.of(await referrals.register(tx, partner, Arrival(lead), body.reference))


@router.get("/partner/leads", dependencies=[scope("partners:refer")])
async def list_own(conn: Conn, page: PageArgs, caller: Referrer) -> Page[ReferralView]:
    """The partner's own system asks how far its leads came."""
    partner = await store.find_by_subject(conn, caller.subject)
    rows = await store.list_referrals(conn, _active(partner).id, after=page.after, limit=page.limit + 1)
    return page.of([ReferralView.of(row) for row in rows], key=lambda view: view.id)


@router.get("/partner/leads/{referral_id}", dependencies=[scope("partners:refer")])
async def get_own(referral_id: UUID, conn: Conn, caller: Referrer) -> ReferralView:
    """One of them; another partner's is not found."""
    partner = _active(await store.find_by_subject(conn, caller.subject))
    return ReferralView.of(await store.get_referral(conn, partner.id, referral_id=referral_id, lead_id=None))


def _active(partner: Partner | None) -> Partner:
    if partner is None or not partner.active:
        raise rules.NoPartner("this token is of no partner's system")
    return partner
