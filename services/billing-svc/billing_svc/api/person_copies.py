"""HTTP out: what billing knows of a person."""

from typing import Annotated, Any

from ltc_chassis.api import Conn, scope
from ltc_chassis.api import router as make_router
from pydantic import BaseModel, ConfigDict, Field

from billing_svc.handlers import erasure

router = make_router(prefix="/v1", tags=["personal data"])


class Wish(BaseModel):
    """By the address that invoices have of the person. In the body, since addresses of calls are logged."""

    model_config = ConfigDict(extra="forbid")

    email: Annotated[str, Field(min_length=6, max_length=254, pattern=r"^[^@\s\x00-\x1f\x7f]+@[^@\s\x00-\x1f\x7f]+$")]


class TableView(BaseModel):
    """Rows of a table; `complete` is false where there are more than 1,000."""

    complete: bool
    rows: list[dict[str, Any]]


class CopyView(BaseModel):
    """Every row that is about the person, by table; without the names of employees, and without what is about others, too."""

    tables: dict[str, TableView]


@router.post("/person-copies", dependencies=[scope("privacy:read")])
async def copy(body: Wish, conn: Conn) -> CopyView:
    """A copy of what is known of a person (GDPR 15 and 20)."""
    found = await erasure.copy_person(conn, body.email)
    return CopyView(tables={name: TableView(complete=whole, rows=rows) for name, (rows, whole) in found.items()})
