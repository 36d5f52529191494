"""HTTP in: orders are read here, held, released, and their cancellation is asked for."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from fastapi import Query
from ltc_chassis.api import Conn, Page, PageArgs, Principal, Tx, scope
from ltc_chassis.api import router as make_router
from ltc_chassis.db import Connection
from ltc_contracts.events import Customer, Line
from ltc_contracts.events.model import Exact
from ltc_contracts.money import Money
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from order_svc.domain.axes import Axes, percent_delivered, percent_invoiced
from order_svc.domain.order import CancellationState, Change, HoldReason, Order, State
from order_svc.domain.placement import Invoicing, Source
from order_svc.handlers import acceptance, changes
from order_svc.store import axes
from order_svc.store import orders as store

router = make_router(prefix="/v1", tags=["orders"])
Writer = Annotated[Principal, scope("orders:write")]
Releaser = Annotated[Principal, scope("orders:release")]
# NUL is the one character that PostgreSQL's text cannot hold.
Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000, pattern=r"^[^\x00]*$")]


class CancelOrder(BaseModel):
    """Why the customer wants out."""

    model_config = ConfigDict(extra="forbid")
    reason: Reason


class Because(BaseModel):
    """Why somebody holds or releases an order."""

    model_config = ConfigDict(extra="forbid")
    reason: Reason


class HoldView(BaseModel):
    """Why the order waits, and since when; `held_by` is null where checks did it."""

    reasons: tuple[HoldReason, ...]
    detail: str
    since: datetime
    held_by: str | None


class CancellationView(BaseModel):
    """The last cancellation request: `requested` until delivery decides, then `granted` or `refused`."""

    state: CancellationState
    reason: str
    requested_at: datetime
    decided_at: datetime | None


class ChangePendingView(BaseModel):
    """What the order shall become, asked of delivery and not answered yet; the assessment of this id says it all."""

    change_id: UUID
    requested_at: datetime
    reason: str
    net: Money
    gross: Money


class OrderView(BaseModel):
    """An order with its lines as they are now. `collected` is the gross of its paid invoices, less what was

    credited or refunded of it since; null while none is paid.
    """

    id: UUID
    flow_id: UUID
    number: str
    state: State
    contract_id: UUID
    customer: Customer
    lines: tuple[Line, ...]
    net: Money
    gross: Money
    invoiced: Annotated[Money, Field(description="the gross of its invoices")]
    source: Source
    external_ref: str | None
    invoicing: Invoicing
    ship_complete: bool
    subscription_id: UUID | None
    period_from: date | None
    period_until: date | None
    hold: HoldView | None
    waived: Annotated[list[HoldReason], Field(description="checks that a person took the risk of")]
    payment_terms_days: int
    requested_on: date | None
    promised_on: Annotated[date | None, Field(description="when we bound ourselves")]
    first_confirmed_on: Annotated[date | None, Field(description="the first day that the customer was told")]
    latest_confirmed_on: Annotated[date | None, Field(description="the day that counts now")]
    percent_delivered: Annotated[Exact, Field(ge=0, description="of the pieces; above 100: more than was ordered")]
    percent_invoiced: Annotated[Exact, Field(ge=0, description="of the net, less credit notes; above 100: more than was ordered")]
    delivery_id: UUID | None
    paid: bool
    collected: Money | None
    cancellation: CancellationView | None
    lines_version: Annotated[int, Field(description="how often the lines became others, and 1")]
    change: ChangePendingView | None
    created_at: datetime
    updated_at: datetime
    version: int

    @classmethod
    def of(cls, order: Order, lines: tuple[Line, ...], axes: Axes) -> "OrderView":
        asked, hold, change = order.cancellation, order.hold, order.change
        return cls(
            id=order.id,
            flow_id=order.flow_id,
            number=order.number,
            state=order.state,
            contract_id=order.contract_id,
            customer=order.customer,
            lines=lines,
            net=order.net,
            gross=order.gross,
            invoiced=order.invoiced,
            source=order.source,
            external_ref=order.external_ref,
            invoicing=order.invoicing,
            ship_complete=order.ship_complete,
            subscription_id=order.subscription_id,
            period_from=order.period_from,
            period_until=order.period_until,
            hold=None if hold is None else HoldView(reasons=hold.reasons, detail=hold.detail, since=hold.since, held_by=hold.by),
            waived=sorted(order.waived),
            payment_terms_days=order.payment_terms_days,
            requested_on=order.requested_on,
            promised_on=order.promised_on,
            first_confirmed_on=axes.first_promised_on or order.promised_on,
            latest_confirmed_on=axes.latest_promised_on or order.promised_on,
            percent_delivered=percent_delivered(order, lines, axes),
            percent_invoiced=percent_invoiced(order, axes),
            delivery_id=order.delivery_id,
            paid=order.paid,
            collected=order.collected,
            cancellation=None
            if asked is None
            else CancellationView(
                state=asked.state, reason=asked.reason, requested_at=asked.requested_at, decided_at=asked.decided_at
            ),
            lines_version=order.lines_version,
            change=None
            if change is None
            else ChangePendingView(
                change_id=change.id, requested_at=change.requested_at, reason=change.reason, net=change.net, gross=change.gross
            ),
            created_at=order.created_at,
            updated_at=order.updated_at,
            version=order.version,
        )


class ChangeView(BaseModel):
    """One change of state; `from_state` is null for the first, `by` is who did it where a person did."""

    version: int
    from_state: State | None
    to_state: State
    reason: str | None
    by: str | None
    changed_at: datetime

    @classmethod
    def of(cls, change: Change) -> "ChangeView":
        return cls(
            version=change.version,
            from_state=change.from_state,
            to_state=change.to_state,
            reason=change.reason,
            by=change.by,
            changed_at=change.changed_at,
        )


class HistoryView(BaseModel):
    """Every state an order was in, oldest first."""

    items: list[ChangeView]


async def views_of(conn: Connection, orders: Sequence[Order]) -> list[OrderView]:
    """Orders as callers see them."""
    ids = [order.id for order in orders]
    lines, told = await store.list_lines(conn, ids), await axes.get_axes(conn, ids)
    return [OrderView.of(order, lines[order.id], told[order.id]) for order in orders]


async def view_of(conn: Connection, order: Order) -> OrderView:
    """One order as callers see it."""
    [view] = await views_of(conn, [order])
    return view


@router.get("/orders", dependencies=[scope("orders:read")])
async def list_orders(
    conn: Conn,
    page: PageArgs,
    flow_id: UUID | None = None,
    state: State | None = None,
    contract_id: UUID | None = None,
    source: Source | None = None,
    external_ref: Annotated[str | None, Query(max_length=200)] = None,
) -> Page[OrderView]:
    """Orders in the order they were received, by flow, state, contract, source or the reference of who placed them."""
    orders = await store.list_orders(
        conn,
        flow_id=flow_id,
        state=state,
        contract_id=contract_id,
        source=source,
        external_ref=external_ref,
        after=page.after,
        limit=page.limit + 1,
    )
    return page.of(await views_of(conn, orders), key=lambda view: view.id)


@router.get("/orders/{order_id}", dependencies=[scope("orders:read")])
async def get_order(order_id: UUID, conn: Conn) -> OrderView:
    """One order with its lines, progress, payment and cancellation."""
    order = await store.get_order(conn, order_id)
    return await view_of(conn, order)


@router.get("/orders/{order_id}/history", dependencies=[scope("orders:read")])
async def get_history(order_id: UUID, conn: Conn) -> HistoryView:
    """Every state the order was in, with the time and the reason."""
    order = await store.get_order(conn, order_id)
    return HistoryView(items=[ChangeView.of(change) for change in await store.list_changes(conn, order.id)])


@router.post("/orders/{order_id}/cancel", status_code=202)
async def cancel_order(order_id: UUID, body: CancelOrder, tx: Tx, caller: Writer) -> OrderView:
    """Ask for cancellation: free before anything is delivered, after that of what is not. Delivery decides; read the order for the answer.

    A held order is cancelled at once.
    """
    order = await changes.cancel(tx, order_id, body.reason, by=caller.subject)
    return await view_of(tx.conn, order)


@router.post("/orders/{order_id}/hold")
async def hold_order(order_id: UUID, body: Because, tx: Tx, caller: Writer) -> OrderView:
    """Keep an order that is not confirmed yet until a person releases it."""
    order = await acceptance.hold(tx, order_id, body.reason, by=caller.subject)
    return await view_of(tx.conn, order)


@router.post("/orders/{order_id}/release")
async def release_order(order_id: UUID, body: Because, tx: Tx, caller: Releaser) -> OrderView:
    """Take the risk of what the order is held for: it is confirmed, or held for what the other checks find now."""
    order = await acceptance.release(tx, order_id, body.reason, by=caller.subject)
    return await view_of(tx.conn, order)
