"""What something costs, asked of the catalogue."""

from collections.abc import Sequence

from ltc_chassis.connection import Connection

from sales_svc.domain.price import Buyer, PriceBook
from sales_svc.domain.pricing import Catalogue
from sales_svc.handlers.catalogue import MOST_BOOKS
from sales_svc.store import catalogue, prices


async def load_catalogue(conn: Connection, skus: Sequence[str], buyer: Buyer, *, book: str | None = None) -> Catalogue:
    """All that prices these SKUs for a buyer; with `book`, that book alone counts. Raises `NotFound` for an unknown book."""
    products = await catalogue.list_products_by_sku(conn, list(set(skus)))
    parts = {component.sku for product in products.values() for component in product.components}
    products |= await catalogue.list_products_by_sku(conn, list(parts - products.keys()))
    books: list[PriceBook]
    if book is None:
        books = await prices.list_books(conn, currency=buyer.currency, after=None, limit=MOST_BOOKS)
    else:
        books = [await prices.get_book(conn, book)]
    return Catalogue(products, books, await prices.list_prices_on(conn, list(products), buyer.on), buyer)
