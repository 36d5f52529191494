"""HTTP in: payment providers push events; which providers there are, and what became of their events."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Path, Request
from fastapi.responses import JSONResponse
from ltc_chassis.api import KB, Conn, Page, PageArgs, Principal, Tx, scope
from ltc_chassis.api import router as make_router
from ltc_chassis.pages import Throttle, public_router
from pydantic import BaseModel, Field

from billing_svc.api.cash_application import Why
from billing_svc.api.payments import Body
from billing_svc.domain.provider_event import ProviderEvent, State
from billing_svc.handlers import provider_events as handlers
from billing_svc.store import provider_events as store
from billing_svc.store.provider_events import Provider

router = make_router(prefix="/v1", tags=["payment providers"])
public = public_router(
    prefix="/in",
    tags=["payment providers"],
    why="a payment provider has no token of ours: the signature of each event is its permission",
    largest_body=256 * KB,  # as large as events of payment providers come
)
Code = Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]
_EVENTS = Throttle(3000, per_s=60)


class NewProvider(Body):
    """`secret` is the name of a file in the directory of secrets; while it is rotated, `<name>.previous` is accepted as well.
    `version` is 1 for a new one, else the next."""

    secret: Annotated[str, Field(max_length=63)]
    tolerance_s: Annotated[int, Field(ge=10, le=86_400)] = 300
    active: bool = True
    version: Annotated[int, Field(ge=1, le=2**31 - 1)]


class ProviderView(BaseModel):
    """`address` is where the provider sends its events to."""

    code: str
    address: str
    secret: str
    tolerance_s: int
    active: bool
    version: int
    changed_by: str
    changed_at: datetime


class EventView(BaseModel):
    """`hard_decline` true: what failed must never be tried again in the same way; null: it is no failed payment. What is `waiting` is for
    a person: money that a provider moved over a dispute, or what could not be taken."""

    id: UUID
    provider: str
    event_id: str
    type: str
    state: State
    object_id: str
    payment_id: UUID | None
    hard_decline: bool | None
    reason: str | None
    decided_by: str | None
    received_at: datetime
    settled_at: datetime | None


class Settlement(Body):
    why: Why


@public.post("/payments/{code}", dependencies=[Depends(_EVENTS)])
async def take_event(code: Code, request: Request, tx: Tx) -> JSONResponse:
    """A provider pushes an event, signed in `Stripe-Signature`. 200 when it is kept, or came before; 403 for a wrong signature; 400 for
    one that is too old, and for what is no event; 404 for a provider that is not set up, or whose secret is away."""
    fresh = await handlers.receive(tx, code, request.headers.get("stripe-signature", "")[:4000], await request.body())
    return JSONResponse({"outcome": "received" if fresh else "known"})


@router.put("/payment-providers/{code}")
async def change_provider(
    code: Code, body: NewProvider, tx: Tx, caller: Annotated[Principal, scope("payments:configure")]
) -> ProviderView:
    """Set up a provider, or change it. 409 when it was changed meanwhile."""
    made = Provider(code, body.secret, body.tolerance_s, body.active, body.version, caller.subject, tx.now)
    return _provider(await handlers.change_provider(tx, made))


@router.get("/payment-providers", dependencies=[scope("payments:read")])
async def list_providers(conn: Conn) -> list[ProviderView]:
    """All of them."""
    return [_provider(each) for each in await store.list_providers(conn)]


@router.get("/payment-provider-events", dependencies=[scope("payments:read")])
async def list_events(
    conn: Conn, page: PageArgs, state: State | None = None, hard_decline: bool | None = None
) -> Page[EventView]:
    """Events in the order in which they came."""
    rows = await store.list_events(conn, state=state, hard=hard_decline, after=page.after, limit=page.limit + 1)
    return page.of([_event(row) for row in rows], key=lambda view: view.id)


@router.post("/payment-provider-events/{event_id}/settle")
async def settle_event(
    event_id: UUID, body: Settlement, tx: Tx, caller: Annotated[Principal, scope("payments:write")]
) -> EventView:
    """A person did what an event asked for. 409 when it does not wait."""
    return _event(await handlers.settle(tx, event_id, by=caller.subject, why=body.why, now=tx.now))


def _provider(provider: Provider) -> ProviderView:
    same = {name: getattr(provider, name) for name in ProviderView.model_fields if name != "address"}
    return ProviderView(address=f"/in/payments/{provider.code}", **same)


def _event(event: ProviderEvent) -> EventView:
    same = {name: getattr(event, name) for name in EventView.model_fields if name != "hard_decline"}
    return EventView(hard_decline=event.hard, **same)
