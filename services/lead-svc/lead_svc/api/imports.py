"""HTTP in: imports of CSV."""

import json
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Form, UploadFile
from ltc_chassis.api import MB, Conn, Page, PageArgs, Tx, body_up_to, scope
from ltc_chassis.api import router as make_router
from ltc_chassis.limits import check_escapes
from ltc_contracts.errors import DomainError, Invalid
from pydantic import BaseModel

from lead_svc.domain.rows import Layout
from lead_svc.handlers import imports
from lead_svc.store import imports as store
from lead_svc.store.imports import Import

router = make_router(prefix="/v1", tags=["imports"])
_LARGEST_FILE = 20 * 1024 * 1024


class FileTooLarge(DomainError):
    """A file is limited in size."""

    kind = "too_large"


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
    file: UploadFile,
    mapping: Annotated[str, Form(max_length=20_000, description="JSON: field -> column")],
    nulls: Annotated[str, Form(max_length=5_000, description='JSON list of values for "not answered"')] = '[""]',
    defaults: Annotated[str, Form(max_length=5_000, description="JSON: field -> value where a row has none")] = "{}",
    outcomes: Annotated[
        str, Form(max_length=5_000, description="JSON: value of the column `outcome` -> converted, won, lost")
    ] = "{}",
    encoding: Annotated[str | None, Form(max_length=40, description="where it is neither UTF-8 nor UTF-16")] = None,
) -> ImportView:
    """Import leads from CSV. Rows are taken in the background; ask for progress and refused rows by the id."""
    content = await file.read(_LARGEST_FILE + 1)
    if len(content) > _LARGEST_FILE:
        raise FileTooLarge("a file may have 20 MB", field="file")
    layout = Layout(
        _texts(mapping, "mapping"), frozenset(_list(nulls)), _texts(defaults, "defaults"), _texts(outcomes, "outcomes")
    )
    job = await imports.take_file(
        tx, file_name=(file.filename or "import.csv")[:200], file=content, encoding=encoding, layout=layout
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


def _texts(text: str, field: str) -> dict[str, str]:
    given = _json(text, field)
    if not isinstance(given, dict) or not all(isinstance(value, str) for value in given.values()):
        raise Invalid("must be a JSON object of texts", field=field)
    return given


def _list(text: str) -> list[str]:
    given = _json(text, "nulls")
    if not isinstance(given, list) or not all(isinstance(value, str) for value in given):
        raise Invalid("must be a JSON list of texts", field="nulls")
    return given


def _json(text: str, field: str) -> Any:
    try:
        check_escapes(text.encode())
        return json.loads(text)
    except Invalid as error:
        raise Invalid(error.reason, field=field) from error
    except (ValueError, RecursionError) as error:
        raise Invalid("is not JSON", field=field) from error
