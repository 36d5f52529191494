"""What a customer used: counted by a meter, rated by a tariff, invoiced in arrears, period by period. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import ROUND_CEILING, Decimal
from typing import Literal
from uuid import UUID, uuid5

from ltc_contracts.elsewhere import id_elsewhere
from ltc_contracts.errors import Invalid
from ltc_contracts.events import Customer
from ltc_contracts.events.model import TaxCategory
from ltc_contracts.money import Money

from billing_svc.domain.amounts import line_net
from billing_svc.domain.occasion import InvoiceLine, Occasion, without_order

# `unique`: how many different things (users, devices) were told of.
Meter = Literal["sum", "max", "last", "unique"]
# `graduated`: each tier's units at its price. `volume`: all units at the price of the tier they reach. `package`: whole packages.
Model = Literal["per_unit", "graduated", "volume", "package"]


@dataclass(frozen=True, slots=True)
class Tier:
    """Units up to and including `up_to` (None: all above); `price` is for `Tariff.per` units."""

    up_to: Decimal | None
    price: Money


@dataclass(frozen=True, slots=True)
class Tariff:
    """`per`: how many units a price is for; of `package`, how many are in one. `minimum`: net, of each period."""

    meter: Meter
    model: Model
    per: Decimal
    tiers: tuple[Tier, ...]
    minimum: Money
    sku: str
    description: str
    tax_category: TaxCategory
    tax_rate: Decimal

    def check(self) -> None:
        """Raise `Invalid` where tiers do not rise to one without an end, or the model has but one price."""
        ends = [tier.up_to for tier in self.tiers]
        rising = [end for end in ends[:-1] if end is not None]
        if ends[-1] is not None or len(rising) < len(ends) - 1 or rising != sorted(set(rising)):
            raise Invalid("tiers rise, and only the last has no end", field="tiers")
        if self.model in ("per_unit", "package") and len(self.tiers) > 1:
            raise Invalid(f"'{self.model}' has one price", field="tiers")


@dataclass(frozen=True, slots=True)
class UsagePlan:
    """`next_from`: the first day of the period that is not invoiced yet. A period is a month from the day of `starts_on`."""

    id: UUID
    customer: Customer
    currency: str
    payment_terms_days: int
    tariff: Tariff
    starts_on: date
    ends_on: date | None
    grace_days: int
    next_from: date | None
    parent_flow_id: UUID | None
    created_by: str
    version: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Used:
    """What is counted with a period: `late` of the `records` belong to an earlier one that was invoiced before they came."""

    quantity: Decimal
    records: int
    late: int


def check_plan(plan: UsagePlan) -> None:
    """Raise `Invalid` with the field for what could not be invoiced."""
    if plan.starts_on.day > 28:
        raise Invalid("a month has this day always: 1 to 28", field="starts_on")
    if plan.ends_on is not None and plan.ends_on < plan.starts_on:
        raise Invalid("ends before it starts", field="ends_on")
    plan.tariff.check()
    # What a tariff makes of one unit is a document that could be issued.
    occasion_of(plan, plan.starts_on, _lines(plan, Decimal(1), "", plan.starts_on), plan.payment_terms_days)


def period_after(begin: date) -> date:
    """The first day of the next period."""
    return (begin.replace(day=1) + timedelta(days=32)).replace(day=begin.day)


def last_day(plan: UsagePlan, begin: date) -> date:
    """Of the period that begins then: the last one is cut off."""
    last = period_after(begin) - timedelta(days=1)
    return last if plan.ends_on is None else min(last, plan.ends_on)


def bill_on(plan: UsagePlan, begin: date) -> date:
    """The day on which a period is invoiced."""
    return last_day(plan, begin) + timedelta(days=1 + plan.grace_days)


def following(plan: UsagePlan, begin: date) -> date | None:
    """The next period; None after the last."""
    after = period_after(begin)
    return after if plan.ends_on is None or after <= plan.ends_on else None


def bill(plan: UsagePlan, begin: date, used: Used) -> Occasion | None:
    """What is invoiced of a period; None for nothing."""
    words = f", {begin} to {last_day(plan, begin)}"
    if used.late:
        words += f" (with {used.late} late of earlier periods)"
    lines = _lines(plan, used.quantity, words, begin)
    return occasion_of(plan, begin, lines, plan.payment_terms_days) if lines else None


def occasion_of(plan: UsagePlan, begin: date, lines: Sequence[InvoiceLine], terms: int) -> Occasion:
    """Nothing of it was ordered or delivered here, so no service waits for those ids."""
    cause_id = uuid5(plan.id, begin.isoformat())
    ids = {
        "order_id": id_elsewhere("order", "usage", str(cause_id)),
        "delivery_id": id_elsewhere("delivery", "usage", str(cause_id)),
    }
    return without_order("usage", plan.customer, tuple(lines), cause_id=cause_id, payment_terms_days=terms, **ids)


def rate(tariff: Tariff, quantity: Decimal) -> list[tuple[Decimal, Decimal, Money]]:
    """Each line: how many, for how many the price is, and the price. Nothing used is no line."""
    if quantity <= 0:
        return []
    if tariff.model == "package":
        packages = (quantity / tariff.per).to_integral_value(rounding=ROUND_CEILING)
        return [(packages, Decimal(1), tariff.tiers[0].price)]
    if tariff.model == "volume":
        reached = next(tier for tier in tariff.tiers if tier.up_to is None or quantity <= tier.up_to)
        return [(quantity, tariff.per, reached.price)]
    lines, below = [], Decimal(0)
    for tier in tariff.tiers:
        upto = quantity if tier.up_to is None else min(quantity, tier.up_to)
        if upto > below:
            lines.append((upto - below, tariff.per, tier.price))
            below = upto
    return lines


def _lines(plan: UsagePlan, quantity: Decimal, words: str, begin: date) -> list[InvoiceLine]:
    tariff = plan.tariff
    made = [_line(plan, begin, place, *priced, words) for place, priced in enumerate(rate(tariff, quantity)) if priced[2].amount]
    short = tariff.minimum - Money.total((line.net for line in made), plan.currency)
    if short.amount > 0:
        made.append(_line(plan, begin, len(tariff.tiers), Decimal(1), Decimal(1), short, f", minimum{words}"))
    return made


def _line(plan: UsagePlan, begin: date, place: int, quantity: Decimal, per: Decimal, price: Money, words: str) -> InvoiceLine:
    line = InvoiceLine(
        line_id=uuid5(plan.id, f"{begin}:{place}"),
        sku=plan.tariff.sku,
        description=f"{plan.tariff.description}{words}",
        quantity=quantity,
        unit_price=price,
        base_quantity=per,
        tax_category=plan.tariff.tax_category,
        tax_rate=plan.tariff.tax_rate,
        net=Money.zero(plan.currency),
    )
    return line.model_copy(update={"net": line_net(line)})
