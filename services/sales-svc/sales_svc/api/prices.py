"""HTTP in: price books, prices, price lists, and what something costs."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import date
from decimal import Decimal
from typing import Annotated
from uuid import UUID

from fastapi import Query, Request
from ltc_chassis.api import MB, Conn, Now, Page, PageArgs, Principal, Tx, body_up_to, scope
from ltc_chassis.api import router as make_router
from ltc_chassis.ids import new_id
from ltc_chassis.inputs import Day
from ltc_contracts.errors import DomainError
from ltc_contracts.events.model import Code, Country, Name
from ltc_contracts.money import Money
from pydantic import BaseModel, Field

from sales_svc.api.catalogue import Sku
from sales_svc.api.shapes import Body, ChangeView, Exact, IfMatch, Version
from sales_svc.domain.price import Buyer, Choice, Model, Price, PriceBook, Tier
from sales_svc.domain.pricing import Priced, PricedBundle, because
from sales_svc.handlers import catalogue as handlers
from sales_svc.handlers.prices import load_catalogue
from sales_svc.store import changes, prices

router = make_router(prefix="/v1", tags=["prices"])
Writer = Annotated[Principal, scope("catalogue:write")]
BookCode = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[^\s/?#%]+$")]
Quantity = Annotated[Exact, Field(gt=0)]
Amount = Annotated[Exact, Field(ge=0)]
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]


class BookBody(Body):
    """For customers of `countries` (none: all), `region` and `segment` (null: all), from and to days included."""

    name: Name
    currency: Currency
    countries: Annotated[list[Country], Field(default_factory=list, max_length=260)]
    region: Name | None = None
    segment: Code | None = None
    priority: Annotated[int, Field(ge=0, le=1000)] = 0
    valid_from: Day
    valid_until: Day | None = None
    active: bool = True

    def book(self, code: str) -> PriceBook:
        given = {name: getattr(self, name) for name in BookBody.model_fields}
        return PriceBook(code=code, version=1, **{**given, "countries": tuple(sorted(set(self.countries)))})


class NewBook(BookBody):
    code: BookCode


class ChangedBook(BookBody):
    version: Version | None = None


class BookView(BookBody):
    code: str
    version: int

    @classmethod
    def of(cls, book: PriceBook) -> "BookView":
        return cls(**{**asdict(book), "countries": list(book.countries)})


class TierBody(Body):
    """Up to and with `up_to`; null for the last one."""

    up_to: Quantity | None = None
    unit_price: Amount


class PriceBody(Body):
    """Either `unit_price` or `tiers`, per `base_quantity` units; likewise the cost."""

    valid_from: Day
    valid_until: Day | None = None
    model: Model = "flat"
    tiers: Annotated[list[TierBody], Field(min_length=1, max_length=50)]
    base_quantity: Quantity = Decimal(1)
    minimum_quantity: Quantity | None = None
    maximum_quantity: Quantity | None = None
    unit_cost: Amount | None = None

    def price(self, price_id: UUID, book: str, sku: str) -> Price:
        given = {name: getattr(self, name) for name in PriceBody.model_fields if name != "tiers"}
        tiers = tuple(Tier(tier.up_to, tier.unit_price) for tier in self.tiers)
        return Price(id=price_id, book=book, sku=sku, version=1, tiers=tiers, **given)


class NewPrice(PriceBody):
    """`close_previous` ends an earlier price of the product the day before."""

    sku: Sku
    close_previous: bool = False


class ChangedPrice(PriceBody):
    version: Version | None = None


class PriceView(PriceBody):
    id: UUID
    book: str
    sku: str
    version: int

    @classmethod
    def of(cls, price: Price) -> "PriceView":
        return cls(**asdict(price))


class RowErrorView(BaseModel):
    row: int
    field: str | None
    reason: str


class ImportView(BaseModel):
    """Rows by outcome; `closed` are earlier prices that were ended."""

    created: int
    changed: int
    unchanged: int
    closed: int
    errors: list[RowErrorView]


class Asked(Body):
    sku: Sku
    quantity: Quantity = Decimal(1)


class Question(Body):
    """`on` null: today. With `book`, that one alone counts."""

    currency: Currency
    country: Country | None = None
    region: Name | None = None
    segment: Code | None = None
    on: Day | None = None
    book: BookCode | None = None
    items: Annotated[list[Asked], Field(min_length=1, max_length=500)]


class SliceView(BaseModel):
    quantity: Exact
    unit_price: Money
    tier: int


class SourceView(BaseModel):
    """Which price of which book counted, and the books that were asked before it."""

    book: str
    book_version: int
    price_id: UUID
    price_version: int
    model: Model
    base_quantity: Exact
    passed_over: list[str]

    @classmethod
    def of(cls, choice: Choice) -> "SourceView":
        return cls(
            book=choice.book.code,
            book_version=choice.book.version,
            price_id=choice.price.id,
            price_version=choice.price.version,
            model=choice.price.model,
            base_quantity=choice.price.base_quantity,
            passed_over=[f"{code} {reason}" for code, reason in choice.passed_over[:50]],
        )


class ComponentView(BaseModel):
    """A component's part of a bundle: the parts of a kind add up to it exactly."""

    sku: str
    name: str
    quantity: Exact
    kind: str
    period: str | None
    list_net: Money
    net: Money


class PriceAnswer(BaseModel):
    """`net` is what the quantity costs, per period where there is one; `list_net` before a bundle's discount."""

    sku: str
    name: str
    quantity: Exact
    kind: str
    period: str | None
    meter: str | None
    list_net: Money
    net: Money
    source: SourceView | None
    slices: list[SliceView]
    components: list[ComponentView]
    because: list[str]


class Answer(BaseModel):
    on: date
    items: list[PriceAnswer]


@router.post("/price-books", status_code=201, dependencies=[scope("catalogue:write")])
async def create_book(body: NewBook, tx: Tx, caller: Writer) -> BookView:
    """A price book; one that would count for the same customers with the same priority is refused."""
    return BookView.of(await handlers.create_book(tx, body.book(body.code), caller.subject))


@router.get("/price-books", dependencies=[scope("catalogue:read")])
async def list_books(
    conn: Conn,
    currency: Currency | None = None,
    cursor: Annotated[str | None, Query(max_length=64, description="`next` of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> Page[BookView]:
    """Price books in the order of their codes."""
    rows = await prices.list_books(conn, currency=currency, after=cursor, limit=limit + 1)
    shown = [BookView.of(row) for row in rows[:limit]]
    return Page(items=shown, next=shown[-1].code if len(rows) > limit else None)


@router.get("/price-books/{code}", dependencies=[scope("catalogue:read")])
async def get_book(code: str, conn: Conn) -> BookView:
    """One price book."""
    return BookView.of(await prices.get_book(conn, code))


@router.put("/price-books/{code}", dependencies=[scope("catalogue:write")])
async def change_book(code: str, body: ChangedBook, tx: Tx, caller: Writer, if_match: IfMatch) -> BookView:
    """Change its reach, priority or validity, or withdraw it. The currency is for good."""
    expected = body.version if body.version is not None else if_match
    return BookView.of(await handlers.change_book(tx, body.book(code), caller.subject, expected=expected))


@router.get("/price-books/{code}/changes", dependencies=[scope("catalogue:read")])
async def list_book_changes(code: str, conn: Conn, page: PageArgs) -> Page[ChangeView]:
    """Who changed what of the book, and when."""
    await prices.get_book(conn, code)
    rows = await changes.list_changes(conn, "price_book", code, after=page.after, limit=page.limit + 1)
    return page.of([ChangeView.of(row) for row in rows], key=lambda view: view.id)


@router.post("/price-books/{code}/prices", status_code=201, dependencies=[scope("catalogue:write")])
async def add_price(code: str, body: NewPrice, tx: Tx, caller: Writer) -> PriceView:
    """A product's price for a span of days; one that overlaps another is refused."""
    price = body.price(new_id(), code, body.sku)
    return PriceView.of(await handlers.add_price(tx, price, caller.subject, close_previous=body.close_previous))


@router.get("/price-books/{code}/prices", dependencies=[scope("catalogue:read")])
async def list_prices(code: str, conn: Conn, page: PageArgs, sku: Sku | None = None) -> Page[PriceView]:
    """Its prices, past and future, in the order they were made."""
    await prices.get_book(conn, code)
    rows = await prices.list_prices(conn, code, sku=sku, after=page.after, limit=page.limit + 1)
    return page.of([PriceView.of(row) for row in rows], key=lambda view: view.id)


@router.put("/price-books/{code}/prices/{price_id}", dependencies=[scope("catalogue:write")])
async def change_price(code: str, price_id: UUID, body: ChangedPrice, tx: Tx, caller: Writer, if_match: IfMatch) -> PriceView:
    """Correct a price or end it: a new version. Quotes keep the price they were made of."""
    expected = body.version if body.version is not None else if_match
    return PriceView.of(await handlers.change_price(tx, body.price(price_id, code, ""), caller.subject, expected=expected))


@router.get("/price-books/{code}/prices/{price_id}/changes", dependencies=[scope("catalogue:read")])
async def list_price_changes(code: str, price_id: UUID, conn: Conn, page: PageArgs) -> Page[ChangeView]:
    """Who changed what of the price, and when."""
    await prices.get_price(conn, code, price_id)
    rows = await changes.list_changes(conn, "price", price_id, after=page.after, limit=page.limit + 1)
    return page.of([ChangeView.of(row) for row in rows], key=lambda view: view.id)


# The most rows that are read, in UTF-16 and with room.
@router.post("/price-books/{code}/import", dependencies=[scope("catalogue:write"), body_up_to(8 * MB)])
async def import_prices(
    code: str, request: Request, tx: Tx, caller: Writer, close_previous: bool = False, partial: bool = False
) -> ImportView:
    """Read a price list (CSV as the body): all of it, or nothing and every row's error; with `partial` the good rows."""
    done = await handlers.import_prices(
        tx, code, await request.body(), caller.subject, close_previous=close_previous, partial=partial
    )
    return ImportView(**{**asdict(done), "errors": [asdict(error) for error in done.errors[:200]]})


@router.post("/prices", dependencies=[scope("catalogue:read")])
async def ask(body: Question, tx: Tx, now: Now) -> Answer:
    """What things cost a customer on a day, and which book, tier and rule say so. Changes nothing."""
    buyer = Buyer(body.currency, body.on or now.date(), body.country, body.region, body.segment)
    catalogue = await load_catalogue(tx.conn, [item.sku for item in body.items], buyer, book=body.book)
    items: list[PriceAnswer] = []
    for number, item in enumerate(body.items):
        try:
            priced = catalogue.price(item.sku, item.quantity)
        except DomainError as error:
            error.field = f"items.{number}.{error.field or 'sku'}"
            raise
        items += [_answer(priced)] if isinstance(priced, Priced) else _answers(priced)
    return Answer(on=buyer.on, items=items)


def _answer(priced: Priced) -> PriceAnswer:
    product = priced.product
    return PriceAnswer(
        **{name: getattr(product, name) for name in ("sku", "name", "kind", "period", "meter")},
        quantity=priced.quantity,
        list_net=priced.net,
        net=priced.net,
        source=SourceView.of(priced.choice),
        slices=[SliceView(quantity=part.quantity, unit_price=part.unit_price, tier=part.tier) for part in priced.slices],
        components=[],
        because=because(priced),
    )


def _answers(bundle: PricedBundle) -> Sequence[PriceAnswer]:
    """One for each way of paying."""
    made: list[PriceAnswer] = []
    for group in bundle.groups:
        told = [f"the components cost {group.list_net} one by one"]
        if bundle.choice is not None:
            told.append(f"the bundle's price in {bundle.choice.book.code} is fixed")
        else:
            told.append(f"their sum less {format(bundle.product.bundle_discount.normalize(), 'f')} %")
        made.append(
            PriceAnswer(
                sku=bundle.product.sku,
                name=bundle.product.name,
                quantity=bundle.quantity,
                kind=group.kind,
                period=group.period,
                meter=None,
                list_net=group.list_net,
                net=group.net,
                source=SourceView.of(bundle.choice) if bundle.choice else None,
                slices=[],
                components=[
                    ComponentView(
                        **{name: getattr(share.component.product, name) for name in ("sku", "name", "kind", "period")},
                        quantity=share.component.quantity,
                        list_net=share.component.net,
                        net=share.net,
                    )
                    for share in group.shares
                ],
                because=told,
            )
        )
    return made
