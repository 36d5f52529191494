"""The rules of contracts: drawn up from an accepted quote, bound by a signature (RULES 2)."""

import hashlib
import json
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from ltc_contracts.errors import DomainError, WrongTransition
from ltc_contracts.events import ContractSigned, Event

from sales_svc.domain import opportunity as deals
from sales_svc.domain.opportunity import Opportunity, StageChange
from sales_svc.domain.quote import Quote, totals

ContractState = Literal["draft", "signed"]
CLAUSES = (("scope", 1), ("delivery", 1), ("payment", 1), ("liability", 1))
CONTRACT_TRANSITIONS: dict[tuple[ContractState, str], ContractState] = {("draft", "sign"): "signed"}


class DocumentChanged(DomainError):
    """The contract's text is not the one its digest was made of."""


@dataclass(frozen=True, slots=True)
class Contract:
    """A document that binds once it is signed; the digest covers parties, lines, totals and terms."""

    id: UUID
    flow_id: UUID
    opportunity_id: UUID
    quote_id: UUID
    number: str
    state: ContractState
    document: str
    document_sha256: str
    signed_by: str | None
    signed_at: datetime | None
    version: int
    created_at: datetime
    updated_at: datetime


def draw_up(quote: Quote) -> tuple[str, str]:
    """The contract's canonical text and its SHA-256."""
    if quote.state != "accepted":
        raise WrongTransition(f"quote {quote.number}", quote.state, "contract")
    net, tax, gross = totals(quote.lines)
    document: dict[str, Any] = {
        "quote": {"number": quote.number, "version": quote.quote_version},
        "customer": quote.customer.model_dump(mode="json"),
        "lines": [line.model_dump(mode="json") for line in quote.lines],
        "totals": {"net": str(net.amount), "tax": str(tax.amount), "gross": str(gross.amount), "currency": net.currency},
        "payment_terms_days": quote.payment_terms_days,
        "requested_on": quote.requested_on.isoformat() if quote.requested_on else None,
        "clauses": [{"name": name, "version": version} for name, version in CLAUSES],
    }
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text, _digest(text)


def sign(
    contract: Contract, quote: Quote, opportunity: Opportunity, signed_by: str, now: datetime
) -> tuple[Contract, Opportunity, StageChange, list[Event]]:
    """Both parties are bound and the deal is won, in one move; refused when the text is not the one that was priced."""
    state = CONTRACT_TRANSITIONS.get((contract.state, "sign"))
    if state is None:
        raise WrongTransition(f"contract {contract.number}", contract.state, "sign")
    deals.require_open(opportunity, "sign")
    if _digest(contract.document) != contract.document_sha256 or draw_up(quote)[1] != contract.document_sha256:
        raise DocumentChanged(f"contract {contract.number} does not match its digest; draw it up again")
    signed = replace(contract, state=state, signed_by=signed_by, signed_at=now, version=contract.version + 1, updated_at=now)
    won, change, told = deals.win(opportunity, contract.id, quote.net, now, products=[line.sku for line in quote.lines])
    events: list[Event] = [
        ContractSigned(
            contract_id=contract.id,
            number=contract.number,
            opportunity_id=opportunity.id,
            quote_id=quote.id,
            customer=quote.customer,
            lines=quote.lines,
            net=quote.net,
            payment_terms_days=quote.payment_terms_days,
            requested_on=quote.requested_on,
            document_sha256=contract.document_sha256,
            signed_by=signed_by,
            signed_at=now,
        ),
        told,
    ]
    return signed, won, change, events


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
