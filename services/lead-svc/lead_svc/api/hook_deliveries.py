"""HTTP in: what ad platforms delivered, and another try."""

import base64
from datetime import datetime
from typing import Annotated
from uuid import UUID

from ltc_chassis.api import Conn, Page, PageArgs, Principal, Tx, scope
from ltc_chassis.api import router as make_router
from ltc_chassis.inputs import Moment
from pydantic import BaseModel

from lead_svc.domain.hook import Delivery, Item, State
from lead_svc.handlers import hooks as handlers
from lead_svc.store import hook_deliveries as store

router = make_router(prefix="/v1", tags=["capture deliveries"])


class ItemView(BaseModel):
    """A lead of a delivery. `problem` is the type of the refusal, as in `urn:ltc:problem:<problem>`."""

    external_id: str
    state: str
    problem: str | None
    field: str | None
    reason: str | None
    attempts: int
    next_attempt_at: datetime | None
    lead_id: UUID | None


class DeliveryView(BaseModel):
    """A delivery and what became of it. `genuine`: its signature was right."""

    id: UUID
    endpoint_id: UUID
    received_at: datetime
    client: str
    size: int
    genuine: bool
    state: str
    problem: str | None
    field: str | None
    reason: str | None
    attempts: int
    settled_at: datetime | None
    retried_by: str | None
    items: list[ItemView]


class WholeDelivery(DeliveryView):
    """With its bytes, as base64 and, where they are UTF-8, as text; null when they are no longer kept. A shared key is starred."""

    headers: dict[str, str]
    query: str
    body: str | None
    body_base64: str | None


@router.get("/capture-deliveries", dependencies=[scope("hooks:read")])
async def list_deliveries(
    conn: Conn,
    page: PageArgs,
    endpoint_id: UUID | None = None,
    state: State | None = None,
    since: Moment | None = None,
) -> Page[DeliveryView]:
    """Deliveries in the order in which they came, without their bytes."""
    rows = await store.list_deliveries(
        conn, endpoint_id=endpoint_id, state=state, since=since, after=page.after, limit=page.limit + 1
    )
    items = await store.items_of(conn, [row.id for row in rows])
    return page.of([DeliveryView(**_shown(row, items[row.id])) for row in rows], key=lambda view: view.id)


@router.get("/capture-deliveries/{delivery_id}", dependencies=[scope("hooks:inspect")])
async def get_delivery(delivery_id: UUID, conn: Conn) -> WholeDelivery:
    """One delivery with its bytes, which tell of persons."""
    row = await store.get_delivery(conn, delivery_id)
    items = await store.items_of(conn, [row.id])
    return WholeDelivery(
        **_shown(row, items[row.id]),
        headers=dict(row.headers),
        query=row.query,
        body=_text(row.body),
        body_base64=None if row.body is None else base64.b64encode(row.body).decode(),
    )


@router.post("/capture-deliveries/{delivery_id}/retry", dependencies=[scope("hooks:write")])
async def retry_delivery(delivery_id: UUID, tx: Tx, caller: Annotated[Principal, scope("hooks:write")]) -> DeliveryView:
    """Try a delivery again that was refused or failed, after the mapping or a secret was repaired; any other stays as it is."""
    row = await handlers.retry(tx, delivery_id, caller.subject)
    items = await store.items_of(tx.conn, [row.id])
    return DeliveryView(**_shown(row, items[row.id]))


def _shown(row: Delivery, items: list[Item]) -> dict[str, object]:
    leads = [ItemView(**{name: getattr(item, name) for name in ItemView.model_fields}) for item in items]
    return {**{name: getattr(row, name) for name in DeliveryView.model_fields if name != "items"}, "items": leads}


def _text(body: bytes | None) -> str | None:
    try:
        return None if body is None else body.decode()
    except UnicodeDecodeError:
        return None
