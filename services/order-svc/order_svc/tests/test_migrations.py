"""Orders that were there before a migration are orders after it, with what they knew already."""

from decimal import Decimal

import pytest
from ltc_chassis import migrate
from ltc_chassis.db import Database
from ltc_chassis.ids import new_id

from order_svc.domain import process
from order_svc.store import orders
from order_svc.tests.builders import NOW


@pytest.mark.parametrize(
    ("state", "currency", "net", "gross", "step"),
    [
        ("confirmed", "EUR", "1003.25", "1223.97", "promise"),
        ("fulfilled", "JPY", "1003", "1224", "invoice"),
        ("cancelled", "KWD", "10.005", "12.206", "cancelled"),
    ],
)
async def test_an_earlier_order_has_tax_times_and_a_place_in_its_process(
    state: str, currency: str, net: str, gross: str, step: str, db: Database
) -> None:
    first, *later = [each.sql for each in migrate.load("order_svc") if each.component == "order_svc"]
    order_id, delivered = new_id(), state == "fulfilled"
    async with db.connection() as conn:
        attempt = conn.transaction()
        await attempt.start()
        try:
            await conn.execute("CREATE SCHEMA earlier")
            await conn.execute("SET LOCAL search_path TO earlier")
            await conn.execute(first)
            await conn.execute(
                """
                INSERT INTO sales_order (id, flow_id, version, number, state, contract_id, customer_id, customer_name, customer_country,
                                         net_amount, currency, payment_terms_days, promised_on, percent_delivered, delivery_id,
                                         created_at, updated_at)
                VALUES ($1, $1, 2, 'O-1', $2, $1, $1, 'Nordwind', 'DE', $3, $4, 30, $5, $6, $7, $8, $8)
                """,
                *(
                    order_id,
                    state,
                    Decimal(net),
                    currency,
                    NOW.date(),
                    100 if delivered else 0,
                    order_id if delivered else None,
                    NOW,
                ),
            )
            await conn.execute(
                """
                INSERT INTO order_line (order_id, position, line_id, sku, description, quantity, unit_price, base_quantity,
                                        discount_percent, tax_category, tax_rate, net_amount, price_currency, net_currency)
                VALUES ($1, 1, $1, 'PUMP-7', 'Pump', 1, $2, 1, 0, 'S', 22, $2, $3, $3)
                """,
                *(order_id, Decimal(net), currency),
            )
            for version, to_state in enumerate(("received", "confirmed", state), start=1):
                await conn.execute(
                    "INSERT INTO state_change (order_id, version, to_state, changed_at) VALUES ($1, $2, $3, $4)",
                    *(order_id, version, to_state, NOW),
                )
            for sql in later:
                await conn.execute(sql)
            order = await orders.get_order(conn, order_id)
            assert (str(order.gross.amount), order.source, order.milestones.confirmed_at) == (gross, "contract", NOW)
            row = await conn.fetchrow("SELECT step, since, deadline FROM order_process WHERE order_id = $1", order_id)
            assert row is not None
            assert row["step"] == step == process.position(order).step
            assert row["deadline"] is None
        finally:
            await attempt.rollback()
