"""HTTP out: the papers of a contract, its audit trail, and whether everything is as it was signed."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query, Request, Response
from ltc_chassis.api import Conn, Principal, Tx, runtime_of, scope
from ltc_chassis.api import router as make_router
from pydantic import BaseModel

from sales_svc.api.contracts import Number
from sales_svc.api.documents import paper, place_of
from sales_svc.domain.contract import require_signed
from sales_svc.domain.proof import Happening, Record
from sales_svc.handlers import contract_papers, contract_trail
from sales_svc.store import contracts, proofs

router = make_router(prefix="/v1", tags=["contracts"])
Reader = Annotated[Principal, scope("contracts:read")]


class CheckView(BaseModel):
    what: str
    ok: bool
    expected: str
    found: str


class VerificationView(BaseModel):
    """`intact`: every check is ok."""

    intact: bool
    checks: list[CheckView]


class RecordView(BaseModel):
    """`digest` covers the record and `previous`, the digest of the record before it."""

    number: int
    happening: Happening
    by: str
    address: str | None
    user_agent: str | None
    detail: dict[str, Any]
    at: datetime
    previous: str
    digest: str

    @classmethod
    def of(cls, record: Record) -> "RecordView":
        given = {name: getattr(record, name) for name in ("number", "happening", "by", "at", "previous", "digest")}
        return cls(**given, address=record.place.address, user_agent=record.place.user_agent, detail=dict(record.detail))


@router.get("/contracts/{contract_id}/contract.pdf", dependencies=[scope("contracts:read")])
async def get_pdf(contract_id: UUID, request: Request, caller: Reader, contract_version: Number | None = None) -> Response:
    """The PDF: the very bytes that were sent and signed, or a draft of what was not sent yet."""
    async with runtime_of(request).db.transaction() as tx:
        contract = await contracts.get_contract(tx.conn, contract_id)
        version = await contracts.get_version(tx.conn, contract_id, contract_version or contract.contract_version)
        pdf = await contracts.find_pdf(tx.conn, contract_id, version.contract_version)
        if pdf is None:
            return paper(await contract_papers.draft_pdf(tx.conn, contract, version), contract.number)
        await contract_trail.look(tx, contract_id, "downloaded", caller.subject, place_of(request))
        return paper(pdf, contract.number)


@router.get("/contracts/{contract_id}/certificate.pdf", dependencies=[scope("contracts:read")])
async def get_certificate(contract_id: UUID, request: Request) -> Response:
    """Who signed what, when and from where, and what happened until then."""
    async with runtime_of(request).db.transaction() as tx:
        return await certificate(tx, contract_id)


@router.get("/contracts/{contract_id}/trail", dependencies=[scope("contracts:read")])
async def list_records(
    contract_id: UUID,
    conn: Conn,
    after: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
    limit: Annotated[int, Query(ge=1, le=500)] = 500,
) -> list[RecordView]:
    """Everything that happened to it, after a number, with who, when and from where."""
    await contracts.get_contract(conn, contract_id)
    return [RecordView.of(row) for row in await proofs.list_records(conn, contract_id, after=after, limit=limit)]


@router.get("/contracts/{contract_id}/verify", dependencies=[scope("contracts:read")])
async def verify(contract_id: UUID, conn: Conn) -> VerificationView:
    """Compute every digest again over what is kept: the PDF's bytes, the canonical text, signatures, and the audit trail."""
    checks = await contract_trail.verify(conn, contract_id)
    views = [CheckView(what=each.what, ok=each.ok, expected=each.expected, found=each.found) for each in checks]
    return VerificationView(intact=all(each.ok for each in checks), checks=views)


async def certificate(tx: Tx, contract_id: UUID) -> Response:
    """The certificate's bytes. Raises `WrongTransition` before both parties signed."""
    contract = await contracts.get_contract_for_update(tx.conn, contract_id)
    require_signed(contract)
    version = await contracts.get_version(tx.conn, contract_id, contract.contract_version)
    return paper(await contract_papers.certificate(tx, contract, version), f"{contract.number}-certificate")
