"""The verbs of imports: take a file, then work through it a chunk per transaction, so that a kill costs no row and doubles none."""

import itertools
from datetime import datetime

from ltc_chassis.db import Transaction
from ltc_chassis.ids import new_id
from ltc_contracts.events import Contact

from lead_svc.domain.lead import Lead, blank
from lead_svc.domain.rows import Layout, Refusal, Row, check_layout, read_row, read_table
from lead_svc.domain.score import Activity
from lead_svc.handlers.capture import Arrival, capture_leads
from lead_svc.store import leads as store
from lead_svc.store.leads import Import


async def take_file(tx: Transaction, *, file_name: str, file: bytes, layout: Layout) -> Import:
    """Keep a file to import; raises `Invalid` when nothing in it could be imported."""
    header, records = read_table(file)
    check_layout(header, layout)
    total = sum(1 for _ in records)
    made = Import(new_id(), file_name, layout, "waiting", total, 0, 0, 0, 0, tx.now, None)
    await store.insert_import(tx.conn, made, file)
    return made


async def import_chunk(tx: Transaction, *, limit: int) -> int:
    """The next `limit` rows of the oldest unfinished import; the number handled, 0 when none is unfinished."""
    claimed = await store.claim_import(tx.conn)
    if claimed is None:
        return 0
    job, file = claimed
    header, records = read_table(file)
    chunk = [
        read_row(line, header, cells, job.layout)
        for line, cells in itertools.islice(records, job.processed, job.processed + limit)
    ]
    rows = [row for row in chunk if isinstance(row, Row)]
    refused = [row for row in chunk if isinstance(row, Refusal)]
    new = await capture_leads(
        tx, [Arrival(_lead(row, tx.now), [Activity(code, tx.now) for code in row.activities]) for row in rows]
    )
    await store.insert_refusals(tx.conn, job.id, refused)
    await store.advance_import(
        tx.conn,
        job.id,
        imported=len(new),
        duplicates=len(rows) - len(new),
        refused=len(refused),
        now=tx.now,
    )
    return max(len(chunk), 1)


def _lead(row: Row, now: datetime) -> Lead:
    facts = dict(row.facts)
    contact = facts.pop("contact", None)
    return blank(
        **facts,
        id=new_id(),
        flow_id=new_id(),
        captured_via="csv",
        contact=Contact(**contact) if contact else None,
        attributes=row.attributes,
        created_at=now,
        updated_at=now,
    )
