"""The smallest service that uses every part of the chassis: it takes notes, from HTTP and from events, and says so."""

from datetime import datetime
from typing import Annotated, ClassVar
from uuid import UUID, uuid4

from fastapi import APIRouter, FastAPI
from ltc_contracts.envelope import Envelope
from ltc_contracts.errors import Invalid, NotFound, NotYet
from ltc_contracts.events import Event
from pydantic import BaseModel, ConfigDict, Field

from ltc_chassis import custom_fields, letterhead
from ltc_chassis.api import Conn, Now, Page, PageArgs, Tx, router, scope
from ltc_chassis.app import Service, build
from ltc_chassis.consumer import Consumers
from ltc_chassis.db import Transaction
from ltc_chassis.ids import new_id
from ltc_chassis.settings import ChassisSettings
from ltc_chassis.timers import Timer


class Pinged(Event):
    """Somebody wants a note."""

    TOPIC: ClassVar[str] = "echo.pinged"
    SUBJECT: ClassVar[str] = "ping_id"

    ping_id: UUID
    text: Annotated[str, Field(max_length=2_000_000)]


class Noted(Event):
    """A note was taken."""

    TOPIC: ClassVar[str] = "echo.noted"
    SUBJECT: ClassVar[str] = "note_id"

    note_id: UUID
    text: str


def event_types(suffix: str = "") -> tuple[type[Pinged], type[Noted]]:
    """`Pinged` and `Noted` on topics of their own, so that tests on one broker do not meet."""
    suffix = suffix or uuid4().hex[:12]
    pinged = type(f"Pinged{suffix}", (Pinged,), {"TOPIC": f"echo{suffix}.pinged", "__module__": __name__})
    noted = type(f"Noted{suffix}", (Noted,), {"TOPIC": f"echo{suffix}.noted", "__module__": __name__})
    return pinged, noted


async def take_note(tx: Transaction, text: str, flow_id: UUID, noted: type[Noted]) -> UUID:
    """Write a note and announce it."""
    if text == "forbidden":
        raise Invalid("this text is not taken", field="text")
    if text == "too early":
        known = await tx.conn.fetchval("SELECT EXISTS (SELECT 1 FROM note WHERE flow_id = $1)", flow_id)
        if not known:
            raise NotYet("the flow has no note yet")
    note_id = new_id()
    await tx.conn.execute(
        "INSERT INTO note (id, flow_id, text, cause, version, created_at) VALUES ($1, $2, $3, $4, 1, $5)",
        note_id,
        flow_id,
        text,
        tx.cause.event_id if tx.cause else None,
        tx.now,
    )
    tx.emit(noted(note_id=note_id, text=text), flow_id=flow_id, sequence=1)
    return note_id


class NewNote(BaseModel):
    model_config = ConfigDict(extra="forbid")
    text: Annotated[str, Field(min_length=1, max_length=2_000_000)]


class NoteView(BaseModel):
    id: UUID
    flow_id: UUID
    text: str


def _router(noted: type[Noted]) -> APIRouter:
    api = router(prefix="/v1", tags=["notes"])

    @api.post("/notes", status_code=201, dependencies=[scope("notes:write")])
    async def create(body: NewNote, tx: Tx) -> NoteView:
        """Take a note."""
        if body.text == "defect":
            raise RuntimeError("a defect of ours")
        flow_id = new_id()
        return NoteView(id=await take_note(tx, body.text, flow_id, noted), flow_id=flow_id, text=body.text)

    @api.get("/notes/{note_id}", dependencies=[scope("notes:read")])
    async def get(note_id: UUID, conn: Conn) -> NoteView:
        """One note."""
        row = await conn.fetchrow("SELECT id, flow_id, text FROM note WHERE id = $1", note_id)
        if row is None:
            raise NotFound(f"no note {note_id}")
        return NoteView(**dict(row))

    @api.get("/notes", dependencies=[scope("notes:read")])
    async def listed(conn: Conn, page: PageArgs) -> Page[NoteView]:
        """Notes in the order they were taken."""
        rows = await conn.fetch(
            "SELECT id, flow_id, text FROM note WHERE $1::uuid IS NULL OR id > $1 ORDER BY id LIMIT $2",
            page.after,
            page.limit + 1,
        )
        return page.of([NoteView(**dict(row)) for row in rows], key=lambda view: view.id)

    @api.get("/now", dependencies=[scope("notes:read")])
    async def now(now: Now) -> datetime:
        """Business time."""
        return now

    return api


def make_consumers(pinged: type[Pinged], noted: type[Noted]) -> Consumers:
    """One consumer: a ping becomes a note."""
    consumers = Consumers()

    @consumers.on(pinged)
    async def on_ping(tx: Transaction, event: Pinged, envelope: Envelope) -> None:
        assert envelope.flow_id is not None
        await take_note(tx, event.text, envelope.flow_id, noted)

    return consumers


async def _nothing_due(tx: Transaction) -> int:
    return 0 if tx.now else 1


def create_app(
    settings: ChassisSettings | None = None, pinged: type[Pinged] = Pinged, noted: type[Noted] = Noted, name: str = "echo"
) -> FastAPI:
    """START HERE."""
    return build(
        Service(
            name=name,
            package="ltc_chassis.tests.echo",
            settings=settings or ChassisSettings(),
            routers=[_router(noted), custom_fields.routes(entities=("note", "page")), letterhead.routes()],
            consumers=make_consumers(pinged, noted),
            timers=[Timer("nothing", _nothing_due)],
            mails=True,
        )
    )
