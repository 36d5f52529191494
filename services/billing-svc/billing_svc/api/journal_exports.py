"""HTTP in: exports of the journal, and each as a file."""

import csv
import io
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Query, Response
from ltc_chassis.api import Conn, Page, PageArgs, Principal, Tx, scope
from ltc_chassis.api import router as make_router
from ltc_rules.tables import inert
from pydantic import BaseModel, ConfigDict, Field

from billing_svc.api.periods import MONTH, first_day
from billing_svc.domain.journal_export import JournalExport
from billing_svc.handlers.journal_exports import export_journal as handle_export
from billing_svc.store import journal_exports as store

router = make_router(prefix="/v1/ledger", tags=["ledger"])
Exporter = Annotated[Principal, scope("ledger:export")]
COLUMNS = (
    *("export", "position", "line", "entry_id", "booked_on", "occurred_on", "kind", "document", "account", "account_number"),
    *("account_name", "currency", "debit", "credit", "reason", "made_by"),
)


class NewExport(BaseModel):
    """`country`: by whose chart accounts are numbered."""

    model_config = ConfigDict(extra="forbid")
    month: Annotated[str, Field(pattern=MONTH)]
    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$")] | None = None


class ExportView(BaseModel):
    """`remaining` entries of the month are in no export now."""

    id: UUID
    number: str
    month: str
    country: str | None
    entries: int
    remaining: int
    made_by: str
    created_at: datetime


@router.post("/exports", status_code=201, dependencies=[scope("ledger:export")])
async def export_journal(body: NewExport, tx: Tx, caller: Exporter) -> ExportView:
    """Export what is booked in a month and was not yet, at most 10,000 entries; tells `journal.posted`. 409: nothing is left."""
    export = await handle_export(tx, first_day(body.month), country=body.country, by=caller.subject)
    return await _view(tx.conn, export)


@router.get("/exports", dependencies=[scope("ledger:read")])
async def list_exports(conn: Conn, page: PageArgs, month: Annotated[str | None, Query(pattern=MONTH)] = None) -> Page[ExportView]:
    """What was exported, in the order in which it was."""
    day = None if month is None else first_day(month)
    found = await store.list_exports(conn, month=day, after=page.after, limit=page.limit + 1)
    return page.of([await _view(conn, each) for each in found], key=lambda view: view.id)


@router.get("/exports/{export_id}", dependencies=[scope("ledger:read")])
async def get_export(export_id: UUID, conn: Conn) -> ExportView:
    """One export."""
    return await _view(conn, await store.get_export(conn, export_id))


@router.get("/exports/{export_id}/journal.csv", dependencies=[scope("ledger:read")])
async def get_export_csv(export_id: UUID, conn: Conn) -> Response:
    """Its lines, the same bytes whenever they are asked for; a text that a spreadsheet would run is written as text."""
    export = await store.get_export(conn, export_id)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for row in await store.export_lines_view(conn, export):
        fields = {**dict(row), "export": export.number}
        for name in ("account_name", "reason", "made_by"):
            fields[name] = inert(fields[name])
        writer.writerow([fields[name] for name in COLUMNS])
    return Response(
        out.getvalue(),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{export.number}.csv"'},
    )


async def _view(conn: Conn, export: JournalExport) -> ExportView:
    remaining = await store.count_unexported(conn, export.month)
    return ExportView(
        id=export.id,
        number=export.number,
        month=f"{export.month:%Y-%m}",
        country=export.country,
        entries=export.entries,
        remaining=remaining,
        made_by=export.made_by,
        created_at=export.created_at,
    )
