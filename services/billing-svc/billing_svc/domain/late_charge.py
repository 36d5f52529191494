"""Fees of dunning and interest, each an invoice of its own (ADR 19): without tax, since it is compensation and no supply.

An invoice has one nature, so that money can be counted on costs before interest before what was sold (RULES 5). Nobody is reminded of it
by itself, and it bears no interest. Its order lies elsewhere: nothing was ordered, and nobody waits for it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Literal
from uuid import UUID, uuid5

from ltc_contracts.elsewhere import id_elsewhere
from ltc_contracts.money import Money

from billing_svc.domain.dunning import Step, fee_of, interest
from billing_svc.domain.invoice import Invoice
from billing_svc.domain.occasion import InvoiceLine, Occasion

ChargeNature = Literal["cost", "interest"]
SKUS: dict[ChargeNature, str] = {"cost": "DUNNING-FEE", "interest": "LATE-INTEREST"}
# Letters ask for payment within seven days.
TERMS_DAYS = 7


@dataclass(frozen=True, slots=True)
class Booked:
    """A charge of an invoice: what it claimed when it was made, and what is open of it."""

    nature: ChargeNature
    claimed: Money
    open: Money


@dataclass(frozen=True, slots=True)
class Beside:
    """What a step claims beside the invoice: `fee` and `interest` in all that is open, of which so much is new and not booked yet."""

    fee: Money
    interest: Money
    new_fee: Money
    new_interest: Money


def beside(
    invoice: Invoice, step: Step, percent: Decimal, booked: Sequence[Booked], *, told_fees: Decimal, today: date
) -> Beside:
    """What is claimed beside an invoice once a step is taken. What of earlier charges was paid or given up is not claimed again.

    `told_fees` is what earlier letters claimed: those of a time in which fees were not booked are booked now.
    """
    currency = invoice.gross.currency
    nothing = Money.zero(currency)
    costs, interests = ([each for each in booked if each.nature == nature] for nature in ("cost", "interest"))
    unbooked = Money.of(told_fees, currency) - Money.total((each.claimed for each in costs), currency)
    new_fee = fee_of(step, currency) + (unbooked if unbooked.amount > 0 else nothing)
    accrued = interest(invoice.open, invoice.due_on, today, percent)
    more = accrued - Money.total((each.claimed for each in interests), currency)
    new_interest = more if more.amount > 0 else nothing
    return Beside(
        fee=Money.total((each.open for each in costs), currency) + new_fee,
        interest=Money.total((each.open for each in interests), currency) + new_interest,
        new_fee=new_fee,
        new_interest=new_interest,
    )


def occasions(
    invoice: Invoice, claimed: Beside, *, notice_id: UUID, step: str, today: date
) -> list[tuple[ChargeNature, Occasion]]:
    """What is to be invoiced for a step, once; nothing where nothing is new."""
    fee = f"Fee for reminder ({step}) of invoice {invoice.number}"
    late = f"Interest on invoice {invoice.number}, due on {invoice.due_on}, until {today}"
    wanted: tuple[tuple[ChargeNature, Money, str], ...] = (
        ("cost", claimed.new_fee, fee),
        ("interest", claimed.new_interest, late),
    )
    return [(nature, _occasion(invoice, notice_id, nature, amount, words)) for nature, amount, words in wanted if amount.amount]


def _occasion(invoice: Invoice, notice_id: UUID, nature: ChargeNature, amount: Money, words: str) -> Occasion:
    charge_id = uuid5(notice_id, nature)
    line = InvoiceLine(
        line_id=charge_id,
        sku=SKUS[nature],
        description=words,
        quantity=Decimal(1),
        unit_price=amount,
        tax_category="E",
        tax_rate=Decimal(0),
        net=amount,
    )
    return Occasion(
        cause="late_charge",
        cause_id=charge_id,
        order_id=id_elsewhere("order", "late charge", str(charge_id)),
        delivery_id=id_elsewhere("delivery", "late charge", str(charge_id)),
        customer=invoice.customer,
        lines=(line,),
        net=amount,
        payment_terms_days=TERMS_DAYS,
    )
