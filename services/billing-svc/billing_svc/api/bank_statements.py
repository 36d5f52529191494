"""HTTP in: banks' statements."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

from fastapi import UploadFile
from ltc_chassis.api import MB, Conn, Page, PageArgs, Principal, Tx, body_up_to, scope
from ltc_chassis.api import router as make_router
from ltc_contracts.errors import DomainError
from ltc_contracts.money import Money
from pydantic import BaseModel

from billing_svc.domain import bank_file
from billing_svc.domain.bank_statement import clean
from billing_svc.handlers import bank_files as handlers
from billing_svc.store import bank_entries
from billing_svc.store import bank_files as store
from billing_svc.store.bank_files import BankFile, StatementRow

router = make_router(prefix="/v1", tags=["bank statements"])


class FileTooLarge(DomainError):
    """A file is limited in size."""

    kind = "too_large"


class StatementView(BaseModel):
    """`state`: `taken`, `known` (all of it was taken before) or `refused` whole, with line, element and reason. opening + entries =
    closing where the bank tells balances; `pending` entries are not booked yet and are left out."""

    id: UUID
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


class FileView(BaseModel):
    """`state`: `waiting` (`entries` tells how far it is), `done`, or `refused` whole with line, element and reason."""

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
    statements: list[StatementView]

    @classmethod
    def of(cls, file: BankFile, statements: list[StatementRow]) -> "FileView":
        given: dict[str, Any] = {name: getattr(file, name) for name in cls.model_fields if name != "statements"}
        shown = [StatementView(**{name: getattr(row, name) for name in StatementView.model_fields}) for row in statements]
        return cls(**given, statements=shown)


class ItemView(BaseModel):
    """One payment of an entry. `state`: `due`, `applied` (a payment), `waiting` for a person, `settled`, or `known` from elsewhere."""

    id: UUID
    amount: Money
    party: str
    party_account: str
    end_to_end_id: str
    references: list[str]
    text: str
    charges: Money | None
    return_reason: str
    detailed: bool
    state: str


class EntryView(BaseModel):
    """`amount` is below zero for money that went out; `same_as` is the entry of another message that told of this booking before."""

    id: UUID
    position: int
    amount: Money
    booked_on: date
    valued_on: date
    reversal: bool
    bank_reference: str
    code: str
    same_as: UUID | None
    items: list[ItemView]

    @classmethod
    def of(cls, row: Any) -> "EntryView":
        given = dict(row)
        currency = given.pop("currency")
        given["amount"] = Money.of(given["amount"], currency)
        given["items"] = [
            {
                **item,
                "amount": Money.of(item["amount"], currency),
                "charges": None if item["charges"] is None else Money.of(item["charges"], currency),
                "references": item["references"].split("\n") if item["references"] else [],
            }
            for item in given["items"]
        ]
        return cls(**given)


# The file, and what a form puts around it.
@router.post("/bank-statements", status_code=202, dependencies=[body_up_to(21 * MB)])
async def send_statements(file: UploadFile, tx: Tx, caller: Annotated[Principal, scope("statements:write")]) -> FileView:
    """Import a file of camt.053, camt.054 or MT940, in the background; ask for its progress by the id. The same bytes again are the
    same file, whatever it is called. 400 for what is empty or an archive; 413 above 20 MB."""
    content = await file.read(bank_file.LARGEST + 1)
    if len(content) > bank_file.LARGEST:
        raise FileTooLarge("a file may have 20 MB", field="file")
    name = clean(file.filename, 200) or "statement"
    file_id = await handlers.take_file(tx, name=name, content=content, sent_by=caller.subject)
    return (await _views(tx.conn, [await store.get_file(tx.conn, file_id)]))[0]


@router.get("/bank-statements", dependencies=[scope("statements:read")])
async def list_files(conn: Conn, page: PageArgs) -> Page[FileView]:
    """Files in the order in which they came."""
    rows = await store.list_files(conn, after=page.after, limit=page.limit + 1)
    return page.of(await _views(conn, rows), key=lambda view: view.id)


@router.get("/bank-statements/{file_id}", dependencies=[scope("statements:read")])
async def get_file(file_id: UUID, conn: Conn) -> FileView:
    """How far a file is, and what became of its statements."""
    return (await _views(conn, [await store.get_file(conn, file_id)]))[0]


@router.get("/bank-statements/{file_id}/entries/{statement_id}", dependencies=[scope("statements:read")])
async def list_entries(file_id: UUID, statement_id: UUID, conn: Conn, page: PageArgs) -> Page[EntryView]:
    """The entries that were new with a statement."""
    await store.get_file(conn, file_id)
    rows = await bank_entries.list_entries(conn, statement_id, after=page.after, limit=page.limit + 1)
    return page.of([EntryView.of(row) for row in rows], key=lambda view: view.id)


async def _views(conn: Any, files: list[BankFile]) -> list[FileView]:
    statements = await store.list_statements(conn, [file.id for file in files])
    return [FileView.of(file, statements[file.id]) for file in files]
