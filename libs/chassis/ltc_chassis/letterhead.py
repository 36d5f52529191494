"""The letterhead: name, address, bank and look of the company on whatever a service prints. Each change is a version.

Each service keeps its own, since no service asks another; `routes()` gives the endpoints.
"""

import functools
import struct
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from ltc_contracts.errors import Invalid, NotFound
from pydantic import BaseModel, ConfigDict, Field

from ltc_chassis.api import Conn, Principal, Tx, principal_of, scope
from ltc_chassis.api import router as make_router
from ltc_chassis.connection import Connection
from ltc_chassis.db import Transaction

MAX_LOGO_BYTES = 128 * 1024
MAX_LOGO_PIXELS = 4_000_000
_PNG = b"\x89PNG\r\n\x1a\n"

Short = Annotated[str, Field(min_length=1, max_length=120)]


class Account(BaseModel):
    """A bank account as it is printed; `number` is an IBAN where there are IBANs."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    bank: Short
    number: Annotated[str, Field(min_length=4, max_length=40, pattern=r"^[A-Za-z0-9 -]+$")]
    bic: Annotated[str, Field(pattern=r"^[A-Z0-9]{8}([A-Z0-9]{3})?$")] | None = None


class NewLetterhead(BaseModel):
    """What is printed on every document. The logo has an endpoint of its own and stays."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=200)]
    address: Annotated[list[Short], Field(max_length=6)] = []
    email: Short | None = None
    phone: Short | None = None
    website: Short | None = None
    tax_id: Short | None = None
    registration: Annotated[Short | None, Field(description="court and number of the commercial register, or the like")] = None
    bank: Annotated[list[Account], Field(max_length=3)] = []
    footer: Annotated[str, Field(max_length=500)] | None = None
    colour: Annotated[str, Field(pattern=r"^#[0-9a-f]{6}$")] = "#1f3a5f"
    font: Annotated[Short | None, Field(description="a family installed where the service runs; else the built-in serif")] = None


class LetterheadView(NewLetterhead):
    """One version, and who made it when."""

    version: int
    logo: Annotated[bool, Field(description="whether there is one; see /v1/letterhead/logo")]
    set_by: str
    set_at: datetime


@dataclass(frozen=True, slots=True)
class Letterhead:
    """One version; `logo` is a PNG."""

    version: int
    content: NewLetterhead
    logo: bytes | None
    set_by: str
    set_at: datetime

    def on_paper(self) -> dict[str, Any]:
        """What a template sees of it."""
        return {**self.content.model_dump(mode="json"), "version": self.version, "logo": self.logo is not None}

    def view(self) -> LetterheadView:
        return LetterheadView(
            **self.content.model_dump(), version=self.version, logo=self.logo is not None, set_by=self.set_by, set_at=self.set_at
        )


async def load(conn: Connection, version: int | None = None) -> Letterhead | None:
    """The latest version, or that one; None where the company has not set any."""
    row = await conn.fetchrow(
        """
        SELECT version, name, address, email, phone, website, tax_id, registration, bank, footer, colour, font, logo, set_by, set_at
        FROM letterhead WHERE $1::integer IS NULL OR version = $1 ORDER BY version DESC LIMIT 1
        """,
        version,
    )
    if row is None:
        return None
    fields = dict(row)
    own = {name: fields.pop(name) for name in ("version", "logo", "set_by", "set_at")}
    return Letterhead(content=NewLetterhead(**fields), **own)


async def save(tx: Transaction, content: NewLetterhead, *, by: str) -> Letterhead:
    """The next version, with the logo of the one before."""
    present = await _latest_locked(tx)
    made = Letterhead((present.version if present else 0) + 1, content, present.logo if present else None, by, tx.now)
    await _insert(tx.conn, made)
    return made


async def save_logo(tx: Transaction, logo: bytes | None, *, by: str) -> Letterhead:
    """The next version with another logo, or none. Raises `Invalid` for anything but a PNG of reasonable size."""
    if logo is not None:
        check_logo(logo)
    present = await _latest_locked(tx)
    if present is None:
        raise NotFound("there is no letterhead yet; PUT /v1/letterhead first")
    made = replace(present, version=present.version + 1, logo=logo, set_by=by, set_at=tx.now)
    await _insert(tx.conn, made)
    return made


def check_logo(logo: bytes) -> None:
    """A PNG whose header says how many pixels a reader would have to unpack."""
    if len(logo) > MAX_LOGO_BYTES:
        raise Invalid(f"the logo has {len(logo)} bytes; at most {MAX_LOGO_BYTES} are printed", field="logo")
    if len(logo) < 33 or not logo.startswith(_PNG) or logo[12:16] != b"IHDR":
        raise Invalid("the logo must be a PNG", field="logo")
    width, height = struct.unpack(">II", logo[16:24])
    if not 0 < width * height <= MAX_LOGO_PIXELS:
        raise Invalid(f"the logo has {width} x {height} pixels; at most {MAX_LOGO_PIXELS} are printed", field="logo")


@functools.cache
def routes() -> APIRouter:
    """GET and PUT /v1/letterhead and its logo, with scopes `letterhead:read` and `letterhead:write`."""
    router = make_router(prefix="/v1/letterhead", tags=["letterhead"])

    @router.get("", dependencies=[scope("letterhead:read")])
    async def get_letterhead(conn: Conn, version: Annotated[int | None, Field(ge=1, le=2**31 - 1)] = None) -> LetterheadView:
        """What is printed on every document: the latest version, or the one asked for."""
        return (await _known(conn, version)).view()

    @router.put("", dependencies=[scope("letterhead:write")])
    async def put_letterhead(body: NewLetterhead, tx: Tx, caller: Annotated[Principal, Depends(_caller)]) -> LetterheadView:
        """A new version; documents that were printed keep theirs."""
        return (await save(tx, body, by=caller.subject)).view()

    @router.get("/logo", dependencies=[scope("letterhead:read")])
    async def get_logo(conn: Conn) -> Response:
        """The logo, a PNG."""
        logo = (await _known(conn, None)).logo
        if logo is None:
            raise NotFound("the letterhead has no logo")
        return Response(logo, media_type="image/png")

    @router.put("/logo", dependencies=[scope("letterhead:write")])
    async def put_logo(request: Request, tx: Tx, caller: Annotated[Principal, Depends(_caller)]) -> LetterheadView:
        """A PNG as the request's body, at most 128 kB; a new version of the letterhead."""
        return (await save_logo(tx, await request.body(), by=caller.subject)).view()

    @router.delete("/logo", dependencies=[scope("letterhead:write")])
    async def delete_logo(tx: Tx, caller: Annotated[Principal, Depends(_caller)]) -> LetterheadView:
        """A new version without a logo."""
        return (await save_logo(tx, None, by=caller.subject)).view()

    return router


async def _caller(request: Request) -> Principal:
    return principal_of(request)


async def _known(conn: Connection, version: int | None) -> Letterhead:
    found = await load(conn, version)
    if found is None:
        raise NotFound("there is no letterhead yet" if version is None else f"the letterhead has no version {version}")
    return found


async def _latest_locked(tx: Transaction) -> Letterhead | None:
    """The latest version; another change of the letterhead waits until this one is committed."""
    await tx.conn.execute("LOCK TABLE letterhead IN SHARE ROW EXCLUSIVE MODE")
    return await load(tx.conn)


async def _insert(conn: Connection, made: Letterhead) -> None:
    c = made.content
    await conn.execute(
        """
        INSERT INTO letterhead (version, name, address, email, phone, website, tax_id, registration, bank, footer, colour, font,
                                logo, set_by, set_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
        """,
        *(made.version, c.name, c.address, c.email, c.phone, c.website, c.tax_id, c.registration),
        *([account.model_dump() for account in c.bank], c.footer, c.colour, c.font, made.logo, made.set_by, made.set_at),
    )
