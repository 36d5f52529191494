"""EN 16931 arithmetic of lines and taxes (RULES 4)."""

from collections.abc import Iterable
from decimal import Context, Decimal, localcontext

from ltc_contracts.events import Line, TaxSubtotal
from ltc_contracts.money import CurrencyMismatch, Money

# Wide enough that quantity x price x percentage is exact: a quotient on the half must not be mistaken for one just below it.
_EXACT = Context(prec=80)


def worth(line: Line, quantity: Decimal) -> Money:
    """So many of a line: quantity x (price / base quantity) less discount, rounded half up to the minor unit. One division, at the end."""
    if line.unit_price.currency != line.net.currency:
        raise CurrencyMismatch(
            f"line {line.sku}: the price is {line.unit_price.currency}, the net {line.net.currency}", field="lines"
        )
    with localcontext(_EXACT):
        exact = quantity * line.unit_price.amount * (100 - line.discount_percent) / (line.base_quantity * 100)
        return Money.rounded(exact, line.net.currency)


def line_net(line: Line) -> Money:
    """What the line is worth by its own quantity."""
    return worth(line, line.quantity)


def tax_on(base: Money, rate: Decimal) -> Money:
    """In percent, rounded half up to the minor unit."""
    with localcontext(_EXACT):
        return Money.rounded(base.amount * rate / 100, base.currency)


def share(of: Money, part: Money, whole: Money) -> Money:
    """`of` in the proportion of a part to the whole, rounded half up; nothing of nothing."""
    if not whole.amount:
        return Money.zero(of.currency)
    with localcontext(_EXACT):
        return Money.rounded(of.amount * part.amount / whole.amount, of.currency)


def tax_subtotals(lines: Iterable[Line]) -> tuple[TaxSubtotal, ...]:
    """Tax per category and rate, on the sum of the rounded lines."""
    bases: dict[tuple[str, Decimal], Money] = {}
    for line in lines:
        key = (line.tax_category, line.tax_rate)
        bases[key] = bases.get(key, Money.zero(line.net.currency)) + line.net
    return tuple(
        TaxSubtotal.model_validate({"category": category, "rate": rate, "base": base, "tax": tax_on(base, rate)})
        for (category, rate), base in bases.items()
    )
