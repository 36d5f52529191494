"""The approval policy, and rounds of approval with their steps."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from ltc_chassis.connection import Connection
from ltc_contracts.errors import NotFound
from ltc_contracts.money import Money

from sales_svc.domain.approval import NO_POLICY, Figures, Level, Policy, Round, Step


async def lock_policy(conn: Connection) -> None:
    """One change of the policy at a time. Until the transaction ends."""
    await conn.execute("SELECT pg_advisory_xact_lock(hashtextextended('sales.approval_policy', 0))")


async def get_policy(conn: Connection, version: int | None = None) -> Policy:
    """The present version, or that one; `NO_POLICY` where the company has none."""
    row = await conn.fetchrow(
        "SELECT version, levels FROM approval_policy WHERE $1::integer IS NULL OR version = $1 ORDER BY version DESC LIMIT 1",
        version,
    )
    if row is None:
        if version:
            raise NotFound(f"the approval policy has no version {version}")
        return NO_POLICY
    return Policy(row["version"], tuple(Level.model_validate(level) for level in row["levels"]))


async def list_policies(conn: Connection, *, before: int | None, limit: int) -> list[Any]:
    """Versions, the latest first, each with who set it and when."""
    return await conn.fetch(
        """
        SELECT version, levels, set_by, set_at FROM approval_policy
        WHERE $1::integer IS NULL OR version < $1 ORDER BY version DESC LIMIT $2
        """,
        *(before, limit),
    )


async def insert_policy(conn: Connection, policy: Policy, *, by: str, now: datetime) -> None:
    await conn.execute(
        "INSERT INTO approval_policy (version, levels, set_by, set_at) VALUES ($1, $2, $3, $4)",
        *(policy.version, [level.model_dump(mode="json") for level in policy.levels], by, now),
    )


async def insert_round(conn: Connection, r: Round) -> None:
    figures = {
        "net": {"amount": str(r.figures.net.amount), "currency": r.figures.net.currency},
        "discount_percent": str(r.figures.discount_percent),
        "line_discount_percent": str(r.figures.line_discount_percent),
        "margin_percent": None if r.figures.margin_percent is None else str(r.figures.margin_percent),
    }
    await conn.execute(
        """
        INSERT INTO approval_round (quote_id, round, policy_version, requested_by, requested_at, figures)
        VALUES ($1, $2, $3, $4, $5, $6)
        """,
        *(r.quote_id, r.round, r.policy_version, r.requested_by, r.requested_at, figures),
    )
    await conn.executemany(
        """
        INSERT INTO approval_step (quote_id, round, position, role, approvers, reasons, state) VALUES ($1, $2, $3, $4, $5, $6, $7)
        """,
        [(s.quote_id, s.round, s.position, s.role, s.approvers, s.reasons, s.state) for s in r.steps],
    )


async def save_step(conn: Connection, s: Step) -> None:
    await conn.execute(
        """
        UPDATE approval_step SET state = $4, decided_by = $5, decided_at = $6, comment = $7
        WHERE quote_id = $1 AND round = $2 AND position = $3
        """,
        *(s.quote_id, s.round, s.position, s.state, s.decided_by, s.decided_at, s.comment),
    )


async def list_rounds(conn: Connection, quote_id: UUID) -> list[Round]:
    """In the order they were asked for; under the quote's lock where they are changed."""
    rounds = await conn.fetch(
        """
        SELECT quote_id, round, policy_version, requested_by, requested_at, figures FROM approval_round WHERE quote_id = $1 ORDER BY round
        """,
        quote_id,
    )
    steps = await conn.fetch(
        """
        SELECT quote_id, round, position, role, approvers, reasons, state, decided_by, decided_at, comment
        FROM approval_step WHERE quote_id = $1 ORDER BY round, position
        """,
        quote_id,
    )
    return [_round(row, [_step(step) for step in steps if step["round"] == row["round"]]) for row in rounds]


async def list_waiting(conn: Connection, approver: str, *, after: UUID | None, limit: int) -> list[Any]:
    """Quotes whose next step is this person's, in the order of their ids: quote, number, net, step and since when."""
    return await conn.fetch(
        """
        SELECT q.id AS quote_id, q.number, q.opportunity_id, q.net, q.currency, s.round, s.position, s.role, s.reasons,
               r.requested_by, r.requested_at
        FROM approval_step s
        JOIN approval_round r ON r.quote_id = s.quote_id AND r.round = s.round
        JOIN quote q ON q.id = s.quote_id AND q.state = 'pending_approval'
        WHERE s.state = 'waiting' AND s.approvers @> ARRAY[$1::text] AND ($2::uuid IS NULL OR q.id > $2)
          AND NOT EXISTS (SELECT 1 FROM approval_step e
                          WHERE e.quote_id = s.quote_id AND e.round = s.round AND e.position < s.position AND e.state = 'waiting')
        ORDER BY q.id LIMIT $3
        """,
        *(approver, after, limit),
    )


def _step(row: Any) -> Step:
    return Step(**{**dict(row), "approvers": tuple(row["approvers"]), "reasons": tuple(row["reasons"])})


def _round(row: Any, steps: Sequence[Step]) -> Round:
    raw = row["figures"]
    figures = Figures(
        Money.of(raw["net"]["amount"], raw["net"]["currency"]),
        Decimal(raw["discount_percent"]),
        Decimal(raw["line_discount_percent"]),
        None if raw["margin_percent"] is None else Decimal(raw["margin_percent"]),
    )
    return Round(**{**dict(row), "figures": figures}, steps=tuple(steps))
