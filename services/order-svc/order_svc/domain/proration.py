"""Parts of periods, by day: what they are worth, what is credited, and orders that are less by the credit.

A part is worth the difference of two rounded values, counted from the first day of the whole period. So the parts of a period add up to
its price to the cent, however it is cut (the same rule by which parts of a line are invoiced, RULES 4).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal, localcontext

from ltc_contracts.events import Line
from ltc_contracts.money import Money

from order_svc.domain.recurring import Period

_EXACT = Context(prec=80)
# A price is of this category and rate; money that was taxed in one way is not given back in another.
TaxClass = tuple[str, Decimal]
Credit = Mapping[TaxClass, Money]
_LONGEST_DESCRIPTION = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """What is ordered: `lines` are those charged, less the credit that was used (`taken`); `left` is the credit after it."""

    lines: tuple[Line, ...]
    charged: Money
    taken: Credit
    left: Credit

    @property
    def used(self) -> Money:
        return total(self.taken, self.charged.currency)

    @property
    def net(self) -> Money:
        return self.charged - self.used


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Other lines for the rest of a period: what comes on top, as lines to order, and what is credited.

    `worth_before` and `worth_after` are what the rest is worth by the old and by the new lines.
    """

    charges: tuple[Line, ...]
    credits: Credit
    worth_before: Money
    worth_after: Money


def worth(net: Money, days: int, of: int) -> Money:
    """The first `days` of a period of `of` days that costs `net`, rounded half up: nothing for none, all for all."""
    with localcontext(_EXACT):
        return Money.rounded(net.amount * days / of, net.currency)


def share(net: Money, whole: Period, part: Period) -> Money:
    """What a part of a whole period is worth. Parts that follow each other add up to the whole exactly."""
    before = (part.first - whole.first).days
    return worth(net, before + part.days, whole.days) - worth(net, before, whole.days)


def tax_class(line: Line) -> TaxClass:
    # The same rate is the same class however it was written: 19 and 19.0.
    return line.tax_category, line.tax_rate.normalize()


def for_days(lines: Sequence[Line], whole: Period, part: Period) -> tuple[Line, ...]:
    """The lines as they are for a whole period; for a part of it, at what the part is worth."""
    if part == whole:
        return tuple(lines)
    return tuple(_at(line, share(line.net, whole, part), _days(part)) for line in lines)


def unused(lines: Sequence[Line], whole: Period, part: Period) -> Credit:
    """What a part that was charged and is not served is worth, by tax class."""
    credit: dict[TaxClass, Money] = {}
    for line in lines:
        _add(credit, tax_class(line), share(line.net, whole, part))
    return credit


def difference(before: Sequence[Line], after: Sequence[Line], whole: Period, part: Period) -> Difference:
    """From `before` to `after` for a part of a period. A line that goes on (same id, same tax) costs or gives back only its difference."""
    old = {line.line_id: line for line in before}
    currency = before[0].net.currency
    charges: list[Line] = []
    credits: dict[TaxClass, Money] = {}
    for line in after:
        known = old.get(line.line_id)
        if known is not None and tax_class(known) == tax_class(line):
            del old[line.line_id]
            more = share(line.net, whole, part) - share(known.net, whole, part)
        else:
            known, more = None, share(line.net, whole, part)
        if more.amount < 0:
            _add(credits, tax_class(line), -more)
        if known is None or more.amount > 0 or line.quantity > known.quantity:
            # More pieces for less money are ordered all the same, at no price: an order is what is delivered.
            charges.append(_at(_on_top(known, line), max(more, Money.zero(currency)), _days(part)))
    for known in old.values():
        _add(credits, tax_class(known), share(known.net, whole, part))
    return Difference(
        charges=tuple(charges),
        credits=credits,
        worth_before=Money.total((share(line.net, whole, part) for line in before), currency),
        worth_after=Money.total((share(line.net, whole, part) for line in after), currency),
    )


def bill(lines: Sequence[Line], credit: Credit, currency: str) -> Bill:
    """Charge lines and use credit of their tax class, line by line, down to nothing and never below."""
    left, taken, priced = dict(credit), dict[TaxClass, Money](), []
    for line in lines:
        key = tax_class(line)
        used = min(left.get(key, Money.zero(currency)), line.net)
        if used.amount > 0:
            _add(left, key, -used)
            _add(taken, key, used)
            priced.append(_at(line, line.net - used, f"less credit {used}"))
        else:
            priced.append(line)
    charged = Money.total((line.net for line in lines), currency)
    return Bill(lines=tuple(priced), charged=charged, taken=taken, left=left)


def by_class(lines: Sequence[Line]) -> Credit:
    """What lines cost, by tax class."""
    cost: dict[TaxClass, Money] = {}
    for line in lines:
        _add(cost, tax_class(line), line.net)
    return cost


def with_credit(credit: Credit, more: Credit) -> Credit:
    """Credit and more of it."""
    result = dict(credit)
    for key, amount in more.items():
        _add(result, key, amount)
    return result


def total(credit: Credit, currency: str) -> Money:
    return Money.total(credit.values(), currency)


def _add(credit: dict[TaxClass, Money], key: TaxClass, amount: Money) -> None:
    result = credit[key] + amount if key in credit else amount
    if result.amount:
        credit[key] = result
    else:
        credit.pop(key, None)


def _on_top(known: Line | None, line: Line) -> Line:
    """Of more of the same only what is added is ordered, since the rest has been."""
    if known is None or known.sku != line.sku or line.quantity <= known.quantity:
        return line
    return line.model_copy(update={"quantity": line.quantity - known.quantity})


def _at(line: Line, net: Money, why: str) -> Line:
    """The line for exactly `net`: a price per its whole quantity (price base quantity, EN 16931 BT-149), so that no division rounds."""
    room = _LONGEST_DESCRIPTION - len(why) - 2
    return line.model_copy(
        update={
            "unit_price": net,
            "base_quantity": line.quantity,
            "discount_percent": Decimal(0),
            "net": net,
            "description": f"{line.description[:room]}, {why}",
        }
    )


def _days(part: Period) -> str:
    return f"{part.first} to {part.last}"
