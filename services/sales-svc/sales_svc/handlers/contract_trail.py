"""The audit trail of contracts: notes and looks, links to sign, and the check of everything that was kept."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta
from typing import Any
from uuid import UUID

from ltc_chassis import links
from ltc_chassis.db import Connection, Transaction
from ltc_chassis.ids import new_id

from sales_svc.domain import contract as rules
from sales_svc.domain import proof
from sales_svc.domain.contract import Contract
from sales_svc.domain.proof import Check, Happening, Place, Record
from sales_svc.store import contracts, proofs, quotes

NOWHERE = Place()
PURPOSE = "contract.sign"
# A page that is looked at again and again is one look.
SAME_LOOK = timedelta(minutes=10)
# So long after the last day to sign the link still shows what was signed.
READABLE_DAYS = 30


async def note(
    tx: Transaction, contract: Contract, happening: Happening, by: str, place: Place, detail: Mapping[str, Any]
) -> None:
    """One more record of the audit trail, under the contract's lock."""
    record = Record(contract.id, 0, happening, by, place, detail, tx.now, "")
    last = await proofs.find_last_record(tx.conn, contract.id)
    await proofs.insert_record(tx.conn, proof.chained(record, last))


async def look(tx: Transaction, contract_id: UUID, happening: Happening, by: str, place: Place) -> Contract:
    """Somebody looked at it or took a copy. Looks of the same one within minutes are one."""
    contract = await contracts.get_contract_for_update(tx.conn, contract_id)
    last = await proofs.find_last_record(tx.conn, contract_id)
    same = last is not None and (last.happening, last.by, last.place) == (happening, by, place) and tx.now - last.at < SAME_LOOK
    if not same:
        await note(tx, contract, happening, by, place, {"version": contract.contract_version})
    return contract


async def make_link(tx: Transaction, contract_id: UUID, *, by: str) -> tuple[str, datetime]:
    """The address of the page where a sent contract is signed, and until when it is shown. Raises `PublicAddressMissing`."""
    contract = await contracts.get_contract_for_update(tx.conn, contract_id)
    rules.require_signable(contract)
    assert contract.sign_by is not None, "it was sent"
    expires_at = datetime.combine(contract.sign_by + timedelta(days=1 + READABLE_DAYS), time(), UTC)
    name = new_id().hex[-8:]
    keys = links.keys(tx.settings)
    token = links.sign(keys, purpose=PURPOSE, subject=str(contract.id), expires_at=expires_at, claims={"link": name})
    address = links.address(tx.settings, f"/c/{token}")
    await note(tx, contract, "link_made", by, NOWHERE, {"link": name, "expires_at": expires_at.isoformat()})
    return address, expires_at


async def verify(conn: Connection, contract_id: UUID) -> list[Check]:
    """Compute again whatever can be: digests over the kept bytes and texts, and the chain of the audit trail."""
    contract = await contracts.get_contract(conn, contract_id)
    version = await contracts.get_version(conn, contract_id, contract.contract_version)
    recomposed = version.document
    # Contracts from before clauses had texts cannot be made again from parts.
    if contract.template_version > 0:
        recomposed, _ = rules.recompose(contract, version, await quotes.get_quote(conn, version.quote_id))
    checks = proof.verify(
        contract,
        version,
        recomposed,
        await contracts.find_pdf(conn, contract_id, contract.contract_version),
        await proofs.list_signatures(conn, contract_id),
        await proofs.list_records(conn, contract_id),
    )
    certificate = await proofs.find_certificate(conn, contract_id)
    if certificate is not None:
        pdf, sha256 = certificate
        checks.append(Check("certificate", sha256, hashlib.sha256(pdf).hexdigest()))
    return checks
