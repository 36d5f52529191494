"""SQL of cash application: what is due of statements, what payments are matched with, and the queue of what a person decides."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from ltc_chassis.connection import Connection
from ltc_contracts.errors import NotFound
from ltc_contracts.money import Money

from billing_svc.domain.allocation import Policy
from billing_svc.domain.matching import Reason, Signals, Suggestion
from billing_svc.domain.review import Review, State


@dataclass(frozen=True, slots=True)
class DueItem:
    """A payment of a statement that waits for its application."""

    id: UUID
    signals: Signals
    credit: bool
    reversal: bool
    detailed: bool
    return_reason: str
    booked_on: date


@dataclass(frozen=True, slots=True)
class CashSetting:
    """Suggestions of `automatic` and above are applied without a person; `policy` where no invoice is named. `tolerances`, one per
    currency: a payment that leaves no more open than that has settled the invoice."""

    version: int
    automatic: Decimal
    policy: Policy
    tolerances: tuple[Money, ...]
    changed_by: str
    changed_at: datetime


async def claim_due_items(conn: Connection, limit: int) -> list[DueItem]:
    """The next, locked; those another transaction works on are left out."""
    rows = await conn.fetch(
        """
        SELECT id, currency, amount, credit, reversal, detailed, return_reason, booked_on, party, party_account, end_to_end_id, refs, text
        FROM bank_item WHERE state = 'due' ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED
        """,
        limit,
    )
    return [_item(row) for row in rows]


async def save_item(conn: Connection, item_id: UUID, state: str) -> None:
    await conn.execute("UPDATE bank_item SET state = $2 WHERE id = $1", item_id, state)


async def get_setting(conn: Connection) -> CashSetting:
    row = await conn.fetchrow(
        "SELECT version, automatic, policy, tolerances, changed_by, changed_at FROM cash_setting ORDER BY version DESC LIMIT 1"
    )
    assert row is not None  # the first version came with the table
    fields: dict[str, Any] = dict(row)
    fields["tolerances"] = tuple(Money.of(each["amount"], each["currency"]) for each in fields["tolerances"])
    return CashSetting(**fields)


async def insert_setting(conn: Connection, setting: CashSetting) -> bool:
    """False when this version is there already."""
    tolerances = [{"amount": str(each.amount), "currency": each.currency} for each in setting.tolerances]
    made: int | None = await conn.fetchval(
        """
        INSERT INTO cash_setting (version, automatic, policy, tolerances, changed_by, changed_at) VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT DO NOTHING RETURNING version
        """,
        *(setting.version, setting.automatic, setting.policy, tolerances, setting.changed_by, setting.changed_at),
    )
    return made is not None


async def insert_origin(conn: Connection, payment_id: UUID, item_id: UUID | None, signals: Signals) -> None:
    await conn.execute(
        """
        INSERT INTO payment_origin (payment_id, item_id, party, party_account, end_to_end_id) VALUES ($1, $2, $3, $4, $5)
        """,
        *(payment_id, item_id, signals.party, signals.party_account, signals.end_to_end_id),
    )


async def list_returned_payments(conn: Connection, item_id: UUID) -> list[UUID]:
    """The payments, two at most, that an item takes back: of the same account of ours and end-to-end id, and of that amount, or of what is
    left of it without the bank's charges; none of it refunded yet. Banks tell either the payer's account with a return or ours.
    """
    rows = await conn.fetch(
        """
        SELECT p.id
        FROM bank_item i JOIN bank_entry e ON e.id = i.entry_id
             JOIN payment_origin o ON o.end_to_end_id = i.end_to_end_id AND o.end_to_end_id <> ''
             JOIN bank_item came ON came.id = o.item_id AND came.booked_on <= i.booked_on
             JOIN bank_entry told ON told.id = came.entry_id AND told.account = e.account
             JOIN payment p ON p.id = o.payment_id
        WHERE i.id = $1 AND p.currency = i.currency AND p.amount IN (i.amount, i.amount - coalesce(i.charges, 0)) AND p.refunded = 0
          AND (i.party_account IN ('', o.party_account, e.account) OR o.party_account = '')
        LIMIT 2
        """,
        item_id,
    )
    return [row["id"] for row in rows]


async def get_account_of(conn: Connection, payment_id: UUID) -> str:
    """The account a payment came from; empty when it is not known."""
    found: str | None = await conn.fetchval("SELECT party_account FROM payment_origin WHERE payment_id = $1", payment_id)
    return found or ""


async def remember_payer(conn: Connection, account: str, flows: Mapping[UUID, UUID], now: datetime) -> None:
    """The account paid an invoice of these customers, on these flows, which are shared; of a person who was erased nothing is learnt."""
    await conn.execute(
        """
        INSERT INTO payer_account (account, customer_id, times, last_at)
        SELECT $1, c.id, 1, $4 FROM unnest($2::uuid[], $3::uuid[]) AS c (id, flow_id)
        WHERE NOT EXISTS (SELECT FROM erased_flow e WHERE e.flow_id = c.flow_id) ORDER BY c.id
        ON CONFLICT (account, customer_id) DO UPDATE SET times = payer_account.times + 1, last_at = $4
        """,
        *(account, list(flows.keys()), list(flows.values()), now),
    )


async def get_payers(conn: Connection, account: str) -> dict[UUID, int]:
    """For which customers this account paid before, and how often."""
    rows = await conn.fetch(
        "SELECT customer_id, times FROM payer_account WHERE account = $1 ORDER BY last_at DESC LIMIT 20", account
    )
    return {row["customer_id"]: row["times"] for row in rows}


async def list_open_ids(
    conn: Connection, *, customer_ids: Sequence[UUID], exact: Money, limit: int = 100
) -> tuple[list[UUID], list[UUID]]:
    """Invoices with something open: those of the customers by due day, and those of just this amount."""
    theirs = await conn.fetch(
        """
        SELECT id FROM invoice
        WHERE customer ->> 'customer_id' = ANY($1::text[]) AND currency = $2 AND state = 'final' AND paid + credited + written_off < gross
        ORDER BY coalesce(next_due_on, due_on), id LIMIT $3
        """,
        *([str(each) for each in customer_ids], exact.currency, limit),
    )
    alike = await conn.fetch(
        """
        SELECT id FROM invoice
        WHERE currency = $1 AND gross - paid - credited - written_off = $2 AND state = 'final' AND paid + credited + written_off < gross
        ORDER BY id LIMIT 20
        """,
        *(exact.currency, exact.amount),
    )
    return [row["id"] for row in theirs], [row["id"] for row in alike]


async def insert_review(conn: Connection, review: Review) -> None:
    suggested = review.suggestion
    parts = [
        {"invoice_id": str(invoice_id), "amount": str(part.amount), "currency": part.currency}
        for invoice_id, part in suggested.parts
    ]
    await conn.execute(
        """
        INSERT INTO payment_review (id, payment_id, item_id, confidence, reasons, parts, state, version, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        """,
        *(review.id, review.payment_id, review.item_id, suggested.confidence),
        *([{"code": each.code, "text": each.text} for each in suggested.reasons], parts, review.state, review.version),
        review.created_at,
    )


async def save_review(conn: Connection, r: Review) -> None:
    await conn.execute(
        "UPDATE payment_review SET state = $2, decided_by = $3, decided_at = $4, why = $5, version = $6 WHERE id = $1",
        *(r.id, r.state, r.decided_by, r.decided_at, r.why, r.version),
    )


async def get_review(conn: Connection, review_id: UUID) -> Review:
    row = await conn.fetchrow(
        """
        SELECT id, payment_id, item_id, confidence, reasons, parts, state, decided_by, decided_at, why, version, created_at
        FROM payment_review WHERE id = $1
        """,
        review_id,
    )
    return _found(row, review_id)


async def get_review_for_update(conn: Connection, review_id: UUID) -> Review:
    """Locked before the payment."""
    row = await conn.fetchrow(
        """
        SELECT id, payment_id, item_id, confidence, reasons, parts, state, decided_by, decided_at, why, version, created_at
        FROM payment_review WHERE id = $1 FOR UPDATE
        """,
        review_id,
    )
    return _found(row, review_id)


async def list_reviews(conn: Connection, *, state: State | None, after: UUID | None, limit: int) -> list[Review]:
    """In the order in which they began to wait."""
    rows = await conn.fetch(
        """
        SELECT id, payment_id, item_id, confidence, reasons, parts, state, decided_by, decided_at, why, version, created_at
        FROM payment_review WHERE ($1::text IS NULL OR state = $1) AND ($2::uuid IS NULL OR id > $2) ORDER BY id LIMIT $3
        """,
        *(state, after, limit),
    )
    return [_review(row) for row in rows]


async def items_view(conn: Connection, item_ids: Sequence[UUID]) -> dict[UUID, Any]:
    """What a bank told of them, as it is shown; money that went out is below zero."""
    rows = await conn.fetch(
        """
        SELECT id, currency, CASE WHEN credit THEN amount ELSE -amount END AS amount, booked_on, party, party_account, end_to_end_id,
               refs, text, return_reason
        FROM bank_item WHERE id = ANY($1::uuid[])
        """,
        list(item_ids),
    )
    return {row["id"]: row for row in rows}


def _found(row: Any, review_id: UUID) -> Review:
    if row is None:
        raise NotFound(f"no review {review_id}")
    return _review(row)


def _review(row: Any) -> Review:
    fields: dict[str, Any] = dict(row)
    parts: Sequence[Mapping[str, str]] = fields.pop("parts")
    suggestion = Suggestion(
        fields.pop("confidence"),
        tuple(Reason(each["code"], each["text"]) for each in fields.pop("reasons")),
        tuple((UUID(each["invoice_id"]), Money.of(each["amount"], each["currency"])) for each in parts),
    )
    return Review(suggestion=suggestion, **fields)


def _item(row: Any) -> DueItem:
    signals = Signals(
        amount=Money.of(row["amount"], row["currency"]),
        text=row["text"],
        references=tuple(row["refs"].split("\n")) if row["refs"] else (),
        end_to_end_id=row["end_to_end_id"],
        party=row["party"],
        party_account=row["party_account"],
    )
    same = {name: row[name] for name in ("id", "credit", "reversal", "detailed", "return_reason", "booked_on")}
    return DueItem(signals=signals, **same)
