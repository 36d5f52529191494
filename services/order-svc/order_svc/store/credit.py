"""Credit accounts, receivables, and what a customer's credit is used by."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from ltc_chassis.db import Connection
from ltc_contracts.money import CurrencyMismatch, Money

from order_svc.domain.credit import Account, Exposure

Kind = Literal["issued", "allocated", "credited", "refunded"]


def account_of(
    customer_id: UUID, version: int, blocked: bool, limits: Mapping[str, str], payment_terms_days: int | None
) -> Account:
    """From the columns of `credit_account`."""
    return Account(
        customer_id=customer_id,
        version=version,
        blocked=blocked,
        limits={currency: Money.of(amount, currency) for currency, amount in limits.items()},
        payment_terms_days=payment_terms_days,
    )


async def get_account(conn: Connection, customer_id: UUID) -> Account | None:
    row = await conn.fetchrow(
        "SELECT customer_id, version, blocked, limits, payment_terms_days FROM credit_account WHERE customer_id = $1", customer_id
    )
    return None if row is None else account_of(*row)


async def get_account_for_update(conn: Connection, customer_id: UUID) -> Account | None:
    """The account, locked until the transaction ends."""
    row = await conn.fetchrow(
        """
        SELECT customer_id, version, blocked, limits, payment_terms_days FROM credit_account WHERE customer_id = $1 FOR UPDATE
        """,
        customer_id,
    )
    return None if row is None else account_of(*row)


async def get_told_at(conn: Connection, customer_id: UUID) -> datetime | None:
    """When the last of what another system told of this customer happened there."""
    told: datetime | None = await conn.fetchval(
        "SELECT max(told_at) FROM credit_account_version WHERE customer_id = $1", customer_id
    )
    return told


async def save_account(
    conn: Connection, account: Account, *, by: str, reason: str | None, told_at: datetime | None, now: datetime
) -> bool:
    """The next version, with who made it. False, and nothing written, when somebody made this version meanwhile."""
    limits = {currency: str(limit.amount) for currency, limit in account.limits.items()}
    written = await conn.fetchval(
        """
        WITH head AS (
            INSERT INTO credit_account AS a (customer_id, version, blocked, limits, payment_terms_days, changed_at)
            VALUES ($1, $2, $3, $4, $5, $6)
            ON CONFLICT (customer_id) DO UPDATE SET version = excluded.version, blocked = excluded.blocked, limits = excluded.limits,
                payment_terms_days = excluded.payment_terms_days, changed_at = excluded.changed_at
            WHERE a.version = excluded.version - 1 RETURNING a.customer_id)
        INSERT INTO credit_account_version (customer_id, version, blocked, limits, payment_terms_days, changed_by, reason, told_at,
                                            changed_at)
        SELECT customer_id, $2, $3, $4, $5, $7, $8, $9, $6 FROM head RETURNING true
        """,
        *(account.customer_id, account.version, account.blocked, limits, account.payment_terms_days, now, by, reason, told_at),
    )
    return written is not None


async def list_versions(conn: Connection, customer_id: UUID, *, below: int | None, limit: int) -> list[Any]:
    """The versions of an account, the latest first."""
    return await conn.fetch(
        """
        SELECT version, blocked, limits, payment_terms_days, changed_by, reason, changed_at FROM credit_account_version
        WHERE customer_id = $1 AND ($2::int IS NULL OR version < $2) ORDER BY version DESC LIMIT $3
        """,
        customer_id,
        below,
        limit,
    )


async def get_exposure(conn: Connection, customer_id: UUID, currency: str) -> Exposure:
    """What is open in a currency, as of one moment. Read it with the account's row locked to decide on it."""
    row = await conn.fetchrow(
        """
        SELECT (SELECT coalesce(sum(open), 0) FROM receivable WHERE customer_id = $1 AND currency = $2 AND open > 0) AS receivables,
               (SELECT coalesce(sum(greatest(gross_amount - (invoiced_amount - reduced_amount), 0)), 0) FROM sales_order
                WHERE customer_id = $1 AND currency = $2 AND state IN ('confirmed', 'in_progress', 'cancelling', 'fulfilled')
                  AND invoiced_net_amount - reduced_net_amount < net_amount)
               -- What is asked of delivery weighs already, so that nobody else gets it before the answer.
               + (SELECT coalesce(sum(greatest(change_gross_amount - greatest(gross_amount, invoiced_amount - reduced_amount), 0)), 0)
                  FROM sales_order WHERE customer_id = $1 AND currency = $2 AND change_id IS NOT NULL) AS uninvoiced
        """,
        customer_id,
        currency,
    )
    assert row is not None
    return Exposure(Money.of(row["receivables"], currency), Money.of(row["uninvoiced"], currency))


async def list_currencies(conn: Connection, customer_id: UUID) -> list[str]:
    """In which something of this customer is, or was, open."""
    rows = await conn.fetch(
        """
        SELECT currency FROM receivable WHERE customer_id = $1
        UNION SELECT currency FROM sales_order WHERE customer_id = $1 ORDER BY 1
        """,
        customer_id,
    )
    return [row["currency"] for row in rows]


async def add_to_receivable(
    conn: Connection,
    *,
    invoice_id: UUID,
    order_id: UUID,
    customer_id: UUID | None,
    kind: Kind,
    fact_id: UUID,
    amount: Money,
    told_at: datetime,
) -> bool:
    """Add a fact to what an invoice claims, whichever came first. False when this fact was added already.

    A receivable that is lessened asks for the customer's held orders to be checked again. Raises `CurrencyMismatch`.
    """
    currency = await conn.fetchval(
        """
        INSERT INTO receivable AS r (invoice_id, order_id, customer_id, currency) VALUES ($1, $2, $3, $4)
        ON CONFLICT (invoice_id) DO UPDATE SET customer_id = coalesce(r.customer_id, excluded.customer_id) RETURNING r.currency
        """,
        invoice_id,
        order_id,
        customer_id,
        amount.currency,
    )
    if currency != amount.currency:
        raise CurrencyMismatch(f"invoice {invoice_id} is in {currency}, told were {amount}", field="currency")
    added = await conn.fetchval(
        """
        WITH entry AS (
            INSERT INTO receivable_entry (invoice_id, kind, fact_id, amount, told_at) VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT DO NOTHING RETURNING kind, amount),
        sums AS (
            UPDATE receivable r SET
                issued = r.issued + CASE WHEN entry.kind = 'issued' THEN entry.amount ELSE 0 END,
                allocated = r.allocated + CASE WHEN entry.kind = 'allocated' THEN entry.amount ELSE 0 END,
                credited = r.credited + CASE WHEN entry.kind = 'credited' THEN entry.amount ELSE 0 END,
                refunded = r.refunded + CASE WHEN entry.kind = 'refunded' THEN entry.amount ELSE 0 END
            FROM entry WHERE r.invoice_id = $1 RETURNING r.customer_id),
        asked AS (
            INSERT INTO recheck (customer_id)
            SELECT sums.customer_id FROM sums JOIN credit_account USING (customer_id) WHERE $2 IN ('allocated', 'credited'))
        SELECT kind FROM entry
        """,
        invoice_id,
        kind,
        fact_id,
        amount.amount,
        told_at,
    )
    return added is not None


async def ask_recheck(conn: Connection, customer_id: UUID, *, dunned: bool = False) -> None:
    """This customer's held orders may fit now. Without an account nothing but dunning (`dunned`) holds any."""
    await conn.execute(
        """
        INSERT INTO recheck (customer_id)
        SELECT $1 WHERE $2 OR EXISTS (SELECT 1 FROM credit_account WHERE customer_id = $1)
        """,
        customer_id,
        dunned,
    )


async def save_dunning_hold(
    conn: Connection, invoice_id: UUID, customer_id: UUID, number: str, *, held: bool, version: int
) -> bool:
    """Whether further orders wait for an invoice; False when a later version of it was told already."""
    saved = await conn.fetchval(
        """
        INSERT INTO dunning_hold AS known (invoice_id, customer_id, number, held, told_version) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (invoice_id) DO UPDATE SET held = excluded.held, told_version = excluded.told_version
        WHERE known.told_version <= excluded.told_version
        RETURNING true
        """,
        *(invoice_id, customer_id, number, held, version),
    )
    return bool(saved)


async def list_dunned(conn: Connection, customer_id: UUID) -> list[str]:
    """The invoices for which further orders of a customer wait."""
    rows = await conn.fetch("SELECT number FROM dunning_hold WHERE customer_id = $1 AND held ORDER BY number", customer_id)
    return [row["number"] for row in rows]
