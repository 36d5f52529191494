"""Routes for operators, the same in every service: parked records, and the service's own contract documents."""

import base64
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Query, Request
from ltc_contracts.errors import NotFound
from pydantic import BaseModel, ConfigDict, Field

from ltc_chassis import asyncapi, parking
from ltc_chassis.api import Conn, Tx, runtime_of, scope
from ltc_chassis.api import router as make_router
from ltc_chassis.inputs import RowNumber

router = make_router(prefix="/v1/parked", tags=["operations"])
documents = make_router(prefix="", tags=["contracts"])


class ParkedView(BaseModel):
    """A parked record. `reason`: not_yet (too early), error (failed), refused (unreadable or against the contract), behind."""

    id: int
    topic: str
    partition: int
    offset: int
    published_at: datetime
    event_id: UUID | None
    flow_id: UUID | None
    type: str | None
    state: Literal["waiting", "dead", "discarded"]
    reason: Literal["not_yet", "error", "refused", "behind"]
    error: str
    attempts: int
    first_parked_at: datetime
    next_attempt_at: datetime
    size: int


class ParkedDetail(ParkedView):
    """With the bytes, base64; a null header value stays null."""

    key: str | None
    headers: list[tuple[str, str | None]]
    value: str


class ParkedPage(BaseModel):
    """`next` is the `after` of the following page."""

    items: list[ParkedView]
    next: int | None


class Redrive(BaseModel):
    """Which dead records to try again: one by id, those of a topic, or all."""

    model_config = ConfigDict(extra="forbid")
    id: RowNumber | None = None
    topic: Annotated[str, Field(max_length=249)] | None = None


class Redriven(BaseModel):
    redriven: int


@router.get("", dependencies=[scope("parked:read")])
async def list_parked(
    conn: Conn,
    state: Literal["waiting", "dead", "discarded"] | None = None,
    flow_id: UUID | None = None,
    after: RowNumber = 0,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> ParkedPage:
    """Records this service could not process (yet), oldest first."""
    rows = await parking.list_parked(conn, state=state, flow_id=flow_id, after=after, limit=limit + 1)
    items = [ParkedView(**dict(row)) for row in rows[:limit]]
    return ParkedPage(items=items, next=items[-1].id if len(rows) > limit else None)


@router.get("/{parked_id}", dependencies=[scope("parked:read")])
async def get_parked(conn: Conn, parked_id: RowNumber) -> ParkedDetail:
    """One parked record with its bytes."""
    row = await parking.get_parked(conn, parked_id)
    if row is None:
        raise NotFound(f"no parked record {parked_id}")
    fields: dict[str, Any] = dict(row)
    names, values = fields.pop("header_names"), fields.pop("header_values")
    key, value = fields.pop("key"), fields.pop("value")
    return ParkedDetail(
        **fields,
        key=_text(key),
        headers=[(name, _text(header)) for name, header in zip(names, values, strict=True)],
        value=base64.b64encode(value).decode(),
    )


@router.post("/redrive", dependencies=[scope("parked:write")])
async def redrive(body: Redrive, tx: Tx) -> Redriven:
    """Try dead records again, in their order, with a new life of attempts."""
    return Redriven(redriven=await parking.redrive(tx.conn, parked_id=body.id, topic=body.topic))


@router.post("/{parked_id}/discard", dependencies=[scope("parked:write")])
async def discard(parked_id: RowNumber, tx: Tx) -> Redriven:
    """Decide that a record shall have no effect. It stays readable and no longer holds up later records of its key."""
    if not await parking.discard(tx.conn, parked_id):
        raise NotFound(f"no parked record {parked_id} that is not discarded")
    return Redriven(redriven=0)


@documents.get("/openapi.json", dependencies=[scope("contracts:read")], include_in_schema=False)
async def openapi(request: Request) -> dict[str, Any]:
    document: dict[str, Any] = request.app.openapi()
    return document


@documents.get("/asyncapi.json", dependencies=[scope("contracts:read")], include_in_schema=False)
async def asyncapi_document(request: Request) -> dict[str, Any]:
    return asyncapi.document(runtime_of(request).name, request.app.state.consumers)


def _text(raw: bytes | None) -> str | None:
    return None if raw is None else base64.b64encode(raw).decode()
