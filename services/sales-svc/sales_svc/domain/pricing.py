"""A quantity of a product or bundle, priced by the catalogue, with the reason. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from ltc_contracts.errors import Invalid
from ltc_contracts.money import Money, minor_units

from sales_svc.domain.catalogue import Kind, NotForSale, Period, Product
from sales_svc.domain.price import Buyer, Choice, Price, PriceBook, Slice, choose, plain, slices


@dataclass(frozen=True, slots=True)
class Priced:
    """A quantity of one product at list price. `net` is per period for a recurring product; `cost` likewise, if known."""

    product: Product
    quantity: Decimal
    choice: Choice
    slices: tuple[Slice, ...]
    net: Money
    cost: Money | None

    @property
    def base_quantity(self) -> Decimal:
        return self.choice.price.base_quantity


@dataclass(frozen=True, slots=True)
class Share:
    """A component's part of a bundle's price."""

    component: Priced
    net: Money


@dataclass(frozen=True, slots=True)
class Group:
    """The components of a bundle that are paid alike; the shares add up to `net` exactly. `list_net` is without the bundle."""

    kind: Kind
    period: Period | None
    list_net: Money
    net: Money
    shares: tuple[Share, ...]


@dataclass(frozen=True, slots=True)
class PricedBundle:
    """So many bundles. `choice` is the price that fixed it; null where it is a sum."""

    product: Product
    quantity: Decimal
    choice: Choice | None
    groups: tuple[Group, ...]


class Catalogue:
    """Products, books, and the prices valid on the buyer's day: all that prices one request."""

    def __init__(
        self, products: Mapping[str, Product], books: Sequence[PriceBook], prices: Sequence[Price], buyer: Buyer
    ) -> None:
        self._products = products
        self._books = books
        self._buyer = buyer
        self._prices: dict[str, dict[str, Price]] = {}
        for price in prices:
            self._prices.setdefault(price.sku, {})[price.book] = price

    def price(self, sku: str, quantity: Decimal) -> Priced | PricedBundle:
        """Raises `NotForSale`, `QuantityOutOfRange`, `Invalid`."""
        product = self._products.get(sku)
        if product is None:
            raise NotForSale(f"there is no product {sku}", field="sku")
        if not product.active:
            raise NotForSale(f"{sku} is withdrawn", field="sku")
        return self._bundle(product, quantity) if product.kind == "bundle" else self._single(product, quantity)

    def _single(self, product: Product, quantity: Decimal) -> Priced:
        choice, parts = self._parts(product.sku, quantity)
        base, currency = choice.price.base_quantity, self._buyer.currency
        net = Money.total((Money.rounded(part.quantity * part.unit_price.amount / base, currency) for part in parts), currency)
        unit_cost = choice.price.unit_cost
        cost = None if unit_cost is None else Money.rounded(quantity * unit_cost / base, currency)
        return Priced(product, quantity, choice, parts, net, cost)

    def _parts(self, sku: str, quantity: Decimal) -> tuple[Choice, tuple[Slice, ...]]:
        buyer = self._buyer
        choice = choose(self._books, self._prices.get(sku, {}), buyer)
        if choice is None:
            raise NotForSale(
                f"no price book has a price in {buyer.currency} for {sku} on {buyer.on} for this customer", field="sku"
            )
        return choice, slices(choice.price, quantity, buyer.currency)

    def _bundle(self, bundle: Product, quantity: Decimal) -> PricedBundle:
        parts: list[Priced] = []
        for component in bundle.components:
            priced = self.price(component.sku, component.quantity * quantity)
            assert isinstance(priced, Priced), "a bundle holds no bundles"
            parts.append(priced)
        kinds = sorted({(part.product.kind, part.product.period) for part in parts}, key=str)
        choice: Choice | None = None
        fixed: Money | None = None
        if bundle.pricing == "fixed":
            choice, own = self._parts(bundle.sku, quantity)
            amounts = (
                Money.rounded(s.quantity * s.unit_price.amount / choice.price.base_quantity, s.unit_price.currency) for s in own
            )
            fixed = Money.total(amounts, self._buyer.currency)
            if len(kinds) > 1:
                raise Invalid(f"{bundle.sku} has a fixed price, but its components are no longer paid alike", field="sku")
        groups = []
        for kind, period in kinds:
            members = [part for part in parts if (part.product.kind, part.product.period) == (kind, period)]
            groups.append(_group(kind, period, members, fixed, bundle.bundle_discount))
        return PricedBundle(bundle, quantity, choice, tuple(groups))


def because(priced: Priced) -> list[str]:
    """Why it costs that, in sentences."""
    book, price = priced.choice.book, priced.choice.price
    until = f" to {price.valid_until}" if price.valid_until else " on"
    told = [
        f"price book {book.code} (version {book.version}) counts with priority {book.priority}",
        f"its price of {price.sku} is valid from {price.valid_from}{until} (version {price.version}, {price.model})",
    ]
    for part in priced.slices:
        per = "" if price.base_quantity == 1 else f" per {plain(price.base_quantity)}"
        tier = "" if price.model == "flat" else f" (tier {part.tier})"
        told.append(f"{plain(part.quantity)} at {part.unit_price}{per}{tier}")
    return told


def allocate(total: Money, weights: Sequence[Decimal]) -> list[Money]:
    """Shares in proportion to the weights that add up to the total to the minor unit (largest remainder; the first of equals).

    `total` and weights are not negative; weights that are all 0 count as equal.
    """
    whole = sum(weights, Decimal(0))
    if whole == 0:
        weights, whole = [Decimal(1)] * len(weights), Decimal(len(weights))
    places = minor_units(total.currency)
    units = int(total.amount.scaleb(places))
    exact = [units * weight / whole for weight in weights]
    floors = [int(each) for each in exact]
    by_remainder: Callable[[int], tuple[Decimal, int]] = lambda index: (floors[index] - exact[index], index)  # noqa: E731 - a sort key, named for what it orders by
    for index in sorted(range(len(weights)), key=by_remainder)[: units - sum(floors)]:
        floors[index] += 1
    return [Money.of(Decimal(each).scaleb(-places), total.currency) for each in floors]


def _group(kind: Kind, period: Period | None, parts: Sequence[Priced], fixed: Money | None, discount: Decimal) -> Group:
    currency = parts[0].net.currency
    list_net = Money.total((part.net for part in parts), currency)
    net = fixed if fixed is not None else Money.rounded(list_net.amount * (100 - discount) / 100, currency)
    shares = allocate(net, [part.net.amount for part in parts])
    return Group(kind, period, list_net, net, tuple(Share(part, share) for part, share in zip(parts, shares, strict=True)))
