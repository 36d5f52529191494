"""The rules of contracts: drawn up from an accepted quote, negotiated in versions, bound by signatures (RULES 2)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from ltc_contracts.errors import DomainError, Invalid, WrongTransition
from ltc_contracts.events import ContractSigned, Event

from sales_svc.domain import contract_text
from sales_svc.domain import opportunity as deals
from sales_svc.domain.contract_template import Template, Terms
from sales_svc.domain.contract_text import Supplier, Wording
from sales_svc.domain.opportunity import Opportunity, StageChange
from sales_svc.domain.quote import Quote

ContractState = Literal["draft", "sent", "in_negotiation", "countersigning", "signed", "declined", "expired"]
CONTRACT_TRANSITIONS: dict[tuple[ContractState, str], ContractState] = {
    ("draft", "revise"): "draft",
    ("sent", "revise"): "in_negotiation",
    ("in_negotiation", "revise"): "in_negotiation",
    ("draft", "send"): "sent",
    ("sent", "send"): "sent",
    ("in_negotiation", "send"): "sent",
    # A signature on paper is recorded on a draft as well; what is being negotiated is sent again first.
    ("draft", "sign"): "signed",
    ("sent", "sign"): "signed",
    ("draft", "sign_first"): "countersigning",
    ("sent", "sign_first"): "countersigning",
    ("countersigning", "countersign"): "signed",
    ("draft", "decline"): "declined",
    ("sent", "decline"): "declined",
    ("in_negotiation", "decline"): "declined",
    ("countersigning", "decline"): "declined",
    ("sent", "expire"): "expired",
    ("in_negotiation", "expire"): "expired",
}
# Terms are counted within these.
FIRST_YEAR, LAST_YEAR = 1970, 2200
# Nothing happens any more, so that another contract may be drawn up from the same quote.
GIVEN_UP = ("declined", "expired")
# What the customer may read by the link.
READABLE = ("sent", "countersigning", "signed")


class DocumentChanged(DomainError):
    """The contract's text is not the one its digest was made of, or not the one that was shown."""


class TimeToSignOver(DomainError):
    """The day until which it could be signed has passed."""


@dataclass(frozen=True, slots=True)
class Contract:
    """A document that binds once it is signed. The digest covers parties, lines, totals, terms and clauses of its version."""

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
    terms: Terms
    countersign: bool
    sign_within_days: int
    sign_by: date | None
    document: str
    document_sha256: str
    pdf_sha256: str | None
    signed_by: str | None
    signed_at: datetime | None
    closed_reason: str | None
    version: int
    created_at: datetime
    updated_at: datetime

    @property
    def is_open(self) -> bool:
        """Whether it may still be signed."""
        return self.state not in (*GIVEN_UP, "signed")


@dataclass(frozen=True, slots=True)
class ContractVersion:
    """One wording of a contract, and what made it: who, when, why. Never changed; its PDF is printed once and kept."""

    contract_id: UUID
    contract_version: int
    quote_id: UUID
    supplier: Supplier | None
    letterhead: int | None
    wordings: tuple[Wording, ...]
    document: str
    document_sha256: str
    author: str
    reason: str
    created_at: datetime
    pdf_sha256: str | None = None


def draw_up(
    *,
    contract_id: UUID,
    number: str,
    quote: Quote,
    template: Template,
    wordings: tuple[Wording, ...],
    supplier: Supplier | None,
    letterhead: int | None,
    author: str,
    now: datetime,
) -> tuple[Contract, ContractVersion]:
    """The first version of a contract."""
    contract = Contract(
        id=contract_id,
        flow_id=quote.flow_id,
        opportunity_id=quote.opportunity_id,
        quote_id=quote.id,
        number=number,
        state="draft",
        contract_version=0,
        template=template.code,
        template_version=template.version,
        language=template.language,
        terms=template.terms,
        countersign=template.countersign,
        sign_within_days=template.sign_within_days,
        sign_by=None,
        document="",
        document_sha256="",
        pdf_sha256=None,
        signed_by=None,
        signed_at=None,
        closed_reason=None,
        version=0,
        created_at=now,
        updated_at=now,
    )
    return reword(contract, quote, wordings, supplier, letterhead, author=author, reason="drawn up", now=now, move="revise")


def reword(
    contract: Contract,
    quote: Quote,
    wordings: tuple[Wording, ...],
    supplier: Supplier | None,
    letterhead: int | None,
    *,
    author: str,
    reason: str,
    now: datetime,
    move: str = "revise",
) -> tuple[Contract, ContractVersion]:
    """The next version: other words, or another accepted quote. Words alone never change what was priced."""
    state = _next(contract, move)
    require_accepted(quote)
    number = contract.contract_version + 1
    made = ContractVersion(contract.id, number, quote.id, supplier, letterhead, wordings, "", "", author, reason, now)
    document, sha256 = recompose(contract, made, quote)
    made = replace(made, document=document, document_sha256=sha256)
    changed = replace(
        contract,
        state=state,
        quote_id=quote.id,
        contract_version=number,
        document=document,
        document_sha256=sha256,
        pdf_sha256=None,
        **_touched(contract, now),
    )
    return changed, made


def send(contract: Contract, pdf_sha256: str, now: datetime) -> Contract:
    """To the customer, to be signed within the template's days from today."""
    sign_by = now.date() + timedelta(days=contract.sign_within_days)
    return replace(contract, state=_next(contract, "send"), sign_by=sign_by, pdf_sha256=pdf_sha256, **_touched(contract, now))


def require_signable(contract: Contract) -> None:
    """Only what was sent is shown to be signed. Raises `WrongTransition`."""
    if contract.state != "sent":
        raise WrongTransition(f"contract {contract.number}", contract.state, "sign by link")


def require_readable(contract: Contract) -> None:
    """Raises `WrongTransition` for what is not with the customer."""
    if contract.state not in READABLE:
        raise WrongTransition(f"contract {contract.number}", contract.state, "read by link")


def state_on(contract: Contract, today: date) -> ContractState:
    """The state as of a day: one that was not signed in time has expired, also before the timer saw it."""
    return "expired" if contract.state == "sent" and contract.sign_by is not None and today > contract.sign_by else contract.state


def require_signed(contract: Contract) -> None:
    """Raises `WrongTransition`."""
    if contract.state != "signed":
        raise WrongTransition(f"contract {contract.number}", contract.state, "certify")


def require_move(contract: Contract, move: str) -> None:
    """Raises `WrongTransition`."""
    _next(contract, move)


def decline(contract: Contract, reason: str, now: datetime) -> Contract:
    return replace(contract, state=_next(contract, "decline"), closed_reason=reason, **_touched(contract, now))


def expire(contract: Contract, now: datetime) -> Contract:
    reason = f"not signed by {contract.sign_by}"
    return replace(contract, state=_next(contract, "expire"), closed_reason=reason, **_touched(contract, now))


def require_accepted(quote: Quote) -> None:
    """Only what the customer accepted becomes a contract."""
    if quote.state != "accepted":
        raise WrongTransition(f"quote {quote.number}", quote.state, "contract")
    if quote.requested_on is not None and not FIRST_YEAR <= quote.requested_on.year <= LAST_YEAR:
        raise Invalid(f"the requested day lies outside of {FIRST_YEAR} to {LAST_YEAR}", field="requested_on")


def require_true(contract: Contract, version: ContractVersion, quote: Quote) -> None:
    """The text is what its parts say and what its digest was made of. Raises `DocumentChanged`, `WrongTransition`."""
    require_accepted(quote)
    document, sha256 = recompose(contract, version, quote)
    if not document == contract.document == version.document or not sha256 == contract.document_sha256 == version.document_sha256:
        raise DocumentChanged(f"contract {contract.number} does not match its digest; draw it up again")


def recompose(contract: Contract, version: ContractVersion, quote: Quote) -> tuple[str, str]:
    """The canonical text and digest once more, from the parts they were made of."""
    return contract_text.compose(
        number=contract.number,
        contract_version=version.contract_version,
        language=contract.language,
        supplier=version.supplier,
        quote=quote,
        terms=contract.terms,
        starts_on=quote.requested_on,
        wordings=version.wordings,
    )


def sign(
    contract: Contract,
    version: ContractVersion,
    quote: Quote,
    opportunity: Opportunity,
    signed_by: str,
    now: datetime,
) -> tuple[Contract, bool]:
    """The customer signs. Returns whether both parties are bound by it; else our own signature is awaited."""
    move = "sign_first" if contract.countersign else "sign"
    state = _next(contract, move)
    deals.require_open(opportunity, "sign")
    if contract.sign_by is not None and now.date() > contract.sign_by:
        raise TimeToSignOver(f"contract {contract.number} could be signed until {contract.sign_by}; send it again")
    require_true(contract, version, quote)
    signed = replace(contract, state=state, signed_by=signed_by, signed_at=now, **_touched(contract, now))
    return signed, state == "signed"


def countersign(contract: Contract, version: ContractVersion, quote: Quote, opportunity: Opportunity, now: datetime) -> Contract:
    """Our signature binds both."""
    state = _next(contract, "countersign")
    deals.require_open(opportunity, "sign")
    require_true(contract, version, quote)
    return replace(contract, state=state, signed_at=now, **_touched(contract, now))


def bind(
    contract: Contract, quote: Quote, opportunity: Opportunity, now: datetime
) -> tuple[Opportunity, StageChange, list[Event]]:
    """A signed contract wins its deal: both facts leave together."""
    won, change, told = deals.win(opportunity, contract.id, quote.net, now, products=[line.sku for line in quote.lines])
    starts_on = begin_of(quote, now.date())
    agreed = ContractSigned(
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
        signed_by=contract.signed_by or "",
        signed_at=contract.signed_at or now,
        pdf_sha256=contract.pdf_sha256,
        contract_version=contract.contract_version,
        owner=opportunity.owner,
        **_term_facts(contract.terms, starts_on),
    )
    return won, change, [agreed, told]


def begin_of(quote: Quote, signed_on: date) -> date:
    """The first day of what was agreed: the requested one, not before the signature."""
    return max(quote.requested_on or signed_on, signed_on)


def _term_facts(terms: Terms, starts_on: date) -> Mapping[str, Any]:
    if terms.months is None:
        return {}
    return {
        "starts_on": starts_on,
        "ends_on": contract_text.end_of(starts_on, terms.months),
        "auto_renew": terms.auto_renew,
        "renewal_months": (terms.renewal_months or terms.months) if terms.auto_renew else None,
        "notice_days": terms.notice_days,
    }


def _next(contract: Contract, move: str) -> ContractState:
    state = CONTRACT_TRANSITIONS.get((contract.state, move))
    if state is None:
        raise WrongTransition(f"contract {contract.number}", contract.state, move)
    return state


def _touched(contract: Contract, now: datetime) -> dict[str, Any]:
    return {"version": contract.version + 1, "updated_at": now}
