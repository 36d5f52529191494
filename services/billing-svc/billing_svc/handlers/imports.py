"""The verbs of imports: take a file, then work through it a chunk per transaction, so that a kill costs no row and doubles none."""

import asyncio
import itertools
from collections.abc import Iterator, Sequence
from uuid import UUID

from ltc_chassis.db import Transaction, is_refused
from ltc_chassis.ids import new_id
from ltc_contracts.errors import DomainError
from ltc_rules.tables import Record, read_table

from billing_svc.domain import past_invoice
from billing_svc.domain import payment as cash
from billing_svc.domain.invoice import Invoice
from billing_svc.domain.past_invoice import NumberTaken
from billing_svc.domain.payment import Claim
from billing_svc.domain.rows import Layout, Reader, Refusal, Row, begin_of
from billing_svc.handlers import disputes
from billing_svc.handlers.journal import book
from billing_svc.store import imports, invoices, payments
from billing_svc.store.disputes import list_disputes
from billing_svc.store.imports import Import, Known

_BY = "import"
_DISPUTED = "in dispute in the system it was taken over from"
_SETTLED = "settled in the system it was taken over from"

CHUNK = 200


async def take_file(tx: Transaction, *, file_name: str, file: bytes, encoding: str | None, layout: Layout, by: str) -> Import:
    """Keep a file to import, in chunks; raises `Invalid` when nothing in it could be imported."""
    table = await asyncio.to_thread(read_table, file, encoding)
    Reader(table.header, layout)
    job = Import(new_id(), file_name, table.header, layout, "waiting", 0, 0, 0, 0, 0, by, tx.now, None)
    await imports.insert_import(tx.conn, job)
    for number in itertools.count():
        # In a thread, a chunk at a time: other requests go on while a large file is read.
        records = await asyncio.to_thread(_next, table.records)
        if not records:
            break
        await imports.insert_chunk(tx.conn, job.id, number, records)
    return await imports.get_import(tx.conn, job.id)


async def import_chunk(tx: Transaction) -> int:
    """The next rows of the oldest unfinished file; the number handled, 0 when there is none."""
    job = await imports.claim_import(tx.conn)
    if job is None:
        return 0
    records = await imports.take_chunk(tx.conn, job.id)
    reader = Reader(job.header, job.layout)
    read = [reader.read(record.line, record.cells, tx.now.date()) for record in records]
    rows = [row for row in read if isinstance(row, Row)]
    refused = [row for row in read if isinstance(row, Refusal)]
    imported, spoiled = await _take(tx, rows, job.id)
    await imports.insert_refusals(tx.conn, job.id, sorted([*refused, *spoiled], key=lambda refusal: refusal.line))
    await imports.advance_import(
        tx.conn,
        job.id,
        imported=imported,
        duplicates=len(rows) - imported - len(spoiled),
        refused=len(refused) + len(spoiled),
        now=tx.now,
    )
    return max(len(records), 1)


def _next(records: Iterator[Record]) -> list[Record]:
    return list(itertools.islice(records, CHUNK))


async def _take(tx: Transaction, rows: Sequence[Row], import_id: UUID) -> tuple[int, list[Refusal]]:
    """How many of the rows are new. A row that the database or a rule refuses is found by halving; it stops no other."""
    if not rows:
        return 0, []
    try:
        async with tx.savepoint():
            return await _take_receivables(tx, rows, import_id), []
    except Exception as error:
        if not isinstance(error, DomainError) and not is_refused(error):
            raise
        if len(rows) > 1:
            half = len(rows) // 2
            first, second = await _take(tx, rows[:half], import_id), await _take(tx, rows[half:], import_id)
            return first[0] + second[0], [*first[1], *second[1]]
        field, reason = (
            (error.field, error.reason) if isinstance(error, DomainError) else (None, "holds a value that cannot be kept")
        )
        return 0, [Refusal(rows[0].line, field or "row", reason)]


async def _take_receivables(tx: Transaction, rows: Sequence[Row], import_id: UUID) -> int:
    """Told again nothing happens, except that one that was open and is said to be settled by now is settled."""
    known = await imports.find_past_invoices(tx.conn, rows)
    numbers = [past_invoice.number_of(row.system, row.number) for row in rows]
    called = set(await invoices.get_ids_by_number(tx.conn, numbers))
    taken = 0
    for row, number in zip(rows, numbers, strict=True):
        key = (row.system, row.number)
        if key in known:
            before = known[key]
            past_invoice.require_same(row, (before.amount, before.issued_on, before.due_on))
            taken += await _settle_known(tx, row, before.invoice_id)
            continue
        if number in called:
            raise NumberTaken("another document is called the same here", field="number")
        called.add(number)
        invoice = await _take_over(tx, row, import_id)
        known[key] = Known(invoice.id, row.amount, row.issued_on, row.due_on)
        taken += 1
    return taken


async def _take_over(tx: Transaction, row: Row, import_id: UUID) -> Invoice:
    invoice, entry, events = past_invoice.take_over(row, invoice_id=new_id(), flow_id=new_id(), now=tx.now)
    await invoices.insert_invoices(tx.conn, [invoice])
    await imports.insert_past_invoice(tx.conn, row, invoice.id, import_id)
    await book(tx, entry, flow_id=invoice.flow_id, invoice_id=invoice.id)
    for event in events:
        tx.emit(event, flow_id=invoice.flow_id, sequence=invoice.version, occurred_at=begin_of(row.issued_on))
    if row.settled_on is not None:
        await _settle(tx, row, invoice)
    elif row.disputed and invoice.open.amount:
        # Nobody is reminded here of what is in dispute there.
        await disputes.open_dispute(tx, invoice.id, category="other", amount=None, reason=_DISPUTED, by=_BY)
    return invoice


async def _settle_known(tx: Transaction, row: Row, invoice_id: UUID) -> bool:
    if row.settled_on is None:
        return False
    invoice = (await invoices.get_invoices_for_update(tx.conn, [invoice_id]))[invoice_id]
    # What was paid or taken back here since is what counts.
    if invoice.state != "final" or invoice.open != invoice.gross:
        return False
    if invoice.disputed:
        for dispute in await list_disputes(tx.conn, invoice_id=invoice_id, state="open", after=None, limit=1):
            await disputes.reject_dispute(tx, dispute.id, resolution=_SETTLED, by=_BY)
        invoice = (await invoices.get_invoices_for_update(tx.conn, [invoice_id]))[invoice_id]
    await _settle(tx, row, invoice)
    return True


async def _settle(tx: Transaction, row: Row, invoice: Invoice) -> None:
    """A payment of all of it on the day on which it was settled there."""
    if row.settled_on is None:
        return
    at = begin_of(row.settled_on)
    payment, entry, events = cash.receive(
        payment_id=new_id(),
        amount=row.amount,
        method=row.method,
        reference=row.reference,
        received_on=row.settled_on,
        now=tx.now,
    )
    await payments.insert_payment(tx.conn, payment)
    await book(tx, entry, payment_id=payment.id)
    for event in events:
        tx.emit(event, flow_id=None, sequence=payment.version, occurred_at=at)
    payment, settlements = cash.allocate(payment, [Claim(invoice)], on=row.settled_on, now=tx.now)
    for made in settlements:
        await invoices.save_invoice(tx.conn, made.invoice)
        await payments.insert_allocation(tx.conn, new_id(), payment.id, made, tx.now)
        await book(tx, made.entry, flow_id=invoice.flow_id, invoice_id=invoice.id, payment_id=payment.id)
        for event in made.events:
            tx.emit(event, flow_id=invoice.flow_id, sequence=made.invoice.version, occurred_at=at)
    await payments.save_payment(tx.conn, payment)
