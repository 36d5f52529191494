"""Price books and prices."""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from ltc_chassis.connection import Connection
from ltc_contracts.errors import NotFound

from sales_svc.domain.price import Price, PriceBook, Tier


async def lock_books(conn: Connection) -> None:
    """One change of price books at a time, since each is compared with all others. Until the transaction ends."""
    await conn.execute("SELECT pg_advisory_xact_lock(hashtextextended('sales.price_books', 0))")


async def insert_book(conn: Connection, b: PriceBook, now: datetime) -> bool:
    """False when the code is taken."""
    made = await conn.fetchval(
        """
        INSERT INTO price_book (code, version, name, currency, countries, region, segment, priority, valid_from, valid_until, active,
                                changed_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT (code) DO NOTHING RETURNING true
        """,
        *(b.code, b.version, b.name, b.currency, b.countries, b.region, b.segment, b.priority, b.valid_from, b.valid_until),
        *(b.active, now),
    )
    return bool(made)


async def save_book(conn: Connection, b: PriceBook, now: datetime) -> None:
    await conn.execute(
        """
        UPDATE price_book SET version = $2, name = $3, countries = $4, region = $5, segment = $6, priority = $7, valid_from = $8,
               valid_until = $9, active = $10, changed_at = $11
        WHERE code = $1
        """,
        *(b.code, b.version, b.name, b.countries, b.region, b.segment, b.priority, b.valid_from, b.valid_until, b.active, now),
    )


async def get_book(conn: Connection, code: str) -> PriceBook:
    row = await conn.fetchrow(
        """
        SELECT code, version, name, currency, countries, region, segment, priority, valid_from, valid_until, active
        FROM price_book WHERE code = $1
        """,
        code,
    )
    if row is None:
        raise NotFound(f"there is no price book {code}")
    return _book(row)


async def get_book_for_update(conn: Connection, code: str) -> PriceBook:
    """Changes of its prices wait for each other here."""
    await conn.execute("SELECT 1 FROM price_book WHERE code = $1 FOR UPDATE", code)
    return await get_book(conn, code)


async def list_books(conn: Connection, *, currency: str | None, after: str | None, limit: int) -> list[PriceBook]:
    rows = await conn.fetch(
        """
        SELECT code, version, name, currency, countries, region, segment, priority, valid_from, valid_until, active
        FROM price_book WHERE ($1::text IS NULL OR currency = $1) AND ($2::text IS NULL OR code > $2) ORDER BY code LIMIT $3
        """,
        *(currency, after, limit),
    )
    return [_book(row) for row in rows]


async def insert_prices(conn: Connection, prices: Sequence[Price], now: datetime) -> None:
    await conn.executemany(
        """
        INSERT INTO price (id, book, sku, version, valid_from, valid_until, model, tiers, base_quantity, minimum_quantity,
                           maximum_quantity, unit_cost, changed_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
        """,
        [(p.id, p.book, p.sku, p.version, p.valid_from, *_content(p), now) for p in prices],
    )


async def save_prices(conn: Connection, prices: Sequence[Price], now: datetime) -> None:
    await conn.executemany(
        """
        UPDATE price SET version = $2, valid_from = $3, valid_until = $4, model = $5, tiers = $6, base_quantity = $7,
               minimum_quantity = $8, maximum_quantity = $9, unit_cost = $10, changed_at = $11
        WHERE id = $1
        """,
        [(p.id, p.version, p.valid_from, *_content(p), now) for p in prices],
    )


async def get_price(conn: Connection, book: str, price_id: UUID) -> Price:
    row = await conn.fetchrow(
        """
        SELECT id, book, sku, version, valid_from, valid_until, model, tiers, base_quantity, minimum_quantity, maximum_quantity,
               unit_cost
        FROM price WHERE book = $1 AND id = $2
        """,
        *(book, price_id),
    )
    if row is None:
        raise NotFound(f"there is no price {price_id} in {book}")
    return _price(row)


async def list_prices(conn: Connection, book: str, *, sku: str | None, after: UUID | None, limit: int) -> list[Price]:
    rows = await conn.fetch(
        """
        SELECT id, book, sku, version, valid_from, valid_until, model, tiers, base_quantity, minimum_quantity, maximum_quantity,
               unit_cost
        FROM price WHERE book = $1 AND ($2::text IS NULL OR sku = $2) AND ($3::uuid IS NULL OR id > $3) ORDER BY id LIMIT $4
        """,
        *(book, sku, after, limit),
    )
    return [_price(row) for row in rows]


async def list_prices_of(conn: Connection, book: str, skus: Sequence[str]) -> list[Price]:
    """Every price of these products in a book, past and future."""
    rows = await conn.fetch(
        """
        SELECT id, book, sku, version, valid_from, valid_until, model, tiers, base_quantity, minimum_quantity, maximum_quantity,
               unit_cost
        FROM price WHERE book = $1 AND sku = ANY($2::text[]) ORDER BY sku, valid_from
        """,
        *(book, skus),
    )
    return [_price(row) for row in rows]


async def list_prices_on(conn: Connection, skus: Sequence[str], on: date) -> list[Price]:
    """The prices of these products that are valid on a day, in whatever book: at most one per book and product."""
    rows = await conn.fetch(
        """
        SELECT id, book, sku, version, valid_from, valid_until, model, tiers, base_quantity, minimum_quantity, maximum_quantity,
               unit_cost
        FROM price WHERE sku = ANY($1::text[]) AND valid_from <= $2 AND (valid_until IS NULL OR valid_until >= $2)
        """,
        *(skus, on),
    )
    return [_price(row) for row in rows]


def _content(p: Price) -> tuple[Any, ...]:
    tiers = [{"up_to": None if tier.up_to is None else str(tier.up_to), "unit_price": str(tier.unit_price)} for tier in p.tiers]
    return (p.valid_until, p.model, tiers, p.base_quantity, p.minimum_quantity, p.maximum_quantity, p.unit_cost)


def _book(row: Any) -> PriceBook:
    return PriceBook(**{**dict(row), "countries": tuple(row["countries"])})


def _price(row: Any) -> Price:
    tiers = tuple(
        Tier(None if tier["up_to"] is None else Decimal(tier["up_to"]), Decimal(tier["unit_price"])) for tier in row["tiers"]
    )
    return Price(**{**dict(row), "tiers": tiers})
