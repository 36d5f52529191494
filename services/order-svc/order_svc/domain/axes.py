"""The two axes of an order, how much of it is delivered and how much is invoiced, and its promised days: derived, never set by hand."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import ROUND_DOWN, ROUND_UP, Decimal
from typing import NamedTuple
from uuid import UUID

from ltc_contracts.events import Line

from order_svc.domain.order import Order

_NONE, _ALL, _PLACES = Decimal(0), Decimal(100), Decimal("0.01")
# Who got ten thousand times what was ordered needs no exact figure.
_MOST = Decimal(1_000_000)


class Moved(NamedTuple):
    """So much of a line was handed over, and so much came back."""

    handed_over: Decimal = _NONE
    returned: Decimal = _NONE

    @property
    def delivered(self) -> Decimal:
        """What the customer has."""
        return self.handed_over - self.returned


@dataclass(frozen=True, slots=True, kw_only=True)
class Axes:
    """What was told of an order: quantities by line (none: hand-overs are not told), what of its invoices was credited, without tax,
    and the first and the latest day that delivery promised.
    """

    moved: Mapping[UUID, Moved] = field(default_factory=dict)
    credited_net: Decimal = _NONE
    first_promised_on: date | None = None
    latest_promised_on: date | None = None


def percent_delivered(order: Order, lines: Sequence[Line], axes: Axes) -> Decimal:
    """By pieces, in per cent: 100 exactly when the customer has all of every line; above only when they have more than was ordered.

    More of one line makes up for nothing that is missing of another. Where no hand-overs are told: as delivery reported it.
    """
    if not axes.moved:
        return order.percent_delivered
    has = [max(_NONE, axes.moved.get(line.line_id, Moved()).delivered) for line in lines]
    whole = sum((line.quantity for line in lines), _NONE)
    if any(there < line.quantity for there, line in zip(has, lines, strict=True)):
        has = [min(there, line.quantity) for there, line in zip(has, lines, strict=True)]
    return _percent(sum(has, _NONE), whole)


def percent_invoiced(order: Order, axes: Axes) -> Decimal:
    """By amounts without tax, credit notes taken off: 100 exactly when all of the order's net is invoiced, above when more is."""
    if not order.net.amount:
        return _ALL if order.milestones.invoiced_at else _NONE
    return _percent(max(_NONE, order.invoiced_net.amount - axes.credited_net), order.net.amount)


def _percent(part: Decimal, whole: Decimal) -> Decimal:
    """With two places, rounded away from 100, so that nothing looks whole that is not."""
    exact = min(part * 100 / whole, _MOST)
    rounded = exact.quantize(_PLACES, rounding=ROUND_UP if exact > _ALL else ROUND_DOWN)
    return rounded.to_integral_value() if rounded == rounded.to_integral_value() else rounded
