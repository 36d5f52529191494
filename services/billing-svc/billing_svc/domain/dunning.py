"""Dunning: which step is due about an invoice, on which day, and what is claimed beside it (RULES 5).

A policy is steps by days from the due day. Each step is taken once per invoice, in their order and at their pace: what was late (we
stood still, or a promise kept it waiting) moves those after it, so that nobody gets two letters on one day. A reminder from before
the due day lapses with it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from ltc_contracts.errors import DomainError, Invalid
from ltc_contracts.events import DunningEnded, DunningStepTaken, Event, PaymentPromiseBroken, PaymentPromised
from ltc_contracts.money import Money

from billing_svc.domain.invoice import Invoice

StepKind = Literal["reminder", "formal", "final", "agency"]
STANDARD = "standard"
MOST_STEPS = 20
_DAYS_A_YEAR = 365
# Promises and exclusions that end do so within ten years; for good has its own word.
FURTHEST = timedelta(days=3650)


class NothingToPromise(DomainError):
    """Nothing is open on the invoice, or somebody has promised it already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """`days` from the due day, below zero before it. `fee` is claimed in the invoice's currency, whatever that is.

    `letter`: the customer is written to; without one the step is for us (an agency takes over).
    """

    name: str
    days: int
    kind: StepKind
    fee: Decimal = Decimal(0)
    letter: bool = True
    hold_orders: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """`interest_percent` a year on what is open, from the day after the due day, by days of 365."""

    name: str
    version: int
    steps: tuple[Step, ...]
    interest_percent: Decimal = Decimal(0)


# Version 0: ours, until a company writes its own.
OURS = Policy(
    name=STANDARD,
    version=0,
    steps=(
        Step(name="before", days=-3, kind="reminder"),
        Step(name="friendly", days=3, kind="reminder"),
        Step(name="second", days=7, kind="reminder"),
        Step(name="formal", days=14, kind="formal", fee=Decimal(5)),
        Step(name="final", days=30, kind="final", fee=Decimal(10), hold_orders=True),
        Step(name="agency", days=60, kind="agency", letter=False, hold_orders=True),
    ),
)


@dataclass(frozen=True, slots=True)
class Taken:
    """A step that was taken; `days` as the policy said then."""

    step: str
    days: int
    taken_on: date


@dataclass(frozen=True, slots=True)
class Exclusion:
    """A customer is not dunned, until a day or for good (`until` None)."""

    until: date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What is known of an invoice when its next step is decided on. `promised_on`: a promise that is not broken yet."""

    invoice: Invoice
    taken: Sequence[Taken]
    exclusion: Exclusion | None = None
    promised_on: date | None = None


@dataclass(frozen=True, slots=True)
class Next:
    """The step to take now, or None; and the day to look again, None until something happens to the invoice or its customer."""

    step: Step | None
    look_on: date | None


def check(steps: Sequence[Step], interest_percent: Decimal) -> None:
    """Raise `Invalid` where steps are not in an order, have a name twice or cost less than nothing."""
    if not 1 <= len(steps) <= MOST_STEPS:
        raise Invalid(f"a policy has 1 to {MOST_STEPS} steps", field="steps")
    if [step.days for step in steps] != sorted({step.days for step in steps}):
        raise Invalid("steps follow each other: each is some days after the one before it", field="steps")
    if len({step.name for step in steps}) < len(steps):
        raise Invalid("two steps have the same name", field="steps")
    if not 0 <= interest_percent <= 100:
        raise Invalid("interest is 0 to 100 % a year", field="interest_percent")


def next_step(case: Case, policy: Policy, today: date) -> Next:
    """What is to be done about an invoice today."""
    invoice = case.invoice
    # Charges for being late are in the letters of what is late; of them alone nobody is reminded.
    if invoice.open.amount == 0 or invoice.disputed or invoice.cause == "late_charge":
        # What settles it, or resolves the dispute, has it looked at again.
        return Next(None, None)
    if case.exclusion is not None and (case.exclusion.until is None or today <= case.exclusion.until):
        return Next(None, case.exclusion.until and case.exclusion.until + timedelta(days=1))
    if case.promised_on is not None and today <= case.promised_on:
        return Next(None, case.promised_on + timedelta(days=1))
    for step, day in _ahead(case, policy, today):
        if day > today:
            return Next(None, day)
        rest = _ahead(Case(invoice=invoice, taken=[*case.taken, Taken(step.name, step.days, today)]), policy, today)
        return Next(step, rest[0][1] if rest else None)
    return Next(None, None)


def _ahead(case: Case, policy: Policy, today: date) -> list[tuple[Step, date]]:
    """The steps that are still to be taken, with their days."""
    due_on, last = case.invoice.due_on, max(case.taken, key=lambda taken: taken.days, default=None)
    # A policy that moved a step to a later day does not have it taken again.
    known = {taken.step for taken in case.taken}
    ahead: list[tuple[Step, date]] = []
    for step in policy.steps:
        if step.name in known or (last is not None and step.days <= last.days) or (step.days < 0 and today >= due_on):
            continue
        day = due_on + timedelta(days=step.days)
        if last is not None:
            pace = step.days - last.days if last.days >= 0 else 1
            day = max(day, last.taken_on + timedelta(days=pace))
        ahead.append((step, day))
    return ahead


def interest(open_: Money, due_on: date, today: date, percent: Decimal) -> Money:
    """Simple interest for the days since the due day, half up to the minor unit."""
    days = max((today - due_on).days, 0)
    return Money.rounded(open_.amount * percent * days / (100 * _DAYS_A_YEAR), open_.currency)


def fee_of(step: Step, currency: str) -> Money:
    """The fee of a step in the invoice's currency, in whole minor units."""
    return Money.rounded(step.fee, currency)


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A step as it was taken: what the letter says stays what it said."""

    id: UUID
    invoice_id: UUID
    step: str
    days: int
    kind: StepKind
    policy: str
    policy_version: int
    open: Money
    fee: Money
    interest: Money
    letter: bool
    hold_orders: bool
    taken_on: date
    due_on: date

    @property
    def claimed(self) -> Money:
        return self.open + self.fee + self.interest


def take(
    case: Case, policy: Policy, step: Step, *, notice_id: UUID, today: date, fee: Money, late: Money, charges: Sequence[UUID]
) -> tuple[Notice, Event]:
    """The step is taken; `fee` and interest (`late`) are claimed beside the invoice, what is new of it by the invoices `charges`."""
    invoice = case.invoice
    notice = Notice(
        id=notice_id,
        invoice_id=invoice.id,
        step=step.name,
        days=step.days,
        kind=step.kind,
        policy=policy.name,
        policy_version=policy.version,
        open=invoice.open,
        fee=fee,
        interest=late,
        letter=step.letter,
        hold_orders=step.hold_orders,
        taken_on=today,
        due_on=invoice.due_on,
    )
    return notice, _told(invoice, notice, tuple(charges))


def _told(invoice: Invoice, notice: Notice, charges: tuple[UUID, ...] = ()) -> Event:
    return DunningStepTaken(
        invoice_id=invoice.id,
        number=invoice.number,
        order_id=invoice.order_id,
        customer_id=invoice.customer.customer_id,
        step=notice.step,
        kind=notice.kind,
        policy=notice.policy,
        policy_version=notice.policy_version,
        open=notice.open,
        fee=notice.fee,
        interest=notice.interest,
        days_overdue=(notice.taken_on - invoice.due_on).days,
        hold_orders=notice.hold_orders,
        taken_on=notice.taken_on,
        charges=charges,
    )


def hold_again(invoice: Invoice, notice: Notice, today: date) -> Event:
    """What had ended is owed again: the step that held the customer's orders holds them again."""
    return _told(invoice, replace(notice, open=invoice.open, taken_on=today))


def end(invoice: Invoice, notices_held: bool, today: date) -> Event:
    """Nothing is owed any more, or the document is void."""
    return DunningEnded(
        invoice_id=invoice.id,
        number=invoice.number,
        order_id=invoice.order_id,
        customer_id=invoice.customer.customer_id,
        held_orders=notices_held,
        ended_on=today,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """The customer will pay what is open by a day."""

    id: UUID
    invoice_id: UUID
    promised_on: date
    state: Literal["open", "kept", "broken"]
    note: str
    noted_by: str


def promise(invoice: Invoice, known: Sequence[Promise], made: Promise, today: date) -> Event:
    """Raises `NothingToPromise` where nothing is open or a promise stands, `Invalid` for a day that is past."""
    if invoice.open.amount == 0:
        raise NothingToPromise(f"nothing is open on {invoice.number}")
    if any(each.state == "open" for each in known):
        raise NothingToPromise(f"somebody promised to pay {invoice.number} already")
    if not today <= made.promised_on <= today + FURTHEST:
        raise Invalid(f"a promise is for today or later, within {FURTHEST.days} days", field="promised_on")
    return PaymentPromised(**_about(invoice, made))


def broken(invoice: Invoice, made: Promise) -> Event:
    return PaymentPromiseBroken(**_about(invoice, made))


def _about(invoice: Invoice, made: Promise) -> dict[str, Any]:
    return {
        "promise_id": made.id,
        "invoice_id": invoice.id,
        "number": invoice.number,
        "order_id": invoice.order_id,
        "open": invoice.open,
        "promised_on": made.promised_on,
    }
