"""Products."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from ltc_chassis.connection import Connection
from ltc_contracts.errors import NotFound

from sales_svc.domain.catalogue import Component, Product, Tax


async def insert_product(conn: Connection, p: Product, now: datetime) -> bool:
    """False when the SKU is taken."""
    made = await conn.fetchval(
        """
        INSERT INTO product (sku, version, name, description, unit, kind, period, meter, taxes, components, pricing, bundle_discount,
                             active, changed_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) ON CONFLICT (sku) DO NOTHING RETURNING true
        """,
        *(p.sku, p.version, p.name, p.description, p.unit, p.kind, p.period, p.meter, _taxes(p), _components(p)),
        *(p.pricing, p.bundle_discount, p.active, now),
    )
    return bool(made)


async def save_product(conn: Connection, p: Product, now: datetime) -> None:
    await conn.execute(
        """
        UPDATE product SET version = $2, name = $3, description = $4, unit = $5, kind = $6, period = $7, meter = $8, taxes = $9,
               components = $10, pricing = $11, bundle_discount = $12, active = $13, changed_at = $14
        WHERE sku = $1
        """,
        *(p.sku, p.version, p.name, p.description, p.unit, p.kind, p.period, p.meter, _taxes(p), _components(p)),
        *(p.pricing, p.bundle_discount, p.active, now),
    )


async def get_product(conn: Connection, sku: str) -> Product:
    return _found(await list_products_by_sku(conn, [sku]), sku)


async def get_product_for_update(conn: Connection, sku: str) -> Product:
    await conn.execute("SELECT 1 FROM product WHERE sku = $1 FOR UPDATE", sku)
    return await get_product(conn, sku)


async def list_products_by_sku(conn: Connection, skus: Sequence[str]) -> dict[str, Product]:
    """Those that exist, by SKU."""
    rows = await conn.fetch(
        """
        SELECT sku, version, name, description, unit, kind, period, meter, taxes, components, pricing, bundle_discount, active
        FROM product WHERE sku = ANY($1::text[])
        """,
        skus,
    )
    return {row["sku"]: _product(row) for row in rows}


async def list_products(
    conn: Connection, *, kind: str | None, active: bool | None, pattern: str | None, after: str | None, limit: int
) -> list[Product]:
    """In the order of their SKUs; `pattern` is for LIKE, over SKU and name, lower case."""
    rows = await conn.fetch(
        """
        SELECT sku, version, name, description, unit, kind, period, meter, taxes, components, pricing, bundle_discount, active
        FROM product
        WHERE ($1::text IS NULL OR kind = $1) AND ($2::boolean IS NULL OR active = $2)
          AND ($3::text IS NULL OR lower(sku) LIKE $3 OR lower(name) LIKE $3) AND ($4::text IS NULL OR sku > $4)
        ORDER BY sku LIMIT $5
        """,
        *(kind, active, pattern, after, limit),
    )
    return [_product(row) for row in rows]


def _found(known: Mapping[str, Product], sku: str) -> Product:
    if sku not in known:
        raise NotFound(f"there is no product {sku}")
    return known[sku]


def _taxes(p: Product) -> Any:
    return {country: {"category": tax.category, "rate": str(tax.rate)} for country, tax in p.taxes.items()}


def _components(p: Product) -> Any:
    return [{"sku": each.sku, "quantity": str(each.quantity)} for each in p.components]


def _product(row: Any) -> Product:
    fields = dict(row)
    fields["taxes"] = {country: Tax(tax["category"], Decimal(tax["rate"])) for country, tax in fields["taxes"].items()}
    fields["components"] = tuple(Component(each["sku"], Decimal(each["quantity"])) for each in fields["components"])
    return Product(**fields)
