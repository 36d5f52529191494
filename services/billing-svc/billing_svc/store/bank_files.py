"""SQL of banks' files, their statements and how far an import is."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from ltc_chassis.connection import Connection
from ltc_contracts.errors import NotFound

from billing_svc.domain.bank_statement import Statement, StatementUnreadable


@dataclass(frozen=True, slots=True)
class BankFile:
    """A file and what became of it; `entries` were read so far, `taken` were new."""

    id: UUID
    name: str
    size: int
    state: str
    line: int | None
    element: str | None
    reason: str | None
    entries: int
    taken: int
    sent_by: str
    created_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class StatementRow:
    """A statement as it is read back. `taken` of its `entries` were new; `pending` are not booked yet and are left out."""

    id: UUID
    file_id: UUID
    position: int
    kind: str
    account: str
    reference: str
    sequence: str
    currency: str | None
    opening: Decimal | None
    closing: Decimal | None
    entries: int
    taken: int
    pending: int
    state: str
    line: int | None
    element: str | None
    reason: str | None


async def insert_file(
    conn: Connection, file_id: UUID, *, sha256: bytes, name: str, content: bytes, sent_by: str, now: datetime
) -> UUID:
    """Keep a file; the id of the one that has the same bytes and was not refused, if there is one."""
    kept: UUID | None = await conn.fetchval(
        """
        INSERT INTO bank_file (id, sha256, name, size, content, state, sent_by, created_at) VALUES ($1, $2, $3, $4, $5, 'waiting', $6, $7)
        ON CONFLICT (sha256) WHERE state <> 'refused' DO NOTHING RETURNING id
        """,
        *(file_id, sha256, name, len(content), content, sent_by, now),
    )
    if kept is not None:
        return kept
    same: UUID = await conn.fetchval("SELECT id FROM bank_file WHERE sha256 = $1 AND state <> 'refused'", sha256)
    return same


async def claim_file(conn: Connection) -> tuple[UUID, bytes] | None:
    """The oldest file that waits, locked; None while another works on it, since files are taken one after the other."""
    row = await conn.fetchrow(
        """
        SELECT id, content FROM bank_file
        WHERE id = (SELECT id FROM bank_file WHERE state = 'waiting' ORDER BY id LIMIT 1) AND state = 'waiting'
        FOR NO KEY UPDATE SKIP LOCKED
        """
    )
    return None if row is None else (row["id"], row["content"])


async def save_progress(conn: Connection, file_id: UUID, entries: int, now: datetime) -> None:
    await conn.execute(
        """
        INSERT INTO bank_file_progress (file_id, entries, updated_at) VALUES ($1, $2, $3)
        ON CONFLICT (file_id) DO UPDATE SET entries = $2, updated_at = $3
        """,
        *(file_id, entries, now),
    )


async def save_done(conn: Connection, file_id: UUID, *, entries: int, taken: int, now: datetime) -> None:
    await conn.execute(
        "UPDATE bank_file SET state = 'done', entries = $2, taken = $3, finished_at = $4 WHERE id = $1",
        *(file_id, entries, taken, now),
    )


async def save_refused(conn: Connection, file_id: UUID, why: StatementUnreadable, now: datetime) -> None:
    await conn.execute(
        """
        UPDATE bank_file SET state = 'refused', line = $2, element = $3, reason = $4, finished_at = $5
        WHERE id = $1 AND state = 'waiting'
        """,
        *(file_id, why.line, why.element, why.reason, now),
    )


async def insert_statement(conn: Connection, file_id: UUID, s: Statement, *, taken: int, state: str, now: datetime) -> None:
    begins, ends = s.begins, s.ends
    opening, closing = begins.opening, ends.closing if ends else None
    currency = opening.currency if opening else s.moved.currency if s.moved else None
    await conn.execute(
        """
        INSERT INTO bank_statement (id, file_id, position, kind, account, reference, sequence, currency, opening, closing, entries,
                                    taken, pending, state, line, element, reason, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
        """,
        *(s.id, file_id, s.position, begins.kind, begins.account, begins.reference, begins.sequence, currency),
        *(opening.amount if opening else None, closing.amount if closing else None, s.entries, taken),
        *(ends.pending if ends else 0, state, s.fault_line, s.fault_element, s.fault, now),
    )


async def is_statement_known(conn: Connection, s: Statement) -> bool:
    """Whether a statement of this account, kind, reference and sequence was taken before; entries are judged by themselves."""
    found: bool = await conn.fetchval(
        """
        SELECT EXISTS (SELECT 1 FROM bank_statement
                       WHERE account = $1 AND kind = $2 AND reference = $3 AND sequence = $4 AND opening IS NOT DISTINCT FROM $5
                         AND state = 'taken')
        """,
        *(s.begins.account, s.begins.kind, s.begins.reference, s.begins.sequence),
        s.begins.opening.amount if s.begins.opening else None,
    )
    return found


async def get_file(conn: Connection, file_id: UUID) -> BankFile:
    row = await conn.fetchrow(
        """
        SELECT f.id, f.name, f.size, f.state, f.line, f.element, f.reason,
               CASE WHEN f.state = 'waiting' THEN coalesce(p.entries, 0) ELSE f.entries END AS entries, f.taken, f.sent_by,
               f.created_at, f.finished_at
        FROM bank_file f LEFT JOIN bank_file_progress p ON p.file_id = f.id WHERE f.id = $1
        """,
        file_id,
    )
    if row is None:
        raise NotFound(f"no bank statement file {file_id}")
    return BankFile(**dict(row))


async def list_files(conn: Connection, *, after: UUID | None, limit: int) -> list[BankFile]:
    rows = await conn.fetch(
        """
        SELECT f.id, f.name, f.size, f.state, f.line, f.element, f.reason,
               CASE WHEN f.state = 'waiting' THEN coalesce(p.entries, 0) ELSE f.entries END AS entries, f.taken, f.sent_by,
               f.created_at, f.finished_at
        FROM bank_file f LEFT JOIN bank_file_progress p ON p.file_id = f.id
        WHERE ($1::uuid IS NULL OR f.id > $1) ORDER BY f.id LIMIT $2
        """,
        after,
        limit,
    )
    return [BankFile(**dict(row)) for row in rows]


async def list_statements(conn: Connection, file_ids: Sequence[UUID]) -> dict[UUID, list[StatementRow]]:
    """In the order of each file."""
    rows = await conn.fetch(
        """
        SELECT id, file_id, position, kind, account, reference, sequence, currency, opening, closing, entries, taken, pending, state,
               line, element, reason
        FROM bank_statement WHERE file_id = ANY($1::uuid[]) ORDER BY file_id, position
        """,
        list(file_ids),
    )
    found: dict[UUID, list[StatementRow]] = {file_id: [] for file_id in file_ids}
    for row in rows:
        found[row["file_id"]].append(StatementRow(**dict(row)))
    return found
