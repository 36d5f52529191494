"""The verbs of a contract: draw up, negotiate, send, sign, decline. Lock order: the opportunity, then its quotes and contracts."""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from ltc_chassis.db import Transaction
from ltc_chassis.ids import new_id
from ltc_contracts.errors import DomainError

from sales_svc.domain import clause as clauses
from sales_svc.domain import contract as rules
from sales_svc.domain import contract_template as templates
from sales_svc.domain import negotiation, proof
from sales_svc.domain import opportunity as deals
from sales_svc.domain.contract import Contract, ContractVersion
from sales_svc.domain.contract_template import Template
from sales_svc.domain.contract_text import Wording
from sales_svc.domain.negotiation import Addition, Change
from sales_svc.domain.opportunity import Opportunity
from sales_svc.domain.proof import Happening, Method, Party, Place, Signature
from sales_svc.domain.quote import Quote
from sales_svc.handlers import commissions, contract_mails, contract_papers, renewals
from sales_svc.handlers.contract_trail import NOWHERE, make_link, note
from sales_svc.handlers.locks import locked
from sales_svc.handlers.numbers import next_number
from sales_svc.handlers.opportunities import emit
from sales_svc.store import clauses as library
from sales_svc.store import contracts, opportunities, proofs, quotes


class VersionMoved(DomainError):
    """Somebody else changed the contract in between; look at what it says now."""


async def draw_up_contract(tx: Transaction, quote_id: UUID, *, by: str, template: str | None = None) -> Contract:
    """The contract of an accepted quote; asked again, it is the same one.

    Where the deal has a contract of an earlier quote that is not signed yet, it gets another version with the new price and
    the words that were negotiated.
    """
    opportunity, quote = await locked(tx, quote_id)
    existing = await contracts.find_open_contract(tx.conn, opportunity.id)
    if existing is not None and existing.quote_id == quote_id:
        return existing
    deals.require_offerable(opportunity)
    rules.require_accepted(quote)
    supplier, head = await contract_papers.our_side(tx.conn)
    if existing is not None:
        contract = await contracts.get_contract_for_update(tx.conn, existing.id)
        old = await contracts.get_version(tx.conn, contract.id, contract.contract_version)
        reason = f"quote {quote.number} was accepted"
        repriced, version = rules.reword(contract, quote, old.wordings, supplier, head, author=by, reason=reason, now=tx.now)
        await _keep(tx, repriced, version, "repriced", by)
        return repriced
    chosen = templates.choose(await library.templates_in_force(tx.conn, tx.now), quote, template)
    contract, version = rules.draw_up(
        contract_id=new_id(),
        number=await next_number(tx, "C"),
        quote=quote,
        template=chosen,
        wordings=await _wordings(tx, chosen, quote),
        supplier=supplier,
        letterhead=head,
        author=by,
        now=tx.now,
    )
    await contracts.insert_contract(tx.conn, contract)
    await contracts.insert_version(tx.conn, version)
    await note(tx, contract, "drawn_up", by, NOWHERE, {"version": 1, "document_sha256": contract.document_sha256})
    return contract


async def negotiate(
    tx: Transaction,
    contract_id: UUID,
    *,
    base: int,
    changes: Sequence[Change],
    additions: Sequence[Addition],
    removals: Sequence[str],
    reason: str,
    by: str,
) -> ContractVersion:
    """Other words make another version; what was priced stays. `base` is the version the caller saw."""
    contract = await contracts.get_contract_for_update(tx.conn, contract_id)
    if contract.contract_version != base:
        raise VersionMoved(f"contract {contract.number} is at version {contract.contract_version}", field="contract_version")
    old = await contracts.get_version(tx.conn, contract.id, base)
    quote = await quotes.get_quote(tx.conn, contract.quote_id)
    wordings = negotiation.revise(old.wordings, changes, additions, removals)
    supplier, head = await contract_papers.our_side(tx.conn)
    revised, version = rules.reword(contract, quote, wordings, supplier, head, author=by, reason=reason, now=tx.now)
    await _keep(tx, revised, version, "revised", by)
    return version


async def send_contract(
    tx: Transaction, contract_id: UUID, *, by: str, mail_to: str | None = None, name: str | None = None
) -> Contract:
    """The present version is printed, kept, and may be signed for some days; `mail_to` gets the link. Raises `BadAddress`."""
    contract = await contracts.get_contract_for_update(tx.conn, contract_id)
    version = await contracts.get_version(tx.conn, contract.id, contract.contract_version)
    rules.require_true(contract, version, await quotes.get_quote(tx.conn, contract.quote_id))
    rules.require_move(contract, "send")
    _, printed = await contract_papers.kept_pdf(tx, contract, version)
    sent = rules.send(contract, printed.pdf_sha256 or "", tx.now)
    await contracts.save_contract(tx.conn, sent)
    detail = {"version": sent.contract_version, "pdf_sha256": sent.pdf_sha256, "sign_by": str(sent.sign_by)}
    await note(tx, sent, "sent", by, NOWHERE, detail)
    if mail_to is not None:
        url, _ = await make_link(tx, contract_id, by=by)
        await contract_mails.mail_link(tx, sent, url, to=mail_to, name=name)
    return sent


async def sign_contract(
    tx: Transaction,
    contract_id: UUID,
    signed_by: str,
    *,
    method: Method = "api",
    place: Place = NOWHERE,
    by: str | None = None,
    shown: str | None = None,
) -> Contract:
    """The customer signs. Signed is won: both facts leave in one transaction, unless our own signature is awaited.

    `shown` is the digest of the PDF that the signer saw; another one is refused.
    """
    name = proof.typed_name(signed_by)
    contract, version, quote, opportunity = await _locked(tx, contract_id)
    signed, bound = rules.sign(contract, version, quote, opportunity, name, tx.now)
    _, printed = await contract_papers.kept_pdf(tx, contract, version)
    if shown is not None and shown != printed.pdf_sha256:
        raise rules.DocumentChanged("the contract was changed since it was shown to you; please read it again")
    signed = replace(signed, pdf_sha256=printed.pdf_sha256)
    await _signature(tx, signed, printed, quote, "customer", name, method, place, by or name)
    await contracts.save_contract(tx.conn, signed)
    if bound:
        await _bind(tx, signed, quote, opportunity)
    return signed


async def countersign_contract(tx: Transaction, contract_id: UUID, signed_by: str, *, place: Place, by: str) -> Contract:
    """Our signature, where the template asks for it: now both parties are bound."""
    name = proof.typed_name(signed_by)
    contract, version, quote, opportunity = await _locked(tx, contract_id)
    signed = rules.countersign(contract, version, quote, opportunity, tx.now)
    _, printed = await contract_papers.kept_pdf(tx, contract, version)
    await _signature(tx, signed, printed, quote, "supplier", name, "api", place, by)
    await contracts.save_contract(tx.conn, signed)
    await _bind(tx, signed, quote, opportunity)
    return signed


async def decline_contract(tx: Transaction, contract_id: UUID, reason: str, *, by: str, place: Place = NOWHERE) -> Contract:
    """Nobody will sign it; another one can be drawn up. The deal stays open."""
    contract = await contracts.get_contract_for_update(tx.conn, contract_id)
    declined = rules.decline(contract, reason, tx.now)
    await contracts.save_contract(tx.conn, declined)
    await note(tx, declined, "declined", by, place, {"reason": reason, "version": contract.contract_version})
    return declined


async def expire_contracts(tx: Transaction, *, limit: int) -> int:
    """Contracts whose day to sign has passed; returns how many."""
    due = await contracts.list_overdue_for_update(tx.conn, tx.now.date(), limit)
    for contract in due:
        expired = rules.expire(contract, tx.now)
        await contracts.save_contract(tx.conn, expired)
        await note(tx, expired, "expired", "clock", NOWHERE, {"sign_by": str(contract.sign_by)})
    return len(due)


async def _wordings(tx: Transaction, template: Template, quote: Quote) -> tuple[Wording, ...]:
    items = templates.items_for(template, quote)
    known = await library.clauses_of(tx.conn, [item.code for item in items], template.language)
    chosen = [clauses.latest(known, item.code, item.version, tx.now) for item in items]
    return tuple(Wording(each.code, each.version, each.title, each.text) for each in chosen)


async def _keep(tx: Transaction, contract: Contract, version: ContractVersion, happening: Happening, by: str) -> None:
    await contracts.insert_version(tx.conn, version)
    await contracts.save_contract(tx.conn, contract)
    detail = {"version": version.contract_version, "reason": version.reason, "document_sha256": version.document_sha256}
    await note(tx, contract, happening, by, NOWHERE, detail)


async def _locked(tx: Transaction, contract_id: UUID) -> tuple[Contract, ContractVersion, Quote, Opportunity]:
    """The contract with all it rests on, the opportunity's row locked first."""
    known = await contracts.get_contract(tx.conn, contract_id)
    opportunity = await opportunities.get_opportunity_for_update(tx.conn, known.opportunity_id)
    contract = await contracts.get_contract_for_update(tx.conn, contract_id)
    version = await contracts.get_version(tx.conn, contract_id, contract.contract_version)
    return contract, version, await quotes.get_quote(tx.conn, contract.quote_id), opportunity


async def _signature(
    tx: Transaction,
    contract: Contract,
    version: ContractVersion,
    quote: Quote,
    party: Party,
    name: str,
    method: Method,
    place: Place,
    by: str,
) -> None:
    whose = quote.customer.name if party == "customer" or version.supplier is None else version.supplier.name
    signature = Signature(
        contract_id=contract.id,
        party=party,
        name=name,
        method=method,
        consent=proof.consent_of(contract.language, whose),
        signed_at=tx.now,
        place=place,
        contract_version=version.contract_version,
        document_sha256=version.document_sha256,
        pdf_sha256=version.pdf_sha256 or "",
    )
    await proofs.insert_signature(tx.conn, signature)
    happening: Happening = "signed" if party == "customer" else "countersigned"
    await note(tx, contract, happening, by, place, proof.detail_of(signature))


async def _bind(tx: Transaction, contract: Contract, quote: Quote, opportunity: Opportunity) -> None:
    won, change, events = rules.bind(contract, quote, opportunity, tx.now)
    await opportunities.save_opportunity(tx.conn, won)
    await opportunities.insert_stage_change(tx.conn, new_id(), won.id, change)
    agreed, *rest = events
    tx.emit(agreed, flow_id=contract.flow_id, sequence=contract.version)
    emit(tx, won, rest)
    await renewals.begin(tx, contract, quote)
    await commissions.accrue(tx, contract, won, quote)
