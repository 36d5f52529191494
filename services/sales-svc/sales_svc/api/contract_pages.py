"""HTTP in from outside: the page where a customer reads, signs or declines a contract, by a signed link."""

from collections.abc import Mapping
from typing import Annotated, Any
from uuid import UUID

from fastapi import Form, Request, Response
from fastapi.responses import RedirectResponse
from ltc_chassis import links, pages
from ltc_chassis.api import Tx, runtime_of
from ltc_chassis.db import Transaction
from ltc_chassis.pages import language_of
from ltc_contracts.errors import Invalid

from sales_svc.api.contract_proofs import certificate
from sales_svc.api.documents import ACT, READ, paper, place_of
from sales_svc.domain import contract as rules
from sales_svc.domain import contract_print, proof
from sales_svc.domain.contract import Contract
from sales_svc.domain.contract_text import in_words
from sales_svc.handlers import contract_papers, contract_trail
from sales_svc.handlers import contracts as handlers
from sales_svc.store import contracts, proofs

WHY = "The signed link in the path is the permission to read and sign this one contract, until it expires."
router = pages.public_router(prefix="/c", tags=["contract pages"], why=WHY)


@router.get("/{token}", dependencies=READ)
async def show(token: str, request: Request) -> Response:
    """The contract to read and sign, or what became of it. Looking is noted in the audit trail."""
    async with runtime_of(request).db.transaction() as tx:
        contract_id, who = _verified(tx, token)
        contract = await contract_trail.look(tx, contract_id, "viewed", who, place_of(request))
        return await _page(tx, request, token, contract, {})


@router.get("/{token}/contract.pdf", dependencies=READ)
async def download(token: str, request: Request) -> Response:
    """The very bytes that are signed, or were. Taking a copy is noted."""
    async with runtime_of(request).db.transaction() as tx:
        contract_id, who = _verified(tx, token)
        contract = await contracts.get_contract_for_update(tx.conn, contract_id)
        rules.require_readable(contract)
        version = await contracts.get_version(tx.conn, contract_id, contract.contract_version)
        pdf, _ = await contract_papers.kept_pdf(tx, contract, version)
        await contract_trail.look(tx, contract_id, "downloaded", who, place_of(request))
        return paper(pdf, contract.number)


@router.get("/{token}/certificate.pdf", dependencies=READ)
async def download_certificate(token: str, request: Request) -> Response:
    """The certificate of the signatures."""
    async with runtime_of(request).db.transaction() as tx:
        contract_id, _ = _verified(tx, token)
        return await certificate(tx, contract_id)


@router.post("/{token}", dependencies=ACT)
async def answer(
    token: str,
    request: Request,
    tx: Tx,
    action: Annotated[str, Form(max_length=20)],
    shown: Annotated[str, Form(max_length=64)] = "",
    signed_by: Annotated[str, Form(max_length=200)] = "",
    consent: Annotated[str, Form(max_length=10)] = "",
    reason: Annotated[str, Form(max_length=2000)] = "",
) -> Response:
    """Sign or decline. What is missing is asked for on the page again; nothing was done then."""
    contract_id, who = _verified(tx, token)
    given = {"signed_by": signed_by, "reason": reason}
    try:
        if action == "sign":
            if consent != "yes":
                raise Invalid("consent", field="consent")
            name = proof.typed_name(signed_by)
        elif not (reason.strip() and reason.replace("\n", "").replace("\r", "").isprintable()):
            raise Invalid("reason", field="reason")
    except Invalid as error:
        contract = await contracts.get_contract(tx.conn, contract_id)
        return await _page(tx, request, token, contract, {**given, "missing": error.field, "action": action}, status_code=400)
    if action == "sign":
        await handlers.sign_contract(tx, contract_id, name, method="link", place=place_of(request), shown=shown)
    else:
        await handlers.decline_contract(tx, contract_id, reason.strip(), by=who, place=place_of(request))
    # Relative, so that it holds behind a proxy that adds a path.
    return RedirectResponse(token, status_code=303, headers={"Cache-Control": "no-store"})


async def _page(
    tx: Transaction, request: Request, token: str, contract: Contract, given: Mapping[str, Any], *, status_code: int = 200
) -> Response:
    version = await contracts.get_version(tx.conn, contract.id, contract.contract_version)
    language = language_of(request)
    # A version that is still being negotiated is nobody's business yet.
    shown = contract_print.printable(contract, version) if contract.state in rules.READABLE else None
    signatures = await proofs.list_signatures(tx.conn, contract.id)
    return pages.page(
        request,
        "sales_svc",
        "contract.html",
        status_code=status_code,
        state=rules.state_on(contract, tx.now.date()),
        number=contract.number,
        token=token,
        sign_by=in_words(contract.sign_by, language) if contract.sign_by else "",
        contract=shown,
        contract_language=contract.language,
        pdf_sha256=version.pdf_sha256 or "",
        consent=proof.consent_of(language, contract_print.customer_of(version)),
        signatures=[{"name": each.name, "at": contract_print.moment(each.signed_at)} for each in signatures],
        **{"signed_by": "", "reason": "", "missing": None, "action": None, **given},
    )


def _verified(tx: Transaction, token: str) -> tuple[UUID, str]:
    """The contract that a link is for, and the link's name in the audit trail. Raises `LinkInvalid`, `LinkExpired`."""
    link = links.verify(links.keys(tx.settings), token, purpose=contract_trail.PURPOSE, now=tx.now)
    return UUID(link.subject), f"link {link.claims.get('link', '')}"
