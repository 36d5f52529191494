"""SQL of booked entries and the payments in them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from ltc_chassis.connection import Connection
from ltc_contracts.money import Money

from billing_svc.domain.bank_statement import BankEntry, Booking, mark_of


@dataclass(frozen=True, slots=True)
class Row:
    """An entry on its way into the database; its statement is inserted when it was read to its end."""

    id: UUID
    identity: bytes
    statement_id: UUID
    position: int
    kind: str
    account: str
    entry: BankEntry
    item_ids: tuple[UUID, ...]


async def insert_entries(conn: Connection, rows: Sequence[Row], now: datetime) -> int:
    """Take entries that are not there yet, with their payments; returns how many."""
    entries = [row.entry for row in rows]
    new = await conn.fetch(
        """
        INSERT INTO bank_entry (id, identity, statement_id, position, kind, account, currency, amount, booked_on, valued_on, reversal,
                                bank_reference, mark, code, created_at)
        SELECT e.id, e.identity, e.statement_id, e.position, e.kind, e.account, e.currency, e.amount, e.booked_on, e.valued_on,
               e.reversal, e.bank_reference, e.mark, e.code, $15
        FROM unnest($1::uuid[], $2::bytea[], $3::uuid[], $4::int[], $5::text[], $6::text[], $7::text[], $8::numeric[], $9::date[],
                    $10::date[], $11::boolean[], $12::text[], $13::text[], $14::text[])
             AS e (id, identity, statement_id, position, kind, account, currency, amount, booked_on, valued_on, reversal,
                   bank_reference, mark, code)
        ON CONFLICT (identity) DO NOTHING RETURNING id
        """,
        *([row.id for row in rows], [row.identity for row in rows], [row.statement_id for row in rows]),
        *([row.position for row in rows], [row.kind for row in rows], [row.account for row in rows]),
        *([each.amount.currency for each in entries], [each.signed.amount for each in entries]),
        *([each.booked_on for each in entries], [each.valued_on for each in entries], [each.reversal for each in entries]),
        *(
            [each.bank_reference for each in entries],
            [mark_of(each.items) for each in entries],
            [each.code for each in entries],
            now,
        ),
    )
    there = {row["id"] for row in new}
    await _insert_items(conn, [row for row in rows if row.id in there])
    return len(there)


async def _insert_items(conn: Connection, rows: Sequence[Row]) -> None:
    made: list[tuple[Any, ...]] = []
    for row in rows:
        for number, (item_id, item) in enumerate(zip(row.item_ids, row.entry.items, strict=True)):
            charges = item.charges.amount if item.charges else None
            texts = (item.party, item.party_account, item.end_to_end_id, "\n".join(item.references), item.text)
            facts = (row.entry.credit, row.entry.reversal, row.entry.booked_on, item.detailed)
            made.append(
                (item_id, row.id, number, item.amount.currency, item.amount.amount, *facts, *texts, charges, item.return_reason)
            )
    if not made:
        return
    await conn.execute(
        """
        INSERT INTO bank_item (id, entry_id, number, currency, amount, credit, reversal, booked_on, detailed, party, party_account,
                               end_to_end_id, refs, text, charges, return_reason, state)
        SELECT i.id, i.entry_id, i.number, i.currency, i.amount, i.credit, i.reversal, i.booked_on, i.detailed, i.party,
               i.party_account, i.end_to_end_id, i.refs, i.text, i.charges, i.return_reason, 'due'
        FROM unnest($1::uuid[], $2::uuid[], $3::int[], $4::text[], $5::numeric[], $6::boolean[], $7::boolean[], $8::date[],
                    $9::boolean[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::numeric[], $16::text[])
             AS i (id, entry_id, number, currency, amount, credit, reversal, booked_on, detailed, party, party_account, end_to_end_id,
                   refs, text, charges, return_reason)
        """,
        *(list(column) for column in zip(*made, strict=True)),
    )


async def delete_entries_of(conn: Connection, statement_ids: Sequence[UUID]) -> None:
    """Take back what was inserted of statements that turned out to be wrong, in the same transaction."""
    await conn.execute("DELETE FROM bank_entry WHERE statement_id = ANY($1::uuid[])", list(statement_ids))


async def count_entries_of(conn: Connection, statement_ids: Sequence[UUID]) -> dict[UUID, int]:
    """How many entries of each statement were new."""
    rows = await conn.fetch(
        "SELECT statement_id, count(*) AS many FROM bank_entry WHERE statement_id = ANY($1::uuid[]) GROUP BY statement_id",
        list(statement_ids),
    )
    return {row["statement_id"]: row["many"] for row in rows}


async def list_bookings_of(conn: Connection, statement_ids: Sequence[UUID]) -> list[Booking]:
    """The entries of statements, in their order."""
    rows = await conn.fetch(
        """
        SELECT id, kind, account, currency, amount, booked_on, bank_reference, mark
        FROM bank_entry WHERE statement_id = ANY($1::uuid[]) AND same_as IS NULL ORDER BY id
        """,
        list(statement_ids),
    )
    return [_booking(row) for row in rows]


async def list_unpaired_bookings(
    conn: Connection, accounts: Sequence[str], first: date, last: date, without: Sequence[UUID]
) -> list[Booking]:
    """Entries of other statements of these accounts and days that no other message told of yet."""
    rows = await conn.fetch(
        """
        SELECT e.id, e.kind, e.account, e.currency, e.amount, e.booked_on, e.bank_reference, e.mark
        FROM bank_entry e
        WHERE e.account = ANY($1::text[]) AND e.booked_on BETWEEN $2 AND $3 AND e.same_as IS NULL
          AND e.statement_id <> ALL($4::uuid[]) AND NOT EXISTS (SELECT 1 FROM bank_entry o WHERE o.same_as = e.id)
        ORDER BY e.id
        """,
        *(list(accounts), first, last, list(without)),
    )
    return [_booking(row) for row in rows]


async def save_pairs(conn: Connection, pairs: Sequence[tuple[UUID, UUID]]) -> None:
    """Entries that tell of what is known: their payments change nothing, unless the first message told only the sum of a batch.

    Then the payments of the later message take the place of that sum, as long as nobody decided on it.
    """
    await conn.execute(
        """
        UPDATE bank_entry e SET same_as = p.old FROM unnest($1::uuid[], $2::uuid[]) AS p (new, old) WHERE e.id = p.new
        """,
        *([new for new, _ in pairs], [old for _, old in pairs]),
    )
    await conn.execute(
        """
        WITH p AS (SELECT pair.new, pair.old,
                          EXISTS (SELECT 1 FROM bank_item i WHERE i.entry_id = pair.old AND NOT i.detailed AND i.state IN ('due', 'waiting'))
                          AND NOT EXISTS (SELECT 1 FROM bank_item i WHERE i.entry_id = pair.new AND NOT i.detailed) AS better
                   FROM unnest($1::uuid[], $2::uuid[]) AS pair (new, old))
        UPDATE bank_item i SET state = 'known'
        FROM p WHERE i.entry_id = CASE WHEN p.better THEN p.old ELSE p.new END
        """,
        *([new for new, _ in pairs], [old for _, old in pairs]),
    )


async def list_entries(conn: Connection, statement_id: UUID, *, after: UUID | None, limit: int) -> list[Any]:
    """The entries of a statement with their payments, as they are shown."""
    return await conn.fetch(
        """
        SELECT e.id, e.position, e.currency, e.amount, e.booked_on, e.valued_on, e.reversal, e.bank_reference, e.code, e.same_as,
               (SELECT jsonb_agg(jsonb_build_object(
                    'id', i.id, 'amount', i.amount::text, 'party', i.party, 'party_account', i.party_account,
                    'end_to_end_id', i.end_to_end_id, 'references', i.refs, 'text', i.text, 'charges', i.charges::text,
                    'return_reason', i.return_reason, 'detailed', i.detailed, 'state', i.state) ORDER BY i.number)
                FROM bank_item i WHERE i.entry_id = e.id) AS items
        FROM bank_entry e WHERE e.statement_id = $1 AND ($2::uuid IS NULL OR e.id > $2) ORDER BY e.id LIMIT $3
        """,
        *(statement_id, after, limit),
    )


def _booking(row: Any) -> Booking:
    return Booking(
        row["id"],
        row["kind"],
        row["account"],
        Money.of(row["amount"], row["currency"]),
        row["booked_on"],
        row["bank_reference"],
        row["mark"],
    )
