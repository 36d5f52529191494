"""HTTP in: contracts are drawn up, negotiated, sent, signed or declined."""

import asyncio
from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from fastapi import Query, Request
from ltc_chassis.api import Conn, Page, PageArgs, Principal, Tx, scope
from ltc_chassis.api import router as make_router
from ltc_contracts.events.model import Code, Name
from pydantic import BaseModel, Field

from sales_svc.api.clauses import ClauseText, TermsBody
from sales_svc.api.documents import place_of
from sales_svc.api.shapes import Body
from sales_svc.domain import negotiation as words
from sales_svc.domain.contract import Contract, ContractState, ContractVersion
from sales_svc.domain.contract_template import MOST_CLAUSES
from sales_svc.domain.negotiation import Addition, Change, Op, What
from sales_svc.handlers import contract_trail
from sales_svc.handlers import contracts as handlers
from sales_svc.store import contracts

router = make_router(prefix="/v1", tags=["contracts"])
Writer = Annotated[Principal, scope("contracts:write")]
Number = Annotated[int, Query(ge=1, le=1_000_000)]


class Draft(Body):
    """`template` null: the one whose condition holds."""

    template: Code | None = None


class Sending(Body):
    """Who gets the link to sign by mail; null: nobody, ask for the link."""

    email: Annotated[str, Field(min_length=3, max_length=254)] | None = None
    name: Name | None = None


class Signature(Body):
    signed_by: Name


class Refusal(Body):
    reason: Annotated[str, Field(min_length=1, max_length=2000)]


class ChangeBody(Body):
    code: Code
    title: Name | None = None
    text: ClauseText


class AdditionBody(Body):
    """`after` names the clause it follows; null: the last one."""

    code: Code
    title: Name
    text: ClauseText
    after: Code | None = None


class Round(Body):
    """A round of negotiation, on the version the author saw. It changes words, never what was priced."""

    contract_version: Annotated[int, Field(ge=1, le=1_000_000)]
    reason: Annotated[str, Field(min_length=1, max_length=2000)]
    changes: Annotated[list[ChangeBody], Field(default_factory=list, max_length=MOST_CLAUSES)]
    additions: Annotated[list[AdditionBody], Field(default_factory=list, max_length=MOST_CLAUSES)]
    removals: Annotated[list[Code], Field(default_factory=list, max_length=MOST_CLAUSES)]


class ContractView(BaseModel):
    """`document` is the canonical text, `document_sha256` over its UTF-8 bytes; `pdf_sha256` over the PDF as it is kept."""

    id: UUID
    flow_id: UUID
    opportunity_id: UUID
    quote_id: UUID
    number: str
    state: ContractState
    contract_version: int
    template: str
    template_version: int
    language: str
    terms: TermsBody
    countersign: bool
    sign_by: date | None
    document: str
    document_sha256: str
    pdf_sha256: str | None
    signed_by: str | None
    signed_at: datetime | None
    closed_reason: str | None
    version: int
    created_at: datetime

    @classmethod
    def of(cls, contract: Contract) -> "ContractView":
        terms = TermsBody(**{name: getattr(contract.terms, name) for name in TermsBody.model_fields})
        return cls(**{name: getattr(contract, name) for name in cls.model_fields if name != "terms"}, terms=terms)


class VersionView(BaseModel):
    """One wording: who made it, when and why."""

    contract_version: int
    quote_id: UUID
    document: str
    document_sha256: str
    pdf_sha256: str | None
    author: str
    reason: str
    created_at: datetime

    @classmethod
    def of(cls, version: ContractVersion) -> "VersionView":
        return cls(**{name: getattr(version, name) for name in cls.model_fields})


class PieceView(BaseModel):
    op: Op
    text: str


class ClauseDifferenceView(BaseModel):
    """Equal and deleted pieces add up to the older text, equal and inserted ones to the newer."""

    code: str
    what: What
    title: str
    title_before: str | None
    pieces: list[PieceView]


class FactDifferenceView(BaseModel):
    fact: str
    before: str
    after: str


class DifferencesView(BaseModel):
    facts: list[FactDifferenceView]
    clauses: list[ClauseDifferenceView]


class LinkView(BaseModel):
    url: str
    expires_at: datetime


@router.post("/quotes/{quote_id}/contract", status_code=201, dependencies=[scope("contracts:write")])
async def draw_up_contract(quote_id: UUID, tx: Tx, caller: Writer, body: Draft | None = None) -> ContractView:
    """Draw up the contract of an accepted quote; asked again, it is the same one. A newly accepted quote prices it anew."""
    template = body.template if body else None
    return ContractView.of(await handlers.draw_up_contract(tx, quote_id, by=caller.subject, template=template))


@router.get("/contracts", dependencies=[scope("contracts:read")])
async def list_contracts(
    conn: Conn, page: PageArgs, flow_id: UUID | None = None, state: ContractState | None = None
) -> Page[ContractView]:
    """Contracts in the order they were drawn up."""
    rows = await contracts.list_contracts(conn, flow_id=flow_id, state=state, after=page.after, limit=page.limit + 1)
    return page.of([ContractView.of(row) for row in rows], key=lambda view: view.id)


@router.get("/contracts/{contract_id}", dependencies=[scope("contracts:read")])
async def get_contract(contract_id: UUID, conn: Conn) -> ContractView:
    """One contract with its text."""
    return ContractView.of(await contracts.get_contract(conn, contract_id))


@router.get("/contracts/{contract_id}/versions", dependencies=[scope("contracts:read")])
async def list_versions(
    contract_id: UUID,
    conn: Conn,
    after: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
    limit: Annotated[int, Query(ge=1, le=50)] = 50,
) -> list[VersionView]:
    """Every wording it had, after a number."""
    await contracts.get_contract(conn, contract_id)
    return [VersionView.of(row) for row in await contracts.list_versions(conn, contract_id, after=after, limit=limit)]


@router.post("/contracts/{contract_id}/versions", status_code=201, dependencies=[scope("contracts:write")])
async def negotiate(contract_id: UUID, body: Round, tx: Tx, caller: Writer) -> VersionView:
    """Other words make another version, with author, time and reason."""
    version = await handlers.negotiate(
        tx,
        contract_id,
        base=body.contract_version,
        changes=[Change(each.code, each.text, each.title) for each in body.changes],
        additions=[Addition(each.code, each.title, each.text, each.after) for each in body.additions],
        removals=body.removals,
        reason=body.reason,
        by=caller.subject,
    )
    return VersionView.of(version)


@router.get("/contracts/{contract_id}/differences", dependencies=[scope("contracts:read")])
async def get_differences(contract_id: UUID, conn: Conn, older: Number, newer: Number) -> DifferencesView:
    """What differs between two versions: facts, and each clause word by word."""
    before = await contracts.get_version(conn, contract_id, older)
    after = await contracts.get_version(conn, contract_id, newer)
    facts, clauses = await asyncio.to_thread(words.differences, before.document, after.document)
    return DifferencesView(
        facts=[FactDifferenceView(fact=each.fact, before=each.before, after=each.after) for each in facts],
        clauses=[
            ClauseDifferenceView(
                code=each.code,
                what=each.what,
                title=each.title,
                title_before=each.title_before,
                pieces=[PieceView(op=piece.op, text=piece.text) for piece in each.pieces],
            )
            for each in clauses
        ],
    )


@router.post("/contracts/{contract_id}/send", dependencies=[scope("contracts:write")])
async def send_contract(contract_id: UUID, tx: Tx, caller: Writer, body: Sending | None = None) -> ContractView:
    """Print the present version, keep it, and let it be signed for the template's days; mail the link where asked."""
    given = body or Sending()
    sent = await handlers.send_contract(tx, contract_id, by=caller.subject, mail_to=given.email, name=given.name)
    return ContractView.of(sent)


@router.post("/contracts/{contract_id}/link", status_code=201, dependencies=[scope("contracts:write")])
async def make_link(contract_id: UUID, tx: Tx, caller: Writer) -> LinkView:
    """The address where the customer reads, signs or declines what was sent."""
    url, expires_at = await contract_trail.make_link(tx, contract_id, by=caller.subject)
    return LinkView(url=url, expires_at=expires_at)


@router.post("/contracts/{contract_id}/sign", dependencies=[scope("contracts:write")])
async def sign_contract(contract_id: UUID, body: Signature, tx: Tx, caller: Writer, request: Request) -> ContractView:
    """Record the customer's signature: both parties are bound, and the deal is won, unless ours is awaited."""
    place = place_of(request)
    return ContractView.of(await handlers.sign_contract(tx, contract_id, body.signed_by, place=place, by=caller.subject))


@router.post("/contracts/{contract_id}/countersign", dependencies=[scope("contracts:countersign")])
async def countersign_contract(
    contract_id: UUID, body: Signature, tx: Tx, caller: Annotated[Principal, scope("contracts:countersign")], request: Request
) -> ContractView:
    """Our signature, where the template asks for it."""
    place = place_of(request)
    return ContractView.of(await handlers.countersign_contract(tx, contract_id, body.signed_by, place=place, by=caller.subject))


@router.post("/contracts/{contract_id}/decline", dependencies=[scope("contracts:write")])
async def decline_contract(contract_id: UUID, body: Refusal, tx: Tx, caller: Writer, request: Request) -> ContractView:
    """Nobody will sign it; the deal stays open, and another contract can be drawn up."""
    place = place_of(request)
    return ContractView.of(await handlers.decline_contract(tx, contract_id, body.reason, by=caller.subject, place=place))
