"""What is printed of contracts. A version's PDF is printed once and kept; those bytes are shown, signed, served and verified."""

import hashlib
from dataclasses import replace

from ltc_chassis import letterhead
from ltc_chassis.db import Connection, Transaction
from ltc_chassis.letterhead import Letterhead
from ltc_chassis.paper import print_pdf

from sales_svc.domain import contract_print as shapes
from sales_svc.domain.contract import Contract, ContractVersion, DocumentChanged
from sales_svc.domain.contract_text import Supplier
from sales_svc.store import contracts, proofs

PACKAGE = "sales_svc"


async def our_side(conn: Connection) -> tuple[Supplier | None, int | None]:
    """Who we are by the present letterhead, and its version; nobody where the company has not set one."""
    head = await letterhead.load(conn)
    if head is None:
        return None, None
    content = head.content
    return Supplier(content.name, tuple(content.address), content.tax_id, content.registration), head.version


async def kept_pdf(tx: Transaction, contract: Contract, version: ContractVersion) -> tuple[bytes, ContractVersion]:
    """The PDF of a version, under the contract's lock: the kept bytes, or printed now and kept. Raises `DocumentChanged`."""
    pdf = await contracts.find_pdf(tx.conn, contract.id, version.contract_version)
    if pdf is not None:
        if hashlib.sha256(pdf).hexdigest() != version.pdf_sha256:
            raise DocumentChanged(f"the PDF of contract {contract.number} is not the one that was printed")
        return pdf, version
    pdf = await _print(tx.conn, contract, version, mark=None)
    sha256 = hashlib.sha256(pdf).hexdigest()
    await contracts.keep_pdf(tx.conn, contract.id, version.contract_version, pdf, sha256)
    return pdf, replace(version, pdf_sha256=sha256)


async def draft_pdf(conn: Connection, contract: Contract, version: ContractVersion) -> bytes:
    """What a version would look like, marked as a draft and not kept."""
    return await _print(conn, contract, version, mark="草稿" if contract.language == "zh" else "DRAFT")


async def certificate(tx: Transaction, contract: Contract, version: ContractVersion) -> bytes:
    """The certificate of a signed contract, printed once and kept."""
    known = await proofs.find_certificate(tx.conn, contract.id)
    if known is not None:
        return known[0]
    signatures, trail = await proofs.list_signatures(tx.conn, contract.id), await proofs.list_records(tx.conn, contract.id)
    data = shapes.certificate(contract, version, signatures, trail)
    head = await _head(tx.conn, version)
    pdf = await print_pdf(PACKAGE, "certificate", data, letterhead=head, created_at=contract.signed_at)
    await proofs.insert_certificate(tx.conn, contract.id, pdf, hashlib.sha256(pdf).hexdigest(), now=tx.now)
    return pdf


async def _print(conn: Connection, contract: Contract, version: ContractVersion, *, mark: str | None) -> bytes:
    data = {**shapes.printable(contract, version), "mark": mark}
    head = await _head(conn, version)
    return await print_pdf(PACKAGE, "contract", data, letterhead=head, created_at=version.created_at)


async def _head(conn: Connection, version: ContractVersion) -> Letterhead | None:
    return None if version.letterhead is None else await letterhead.load(conn, version.letterhead)
