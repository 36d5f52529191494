"""SQL of dunning. Lock order: the invoice, then what hangs on it; steps and promises change only while their invoice is locked."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from ltc_chassis.connection import Connection
from ltc_contracts.errors import NotFound
from ltc_contracts.money import Money

from billing_svc.domain.dunning import OURS, Exclusion, Notice, Policy, Promise, Step, Taken


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of an invoice's dunning; `holding` is the last step that held the customer's orders.

    All of the instalment that customers are reminded of now; 0 is the invoice as a whole.
    """

    taken: Sequence[Taken]
    fees: Decimal
    holding: Notice | None
    ended: bool
    instalment: int
    promise: Promise | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerRule:
    """How a customer is dunned; version 0 where nobody said."""

    customer_id: UUID
    version: int
    policy: str
    excluded: bool
    excluded_until: date | None
    reason: str

    @property
    def exclusion(self) -> Exclusion | None:
        return Exclusion(self.excluded_until) if self.excluded else None


async def claim_due(conn: Connection, today: date, limit: int) -> list[UUID]:
    """Invoices that are to be looked at, locked; skips what another transaction works on."""
    rows = await conn.fetch(
        """
        SELECT invoice.id FROM invoice JOIN dunning ON dunning.invoice_id = invoice.id
        WHERE dunning.look_on <= $1 ORDER BY dunning.look_on, invoice.id LIMIT $2 FOR UPDATE OF invoice, dunning SKIP LOCKED
        """,
        today,
        limit,
    )
    return [row["id"] for row in rows]


async def get_known(conn: Connection, invoice_ids: Sequence[UUID]) -> dict[UUID, Known]:
    """Of invoices that are locked."""
    taken: dict[UUID, list[Any]] = defaultdict(list)
    for row in await conn.fetch(
        """
        SELECT s.id, s.invoice_id, s.step, s.days, s.kind, s.policy, s.policy_version, s.currency, s.open, s.fee, s.interest, s.letter,
               s.hold_orders, s.mailed, s.taken_on, s.due_on
        FROM dunning_step s JOIN dunning d ON d.invoice_id = s.invoice_id AND d.instalment = s.instalment
        WHERE s.invoice_id = ANY($1::uuid[]) ORDER BY s.taken_on, s.days
        """,
        list(invoice_ids),
    ):
        taken[row["invoice_id"]].append(row)
    promises = {promise.invoice_id: promise for promise in await _promises(conn, invoice_ids, state="open")}
    rows = await conn.fetch(
        "SELECT invoice_id, ended, instalment FROM dunning WHERE invoice_id = ANY($1::uuid[])", list(invoice_ids)
    )
    return {
        row["invoice_id"]: Known(
            taken=[Taken(each["step"], each["days"], each["taken_on"]) for each in taken[row["invoice_id"]]],
            # A letter's fee holds those of the letters before it.
            fees=max((each["fee"] for each in taken[row["invoice_id"]]), default=Decimal(0)),
            holding=next((_notice(each) for each in reversed(taken[row["invoice_id"]]) if each["hold_orders"]), None),
            ended=row["ended"],
            instalment=row["instalment"],
            promise=promises.get(row["invoice_id"]),
        )
        for row in rows
    }


async def save_looked(conn: Connection, invoice_id: UUID, look_on: date | None, *, ended: bool) -> None:
    """When to look next."""
    await conn.execute("UPDATE dunning SET look_on = $2, ended = $3 WHERE invoice_id = $1", invoice_id, look_on, ended)


async def turn_to_instalment(conn: Connection, invoice_id: UUID, number: int) -> None:
    """From now on customers are reminded of this instalment; 0: of the invoice as a whole. What was before has ended."""
    await conn.execute("UPDATE dunning SET instalment = $2, ended = true WHERE invoice_id = $1", invoice_id, number)


async def look_again(conn: Connection, today: date, *, customer_id: UUID | None = None) -> None:
    """Have every open invoice, or those of a customer, looked at: the rules changed. Locks them first, as everybody does."""
    await conn.execute(
        """
        WITH owed AS MATERIALIZED (
            SELECT id FROM invoice
            WHERE state = 'final' AND paid + credited + written_off < gross
              AND ($2::uuid IS NULL OR customer ->> 'customer_id' = $2::text)
            ORDER BY id FOR UPDATE)
        UPDATE dunning SET look_on = $1 FROM owed WHERE owed.id = dunning.invoice_id
        """,
        today,
        customer_id,
    )


async def look_at(conn: Connection, invoice_id: UUID, day: date) -> None:
    """Have one invoice looked at on a day; it is locked."""
    await conn.execute("UPDATE dunning SET look_on = $2 WHERE invoice_id = $1", invoice_id, day)


async def insert_step(conn: Connection, n: Notice, *, mailed: bool, now: datetime) -> None:
    await conn.execute(
        """
        INSERT INTO dunning_step (invoice_id, step, id, days, kind, policy, policy_version, currency, open, fee, interest, letter,
                                  hold_orders, mailed, taken_on, created_at, due_on, instalment)
        SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, instalment FROM dunning WHERE invoice_id = $1
        """,
        *(n.invoice_id, n.step, n.id, n.days, n.kind, n.policy, n.policy_version, n.open.currency, n.open.amount, n.fee.amount),
        *(n.interest.amount, n.letter, n.hold_orders, mailed, n.taken_on, now, n.due_on),
    )


async def list_steps(
    conn: Connection, *, invoice_id: UUID | None, customer_id: UUID | None, after: UUID | None, limit: int
) -> list[tuple[Notice, bool]]:
    """In the order they were taken, each with whether a mail was written."""
    rows = await conn.fetch(
        """
        SELECT s.id, s.invoice_id, s.step, s.days, s.kind, s.policy, s.policy_version, s.currency, s.open, s.fee, s.interest, s.letter,
               s.hold_orders, s.mailed, s.taken_on, s.due_on
        FROM dunning_step AS s JOIN invoice ON invoice.id = s.invoice_id
        WHERE ($1::uuid IS NULL OR s.invoice_id = $1) AND ($2::uuid IS NULL OR invoice.customer ->> 'customer_id' = $2::text)
          AND ($3::uuid IS NULL OR s.id > $3)
        ORDER BY s.id LIMIT $4
        """,
        *(invoice_id, customer_id, after, limit),
    )
    return [(_notice(row), row["mailed"]) for row in rows]


async def get_step(conn: Connection, step_id: UUID) -> Notice:
    row = await conn.fetchrow(
        """
        SELECT id, invoice_id, step, days, kind, policy, policy_version, currency, open, fee, interest, letter, hold_orders, mailed,
               taken_on, due_on
        FROM dunning_step WHERE id = $1
        """,
        step_id,
    )
    if row is None:
        raise NotFound(f"no dunning step {step_id}")
    return _notice(row)


async def lock_rules(conn: Connection) -> None:
    """Policies and exceptions are changed one at a time."""
    await conn.execute("SELECT pg_advisory_xact_lock(hashtext('billing.dunning.rules'))")


async def list_policies(conn: Connection) -> list[Policy]:
    """The latest version of each; ours where a company has no `standard` of its own."""
    rows = await conn.fetch(
        "SELECT DISTINCT ON (name) name, version, steps, interest_percent FROM dunning_policy ORDER BY name, version DESC"
    )
    found = [
        Policy(
            name=row["name"],
            version=row["version"],
            steps=tuple(Step(**{**step, "fee": Decimal(step["fee"])}) for step in row["steps"]),
            interest_percent=row["interest_percent"],
        )
        for row in rows
    ]
    return found if any(policy.name == OURS.name for policy in found) else [*found, OURS]


async def insert_policy(conn: Connection, policy: Policy, *, reason: str, by: str, now: datetime) -> None:
    await conn.execute(
        """
        INSERT INTO dunning_policy (name, version, steps, interest_percent, reason, changed_by, changed_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        """,
        *(
            policy.name,
            policy.version,
            [{**asdict(step), "fee": str(step.fee)} for step in policy.steps],
            policy.interest_percent,
        ),
        *(reason, by, now),
    )


async def get_customer_rules(conn: Connection, customer_ids: Sequence[UUID]) -> dict[UUID, CustomerRule]:
    """The latest version of each that has one."""
    rows = await conn.fetch(
        """
        SELECT DISTINCT ON (customer_id) customer_id, version, policy, excluded, excluded_until, reason
        FROM dunning_customer WHERE customer_id = ANY($1::uuid[]) ORDER BY customer_id, version DESC
        """,
        list(customer_ids),
    )
    return {row["customer_id"]: CustomerRule(**dict(row)) for row in rows}


async def insert_customer_rule(conn: Connection, rule: CustomerRule, *, by: str, now: datetime) -> None:
    await conn.execute(
        """
        INSERT INTO dunning_customer (customer_id, version, policy, excluded, excluded_until, reason, changed_by, changed_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        """,
        *(rule.customer_id, rule.version, rule.policy, rule.excluded, rule.excluded_until, rule.reason, by, now),
    )


async def insert_promise(conn: Connection, promise: Promise, now: datetime) -> None:
    await conn.execute(
        """
        INSERT INTO payment_promise (id, invoice_id, promised_on, state, note, noted_by, noted_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        """,
        *(promise.id, promise.invoice_id, promise.promised_on, promise.state, promise.note, promise.noted_by, now),
    )


async def end_promise(conn: Connection, promise_id: UUID, state: str) -> None:
    await conn.execute("UPDATE payment_promise SET state = $2 WHERE id = $1", promise_id, state)


async def list_promises(conn: Connection, invoice_id: UUID) -> list[Promise]:
    """In the order they were made."""
    return await _promises(conn, [invoice_id], state=None)


async def _promises(conn: Connection, invoice_ids: Sequence[UUID], *, state: str | None) -> list[Promise]:
    rows = await conn.fetch(
        """
        SELECT id, invoice_id, promised_on, state, note, noted_by FROM payment_promise
        WHERE invoice_id = ANY($1::uuid[]) AND ($2::text IS NULL OR state = $2) ORDER BY id
        """,
        list(invoice_ids),
        state,
    )
    return [Promise(**dict(row)) for row in rows]


def _notice(row: Any) -> Notice:
    fields = dict(row)
    del fields["mailed"]
    currency = fields.pop("currency")
    for name in ("open", "fee", "interest"):
        fields[name] = Money.of(fields[name], currency)
    return Notice(**fields)
