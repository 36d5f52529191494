"""The parts of an offer: positions, what a seller asks for, and the terms that count for all of them. Pure."""

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Annotated, Literal
from uuid import UUID

from ltc_contracts.events import Line
from ltc_contracts.events.model import Code, Exact, Name, Part, Percent, TaxCategory
from ltc_contracts.money import Money
from pydantic import Field

from sales_svc.domain.catalogue import Period

HUNDRED = Decimal(100)
NOTHING = Decimal(0)
Payment = Literal["one_off", "recurring", "usage"]


class Piece(Part):
    """A part of an item with a price of its own: a tier's slice, or a component of a bundle.

    `net` is the unit price times the quantity, per base quantity, less `discount_percent`: the item's and the document's.
    """

    sku: Code
    description: Name
    quantity: Exact
    unit_price: Money
    base_quantity: Exact = Decimal(1)
    discount_percent: Percent = NOTHING
    tier: int | None = None
    net: Money
    tax_category: TaxCategory
    tax_rate: Percent
    line_id: UUID | None = None


class Source(Part):
    """Where in the catalogue the price comes from."""

    book: Code
    book_version: int
    price_id: UUID
    price_version: int
    model: Literal["flat", "volume", "graduated"]


class Item(Part):
    """One position. `list_net` and `net` are for once, or for one period; `total` is what the customer commits to over the term.

    `discount_percent` is the item's own; `net` is after it and after the document's. `list_net` is at list price where the
    catalogue knows one. `cost` is for `total`, where known. `quantity` of use that is not committed to is an estimate.
    """

    item_id: UUID
    sku: Code
    description: Name
    unit: Code
    quantity: Exact
    kind: Payment
    period: Period | None = None
    periods: Annotated[int, Field(ge=1, le=120)] = 1
    meter: Code | None = None
    committed: bool = True
    bundle: bool = False
    discount_percent: Percent = NOTHING
    list_net: Money
    net: Money
    total: Money
    cost: Money | None = None
    source: Source | None = None
    pieces: tuple[Piece, ...]

    @property
    def list_total(self) -> Money:
        """What the commitment would be at list price."""
        return (
            Money(self.list_net.amount * self.periods, self.total.currency) if self.committed else Money.zero(self.total.currency)
        )


@dataclass(frozen=True, slots=True)
class Wanted:
    """A position as the seller asks for it. With `unit_price` it is the seller's own price, without one it is the catalogue's."""

    sku: str
    quantity: Decimal
    description: str | None = None
    unit_price: Decimal | None = None
    base_quantity: Decimal = Decimal(1)
    discount_percent: Decimal = NOTHING
    tax_category: TaxCategory | None = None
    tax_rate: Decimal | None = None
    kind: Payment | None = None
    period: Period | None = None
    periods: int | None = None
    meter: str | None = None
    unit: str | None = None
    committed: bool = False
    unit_cost: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Terms:
    """What counts for all positions. At most one of the two discounts."""

    currency: str
    country: str
    language: str = "en"
    discount_percent: Decimal = NOTHING
    discount_amount: Decimal | None = None
    new_id: Callable[[], UUID] = field(kw_only=True)


@dataclass(frozen=True, slots=True)
class Built:
    """The positions with their lines, before a discount in an amount is shared out."""

    items: tuple[Item, ...]
    lines: tuple[Line, ...]


def of_line(line: Line) -> Item:
    """The position that one line is."""
    full = Money.rounded(line.quantity * line.unit_price.amount / line.base_quantity, line.net.currency)
    piece = Piece(
        **{
            name: getattr(line, name)
            for name in ("sku", "description", "quantity", "unit_price", "base_quantity", "net", "line_id")
        },
        **{name: getattr(line, name) for name in ("discount_percent", "tax_category", "tax_rate")},
    )
    return Item(
        item_id=line.line_id,
        sku=line.sku,
        description=line.description,
        unit="piece",
        quantity=line.quantity,
        kind="one_off",
        discount_percent=line.discount_percent,
        list_net=full,
        net=line.net,
        total=line.net,
        pieces=(piece,),
    )
