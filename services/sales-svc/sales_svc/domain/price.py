"""What it costs: price books, prices with tiers, and which of them counts for a customer on a day. Pure.

A tier model has exactly one of these meanings:

- `flat`: one unit price whatever the quantity.
- `volume`: the quantity as a whole falls into one tier, and every unit has that tier's price.
- `graduated`: each unit has the price of the tier it falls into; the quantity is cut into slices, each a line of its own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Literal
from uuid import UUID

from ltc_contracts.errors import DomainError, Invalid
from ltc_contracts.money import Money

Model = Literal["flat", "volume", "graduated"]
MOST_TIERS = 50


class ValidityOverlaps(DomainError):
    """Two entries would count on the same day; end one before the other begins."""


class QuantityOutOfRange(DomainError):
    """The price has a minimum or a maximum quantity."""

    kind = "invalid"


@dataclass(frozen=True, slots=True)
class PriceBook:
    """Prices in one currency for some customers: of `countries` (none: all), `region` and `segment` (null: all).

    Valid from `valid_from` to `valid_until`, both included. Of several that fit, the higher `priority` counts.
    """

    code: str
    version: int
    name: str
    currency: str
    countries: tuple[str, ...]
    region: str | None
    segment: str | None
    priority: int
    valid_from: date
    valid_until: date | None
    active: bool

    @property
    def specificity(self) -> int:
        """How narrow it is, 0 to 3."""
        return bool(self.countries) + (self.region is not None) + (self.segment is not None)


@dataclass(frozen=True, slots=True)
class Tier:
    """Up to and with this quantity; null: without end."""

    up_to: Decimal | None
    unit_price: Decimal


@dataclass(frozen=True, slots=True)
class Price:
    """The price of a product in a book for a span of days, both included. Unit prices and cost are per `base_quantity` units."""

    id: UUID
    book: str
    sku: str
    version: int
    valid_from: date
    valid_until: date | None
    model: Model
    tiers: tuple[Tier, ...]
    base_quantity: Decimal
    minimum_quantity: Decimal | None
    maximum_quantity: Decimal | None
    unit_cost: Decimal | None


@dataclass(frozen=True, slots=True)
class Slice:
    """A part of a quantity with one unit price; `tier` counts from 1."""

    quantity: Decimal
    unit_price: Money
    tier: int


@dataclass(frozen=True, slots=True)
class Choice:
    """The book and price that count, and the books passed over, each with the reason."""

    book: PriceBook
    price: Price
    passed_over: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Buyer:
    """For whom and when a price is asked."""

    currency: str
    on: date
    country: str | None = None
    region: str | None = None
    segment: str | None = None


def check_book(book: PriceBook) -> None:
    """Raises `Invalid`."""
    Money.zero(book.currency)
    check_span(book.valid_from, book.valid_until)


def check_price(price: Price, currency: str) -> None:
    """Raises `Invalid` naming the field: tiers ascend, the last one has no end, amounts fit the currency."""
    check_span(price.valid_from, price.valid_until)
    if not price.tiers or len(price.tiers) > MOST_TIERS:
        raise Invalid(f"1 to {MOST_TIERS} tiers", field="tiers")
    if price.model == "flat" and len(price.tiers) > 1:
        raise Invalid("a flat price has one tier; say whether tiers are `volume` or `graduated`", field="model")
    ends = [tier.up_to for tier in price.tiers]
    if ends[-1] is not None:
        raise Invalid("the last tier has no end; a maximum quantity bounds what can be ordered", field="tiers")
    bounds = [end for end in ends[:-1] if end is not None]
    if len(bounds) < len(ends) - 1 or any(
        later <= earlier for earlier, later in zip((Decimal(0), *bounds), bounds, strict=False)
    ):
        raise Invalid("tiers ascend, and only the last one has no end", field="tiers")
    for number, tier in enumerate(price.tiers):
        _amount(tier.unit_price, currency, f"tiers.{number}.unit_price")
    if price.unit_cost is not None:
        _amount(price.unit_cost, currency, "unit_cost")
    lowest, highest = price.minimum_quantity, price.maximum_quantity
    if lowest is not None and highest is not None and lowest > highest:
        raise Invalid("the minimum is above the maximum", field="minimum_quantity")


def check_span(first: date, last: date | None) -> None:
    if last is not None and last < first:
        raise Invalid("it ends before it begins", field="valid_until")


def require_no_overlap(price: Price, others: Sequence[Price]) -> None:
    """No two prices of a product in a book count on the same day."""
    for other in others:
        if other.id != price.id and other.sku == price.sku and _overlap(price, other):
            raise ValidityOverlaps(
                f"{price.sku} has a price from {other.valid_from} to {other.valid_until or 'further notice'} in {price.book}",
                field="valid_from",
            )


def place(price: Price, others: Sequence[Price], *, close_previous: bool) -> tuple[Price, ...]:
    """The earlier prices of the product that end the day before `price` begins, which must leave no overlap."""
    closed: list[Price] = []
    if close_previous:
        eve = price.valid_from - timedelta(days=1)
        for other in others:
            runs_on = other.valid_until is None or other.valid_until >= price.valid_from
            if other.id != price.id and other.sku == price.sku and other.valid_from < price.valid_from and runs_on:
                closed.append(replace(other, valid_until=eve, version=other.version + 1))
    shortened = {each.id: each for each in closed}
    require_no_overlap(price, [shortened.get(other.id, other) for other in others])
    return tuple(closed)


def require_unambiguous(book: PriceBook, others: Sequence[PriceBook]) -> None:
    """No two books of one priority fit the same customer equally on the same day."""
    for other in others:
        same = (
            other.code != book.code
            and other.active
            and (other.currency, other.region, other.segment, other.priority)
            == (book.currency, book.region, book.segment, book.priority)
            and (set(book.countries) == set(other.countries) or bool(set(book.countries) & set(other.countries)))
        )
        if book.active and same and _overlap(book, other):
            raise ValidityOverlaps(
                f"price book {other.code} counts for the same customers with the same priority", field="priority"
            )


def choose(books: Sequence[PriceBook], prices: Mapping[str, Price], buyer: Buyer) -> Choice | None:
    """The price of a product for a buyer; `prices` by book, valid that day. None when no book has one.

    Books that fit are asked in the order of priority, then of how narrow they are, then of their code.
    """
    passed: list[tuple[str, str]] = []
    for book in sorted(books, key=lambda each: (-each.priority, -each.specificity, each.code)):
        reason = _unfit(book, buyer)
        price = prices.get(book.code)
        if reason is None and price is not None:
            return Choice(book, price, tuple(passed))
        passed.append((book.code, reason or f"has no price for it on {buyer.on}"))
    return None


def slices(price: Price, quantity: Decimal, currency: str) -> tuple[Slice, ...]:
    """The quantity, cut as the tier model says. Raises `QuantityOutOfRange`."""
    if price.minimum_quantity is not None and quantity < price.minimum_quantity:
        raise QuantityOutOfRange(f"at least {plain(price.minimum_quantity)} of {price.sku}", field="quantity")
    if price.maximum_quantity is not None and quantity > price.maximum_quantity:
        raise QuantityOutOfRange(f"at most {plain(price.maximum_quantity)} of {price.sku}", field="quantity")
    made: list[Slice] = []
    below = Decimal(0)
    for number, tier in enumerate(price.tiers, 1):
        reached = tier.up_to is None or quantity <= tier.up_to
        money = Money.of(tier.unit_price, currency)
        if price.model == "graduated":
            end = quantity if reached or tier.up_to is None else tier.up_to
            made.append(Slice(end - below, money, number))
            below = end
        elif reached:
            made.append(Slice(quantity, money, number))
        if reached:
            break
    return tuple(made)


def plain(number: Decimal) -> str:
    """Without needless zeros: 12.50 is 12.5, 100 is 100."""
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _unfit(book: PriceBook, buyer: Buyer) -> str | None:
    if not book.active:
        return "is withdrawn"
    if book.currency != buyer.currency:
        return f"is in {book.currency}"
    if buyer.on < book.valid_from or (book.valid_until is not None and buyer.on > book.valid_until):
        return f"is not valid on {buyer.on}"
    if book.countries and buyer.country not in book.countries:
        return f"is for {', '.join(book.countries)}"
    if book.region is not None and book.region != buyer.region:
        return f"is for the region {book.region}"
    if book.segment is not None and book.segment != buyer.segment:
        return f"is for the segment {book.segment}"
    return None


def _overlap(one: Price | PriceBook, other: Price | PriceBook) -> bool:
    return (other.valid_until is None or one.valid_from <= other.valid_until) and (
        one.valid_until is None or other.valid_from <= one.valid_until
    )


def _amount(amount: Decimal, currency: str, field: str) -> None:
    if amount < 0:
        raise Invalid("a price is not negative", field=field)
    try:
        Money.of(amount, currency)
    except Invalid as error:
        raise Invalid(f"{error.reason}; quote a price per 100 or 1000 with base_quantity", field=field) from error
