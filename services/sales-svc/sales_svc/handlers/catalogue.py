"""The verbs of the catalogue: products, price books, prices, a price list read in. Every change is logged, with who and when.

Lock order: books as a whole, then one book; products by themselves.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from ltc_chassis.db import Transaction
from ltc_chassis.ids import new_id
from ltc_contracts.errors import DomainError, Invalid

from sales_svc.domain import catalogue as rules
from sales_svc.domain import price as pricing
from sales_svc.domain import price_list
from sales_svc.domain.catalogue import Product, ProductExists
from sales_svc.domain.price import Price, PriceBook
from sales_svc.domain.price_list import Row, RowError
from sales_svc.domain.versions import require_version
from sales_svc.store import catalogue, changes, prices
from sales_svc.store.changes import Change

MOST_BOOKS = 1000
_MOST_ERRORS_SHOWN = 200


class BookExists(DomainError):
    """The code is taken by another price book."""


class PriceListRefused(Invalid):
    """Rows of the list have errors, so nothing of it was taken; with `partial` the good rows are."""

    def __init__(self, errors: Sequence[RowError]) -> None:
        super().__init__(f"{len(errors)} rows have errors; nothing was changed", field="file")
        self.errors = errors

    def members(self) -> dict[str, Any]:
        return {"errors": [asdict(error) for error in self.errors[:_MOST_ERRORS_SHOWN]]}


@dataclass(frozen=True, slots=True)
class Imported:
    """What a price list did: rows by outcome, and the earlier prices it ended."""

    created: int
    changed: int
    unchanged: int
    closed: int
    errors: tuple[RowError, ...]


async def create_product(tx: Transaction, product: Product, by: str) -> Product:
    """Something new to sell. Raises `ProductExists`, `Invalid`."""
    await _check_product(tx, product)
    if not await catalogue.insert_product(tx.conn, product, tx.now):
        raise ProductExists(f"there is a product {product.sku}", field="sku")
    await _log(tx, "product", by, [(product.sku, None, product)])
    return product


async def change_product(tx: Transaction, product: Product, by: str, *, expected: int | None) -> Product:
    """The product as it shall be from now on; quotes keep what they were made of. Raises `VersionConflict`, `Invalid`."""
    present = await catalogue.get_product_for_update(tx.conn, product.sku)
    require_version("the product", present.version, expected)
    if (product.kind, product.period, product.meter) != (present.kind, present.period, present.meter):
        raise Invalid("how a product is paid is for good; make another product", field="kind")
    await _check_product(tx, product)
    changed = replace(product, version=present.version + 1)
    if replace(changed, version=present.version) == present:
        return present
    await catalogue.save_product(tx.conn, changed, tx.now)
    await _log(tx, "product", by, [(changed.sku, present, changed)])
    return changed


async def create_book(tx: Transaction, book: PriceBook, by: str) -> PriceBook:
    """A new price book. Raises `BookExists`, `ValidityOverlaps`."""
    await _check_book(tx, book)
    if not await prices.insert_book(tx.conn, book, tx.now):
        raise BookExists(f"there is a price book {book.code}", field="code")
    await _log(tx, "price_book", by, [(book.code, None, book)])
    return book


async def change_book(tx: Transaction, book: PriceBook, by: str, *, expected: int | None) -> PriceBook:
    """Another name, reach, priority or validity of a book. Raises `VersionConflict`, `ValidityOverlaps`."""
    await prices.lock_books(tx.conn)
    present = await prices.get_book_for_update(tx.conn, book.code)
    require_version("the price book", present.version, expected)
    if book.currency != present.currency:
        raise Invalid("a book's currency is for good; make another book", field="currency")
    changed = replace(book, version=present.version + 1)
    if replace(changed, version=present.version) == present:
        return present
    await _check_book(tx, changed)
    await prices.save_book(tx.conn, changed, tx.now)
    await _log(tx, "price_book", by, [(changed.code, present, changed)])
    return changed


async def add_price(tx: Transaction, price: Price, by: str, *, close_previous: bool) -> Price:
    """A product's price in a book for a span of days. Raises `ValidityOverlaps`, `Invalid`."""
    book = await prices.get_book_for_update(tx.conn, price.book)
    _require_priced(await catalogue.get_product(tx.conn, price.sku))
    pricing.check_price(price, book.currency)
    others = await prices.list_prices_of(tx.conn, book.code, [price.sku])
    closed = pricing.place(price, others, close_previous=close_previous)
    await _save_closed(tx, others, closed, by)
    await prices.insert_prices(tx.conn, [price], tx.now)
    await _log(tx, "price", by, [(price.id, None, price)])
    return price


async def change_price(tx: Transaction, price: Price, by: str, *, expected: int | None) -> Price:
    """A correction of a price, or its end. Raises `VersionConflict`, `ValidityOverlaps`, `Invalid`."""
    book = await prices.get_book_for_update(tx.conn, price.book)
    present = await prices.get_price(tx.conn, price.book, price.id)
    require_version("the price", present.version, expected)
    changed = replace(price, sku=present.sku, version=present.version + 1)
    if replace(changed, version=present.version) == present:
        return present
    pricing.check_price(changed, book.currency)
    pricing.require_no_overlap(changed, await prices.list_prices_of(tx.conn, book.code, [changed.sku]))
    await prices.save_prices(tx.conn, [changed], tx.now)
    await _log(tx, "price", by, [(changed.id, present, changed)])
    return changed


async def import_prices(tx: Transaction, code: str, content: bytes, by: str, *, close_previous: bool, partial: bool) -> Imported:
    """Read a price list into a book: all of it or nothing, unless `partial`. A row of a known first day is a new version of it.

    Raises `PriceListRefused` with every row's error, `Invalid` for a file that is no price list.
    """
    book = await prices.get_book_for_update(tx.conn, code)
    rows, errors = price_list.read(content)
    skus = list({row.sku for row in rows})
    products = await catalogue.list_products_by_sku(tx.conn, skus)
    before: dict[UUID, Price] = {}
    present: dict[str, dict[UUID, Price]] = {}
    for price in await prices.list_prices_of(tx.conn, code, skus):
        before[price.id] = price
        present.setdefault(price.sku, {})[price.id] = price
    named: dict[tuple[str, date], int] = {}
    touched: dict[UUID, Price] = {}
    taken: set[UUID] = set()
    unchanged = 0
    # In the order of days, so that each row may end the one before it.
    for row in sorted(rows, key=lambda each: (each.sku, each.valid_from, each.number)):
        try:
            if (twin := named.setdefault((row.sku, row.valid_from), row.number)) != row.number:
                raise Invalid(f"the same product and day as row {twin}", field="valid_from")
            if row.sku not in products:
                raise Invalid(f"there is no product '{row.sku}'", field="sku")
            _require_priced(products[row.sku])
            siblings = present.setdefault(row.sku, {})
            price = _price_of(row, code, siblings.values())
            known = siblings.get(price.id)
            if known is not None and replace(price, version=known.version) == known:
                unchanged += 1
                continue
            pricing.check_price(price, book.currency)
            ended = pricing.place(price, list(siblings.values()), close_previous=close_previous)
        except DomainError as error:
            errors.append(RowError(row.number, error.field, error.reason))
            continue
        for each in (*ended, price):
            siblings[each.id] = touched[each.id] = each
        taken.add(price.id)
    if errors and not partial:
        raise PriceListRefused(sorted(errors, key=lambda error: error.row))
    # A price that a row changed and another row ended is one new version.
    final = [replace(price, version=before[price.id].version + 1 if price.id in before else 1) for price in touched.values()]
    await prices.save_prices(tx.conn, [price for price in final if price.id in before], tx.now)
    await prices.insert_prices(tx.conn, [price for price in final if price.id not in before], tx.now)
    await _log(tx, "price", by, [(price.id, before.get(price.id), price) for price in final])
    return Imported(len(taken - before.keys()), len(taken & before.keys()), unchanged, len(touched.keys() - taken), tuple(errors))


def _price_of(row: Row, book: str, siblings: Any) -> Price:
    known = next((price for price in siblings if price.valid_from == row.valid_from), None)
    content = {name: getattr(row, name) for name in Row.__slots__ if name != "number"}
    return Price(id=known.id if known else new_id(), version=known.version if known else 1, book=book, **content)


def _require_priced(product: Product) -> None:
    if product.pricing == "sum":
        raise Invalid(f"{product.sku} is priced by the sum of its components", field="sku")


async def _check_product(tx: Transaction, product: Product) -> None:
    rules.check_product(product)
    if product.components:
        skus = [component.sku for component in product.components]
        rules.check_components(product, await catalogue.list_products_by_sku(tx.conn, skus))


async def _check_book(tx: Transaction, book: PriceBook) -> None:
    pricing.check_book(book)
    await prices.lock_books(tx.conn)
    others = await prices.list_books(tx.conn, currency=book.currency, after=None, limit=MOST_BOOKS + 1)
    if len(others) > MOST_BOOKS:
        raise Invalid(f"there are {MOST_BOOKS} price books in {book.currency}; that is enough", field="currency")
    pricing.require_unambiguous(book, others)


async def _save_closed(tx: Transaction, others: Sequence[Price], closed: Sequence[Price], by: str) -> None:
    before = {price.id: price for price in others}
    await prices.save_prices(tx.conn, closed, tx.now)
    await _log(tx, "price", by, [(price.id, before[price.id], price) for price in closed])


async def _log(tx: Transaction, entity: str, by: str, steps: Sequence[tuple[str | UUID, Any, Any]]) -> None:
    """Each step is a key with the object before (null: it is new) and after."""
    made = []
    for key, before, after in steps:
        old = _plain(before) if before is not None else {}
        what = {
            name: [old.get(name), value] for name, value in _plain(after).items() if name != "version" and old.get(name) != value
        }
        made.append((key, Change(new_id(), after.version, by, tx.now, what)))
    await changes.insert_changes(tx.conn, entity, made)


def _plain(value: Any) -> Any:
    """As JSON: numbers as strings, so that none becomes a float."""
    if hasattr(value, "__slots__") and hasattr(value, "__dataclass_fields__"):
        return {name: _plain(getattr(value, name)) for name in value.__slots__}
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(each) for each in value]
    if isinstance(value, Decimal | date | UUID):
        return str(value)
    return value
