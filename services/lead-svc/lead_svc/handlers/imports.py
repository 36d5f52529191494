"""The verbs of imports: take a file, then work through it some chunks per transaction, so that a kill costs no row and doubles none."""

import asyncio
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from ltc_chassis import custom_fields
from ltc_chassis.db import Transaction
from ltc_chassis.ids import new_id
from ltc_contracts.errors import DomainError, Invalid
from ltc_contracts.events import Contact
from ltc_rules.custom_fields import FieldDef
from ltc_rules.tables import Record, read_table

from lead_svc.domain.duplicates import PossibleDuplicate
from lead_svc.domain.lead import DuplicateLead, LeadErased, blank
from lead_svc.domain.rows import Layout, Reader, Refusal, Row
from lead_svc.domain.score import Activity
from lead_svc.handlers.bulk import capture_each
from lead_svc.handlers.capture import Arrival
from lead_svc.handlers.protection import keys_of_lead, shared_domains
from lead_svc.store import imports as store
from lead_svc.store.imports import Import
from lead_svc.store.leads import get_rule

CHUNK = 500
CHUNKS_AT_ONCE = 4
# They count as duplicates: nothing is wrong with such a row.
_KNOWN = (DuplicateLead, PossibleDuplicate, LeadErased)


async def take_file(tx: Transaction, *, file_name: str, file: bytes, encoding: str | None, layout: Layout) -> Import:
    """Keep a file to import, in chunks; raises `Invalid` when nothing in it could be imported."""
    table = await asyncio.to_thread(read_table, file, encoding)
    Reader(table.header, layout, await custom_fields.load(tx.conn, "lead"))
    job = Import(new_id(), file_name, table.header, layout, "waiting", 0, 0, 0, 0, 0, tx.now, None)
    await store.insert_import(tx.conn, job)
    for number in itertools.count():
        # In a thread, a chunk at a time: other requests go on while a large file is read.
        records = await asyncio.to_thread(_next, table.records)
        if not records:
            return await store.get_import(tx.conn, job.id)
        await store.insert_chunk(tx.conn, job.id, number, records)
    raise AssertionError("count() does not end")


def _next(records: Iterator[Record]) -> list[Record]:
    return list(itertools.islice(records, CHUNK))


@dataclass(frozen=True, slots=True)
class _Batch:
    """A chunk as it was read; `arrivals` are of its `rows`, in their order."""

    rows: list[Row]
    refused: list[Refusal]
    arrivals: list[Arrival]


async def import_rows(tx: Transaction) -> int:
    """The next rows of the oldest unfinished import; the number handled, 0 when none is unfinished."""
    job = await store.claim_import(tx.conn)
    if job is None:
        return 0
    chunks = await store.take_chunks(tx.conn, job.id, CHUNKS_AT_ONCE)
    shared = shared_domains(await get_rule(tx.conn, tx.now))
    own = await custom_fields.load(tx.conn, "lead")
    # While the database works on one chunk, a thread reads the next one.
    coming = (asyncio.create_task(asyncio.to_thread(_read, job, chunk, own, tx.now, shared)) for chunk in chunks)
    ready = next(coming, None)
    while ready is not None:
        batch, ready = await ready, next(coming, None)
        await _take(tx, job, batch)
        await tx.flush()
    if not chunks:
        await store.advance_import(tx.conn, job.id, imported=0, duplicates=0, refused=0, now=tx.now)
    return max(sum(len(chunk) for chunk in chunks), 1)


def _read(job: Import, records: Sequence[Record], own: Sequence[FieldDef], now: datetime, shared: frozenset[str]) -> _Batch:
    """The rows. Where a field that the mapping or a default needs is gone since the file was taken, none can be."""
    try:
        reader = Reader(job.header, job.layout, own)
    except Invalid as error:
        return _Batch([], [Refusal(record.line, error.field or "row", error.reason) for record in records], [])
    read = [reader.read(record.line, record.cells) for record in records]
    rows = [row for row in read if isinstance(row, Row)]
    arrivals = [_arrival(row, now) for row in rows]
    for arrival in arrivals:
        arrival.keys = keys_of_lead(arrival.lead, shared)
    return _Batch(rows, [row for row in read if isinstance(row, Refusal)], arrivals)


async def _take(tx: Transaction, job: Import, batch: _Batch) -> None:
    results = await capture_each(tx, batch.arrivals)
    known = sum(isinstance(result, _KNOWN) for result in results)
    spoiled = [
        Refusal(row.line, result.field or "row", result.reason)
        for row, result in zip(batch.rows, results, strict=True)
        if isinstance(result, DomainError) and not isinstance(result, _KNOWN)
    ]
    await store.insert_refusals(tx.conn, job.id, sorted([*batch.refused, *spoiled], key=lambda refusal: refusal.line))
    await store.advance_import(
        tx.conn,
        job.id,
        imported=len(results) - known - len(spoiled),
        duplicates=known,
        refused=len(batch.refused) + len(spoiled),
        now=tx.now,
    )


def _arrival(row: Row, now: datetime) -> Arrival:
    facts = {name: value for name, value in row.facts.items() if name not in ("outcome", "partner_code")}
    contact = facts.pop("contact", None)
    lead = blank(
        **facts,
        id=new_id(),
        flow_id=new_id(),
        captured_via="csv",
        contact=Contact(**contact) if contact else None,
        attributes=row.attributes,
        created_at=now,
        updated_at=now,
    )
    done = [Activity(code, now) for code in row.activities]
    return Arrival(lead, done, outcome=row.facts.get("outcome"), partner_code=row.facts.get("partner_code"))
