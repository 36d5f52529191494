"""Terms of signed contracts, reminders, and the policy of reminding."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from ltc_chassis.connection import Connection
from ltc_contracts.errors import NotFound

from sales_svc.domain.renewal import Policy, Reminder, Term


async def insert_term(conn: Connection, t: Term) -> None:
    await conn.execute(
        """
        INSERT INTO contract_term (contract_id, number, starts_on, ends_on, notice_by, auto_renew, state)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        """,
        *(t.contract_id, t.number, t.starts_on, t.ends_on, t.notice_by, t.auto_renew, t.state),
    )


async def save_term(conn: Connection, t: Term) -> None:
    await conn.execute(
        "UPDATE contract_term SET state = $3 WHERE contract_id = $1 AND number = $2", t.contract_id, t.number, t.state
    )


async def list_terms(conn: Connection, contract_id: UUID) -> list[Term]:
    """In their order; at most 500."""
    rows = await conn.fetch(
        """
        SELECT contract_id, number, starts_on, ends_on, notice_by, auto_renew, state FROM contract_term
        WHERE contract_id = $1 ORDER BY number DESC LIMIT 500
        """,
        contract_id,
    )
    return [Term(**dict(row)) for row in reversed(rows)]


async def get_running_term_for_update(conn: Connection, contract_id: UUID) -> Term:
    """Raises `NotFound` for a contract without one."""
    row = await conn.fetchrow(
        """
        SELECT contract_id, number, starts_on, ends_on, notice_by, auto_renew, state FROM contract_term
        WHERE contract_id = $1 AND state IN ('running', 'notice_given') FOR UPDATE
        """,
        contract_id,
    )
    if row is None:
        raise NotFound(f"contract {contract_id} has no term that runs")
    return Term(**dict(row))


async def list_over_for_update(conn: Connection, today: date, limit: int) -> list[Term]:
    """Terms whose last day has passed, once every reminder of them is told; those another replica works on are left to it."""
    rows = await conn.fetch(
        """
        SELECT contract_id, number, starts_on, ends_on, notice_by, auto_renew, state FROM contract_term t
        WHERE state IN ('running', 'notice_given') AND ends_on < $1
          AND (state <> 'running' OR NOT EXISTS (SELECT 1 FROM contract_reminder r WHERE r.contract_id = t.contract_id
                                                 AND r.term = t.number AND r.done_at IS NULL AND r.due_on <= $1))
        ORDER BY ends_on LIMIT $2 FOR UPDATE SKIP LOCKED
        """,
        *(today, limit),
    )
    return [Term(**dict(row)) for row in rows]


async def insert_reminders(conn: Connection, reminders: Sequence[Reminder]) -> None:
    await conn.executemany(
        "INSERT INTO contract_reminder (contract_id, term, days_before, due_on) VALUES ($1, $2, $3, $4)",
        [(each.contract_id, each.term, each.days_before, each.due_on) for each in reminders],
    )


async def claim_due_reminders(conn: Connection, today: date, limit: int) -> list[tuple[Reminder, Term]]:
    """Reminders of running terms that are due, however late; their terms are locked, so notice waits until they are told."""
    rows = await conn.fetch(
        """
        SELECT r.contract_id, r.term, r.days_before, r.due_on, t.number, t.starts_on, t.ends_on, t.notice_by, t.auto_renew, t.state
        FROM contract_reminder r JOIN contract_term t ON t.contract_id = r.contract_id AND t.number = r.term
        WHERE r.done_at IS NULL AND r.due_on <= $1 AND t.state = 'running'
        ORDER BY r.due_on, r.contract_id, r.days_before DESC LIMIT $2 FOR UPDATE SKIP LOCKED
        """,
        *(today, limit),
    )
    return [(Reminder(row["contract_id"], row["term"], row["days_before"], row["due_on"]), _term(row)) for row in rows]


async def finish_reminder(conn: Connection, r: Reminder, now: datetime) -> None:
    await conn.execute(
        "UPDATE contract_reminder SET done_at = $4 WHERE contract_id = $1 AND term = $2 AND days_before = $3",
        *(r.contract_id, r.term, r.days_before, now),
    )


async def get_policy(conn: Connection) -> Policy:
    """The latest version."""
    [policy] = await list_policies(conn, limit=1)
    return policy


async def list_policies(conn: Connection, *, limit: int = 100) -> list[Policy]:
    """Versions, the latest first."""
    rows = await conn.fetch(
        "SELECT version, days_before, mail_to, created_by, created_at FROM renewal_policy ORDER BY version DESC LIMIT $1", limit
    )
    return [Policy(**{**dict(row), "days_before": tuple(row["days_before"]), "mail_to": tuple(row["mail_to"])}) for row in rows]


async def insert_policy(conn: Connection, p: Policy) -> None:
    await conn.execute(
        "INSERT INTO renewal_policy (version, days_before, mail_to, created_by, created_at) VALUES ($1, $2, $3, $4, $5)",
        *(p.version, list(p.days_before), list(p.mail_to), p.created_by, p.created_at),
    )


async def lock_policy(conn: Connection) -> None:
    """One new version at a time."""
    await conn.execute("SELECT pg_advisory_xact_lock(hashtextextended('sales.renewal_policy', 0))")


def _term(row: Any) -> Term:
    names = ("contract_id", "number", "starts_on", "ends_on", "notice_by", "auto_renew", "state")
    return Term(**{name: row[name] for name in names})
