"""HTTP in: receivables of another system."""

import json
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Form, UploadFile
from ltc_chassis.api import MB, Conn, Page, PageArgs, Principal, Tx, body_up_to, scope
from ltc_chassis.api import router as make_router
from ltc_contracts.errors import DomainError, Invalid
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from billing_svc.domain.rows import Layout
from billing_svc.handlers import imports as handlers
from billing_svc.store import imports as store
from billing_svc.store.imports import Import

router = make_router(prefix="/v1", tags=["imports"])
_LARGEST_FILE = 20 * 1024 * 1024
Key = Annotated[str, Field(min_length=1, max_length=70)]
Word = Annotated[str, Field(max_length=500)]


class FileTooLarge(DomainError):
    """An import is limited to 20 MB."""

    kind = "too_large"


class Mapping(BaseModel):
    """How columns become fields: see `Layout`."""

    model_config = ConfigDict(extra="forbid")
    columns: Annotated[dict[Key, Word], Field(min_length=1, max_length=300)]
    values: Annotated[dict[Key, Annotated[dict[Word, Word], Field(max_length=2000)]], Field(max_length=300)] = {}
    defaults: Annotated[dict[Key, Word], Field(max_length=300)] = {}
    nulls: Annotated[list[Word], Field(max_length=100)] = [""]
    dates: Word = "YYYY-MM-DD"


class ImportView(BaseModel):
    """processed = imported + duplicates + refused; `state` is waiting, running or done."""

    id: UUID
    file_name: str
    state: str
    total: int
    processed: int
    imported: int
    duplicates: int
    refused: int
    created_by: str
    created_at: datetime
    finished_at: datetime | None

    @classmethod
    def of(cls, job: Import) -> "ImportView":
        return cls(**{name: getattr(job, name) for name in cls.model_fields})


class RefusalView(BaseModel):
    id: UUID
    line: int
    field: str
    reason: str


# The file, its mapping, and what a form puts around them.
@router.post("/imports", status_code=202, dependencies=[scope("imports:write"), body_up_to(21 * MB)])
async def start_import(
    tx: Tx,
    caller: Annotated[Principal, scope("imports:write")],
    file: UploadFile,
    mapping: Annotated[str, Form(max_length=500_000, description="JSON: columns, values, defaults, nulls, dates")],
    encoding: Annotated[str | None, Form(max_length=40, description="of the file, where it is not UTF-8")] = None,
) -> ImportView:
    """Take over receivables from CSV. Rows are taken in the background; ask for progress and refused rows by the id."""
    content = await file.read(_LARGEST_FILE + 1)
    if len(content) > _LARGEST_FILE:
        raise FileTooLarge("a file may have 20 MB", field="file")
    job = await handlers.take_file(
        tx,
        file_name=(file.filename or "import.csv")[:200],
        file=content,
        encoding=encoding,
        layout=_layout(mapping),
        by=caller.subject,
    )
    return ImportView.of(job)


@router.get("/imports/{import_id}", dependencies=[scope("imports:read")])
async def get_import(import_id: UUID, conn: Conn) -> ImportView:
    """How far an import is."""
    return ImportView.of(await store.get_import(conn, import_id))


@router.get("/imports/{import_id}/errors", dependencies=[scope("imports:read")])
async def list_refusals(import_id: UUID, conn: Conn, page: PageArgs) -> Page[RefusalView]:
    """Rows that were not taken, with line, field and reason."""
    await store.get_import(conn, import_id)
    rows = await store.list_refusals(conn, import_id, after=page.after, limit=page.limit + 1)
    return page.of([RefusalView(**dict(row)) for row in rows], key=lambda view: view.id)


def _layout(text: str) -> Layout:
    try:
        given = Mapping.model_validate(json.loads(text))
    except ValidationError as error:
        first: Any = error.errors()[0]
        raise Invalid(f"{'.'.join(map(str, first['loc']))}: {first['msg']}", field="mapping") from error
    except (ValueError, RecursionError) as error:
        raise Invalid("is not JSON", field="mapping") from error
    return Layout(given.columns, given.values, given.defaults, frozenset(given.nulls), given.dates)
