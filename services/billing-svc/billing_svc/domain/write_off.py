"""Claims that are given up: by whom up to how much, what is booked, and what is claimed again when money comes after all.

A write-off lessens what is open and is booked against bad debt. Its tax stays owed to the state unless the policy names the country as
one that gives it back; the part that is given back is in proportion, and parts add up to the whole.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from typing import ClassVar, Literal
from uuid import UUID

from ltc_contracts.errors import DomainError, Invalid, Kind, WrongTransition
from ltc_contracts.events import Event, InvoiceRecovered, InvoiceWrittenOff
from ltc_contracts.money import CurrencyMismatch, Money

from billing_svc.domain import invoice as documents
from billing_svc.domain.amounts import share
from billing_svc.domain.invoice import Invoice
from billing_svc.domain.ledger import Entry, entry

Cause = Literal["bad_debt", "tolerance"]
RecoveryCause = Literal["payment", "credit"]
State = Literal["requested", "granted", "refused"]
# Who may grant while nobody has set a policy: without limit.
GRANTS = "write-offs:grant"


class TooMuchWrittenOff(DomainError):
    """More than what is open on the invoice."""


class WriteOffRequested(DomainError):
    """A write-off of this invoice waits for a decision already."""


class WriteOffBeyondAuthority(DomainError):
    """What is written off of the invoice in all would exceed what this person may."""

    kind: ClassVar[Kind] = "forbidden"


class SecondPersonNeeded(DomainError):
    """Who asked for a write-off cannot grant it."""


@dataclass(frozen=True, slots=True)
class Limit:
    """The holder of a scope (`scope:`) or a person (`subject:`) may write off up to so much of one invoice; None: any amount."""

    holder: str
    currency: str
    up_to: Decimal | None


@dataclass(frozen=True, slots=True)
class Policy:
    """A version of who may write off how much, and the countries (of the customer) that give back the tax on bad debts."""

    version: int
    limits: tuple[Limit, ...]
    tax_relief: tuple[str, ...]
    set_by: str
    set_at: datetime

    def covers(self, amount: Money, *, subject: str, scopes: Collection[str]) -> bool:
        """Whether this person may write off so much of an invoice."""
        if self.version == 0:
            return GRANTS in scopes or "*" in scopes
        holders = {f"subject:{subject}", *(f"scope:{scope}" for scope in scopes)}
        return any(
            (limit.holder in holders or ("*" in scopes and limit.holder.startswith("scope:")))
            and limit.currency == amount.currency
            and (limit.up_to is None or amount.amount <= limit.up_to)
            for limit in self.limits
        )


@dataclass(frozen=True, slots=True)
class WriteOff:
    """`tax` is the part of `amount` that need not be paid over, known once it is granted."""

    id: UUID
    flow_id: UUID
    invoice_id: UUID
    number: str
    order_id: UUID
    amount: Money
    tax: Money
    cause: Cause
    reason: str
    state: State
    policy_version: int
    requested_by: str
    requested_on: date
    decided_by: str | None
    decision: str | None
    decided_on: date | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Movement:
    """So much was given up (above zero), or is claimed again (below); `invoice` is as it is afterwards."""

    invoice: Invoice
    amount: Money
    tax: Money
    booked_on: date
    entry: Entry
    events: tuple[Event, ...]


def request(
    invoice: Invoice,
    amount: Money | None,
    *,
    policy: Policy,
    write_off_id: UUID,
    reason: str,
    cause: Cause,
    by: str,
    now: datetime,
) -> WriteOff:
    """Ask that so much of what is open is given up; None: all of it.

    Raises `WrongTransition`, `TooMuchWrittenOff`, and `Invalid`, `CurrencyMismatch` with the field.
    """
    _require_final(invoice)
    wanted = invoice.open if amount is None else amount
    if wanted.currency != invoice.gross.currency:
        raise CurrencyMismatch(f"{invoice.number} is in {invoice.gross.currency}", field="amount")
    if amount is not None and wanted.amount <= 0:
        raise Invalid("a write-off is above zero", field="amount")
    _require_open(invoice, wanted)
    return WriteOff(
        id=write_off_id,
        flow_id=invoice.flow_id,
        invoice_id=invoice.id,
        number=invoice.number,
        order_id=invoice.order_id,
        amount=wanted,
        tax=Money.zero(wanted.currency),
        cause=cause,
        reason=reason,
        state="requested",
        policy_version=policy.version,
        requested_by=by,
        requested_on=now.date(),
        decided_by=None,
        decision=None,
        decided_on=None,
        created_at=now,
        updated_at=now,
    )


def is_small_rest(invoice: Invoice, paid: Money, tolerances: Collection[Money]) -> bool:
    """Whether what a payment of `paid` left open is within the tolerance of its currency (RULES 5), and so not asked for.

    It is less than what was paid, so that no small invoice is settled by a cent; what is disputed is kept back on purpose.
    """
    rest = invoice.open
    if invoice.disputed or not 0 < rest.amount < paid.amount:
        return False
    return any(each.currency == rest.currency and rest <= each for each in tolerances)


def require_authority(asked: WriteOff, invoice: Invoice, policy: Policy, *, subject: str, scopes: Collection[str]) -> None:
    """Raises `WriteOffBeyondAuthority`. All that is written off of the invoice counts, so that parts do not pass where the whole would not."""
    total = invoice.written_off + asked.amount
    if not policy.covers(total, subject=subject, scopes=scopes):
        raise WriteOffBeyondAuthority(f"{subject} may not write off {total} of {invoice.number} in all")


def require_second(asked: WriteOff, subject: str) -> None:
    """Raises `SecondPersonNeeded`."""
    if subject == asked.requested_by:
        raise SecondPersonNeeded("who asks for a write-off beyond their authority does not grant it")


def grant(
    asked: WriteOff, invoice: Invoice, *, relief: bool, by: str, decision: str | None, now: datetime
) -> tuple[WriteOff, Movement]:
    """Give it up. Raises `WrongTransition`, and `TooMuchWrittenOff` when less is open by now."""
    _require_waiting(asked, "grant")
    moved = give_up(invoice, asked.amount, relief=relief, write_off_id=asked.id, cause=asked.cause, reason=asked.reason, now=now)
    granted = replace(
        asked, state="granted", tax=moved.tax, decided_by=by, decision=decision, decided_on=now.date(), updated_at=now
    )
    return granted, moved


def refuse(asked: WriteOff, *, by: str, decision: str, now: datetime) -> WriteOff:
    """It stays owed. Raises `WrongTransition`."""
    _require_waiting(asked, "refuse")
    return replace(asked, state="refused", decided_by=by, decision=decision, decided_on=now.date(), updated_at=now)


def give_up(
    invoice: Invoice, amount: Money, *, relief: bool, write_off_id: UUID, cause: Cause, reason: str, now: datetime
) -> Movement:
    """So much of what is open is claimed no longer; with `invoice.paid` when that leaves nothing open.

    `relief`: the tax in it need not be paid over. Raises `WrongTransition`, `TooMuchWrittenOff`.
    """
    _require_final(invoice)
    _require_open(invoice, amount)
    currency = invoice.gross.currency
    tax = Money.zero(currency)
    if relief and invoice.tax.amount > 0:
        part = share(invoice.tax, invoice.written_off + amount, invoice.gross) - invoice.written_off_tax
        tax = max(tax, min(part, amount, key=_amount), key=_amount)
    changed = replace(
        invoice,
        written_off=invoice.written_off + amount,
        written_off_tax=invoice.written_off_tax + tax,
        version=invoice.version + 1,
        updated_at=now,
    )
    day = max(now.date(), invoice.issued_on)
    settled, paid = documents.settle(changed, day)
    told = InvoiceWrittenOff(
        write_off_id=write_off_id,
        invoice_id=invoice.id,
        number=invoice.number,
        order_id=invoice.order_id,
        cause=cause,
        amount=amount,
        tax=tax,
        open_after=settled.open,
        reason=reason,
        written_off_on=day,
    )
    booked = entry("write_off", day, ("bad_debt", amount - tax), ("tax", tax), ("receivable", -amount))
    return Movement(settled, amount, tax, day, booked, (told, *paid))


def claim_again(invoice: Invoice, amount: Money, *, recovery_id: UUID, cause: RecoveryCause, on: date, now: datetime) -> Movement:
    """So much of what was given up is claimed after all, since it is paid or credited next: the caller does that in the same move."""
    if invoice.written_off < amount:
        raise ValueError(f"{invoice.number} has given up {invoice.written_off}, not {amount}")
    left = invoice.written_off - amount
    tax = invoice.written_off_tax - share(invoice.written_off_tax, left, invoice.written_off)
    # A version of its own: it is told by itself, and what follows may be known before it.
    changed = replace(
        invoice, written_off=left, written_off_tax=invoice.written_off_tax - tax, version=invoice.version + 1, updated_at=now
    )
    told = InvoiceRecovered(
        recovery_id=recovery_id,
        invoice_id=invoice.id,
        number=invoice.number,
        order_id=invoice.order_id,
        cause=cause,
        amount=amount,
        tax=tax,
        recovered_on=on,
    )
    booked = entry("recovery", on, ("receivable", amount), ("bad_debt", tax - amount), ("tax", -tax))
    return Movement(changed, -amount, -tax, on, booked, (told,))


def _amount(money: Money) -> Decimal:
    return money.amount


def _require_final(invoice: Invoice) -> None:
    if invoice.state != "final":
        raise WrongTransition(f"invoice {invoice.number}", invoice.state, "write off")


def _require_open(invoice: Invoice, amount: Money) -> None:
    if invoice.open < amount or not amount.amount:
        raise TooMuchWrittenOff(f"{invoice.open} are open on {invoice.number}, not {amount}", field="amount")


def _require_waiting(asked: WriteOff, move: str) -> None:
    if asked.state != "requested":
        raise WrongTransition(f"the write-off of {asked.number}", asked.state, move)
