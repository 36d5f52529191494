"""Paid in instalments: an invoice's gross in parts with days of their own, which add up to the cent.

What is paid, credited or given up counts on the instalment that is due first (RULES 5). So what is open of each follows from what is open
of the invoice: the last ones stay open longest. The document itself never changes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import ROUND_DOWN, Decimal
from uuid import UUID

from ltc_contracts.errors import DomainError, Invalid, WrongTransition
from ltc_contracts.money import Money, minor_units

from billing_svc.domain.invoice import Invoice

MOST = 60
FURTHEST = timedelta(days=3650)


class PlanStands(DomainError):
    """The invoice is paid in instalments already."""


class NothingToSplit(DomainError):
    """Nothing is open on the invoice."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """An amount, or percent of the gross, or (neither) an equal share of what is left then. The last one takes the residual."""

    due_on: date
    amount: Decimal | None = None
    percent: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Instalment:
    """`number` counts from 1 in the order of due days."""

    number: int
    due_on: date
    amount: Money


@dataclass(frozen=True, slots=True)
class Part:
    """An instalment as it stands. `due_on` is earlier than agreed once the rest was called in."""

    number: int
    due_on: date
    amount: Money
    open: Money


@dataclass(frozen=True, slots=True)
class Plan:
    """`rest_due_after_days`: so many days after a missed instalment all the rest is due; None: never."""

    invoice_id: UUID
    instalments: tuple[Instalment, ...]
    rest_due_after_days: int | None
    agreed_on: date
    agreed_by: str
    reason: str
    called_in_on: date | None = None

    def parts(self, open_: Money) -> list[Part]:
        """The instalments when so much of the invoice is open."""
        found, later = [], Money.zero(open_.currency)
        for each in reversed(self.instalments):
            rest = open_ - later
            part = Money.zero(open_.currency) if rest.amount < 0 else rest if rest < each.amount else each.amount
            found.append(Part(each.number, min(each.due_on, self.called_in_on or each.due_on), each.amount, part))
            later = later + each.amount
        return found[::-1]

    def next_due_on(self, open_: Money) -> date:
        """The day of the oldest instalment that is open; of the last one when nothing is."""
        parts = self.parts(open_)
        return next((part.due_on for part in parts if part.open.amount), parts[-1].due_on)


def agree(
    invoice: Invoice,
    wanted: Sequence[Wanted],
    known: Plan | None,
    *,
    rest_due_after_days: int | None,
    reason: str,
    by: str,
    today: date,
) -> Plan:
    """Split a final invoice. Raises `WrongTransition`, `PlanStands`, `NothingToSplit`, and `Invalid` with the field."""
    if invoice.state != "final":
        raise WrongTransition(f"invoice {invoice.number}", invoice.state, "split")
    if known is not None:
        raise PlanStands(f"{invoice.number} is paid in instalments since {known.agreed_on}")
    if not invoice.open.amount:
        raise NothingToSplit(f"nothing is open on {invoice.number}")
    if not 2 <= len(wanted) <= MOST:
        raise Invalid(f"2 to {MOST} instalments", field="instalments")
    before = today - timedelta(days=1)
    for place, each in enumerate(wanted):
        if not before < each.due_on <= today + FURTHEST:
            raise Invalid(f"after {before}, and within {FURTHEST.days} days", field=f"instalments.{place}.due_on")
        before = each.due_on
    parts = split(invoice.gross, wanted)
    instalments = tuple(
        Instalment(number, each.due_on, part) for number, (each, part) in enumerate(zip(wanted, parts, strict=True), 1)
    )
    return Plan(invoice.id, instalments, rest_due_after_days, today, by, reason)


def split(gross: Money, wanted: Sequence[Wanted]) -> list[Money]:
    """How much each is, above zero; together the gross, exactly. Rounded down, and the last one takes the residual."""
    cent = Decimal(1).scaleb(-minor_units(gross.currency))
    said = [_said(gross, each, place, cent) for place, each in enumerate(wanted)]
    left = gross.amount - sum((each for each in said if each is not None), Decimal(0))
    shares = said.count(None)
    share = (left / shares).quantize(cent, rounding=ROUND_DOWN) if shares else Decimal(0)
    parts = [share if each is None else each for each in said]
    if wanted[-1].amount is None:
        parts[-1] = gross.amount - sum(parts[:-1], Decimal(0))
    if sum(parts, Decimal(0)) != gross.amount:
        raise Invalid(f"the instalments add up to {sum(parts, Decimal(0))}, the invoice is {gross}", field="instalments")
    for place, part in enumerate(parts):
        if part <= 0:
            raise Invalid(f"comes to {part}; an instalment is above zero", field=f"instalments.{place}")
    return [Money.of(part, gross.currency) for part in parts]


def dunned(invoice: Invoice, plan: Plan | None) -> tuple[Invoice, int]:
    """What customers are reminded of, and its number: the oldest open instalment, as if it were the invoice. 0 is the whole invoice.

    One claim at a time: each has its own due day, from which its steps and its interest count. Once the rest is called in, all that is
    open is one claim, due on that day.
    """
    if plan is None or not invoice.open.amount:
        return invoice, 0
    if plan.called_in_on is not None:
        return replace(invoice, due_on=plan.called_in_on), len(plan.instalments) + 1
    part = next(part for part in plan.parts(invoice.open) if part.open.amount)
    return replace(invoice, due_on=part.due_on, gross=invoice.gross - invoice.open + part.open), part.number


def call_in(plan: Plan, invoice: Invoice, today: date) -> Plan | None:
    """The plan with all the rest due today, when an instalment was missed for so long; else None. Not while it is disputed."""
    if plan.rest_due_after_days is None or plan.called_in_on is not None or invoice.disputed or not invoice.open.amount:
        return None
    if today <= plan.next_due_on(invoice.open) + timedelta(days=plan.rest_due_after_days):
        return None
    return replace(plan, called_in_on=today)


def _said(gross: Money, wanted: Wanted, place: int, cent: Decimal) -> Decimal | None:
    if wanted.amount is not None and wanted.percent is not None:
        raise Invalid("an amount or a percentage", field=f"instalments.{place}")
    if wanted.percent is not None:
        return (gross.amount * wanted.percent / 100).quantize(cent, rounding=ROUND_DOWN)
    if wanted.amount is not None and wanted.amount != wanted.amount.quantize(cent):
        raise Invalid(f"{gross.currency} has {minor_units(gross.currency)} decimal places", field=f"instalments.{place}.amount")
    return wanted.amount
