"""Stock: what lies where, and which pieces are somebody's already.

The ERP counts (`on_hand`, at `as_of`); we reserve. What is never counted is not stock-kept and is never short: services, made to order.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from ltc_contracts.events import Line


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """One SKU at one site. `free` may be below zero when the ERP counts less than was reserved."""

    sku: str
    site: str
    on_hand: Decimal
    as_of: datetime
    reserved: Decimal = Decimal(0)

    @property
    def free(self) -> Decimal:
        return self.on_hand - self.reserved


@dataclass(frozen=True, slots=True)
class Pick:
    """So many pieces of a shelf are an order line's."""

    line_id: UUID
    sku: str
    site: str
    quantity: Decimal


@dataclass(frozen=True, slots=True)
class Allocation:
    """What could be reserved, and in words what is missing."""

    picks: tuple[Pick, ...]
    shortages: tuple[str, ...]


def allocate(lines: Iterable[Line], shelves: Sequence[Shelf]) -> Allocation:
    """Pieces for every line, from one site where one has enough, else from the fullest first."""
    free = {(shelf.sku, shelf.site): shelf.free for shelf in shelves}
    kept = {shelf.sku for shelf in shelves}
    picks: list[Pick] = []
    shortages: list[str] = []
    for line in lines:
        if line.sku not in kept:
            continue
        missing = line.quantity
        sites = sorted(
            (site for sku, site in free if sku == line.sku),
            key=lambda site, sku=line.sku, need=line.quantity: (free[sku, site] < need, -free[sku, site], site),  # type: ignore[misc]
        )
        for site in sites:
            taken = min(missing, free[line.sku, site])
            if taken > 0:
                picks.append(Pick(line.line_id, line.sku, site, taken))
                free[line.sku, site] -= taken
                missing -= taken
        if missing > 0:
            shortages.append(
                f"{line.sku}: {format(missing.normalize(), 'f')} of {format(line.quantity.normalize(), 'f')} missing"
            )
    return Allocation(tuple(picks), tuple(shortages))


def leaving(picks: Iterable[Pick], parts: Mapping[UUID, Decimal]) -> tuple[Pick, ...]:
    """Which reserved pieces go with so much of the lines, the fullest lots first; what was not reserved is not of our stock."""
    rest, gone = dict(parts), list[Pick]()
    for pick in sorted(picks, key=lambda pick: (-pick.quantity, pick.site)):
        part = min(pick.quantity, rest.get(pick.line_id, Decimal(0)))
        if part > 0:
            rest[pick.line_id] -= part
            gone.append(replace(pick, quantity=part))
    return tuple(gone)


def surplus(picks: Iterable[Pick], lines: Iterable[Line], gone: Mapping[UUID, Decimal]) -> tuple[Pick, ...]:
    """What is reserved beyond the lines as they are, less what is `gone` of them; the smallest lots are given back first."""
    rest = {line.line_id: max(Decimal(0), line.quantity - gone.get(line.line_id, Decimal(0))) for line in lines}
    freed: list[Pick] = []
    for pick in sorted(picks, key=lambda pick: (-pick.quantity, pick.site)):
        kept = min(pick.quantity, rest.get(pick.line_id, Decimal(0)))
        rest[pick.line_id] = rest.get(pick.line_id, Decimal(0)) - kept
        if kept < pick.quantity:
            freed.append(replace(pick, quantity=pick.quantity - kept))
    return tuple(freed)


def reserve(shelf: Shelf, quantity: Decimal) -> Shelf:
    """These pieces are an order's."""
    return replace(shelf, reserved=shelf.reserved + quantity)


def after(shelves: Sequence[Shelf], picks: Iterable[Pick]) -> list[Shelf]:
    """The shelves when these pieces are reserved on them."""
    by_place = {(shelf.sku, shelf.site): shelf for shelf in shelves}
    for pick in picks:
        by_place[pick.sku, pick.site] = reserve(by_place[pick.sku, pick.site], pick.quantity)
    return list(by_place.values())


def release(shelf: Shelf, quantity: Decimal) -> Shelf:
    """The order gives them back."""
    return replace(shelf, reserved=shelf.reserved - quantity)


def consume(shelf: Shelf, quantity: Decimal, at: datetime) -> Shelf:
    """The order's pieces left the shelf at `at`; a count made later knows it already."""
    left = quantity if shelf.as_of < at else Decimal(0)
    return replace(shelf, reserved=shelf.reserved - quantity, on_hand=shelf.on_hand - left)


def count(shelf: Shelf | None, told: Shelf, left_since: Decimal) -> Shelf | None:
    """The ERP counted. Pieces that left after its count are not there any more. None: an older count says nothing new."""
    if shelf is not None and told.as_of <= shelf.as_of:
        return None
    return replace(told, on_hand=told.on_hand - left_since, reserved=Decimal(0) if shelf is None else shelf.reserved)
