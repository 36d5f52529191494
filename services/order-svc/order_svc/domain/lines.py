"""The arithmetic of priced lines (EN 16931, RULES 4): the same that billing verifies an invoice with.

An order that breaks it could be delivered and never invoiced, so it is refused or held before we bind ourselves.
"""

from collections.abc import Sequence
from decimal import Context, Decimal, localcontext
from uuid import UUID

from ltc_contracts.errors import DomainError
from ltc_contracts.events import Customer, Line
from ltc_contracts.money import CurrencyMismatch, Money

# Wide enough for 20 digits x 19 x 9 and one division; what it cannot hold exactly is a repeating fraction, rounded far behind the cent.
_EXACT = Context(prec=80)


def line_net(line: Line) -> Money:
    """Quantity x (price / base quantity) less discount, rounded half up to the minor unit. One division, at the end."""
    if line.unit_price.currency != line.net.currency:
        raise CurrencyMismatch(
            f"line {line.sku}: the price is {line.unit_price.currency}, the net {line.net.currency}", field="lines"
        )
    with localcontext(_EXACT):
        exact = line.quantity * line.unit_price.amount * (100 - line.discount_percent) / (line.base_quantity * 100)
        return Money.rounded(exact, line.net.currency)


def gross(lines: Sequence[Line], net: Money) -> Money:
    """Net and the tax per category and rate, each rounded on the sum of its rounded lines. Raises `CurrencyMismatch`."""
    bases: dict[tuple[str, Decimal], Money] = {}
    for line in lines:
        key = (line.tax_category, line.tax_rate)
        bases[key] = bases.get(key, Money.zero(net.currency)) + line.net
    total = net
    for (_, rate), base in bases.items():
        with localcontext(_EXACT):
            total = total + Money.rounded(base.amount * rate / 100, net.currency)
    return total


def discounted(lines: Sequence[Line]) -> tuple[Line, ...]:
    """The lines with what is below zero taken off the others of the same tax category and rate; the sums of both stay to the cent.

    EN 16931 allows a discount on the whole, per tax category and rate (BG-20), or as a line below zero. But nobody can hand over, send
    back or drop a discount: as a line it would be credited, or stay, without the goods that it made cheaper. So it becomes an allowance
    of those goods, shared out by what they are worth: the shares are the steps of the rounded running total, hence none is more than
    its line, and the last gets the rest. A line that is less then is priced as a whole, its net per its quantity (BT-149): so many of
    them are worth that part of it, and all parts, returns and changes of it carry their part of the discount.

    Unchanged where this cannot be: lines whose figures are not true, and discounts beyond what the others of their rate are worth.
    """
    groups: dict[tuple[str, Decimal, str], list[Line]] = {}
    for line in lines:
        groups.setdefault((line.tax_category, line.tax_rate, line.net.currency), []).append(line)
    if not any(line.net.amount < 0 for line in lines) or not all(_is_true(line) for line in lines):
        return tuple(lines)
    after: dict[UUID, Line] = {}
    for group in groups.values():
        goods = [line for line in group if line.net.amount >= 0]
        off = -sum((line.net.amount for line in group if line.net.amount < 0), Decimal(0))
        if off > sum(line.net.amount for line in goods):
            return tuple(lines)
        after.update(zip((line.line_id for line in goods), _less(goods, off), strict=True))
    return tuple(after[line.line_id] for line in lines if line.line_id in after)


def _is_true(line: Line) -> bool:
    return line.unit_price.currency == line.net.currency and line.net == line_net(line)


def _less(goods: Sequence[Line], off: Decimal) -> list[Line]:
    """Goods, worth `off` less together."""
    whole = sum((line.net.amount for line in goods), Decimal(0))
    lines, passed, given = [], Decimal(0), Decimal(0)
    for line in goods:
        passed += line.net.amount
        with localcontext(_EXACT):
            upto = Money.rounded(off * passed / whole, line.net.currency).amount if whole else given
        share, given = upto - given, upto
        lines.append(_priced_as_a_whole(line, line.net - Money.of(share, line.net.currency)) if share else line)
    return lines


def _priced_as_a_whole(line: Line, net: Money) -> Line:
    return line.model_copy(update={"unit_price": net, "base_quantity": line.quantity, "discount_percent": Decimal(0), "net": net})


def fault(customer: Customer, lines: Sequence[Line], net: Money) -> str | None:
    """The first thing for which billing would refuse these lines; None when all is true."""
    if len({line.line_id for line in lines}) < len(lines):
        return "two lines have the same id"
    try:
        for line in lines:
            if line.net != line_net(line):
                return f"line {line.sku}: net is {line.net}, should be {line_net(line)}"
            if line.net.amount < 0:
                # It could be handed over, changed or sent back without what it lessens: a claim below zero, which nobody may make.
                return (
                    f"line {line.sku}: {line.net} is below zero; a discount is the discount_percent of its line, "
                    "or of a contract at most what its lines of that tax rate are worth"
                )
            if line.tax_category != "S" and line.tax_rate != 0:
                return f"line {line.sku}: tax category {line.tax_category} has the rate 0"
            if line.tax_category == "AE" and not customer.vat_id:
                return f"line {line.sku}: reverse charge (AE) needs the customer's VAT id"
        total = Money.total((line.net for line in lines), net.currency)
        gross(lines, net)
    except DomainError as error:
        return error.reason
    return None if total == net else f"net is {net}, the lines add up to {total}"
