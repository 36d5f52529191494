"""What is sold: products, and bundles of them. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from ltc_contracts.errors import DomainError, Invalid
from ltc_contracts.events.model import TaxCategory

Kind = Literal["one_off", "recurring", "usage", "bundle"]
Period = Literal["month", "quarter", "year"]
Pricing = Literal["fixed", "sum"]
ANYWHERE = "*"
MONTHS: dict[Period, int] = {"month": 1, "quarter": 3, "year": 12}


class ProductExists(DomainError):
    """The SKU is taken, by a product that may have been withdrawn: change that one."""


class NotForSale(DomainError):
    """The product is withdrawn, or no price book has a price for it that day."""


@dataclass(frozen=True, slots=True)
class Tax:
    """Category of EN 16931 and rate in per cent."""

    category: TaxCategory
    rate: Decimal


@dataclass(frozen=True, slots=True)
class Component:
    """So many of a product in one bundle; `quantity` > 0."""

    sku: str
    quantity: Decimal


@dataclass(frozen=True, slots=True)
class Product:
    """Something with a price.

    `one_off` is paid once; `recurring` per `period`; `usage` by what a `meter` counts, in `unit`. `taxes` by country of the
    customer, `*` for every other. A `bundle` has `components` and is priced `fixed` (by a price of its own) or as the `sum` of
    its components less `bundle_discount` per cent.
    """

    sku: str
    version: int
    name: str
    description: str
    unit: str
    kind: Kind
    period: Period | None
    meter: str | None
    taxes: Mapping[str, Tax]
    components: tuple[Component, ...]
    pricing: Pricing | None
    bundle_discount: Decimal
    active: bool


def check_product(product: Product) -> None:
    """Raises `Invalid` naming the field that does not fit the kind."""
    kind = product.kind
    if (product.period is not None) != (kind == "recurring"):
        raise Invalid("a recurring product, and only that, has a period", field="period")
    if (product.meter is not None) != (kind == "usage"):
        raise Invalid("a usage product, and only that, names the meter that counts it", field="meter")
    if (product.pricing is not None) != (kind == "bundle"):
        raise Invalid("a bundle, and only that, says how it is priced", field="pricing")
    if bool(product.components) != (kind == "bundle"):
        raise Invalid("a bundle, and only that, has components", field="components")
    if product.bundle_discount and product.pricing != "sum":
        raise Invalid("only a bundle priced by its sum has a discount; a fixed one has a price", field="bundle_discount")
    if kind == "bundle" and product.taxes:
        raise Invalid("a bundle is taxed by its components", field="taxes")
    skus = [component.sku for component in product.components]
    if product.sku in skus or len(set(skus)) < len(skus):
        raise Invalid("each component is another product, named once", field="components")
    for country, tax in product.taxes.items():
        if tax.category != "S" and tax.rate != 0:
            raise Invalid(f"tax category {tax.category} has the rate 0", field=f"taxes.{country}")


def check_components(bundle: Product, products: Mapping[str, Product]) -> None:
    """What a bundle may hold. Raises `Invalid`.

    Usage has no quantity to share a price over, and a bundle in a bundle hides what is sold. A fixed price cannot say which part
    of it is paid once and which each month, so its components are of one kind and period.
    """
    for component in bundle.components:
        product = products.get(component.sku)
        if product is None:
            raise Invalid(f"there is no product {component.sku}", field="components")
        if product.kind in ("usage", "bundle"):
            raise Invalid(
                f"{component.sku} is a {product.kind} product; a bundle holds one-off and recurring ones", field="components"
            )
    if (
        bundle.pricing == "fixed"
        and len({(products[each.sku].kind, products[each.sku].period) for each in bundle.components}) > 1
    ):
        raise Invalid("a fixed price needs components of one kind and period; price this bundle by its sum", field="pricing")


def tax_for(product: Product, country: str) -> Tax | None:
    """The tax of a product for customers of a country."""
    return product.taxes.get(country) or product.taxes.get(ANYWHERE)
