"""HTTP in: orders are read here, and their cancellation is asked for. An order is made by a signed contract alone."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from ltc_chassis.api import Conn, Page, PageArgs, Tx, scope
from ltc_chassis.api import router as make_router
from ltc_contracts.events import Customer, Line
from ltc_contracts.events.model import Percent
from ltc_contracts.money import Money
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from order_svc.domain.order import CancellationState, Change, Order, State
from order_svc.handlers import orders as handlers
from order_svc.store import orders as store

router = make_router(prefix="/v1", tags=["orders"])


class CancelOrder(BaseModel):
    """Why the customer wants out."""

    model_config = ConfigDict(extra="forbid")
    # NUL is the one character that PostgreSQL's text cannot hold.
    reason: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000, pattern=r"^[^\x00]*$")]


class CancellationView(BaseModel):
    """The last cancellation request: `requested` until delivery decides, then `granted` or `refused`."""

    state: CancellationState
    reason: str
    requested_at: datetime
    decided_at: datetime | None


class OrderView(BaseModel):
    """An order with its lines as signed. `collected` is the gross of its paid invoices, null while there is none."""

    id: UUID
    flow_id: UUID
    number: str
    state: State
    contract_id: UUID
    customer: Customer
    lines: tuple[Line, ...]
    net: Money
    payment_terms_days: int
    requested_on: date | None
    promised_on: date | None
    percent_delivered: Annotated[Percent, Field(description="0 to 100")]
    delivery_id: UUID | None
    paid: bool
    collected: Money | None
    cancellation: CancellationView | None
    created_at: datetime
    updated_at: datetime
    version: int

    @classmethod
    def of(cls, order: Order, lines: tuple[Line, ...]) -> "OrderView":
        asked = order.cancellation
        return cls(
            id=order.id,
            flow_id=order.flow_id,
            number=order.number,
            state=order.state,
            contract_id=order.contract_id,
            customer=order.customer,
            lines=lines,
            net=order.net,
            payment_terms_days=order.payment_terms_days,
            requested_on=order.requested_on,
            promised_on=order.promised_on,
            percent_delivered=order.percent_delivered,
            delivery_id=order.delivery_id,
            paid=order.paid,
            collected=order.collected,
            cancellation=None
            if asked is None
            else CancellationView(
                state=asked.state, reason=asked.reason, requested_at=asked.requested_at, decided_at=asked.decided_at
            ),
            created_at=order.created_at,
            updated_at=order.updated_at,
            version=order.version,
        )


class ChangeView(BaseModel):
    """One change of state; `from_state` is null for the first."""

    version: int
    from_state: State | None
    to_state: State
    reason: str | None
    changed_at: datetime

    @classmethod
    def of(cls, change: Change) -> "ChangeView":
        return cls(
            version=change.version,
            from_state=change.from_state,
            to_state=change.to_state,
            reason=change.reason,
            changed_at=change.changed_at,
        )


class HistoryView(BaseModel):
    """Every state an order was in, oldest first."""

    items: list[ChangeView]


@router.get("/orders", dependencies=[scope("orders:read")])
async def list_orders(
    conn: Conn, page: PageArgs, flow_id: UUID | None = None, state: State | None = None, contract_id: UUID | None = None
) -> Page[OrderView]:
    """Orders in the order they were received, by flow, state or contract."""
    orders = await store.list_orders(
        conn, flow_id=flow_id, state=state, contract_id=contract_id, after=page.after, limit=page.limit + 1
    )
    lines = await store.list_lines(conn, [order.id for order in orders])
    return page.of([OrderView.of(order, lines[order.id]) for order in orders], key=lambda view: view.id)


@router.get("/orders/{order_id}", dependencies=[scope("orders:read")])
async def get_order(order_id: UUID, conn: Conn) -> OrderView:
    """One order with its lines, progress, payment and cancellation."""
    order = await store.get_order(conn, order_id)
    lines = await store.list_lines(conn, [order.id])
    return OrderView.of(order, lines[order.id])


@router.get("/orders/{order_id}/history", dependencies=[scope("orders:read")])
async def get_history(order_id: UUID, conn: Conn) -> HistoryView:
    """Every state the order was in, with the time and the reason."""
    order = await store.get_order(conn, order_id)
    return HistoryView(items=[ChangeView.of(change) for change in await store.list_changes(conn, order.id)])


@router.post("/orders/{order_id}/cancel", status_code=202, dependencies=[scope("orders:write")])
async def cancel_order(order_id: UUID, body: CancelOrder, tx: Tx) -> OrderView:
    """Ask for cancellation: free before delivery has begun. Delivery decides; read the order for the answer."""
    order = await handlers.request_cancellation(tx, order_id, body.reason)
    lines = await store.list_lines(tx.conn, [order.id])
    return OrderView.of(order, lines[order.id])
