"""HTTP in: products and bundles."""

from decimal import Decimal
from typing import Annotated, Literal

from fastapi import Query
from ltc_chassis.api import Conn, Page, PageArgs, Principal, Tx, scope
from ltc_chassis.api import router as make_router
from ltc_contracts.events.model import Code, Name, TaxCategory, Text
from pydantic import BaseModel, Field

from sales_svc.api.shapes import Body, ChangeView, Exact, IfMatch, Search, Version
from sales_svc.domain.catalogue import Component, Kind, Period, Pricing, Product, Tax
from sales_svc.handlers import catalogue as handlers
from sales_svc.store import catalogue, changes
from sales_svc.store.patterns import containing

router = make_router(prefix="/v1/products", tags=["catalogue"])
Writer = Annotated[Principal, scope("catalogue:write")]
Country = Annotated[str, Field(pattern=r"^([A-Z]{2}|\*)$")]
Sku = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[^\s/?#%]+$")]


class TaxBody(Body):
    category: TaxCategory = "S"
    rate: Annotated[Exact, Field(ge=0, le=100)]


class ComponentBody(Body):
    sku: Sku
    quantity: Annotated[Exact, Field(gt=0)] = Decimal(1)


class ProductBody(Body):
    """`taxes` by country of the customer, `*` for all others. A bundle has `components` and `pricing`, no period and no meter."""

    name: Name
    description: Text = ""
    unit: Code = "piece"
    kind: Kind
    period: Period | None = None
    meter: Code | None = None
    taxes: Annotated[dict[Country, TaxBody], Field(default_factory=dict, max_length=260)]
    components: Annotated[list[ComponentBody], Field(default_factory=list, max_length=50)]
    pricing: Pricing | None = None
    bundle_discount: Annotated[Exact, Field(ge=0, le=100)] = Decimal(0)
    active: bool = True

    def product(self, sku: str) -> Product:
        return Product(
            **{
                name: getattr(self, name)
                for name in ("name", "description", "unit", "kind", "period", "meter", "pricing", "active")
            },
            sku=sku,
            version=1,
            taxes={country: Tax(tax.category, tax.rate) for country, tax in self.taxes.items()},
            components=tuple(Component(each.sku, each.quantity) for each in self.components),
            bundle_discount=self.bundle_discount,
        )


class NewProduct(ProductBody):
    sku: Sku


class ChangedProduct(ProductBody):
    """The whole product as it shall be; `version` is the one that was read, unless If-Match says it."""

    version: Version | None = None


class ProductView(BaseModel):
    sku: str
    version: int
    name: str
    description: str
    unit: str
    kind: Kind
    period: Period | None
    meter: str | None
    taxes: dict[str, TaxBody]
    components: list[ComponentBody]
    pricing: Pricing | None
    bundle_discount: Exact
    active: bool

    @classmethod
    def of(cls, product: Product) -> "ProductView":
        plain = {name: getattr(product, name) for name in cls.model_fields if name not in ("taxes", "components")}
        return cls(
            **plain,
            taxes={country: TaxBody(category=tax.category, rate=tax.rate) for country, tax in product.taxes.items()},
            components=[ComponentBody(sku=each.sku, quantity=each.quantity) for each in product.components],
        )


@router.post("", status_code=201, dependencies=[scope("catalogue:write")])
async def create_product(body: NewProduct, tx: Tx, caller: Writer) -> ProductView:
    """Something new to sell, once, by the period or by use; or a bundle of such."""
    return ProductView.of(await handlers.create_product(tx, body.product(body.sku), caller.subject))


@router.get("", dependencies=[scope("catalogue:read")])
async def list_products(
    conn: Conn,
    kind: Literal["one_off", "recurring", "usage", "bundle"] | None = None,
    active: bool | None = None,
    q: Search | None = None,
    cursor: Annotated[str | None, Query(max_length=64, description="`next` of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> Page[ProductView]:
    """Products in the order of their SKUs; `q` is looked for in SKU and name."""
    pattern = containing(q.lower()) if q else None
    rows = await catalogue.list_products(conn, kind=kind, active=active, pattern=pattern, after=cursor, limit=limit + 1)
    shown = [ProductView.of(row) for row in rows[:limit]]
    return Page(items=shown, next=shown[-1].sku if len(rows) > limit else None)


@router.get("/{sku}", dependencies=[scope("catalogue:read")])
async def get_product(sku: str, conn: Conn) -> ProductView:
    """One product."""
    return ProductView.of(await catalogue.get_product(conn, sku))


@router.put("/{sku}", dependencies=[scope("catalogue:write")])
async def change_product(sku: str, body: ChangedProduct, tx: Tx, caller: Writer, if_match: IfMatch) -> ProductView:
    """Change or withdraw it; quotes keep what they were made of. How it is paid is for good."""
    expected = body.version if body.version is not None else if_match
    return ProductView.of(await handlers.change_product(tx, body.product(sku), caller.subject, expected=expected))


@router.get("/{sku}/changes", dependencies=[scope("catalogue:read")])
async def list_changes(sku: str, conn: Conn, page: PageArgs) -> Page[ChangeView]:
    """Who changed what of it, and when."""
    await catalogue.get_product(conn, sku)
    rows = await changes.list_changes(conn, "product", sku, after=page.after, limit=page.limit + 1)
    return page.of([ChangeView.of(row) for row in rows], key=lambda view: view.id)
