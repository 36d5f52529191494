"""The arithmetic of priced lines (EN 16931, RULES 4). Pure."""

from collections.abc import Sequence
from decimal import Decimal
from uuid import UUID

from ltc_contracts.errors import Invalid
from ltc_contracts.events import Line, TaxSubtotal
from ltc_contracts.events.model import TaxCategory
from ltc_contracts.money import Money


def price_line(
    *,
    line_id: UUID,
    sku: str,
    description: str,
    quantity: Decimal,
    unit_price: Decimal,
    currency: str,
    base_quantity: Decimal = Decimal(1),
    discount_percent: Decimal = Decimal(0),
    tax_category: TaxCategory = "S",
    tax_rate: Decimal,
) -> Line:
    """Net = quantity x (price / base quantity) less discount, rounded before anything is summed (EN 16931, RULES 4)."""
    if tax_category != "S" and tax_rate != 0:
        raise Invalid(f"tax category {tax_category} has the rate 0", field="tax_rate")
    price = Money.of(unit_price, currency)
    exact = quantity * price.amount / base_quantity * (100 - discount_percent) / 100
    return Line(
        line_id=line_id,
        sku=sku,
        description=description,
        quantity=quantity,
        unit_price=price,
        base_quantity=base_quantity,
        discount_percent=discount_percent,
        tax_category=tax_category,
        tax_rate=tax_rate,
        net=Money.rounded(exact, currency),
    )


def subtotals(lines: Sequence[Line]) -> tuple[TaxSubtotal, ...]:
    """Tax per category and rate, on the sum of the rounded lines; in the order in which they first occur."""
    currency = lines[0].net.currency
    bases: dict[tuple[TaxCategory, Decimal], Money] = {}
    for line in lines:
        key = (line.tax_category, line.tax_rate)
        bases[key] = bases.get(key, Money.zero(currency)) + line.net
    return tuple(
        TaxSubtotal(category=category, rate=rate, base=base, tax=Money.rounded(base.amount * rate / 100, currency))
        for (category, rate), base in bases.items()
    )


def totals(lines: Sequence[Line]) -> tuple[Money, Money, Money]:
    """Net, tax and gross: tax per category and rate on the sum of rounded lines; totals are exact sums."""
    currency = lines[0].net.currency
    net = Money.total((line.net for line in lines), currency)
    tax = Money.total((part.tax for part in subtotals(lines)), currency)
    return net, tax, net + tax
