"""Banks' files: kept as they came, then taken whole or not at all, in chunks, with the progress beside the transaction."""

import asyncio
import hashlib
import logging
from collections.abc import AsyncGenerator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import dataclass, field
from uuid import UUID

from ltc_chassis.db import Transaction, is_down, is_retryable
from ltc_chassis.ids import new_id
from ltc_chassis.runtime import Runtime

from billing_svc.domain import bank_file as formats
from billing_svc.domain import bank_statement as rules
from billing_svc.domain.bank_statement import BankEntry, Begins, Ends, StatementUnreadable, Tally, Told
from billing_svc.store import bank_entries, bank_files
from billing_svc.store.bank_entries import Row

logger = logging.getLogger(__name__)
CHUNK = 500


async def take_file(tx: Transaction, *, name: str, content: bytes, sent_by: str) -> UUID:
    """Keep a file to import; the same bytes again are the same file. Raises `StatementUnreadable` for what is no bank's file at all."""
    formats.check(content)
    return await bank_files.insert_file(
        tx.conn, new_id(), sha256=hashlib.sha256(content).digest(), name=name, content=content, sent_by=sent_by, now=tx.now
    )


async def import_due(runtime: Runtime) -> int:
    """Take the oldest file that waits, in one transaction; how many entries it has, at least 1, or 0 when none waits."""
    file_id: UUID | None = None
    try:
        async with runtime.db.transaction() as tx:
            claimed = await bank_files.claim_file(tx.conn)
            if claimed is None:
                return 0
            file_id, content = claimed
            return await _take(runtime, tx, file_id, content)
    except StatementUnreadable as error:
        why = error
    except Exception as error:
        if file_id is None or is_down(error) or is_retryable(error):
            raise
        # A file that meets a defect of ours must not keep the others waiting.
        logger.exception("a bank's file cannot be taken")
        why = StatementUnreadable("a defect on our side keeps it from being taken; send it again later", line=0, element="file")
    async with runtime.db.transaction() as tx:
        assert file_id is not None
        await bank_files.save_refused(tx.conn, file_id, why, tx.now)
    return 1


@dataclass(slots=True)
class _Reading:
    """A file as it is read, a chunk at a time in a thread."""

    told: Iterator[Told]
    tally: Tally = field(default_factory=Tally)
    entries: int = 0

    def chunk(self) -> list[Row]:
        """The next rows; none at the end of the file."""
        rows: list[Row] = []
        for one in self.told:
            if isinstance(one, Begins):
                self.tally.begin(one, new_id())
            elif isinstance(one, BankEntry):
                rows.append(self._row(one))
                if len(rows) == CHUNK:
                    break
            elif isinstance(one, Ends):
                self.tally.end(one)
        self.entries += len(rows)
        return rows

    def close(self) -> None:
        """Let go of the file, and of what reads it."""
        self.told = iter(())

    def _row(self, entry: BankEntry) -> Row:
        identity = self.tally.add(entry)
        now = self.tally.statements[-1]
        items = tuple(new_id() for _ in entry.items)
        return Row(new_id(), identity, now.id, now.entries, now.begins.kind, now.begins.account, entry, items)


async def _chunks(reading: _Reading) -> AsyncGenerator[list[Row], None]:
    """While the database takes one chunk, a thread reads the next one.

    One thread from the first byte to the last, which lets go of the parser as well: lxml's parsers do not survive that they are used by
    one thread and then by another.
    """
    loop = asyncio.get_running_loop()
    thread = ThreadPoolExecutor(1, "bank-file")
    try:
        rows = await loop.run_in_executor(thread, reading.chunk)
        while rows:
            coming = loop.run_in_executor(thread, reading.chunk)
            try:
                yield rows
            finally:
                rows = await coming
    finally:
        await loop.run_in_executor(thread, reading.close)
        thread.shutdown(wait=False)


async def _take(runtime: Runtime, tx: Transaction, file_id: UUID, content: bytes) -> int:
    reading = _Reading(formats.read(content))
    async with aclosing(_chunks(reading)) as chunks:
        async for rows in chunks:
            await bank_entries.insert_entries(tx.conn, rows, tx.now)
            async with runtime.db.transaction() as beside:
                await bank_files.save_progress(beside.conn, file_id, reading.entries, beside.now)
    taken = await _judge(tx, file_id, reading.tally)
    await bank_files.save_done(tx.conn, file_id, entries=reading.entries, taken=taken, now=tx.now)
    return max(reading.entries, 1)


async def _judge(tx: Transaction, file_id: UUID, tally: Tally) -> int:
    """Statements that do not add up are taken back; the others stay. Returns how many entries are new."""
    await bank_entries.delete_entries_of(tx.conn, [each.id for each in tally.statements if each.fault])
    good = [each.id for each in tally.statements if not each.fault]
    new = await bank_entries.count_entries_of(tx.conn, good)
    for statement in tally.statements:
        taken = new.get(statement.id, 0)
        known = not taken and (statement.entries > 0 or await bank_files.is_statement_known(tx.conn, statement))
        state = "refused" if statement.fault else "known" if known else "taken"
        await bank_files.insert_statement(tx.conn, file_id, statement, taken=taken, state=state, now=tx.now)
    await _pair(tx, good)
    return sum(new.values())


async def _pair(tx: Transaction, statement_ids: Sequence[UUID]) -> None:
    """Bookings of which a message of another kind told before are not taken twice."""
    new = await bank_entries.list_bookings_of(tx.conn, statement_ids)
    if not new:
        return
    days = [each.booked_on for each in new]
    accounts = sorted({each.account for each in new})
    known = await bank_entries.list_unpaired_bookings(tx.conn, accounts, min(days), max(days), statement_ids)
    pairs = rules.pairs(new, known)
    if pairs:
        await bank_entries.save_pairs(tx.conn, pairs)
