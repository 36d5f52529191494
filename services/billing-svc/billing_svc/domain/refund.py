"""Money that goes back: asked for and set aside, then paid out under an outside reference, or not after all."""

from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Literal
from uuid import UUID

from ltc_contracts.errors import DomainError, Invalid, WrongTransition
from ltc_contracts.events import Event, PaymentRefunded
from ltc_contracts.money import CurrencyMismatch, Money

from billing_svc.domain.amounts import share
from billing_svc.domain.invoice import Invoice
from billing_svc.domain.ledger import Entry, entry
from billing_svc.domain.payment import Payment

State = Literal["requested", "executed", "withdrawn"]


class TooMuchRefunded(DomainError):
    """More than what is left of the payment."""


@dataclass(frozen=True, slots=True)
class Refund:
    """`invoice_id` and what follows: what the money had settled until then. `reference` is that of the bank or the provider."""

    id: UUID
    payment_id: UUID
    amount: Money
    invoice_id: UUID | None
    number: str | None
    order_id: UUID | None
    flow_id: UUID | None
    reason: str
    state: State
    requested_by: str
    requested_on: date
    reference: str | None
    executed_by: str | None
    executed_on: date | None
    version: int
    created_at: datetime
    updated_at: datetime


def request(
    payment: Payment, amount: Money, *, invoice: Invoice | None, refund_id: UUID, reason: str, by: str, now: datetime
) -> tuple[Refund, Payment, Entry]:
    """Set so much of what is left of a payment aside. `invoice`: what it was taken off for this.

    Raises `TooMuchRefunded`, and `Invalid`, `CurrencyMismatch` with the field.
    """
    if amount.currency != payment.amount.currency:
        raise CurrencyMismatch(f"the payment is in {payment.amount.currency}", field="amount")
    if amount.amount <= 0:
        raise Invalid("a refund is above zero", field="amount")
    if payment.unapplied < amount:
        raise TooMuchRefunded(f"the payment has {payment.unapplied} left, not {amount}", field="amount")
    refund = Refund(
        id=refund_id,
        payment_id=payment.id,
        amount=amount,
        invoice_id=invoice.id if invoice else None,
        number=invoice.number if invoice else None,
        order_id=invoice.order_id if invoice else None,
        flow_id=invoice.flow_id if invoice else None,
        reason=reason,
        state="requested",
        requested_by=by,
        requested_on=now.date(),
        reference=None,
        executed_by=None,
        executed_on=None,
        version=1,
        created_at=now,
        updated_at=now,
    )
    aside = replace(payment, refunded=payment.refunded + amount, version=payment.version + 1, updated_at=now)
    day = max(now.date(), payment.received_on)
    return refund, aside, entry("refund", day, ("unapplied_cash", amount), ("refund", -amount))


def execute(
    refund: Refund, *, reference: str, by: str, on: date, earliest: date, settled: Invoice | None, now: datetime
) -> tuple[Refund, Entry, list[Event]]:
    """The money is gone. `settled`: the invoice that it settled until this very move; what was set aside before settled nothing.

    Raises `WrongTransition`, and `Invalid` for a day before `earliest` or to come.
    """
    _require_waiting(refund, "execute")
    if not earliest <= on <= now.date():
        raise Invalid(f"between {earliest} and {now.date()}", field="executed_on")
    done = replace(
        refund, state="executed", reference=reference, executed_by=by, executed_on=on, version=refund.version + 1, updated_at=now
    )
    net = share(settled.net, refund.amount, settled.gross) if settled else None
    told = PaymentRefunded(
        refund_id=refund.id,
        payment_id=refund.payment_id,
        amount=refund.amount,
        net=net,
        invoice_id=settled.id if settled else None,
        number=refund.number,
        order_id=refund.order_id,
        reason=refund.reason,
        refunded_on=on,
    )
    # Never before it was set aside, so that the accounts are not negative on any day.
    day = max(on, refund.requested_on)
    return done, entry("refund", day, ("refund", refund.amount), ("cash", -refund.amount)), [told]


def withdraw(refund: Refund, payment: Payment, now: datetime) -> tuple[Refund, Payment, Entry]:
    """It is not paid out: credit on account again. Raises `WrongTransition`."""
    _require_waiting(refund, "withdraw")
    back = replace(payment, refunded=payment.refunded - refund.amount, version=payment.version + 1, updated_at=now)
    off = replace(refund, state="withdrawn", version=refund.version + 1, updated_at=now)
    return off, back, entry("refund", now.date(), ("refund", refund.amount), ("unapplied_cash", -refund.amount))


def _require_waiting(refund: Refund, move: str) -> None:
    if refund.state != "requested":
        raise WrongTransition(f"the refund of {refund.amount}", refund.state, move)
