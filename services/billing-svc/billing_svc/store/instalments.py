"""SQL of invoices that are paid in instalments. Plans change only while their invoice is locked."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from ltc_chassis.connection import Connection
from ltc_contracts.money import Money

from billing_svc.domain.instalment import Instalment, Plan


async def insert_plan(conn: Connection, plan: Plan, now: datetime) -> None:
    """The plan with its instalments, and on the invoice the day on which the oldest open one is due."""
    await conn.execute(
        """
        INSERT INTO instalment_plan (invoice_id, rest_due_after_days, agreed_on, agreed_by, reason, created_at)
        VALUES ($1, $2, $3, $4, $5, $6)
        """,
        *(plan.invoice_id, plan.rest_due_after_days, plan.agreed_on, plan.agreed_by, plan.reason, now),
    )
    amounts = [each.amount.amount for each in plan.instalments]
    await conn.executemany(
        "INSERT INTO instalment (invoice_id, number, due_on, amount, later) VALUES ($1, $2, $3, $4, $5)",
        [
            (plan.invoice_id, each.number, each.due_on, each.amount.amount, sum(amounts[each.number :]))
            for each in plan.instalments
        ],
    )
    await _follow(conn, plan.invoice_id)


async def save_called_in(conn: Connection, plan: Plan) -> None:
    """All the rest is due."""
    await conn.execute("UPDATE instalment_plan SET called_in_on = $2 WHERE invoice_id = $1", plan.invoice_id, plan.called_in_on)
    await _follow(conn, plan.invoice_id)


async def list_plans(conn: Connection, invoice_ids: Sequence[UUID]) -> dict[UUID, Plan]:
    """Of those that are paid in instalments."""
    parts: dict[UUID, list[Instalment]] = defaultdict(list)
    for row in await conn.fetch(
        """
        SELECT i.invoice_id, i.number, i.due_on, i.amount, invoice.currency
        FROM instalment i JOIN invoice ON invoice.id = i.invoice_id WHERE i.invoice_id = ANY($1::uuid[]) ORDER BY i.number
        """,
        list(invoice_ids),
    ):
        amount = Money.of(row["amount"], row["currency"])
        parts[row["invoice_id"]].append(Instalment(row["number"], row["due_on"], amount))
    if not parts:
        return {}
    rows = await conn.fetch(
        """
        SELECT invoice_id, rest_due_after_days, agreed_on, agreed_by, reason, called_in_on
        FROM instalment_plan WHERE invoice_id = ANY($1::uuid[])
        """,
        list(parts),
    )
    return {row["invoice_id"]: Plan(instalments=tuple(parts[row["invoice_id"]]), **dict(row)) for row in rows}


async def claim_missed(conn: Connection, today: date, limit: int) -> list[UUID]:
    """Invoices of which an instalment is missed for longer than their plan allows, locked; skips what another transaction works on."""
    rows = await conn.fetch(
        """
        SELECT invoice.id FROM invoice JOIN instalment_plan p ON p.invoice_id = invoice.id
        WHERE invoice.next_due_on + p.rest_due_after_days < $1 AND p.called_in_on IS NULL AND invoice.state = 'final'
          AND NOT invoice.disputed AND invoice.paid + invoice.credited + invoice.written_off < invoice.gross
        ORDER BY invoice.id LIMIT $2 FOR UPDATE OF invoice, p SKIP LOCKED
        """,
        today,
        limit,
    )
    return [row["id"] for row in rows]


async def list_open_view(conn: Connection, customer_id: UUID, as_of: date) -> list[Any]:
    """Each instalment of a customer that was open at the end of a day."""
    return await conn.fetch(
        """
        WITH owed AS (
            SELECT i.id, i.number, i.currency, sum(l.debit - l.credit) AS open
            FROM invoice i JOIN ledger_entry e ON e.invoice_id = i.id JOIN ledger_line l ON l.entry_id = e.id
            WHERE l.account = 'receivable' AND e.booked_on <= $2 AND i.customer->>'customer_id' = $1::uuid::text
              AND i.next_due_on IS NOT NULL
            GROUP BY i.id)
        SELECT o.id AS invoice_id, o.number, d.number AS instalment, d.due_on, d.amount, least(d.amount, o.open - d.later) AS open, o.currency
        FROM owed o JOIN due_parts($2) d ON d.invoice_id = o.id WHERE o.open > d.later ORDER BY d.due_on, o.id, d.number LIMIT 5000
        """,
        customer_id,
        as_of,
    )


async def _follow(conn: Connection, invoice_id: UUID) -> None:
    """Any day will do: the database writes the true one."""
    await conn.execute("UPDATE invoice SET next_due_on = due_on WHERE id = $1", invoice_id)
