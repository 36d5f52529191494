"""HTTP in: accounts, their hierarchy, team and merge."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Response
from fastapi.responses import RedirectResponse
from ltc_chassis.api import Conn, Page, PageArgs, Principal, Tx, scope
from ltc_chassis.api import router as make_router
from ltc_chassis.connection import Connection
from ltc_contracts.events.model import Code, Country, Name
from ltc_contracts.money import Money
from pydantic import BaseModel, Field

from sales_svc.api.shapes import Body, ChangeView, CustomValues, Edit, IfMatch, Search, TouchView, Version
from sales_svc.domain.account import Account, Member, site_domain, vat_key
from sales_svc.domain.activity import Touch
from sales_svc.handlers import accounts as handlers
from sales_svc.store import accounts, activities, changes

router = make_router(prefix="/v1", tags=["accounts"])
Writer = Annotated[Principal, scope("accounts:write")]
Merger = Annotated[Principal, scope("accounts:merge")]
Website = Annotated[str, Field(max_length=500)]
VatId = Annotated[str, Field(max_length=30)]
Size = Annotated[int, Field(ge=0, le=100_000_000)]


class NewAccount(Body):
    """`size` in employees."""

    name: Name
    country: Country | None = None
    website: Website | None = None
    vat_id: VatId | None = None
    industry: Code | None = None
    segment: Code | None = None
    region: Name | None = None
    size: Size | None = None
    owner: Name | None = None
    parent_id: UUID | None = None
    custom: CustomValues = Field(default_factory=dict)


class AccountEdit(Edit):
    name: Name | None = None
    country: Country | None = None
    website: Website | None = None
    vat_id: VatId | None = None
    industry: Code | None = None
    segment: Code | None = None
    region: Name | None = None
    size: Size | None = None
    owner: Name | None = None
    parent_id: UUID | None = None
    custom: CustomValues = Field(default_factory=dict)


class MemberBody(Body):
    member: Name
    role: Code

    @classmethod
    def of(cls, member: Member) -> "MemberBody":
        return cls(member=member.member, role=member.role)


class Team(Body):
    members: Annotated[list[MemberBody], Field(max_length=100)]
    version: Version | None = None


class Merge(Body):
    """`account_id` is the one that goes; `version` is that of the one that stays."""

    account_id: UUID
    version: Version | None = None


class AccountView(BaseModel):
    """`domain` is taken from the web site; `reps` have an open deal with the customer; `last_touch` is who met it last."""

    id: UUID
    name: str
    country: str | None
    website: str | None
    domain: str | None
    vat_id: str | None
    industry: str | None
    segment: str | None
    region: str | None
    size: int | None
    owner: str | None
    parent_id: UUID | None
    custom: dict[str, Any] = Field(default_factory=dict)
    team: list[MemberBody] = Field(default_factory=list)
    reps: list[str] = Field(default_factory=list)
    last_touch: TouchView | None = None
    version: int
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(
        cls, account: Account, team: Sequence[Member] = (), reps: Sequence[str] = (), touch: Touch | None = None
    ) -> "AccountView":
        made = {"team", "reps", "last_touch"}
        given = {name: getattr(account, name) for name in cls.model_fields if name not in made}
        return cls(
            **given,
            team=[MemberBody.of(member) for member in team],
            reps=list(reps),
            last_touch=TouchView.of(touch) if touch else None,
        )


class DuplicateView(BaseModel):
    """Perhaps the same company; `matched_on`: vat_id, domain, name (alike)."""

    account: AccountView
    matched_on: list[str]


class Sum(BaseModel):
    """Deals and their value; `value` has one entry per currency, since currencies are never added up."""

    deals: int = 0
    value: list[Money] = Field(default_factory=list)


class Sums(BaseModel):
    open: Sum = Field(default_factory=Sum)
    won: Sum = Field(default_factory=Sum)


class RollupView(BaseModel):
    """`own` of the account alone, `total` with every account below it; lost deals are not counted."""

    accounts_below: int
    own: Sums
    total: Sums


@router.post("/accounts", status_code=201)
async def create_account(body: NewAccount, tx: Tx, caller: Writer) -> AccountView:
    """A new company; one of the same name in the same country, or with the same VAT id, is refused and named."""
    given = {name: value for name, value in body.model_dump().items() if value is not None}
    return AccountView.of(await handlers.create_account(tx, given, caller.subject))


@router.get("/accounts", dependencies=[scope("accounts:read")])
async def list_accounts(
    conn: Conn,
    page: PageArgs,
    q: Search | None = None,
    owner: str | None = None,
    member: str | None = None,
    segment: str | None = None,
    industry: str | None = None,
    region: str | None = None,
    country: str | None = None,
    website: Website | None = None,
    vat_id: VatId | None = None,
    parent_id: UUID | None = None,
) -> Page[AccountView]:
    """Companies; `q` finds names that contain it or are like it, whatever the spelling."""
    filters = {
        "owner": owner,
        "member": member,
        "segment": segment,
        "industry": industry,
        "region": region,
        "country": country,
        "domain": site_domain(website) if website else None,
        "vat_id": vat_key(vat_id) if vat_id else None,
        "parent_id": parent_id,
    }
    rows = await accounts.list_accounts(conn, text=q, filters=filters, after=page.after, limit=page.limit + 1)
    return page.of(await _views(conn, rows), key=lambda view: view.id)


@router.get("/accounts/{account_id}", dependencies=[scope("accounts:read")], response_model=AccountView)
async def get_account(account_id: UUID, conn: Conn, response: Response) -> AccountView | RedirectResponse:
    """One company; one that was merged leads to its successor (308)."""
    account = await accounts.get_account(conn, account_id)
    if account.merged_into is not None:
        return RedirectResponse(f"/v1/accounts/{account.merged_into}", status_code=308)
    response.headers["ETag"] = f'"{account.version}"'
    return (await _views(conn, [account]))[0]


@router.patch("/accounts/{account_id}")
async def change_account(account_id: UUID, body: AccountEdit, tx: Tx, caller: Writer, if_match: IfMatch) -> AccountView:
    """Change some fields; null empties one. Needs the version that was read."""
    expected = body.version if body.version is not None else if_match
    account = await handlers.change_account(tx, account_id, body.given(), caller.subject, expected=expected)
    return (await _views(tx.conn, [account]))[0]


@router.put("/accounts/{account_id}/team")
async def set_team(account_id: UUID, body: Team, tx: Tx, caller: Writer, if_match: IfMatch) -> AccountView:
    """Who works on the account, all at once: it has one team."""
    members = [Member(each.member, each.role) for each in body.members]
    expected = body.version if body.version is not None else if_match
    account = await handlers.set_team(tx, account_id, members, caller.subject, expected=expected)
    return (await _views(tx.conn, [account]))[0]


@router.post("/accounts/{account_id}/merge")
async def merge(account_id: UUID, body: Merge, tx: Tx, caller: Merger, if_match: IfMatch) -> AccountView:
    """Merge another account into this one: contacts, deals with quotes and contracts, activities, team, children. Final."""
    expected = body.version if body.version is not None else if_match
    account = await handlers.merge(tx, account_id, body.account_id, caller.subject, expected=expected)
    return (await _views(tx.conn, [account]))[0]


@router.get("/accounts/{account_id}/duplicates", dependencies=[scope("accounts:read")])
async def list_duplicates(account_id: UUID, conn: Conn) -> list[DuplicateView]:
    """Accounts that may be the same company, by VAT id, web site or nearly the same name; at most 50, the most alike first."""
    found = await accounts.list_duplicates(conn, await accounts.get_account(conn, account_id), 50)
    return [DuplicateView(account=AccountView.of(account), matched_on=kinds) for account, kinds in found]


@router.get("/accounts/{account_id}/rollup", dependencies=[scope("accounts:read")])
async def get_rollup(account_id: UUID, conn: Conn) -> RollupView:
    """Open and won deals of the account and of everything below it, per currency."""
    await accounts.get_account(conn, account_id)
    rows = await accounts.rollup(conn, account_id)
    return RollupView(
        accounts_below=await accounts.count_below(conn, account_id),
        own=_sums([row for row in rows if row.own]),
        total=_sums(rows),
    )


@router.get("/accounts/{account_id}/changes", dependencies=[scope("accounts:read")])
async def list_changes(account_id: UUID, conn: Conn, page: PageArgs) -> Page[ChangeView]:
    """Who changed what, and when."""
    await accounts.get_account(conn, account_id)
    rows = await changes.list_changes(conn, "account", account_id, after=page.after, limit=page.limit + 1)
    return page.of([ChangeView.of(row) for row in rows], key=lambda view: view.id)


async def _views(conn: Connection, rows: Sequence[Account]) -> list[AccountView]:
    ids = [row.id for row in rows]
    teams, reps = await accounts.members_of(conn, ids), await accounts.reps_of(conn, ids)
    touches = await activities.last_touches_of_accounts(conn, ids)
    return [AccountView.of(row, teams.get(row.id, ()), reps.get(row.id, ()), touches.get(row.id)) for row in rows]


def _sums(rows: Sequence[accounts.Rolled]) -> Sums:
    return Sums(open=_sum([row for row in rows if not row.won]), won=_sum([row for row in rows if row.won]))


def _sum(rows: Sequence[accounts.Rolled]) -> Sum:
    values: dict[str, Money] = {}
    for row in rows:
        if row.value is not None:
            values[row.value.currency] = values.get(row.value.currency, Money.zero(row.value.currency)) + row.value
    return Sum(deals=sum(row.deals for row in rows), value=[values[currency] for currency in sorted(values)])
