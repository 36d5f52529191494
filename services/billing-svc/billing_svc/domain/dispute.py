"""A dispute: what a customer does not accept of an invoice. While it is open nobody is reminded of the invoice (RULES 5)."""

from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Literal
from uuid import UUID

from ltc_contracts.errors import DomainError, Invalid, WrongTransition
from ltc_contracts.events import Event, InvoiceDisputed, InvoiceDisputeResolved
from ltc_contracts.money import CurrencyMismatch, Money

from billing_svc.domain.invoice import Invoice

Category = Literal["price", "quantity", "quality", "not_received", "duplicate", "other"]
Outcome = Literal["upheld", "rejected"]
State = Literal["open", "upheld", "rejected"]


class AlreadyDisputed(DomainError):
    """The invoice has an open dispute; resolve that first."""


class NothingToDispute(DomainError):
    """Nothing is claimed by the invoice any more: it is void, or all of it was taken back."""


class TooMuchDisputed(Invalid):
    """More than the invoice claims."""


@dataclass(frozen=True, slots=True)
class Dispute:
    """`amount` is gross; `whole`: all that was claimed when it was opened. Upheld it names the credit note that took back what was agreed."""

    id: UUID
    flow_id: UUID
    invoice_id: UUID
    number: str
    order_id: UUID
    category: Category
    reason: str
    amount: Money
    whole: bool
    opened_by: str
    opened_on: date
    state: State
    credit_id: UUID | None
    resolution: str | None
    resolved_by: str | None
    resolved_on: date | None
    created_at: datetime
    updated_at: datetime


def open_dispute(
    invoice: Invoice, amount: Money | None, *, dispute_id: UUID, category: Category, reason: str, by: str, now: datetime
) -> tuple[Dispute, Invoice, list[Event]]:
    """The customer does not accept so much of the invoice; None: all that it claims, paid or not.

    Raises `WrongTransition`, `AlreadyDisputed`, `NothingToDispute`, and `TooMuchDisputed`, `CurrencyMismatch` with the field.
    """
    if invoice.state != "final":
        raise WrongTransition(f"invoice {invoice.number}", invoice.state, "dispute")
    if invoice.disputed:
        raise AlreadyDisputed(f"{invoice.number} is disputed already")
    claimed = invoice.gross - invoice.credited
    if not claimed.amount:
        raise NothingToDispute(f"nothing of {invoice.number} is claimed any more")
    disputed = claimed if amount is None else amount
    if disputed.currency != claimed.currency:
        raise CurrencyMismatch(f"{invoice.number} is in {claimed.currency}", field="amount")
    if disputed.amount <= 0:
        raise Invalid("a dispute is about more than nothing", field="amount")
    if claimed < disputed:
        raise TooMuchDisputed(f"{invoice.number} claims {claimed}, not {disputed}", field="amount")
    dispute = Dispute(
        id=dispute_id,
        flow_id=invoice.flow_id,
        invoice_id=invoice.id,
        number=invoice.number,
        order_id=invoice.order_id,
        category=category,
        reason=reason,
        amount=disputed,
        whole=disputed == claimed,
        opened_by=by,
        opened_on=now.date(),
        state="open",
        credit_id=None,
        resolution=None,
        resolved_by=None,
        resolved_on=None,
        created_at=now,
        updated_at=now,
    )
    told = InvoiceDisputed(
        dispute_id=dispute.id,
        invoice_id=invoice.id,
        number=invoice.number,
        order_id=invoice.order_id,
        category=category,
        amount=disputed,
        whole=dispute.whole,
        reason=reason,
        opened_on=dispute.opened_on,
    )
    return dispute, replace(invoice, disputed=True, version=invoice.version + 1, updated_at=now), [told]


def require_open(dispute: Dispute, outcome: Outcome) -> None:
    """Raises `WrongTransition` for a dispute that is resolved."""
    if dispute.state != "open":
        raise WrongTransition(f"the dispute of {dispute.number}", dispute.state, outcome)


def resolve(
    dispute: Dispute, invoice: Invoice, outcome: Outcome, *, credit_id: UUID | None, resolution: str, by: str, now: datetime
) -> tuple[Dispute, Invoice, list[Event]]:
    """The dispute is over: upheld by a credit note, or rejected. From here on the invoice is treated like any other."""
    require_open(dispute, outcome)
    resolved = replace(
        dispute,
        state=outcome,
        credit_id=credit_id,
        resolution=resolution,
        resolved_by=by,
        resolved_on=now.date(),
        updated_at=now,
    )
    told = InvoiceDisputeResolved(
        dispute_id=dispute.id,
        invoice_id=invoice.id,
        number=invoice.number,
        order_id=invoice.order_id,
        outcome=outcome,
        amount=dispute.amount,
        credit_id=credit_id,
        reason=resolution,
        opened_on=dispute.opened_on,
        resolved_on=now.date(),
    )
    return resolved, replace(invoice, disputed=False, version=invoice.version + 1, updated_at=now), [told]
