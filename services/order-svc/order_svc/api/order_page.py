"""HTTP out: the page of an order, one view of the whole deal, made of what events told; and its timeline."""

import base64
import binascii
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime
from typing import Annotated, Any, TypeVar
from uuid import UUID

from fastapi import Query
from ltc_chassis.api import Conn, Now, scope
from ltc_chassis.api import router as make_router
from ltc_contracts.errors import Invalid
from ltc_contracts.money import Money
from pydantic import BaseModel

from order_svc.api.order_page_shapes import (
    AllocationView,
    ChangeDecisionView,
    ChangeSummary,
    ContractView,
    CreditNoteView,
    DeliveryView,
    FailureView,
    HandOverView,
    Happened,
    InvoiceView,
    Latest,
    LineProgress,
    ProductionView,
    PromiseView,
    QuoteView,
    RefundView,
    ReturnView,
    StepNow,
    TicketView,
    TimelineView,
)
from order_svc.api.orders import OrderView
from order_svc.store import axes, orders
from order_svc.store import order_page as store
from order_svc.store import process as processes

router = make_router(prefix="/v1", tags=["order page"])
T = TypeVar("T", bound=BaseModel)
# Of each list on the page; the timeline has the rest.
_MOST = 100
_TOPICS = (
    *("delivery.promised", "delivery.handed_over", "delivery.failed", "delivery.returned", "delivery.completed"),
    *("delivery.cancelled", "delivery.change_decided", "invoice.credited", "payment.allocated", "payment.refunded"),
)
Limit = Annotated[int, Query(ge=1, le=500)]


class OrderPageView(BaseModel):
    """The whole deal. Lists show the latest 100 of each; the timeline has everything, page by page."""

    order: OrderView
    quote: QuoteView | None
    contract: ContractView | None
    process: StepNow
    lines: list[LineProgress]
    changes: Latest[ChangeSummary]
    delivery: DeliveryView
    invoices: Latest[InvoiceView]
    credit_notes: Latest[CreditNoteView]
    allocations: Latest[AllocationView]
    refunds: Latest[RefundView]
    tickets: Latest[TicketView]
    timeline: TimelineView


@router.get("/orders/{order_id}/page", dependencies=[scope("orders:read")])
async def get_page(order_id: UUID, conn: Conn, now: Now, timeline: Limit = 50) -> OrderPageView:
    """One view of the whole order: quote, contract, process, production, deliveries, invoices, payments, tickets and all that happened.

    Made of events alone, so that it is as complete as what has come; `timeline` is how much of it to show.
    """
    order = await orders.get_order(conn, order_id)
    lines = (await orders.list_lines(conn, [order_id]))[order_id]
    told = (await axes.get_axes(conn, [order_id]))[order_id]
    facts = _Facts(await store.facts_view(conn, order_id, _TOPICS, _MOST))
    papers = {row["topic"]: row for row in await store.papers_view(conn, order.contract_id)}
    completed, cancelled = facts.last("delivery.completed"), facts.last("delivery.cancelled")
    return OrderPageView(
        order=OrderView.of(order, lines, told),
        quote=_quote(papers),
        contract=_contract(papers.get("contract.signed")),
        process=StepNow(**dict(await processes.get_process(conn, order_id))),
        lines=[LineProgress.of(line, told) for line in lines],
        changes=_latest(await store.changes_view(conn, order_id, _MOST), lambda row: ChangeSummary(**dict(row))),
        delivery=DeliveryView(
            promises=facts.of("delivery.promised", lambda row: PromiseView(told_at=row["occurred_at"], **row["data"])),
            productions=_latest(await store.productions_view(conn, order_id, _MOST), lambda row: _production(row, now.date())),
            hand_overs=facts.of("delivery.handed_over", lambda row: HandOverView(handover_id=row["fact_id"], **row["data"])),
            failures=facts.of("delivery.failed", lambda row: FailureView(attempt_id=row["fact_id"], **row["data"])),
            returns=facts.of("delivery.returned", lambda row: ReturnView(return_id=row["fact_id"], **row["data"])),
            change_decisions=facts.of(
                "delivery.change_decided",
                lambda row: ChangeDecisionView(change_id=row["fact_id"], decided_at=row["occurred_at"], **row["data"]),
            ),
            completed_at=completed and completed["data"]["completed_at"],
            on_time=completed and completed["data"]["on_time"],
            cancelled_at=cancelled and cancelled["occurred_at"],
        ),
        invoices=_latest(await store.invoices_view(conn, order_id, _MOST), lambda row: _invoice(row, now.date())),
        credit_notes=facts.of("invoice.credited", lambda row: CreditNoteView(credit_id=row["fact_id"], **row["data"])),
        allocations=facts.of("payment.allocated", lambda row: AllocationView(**row["data"])),
        refunds=facts.of("payment.refunded", lambda row: RefundView(refund_id=row["fact_id"], **row["data"])),
        tickets=_latest(await store.tickets_view(conn, order_id, _MOST), _ticket),
        timeline=_timeline(
            await store.timeline_view(conn, order_id, order.contract_id, after=None, limit=timeline + 1), timeline
        ),
    )


@router.get("/orders/{order_id}/timeline", dependencies=[scope("orders:read")])
async def get_timeline(
    order_id: UUID,
    conn: Conn,
    cursor: Annotated[str | None, Query(max_length=300, description="`next` of the page before")] = None,
    limit: Limit = 50,
) -> TimelineView:
    """Everything that happened to the order, what came before it and what followed from it, in the order in which it happened."""
    order = await orders.get_order(conn, order_id)
    after = _decode(cursor) if cursor else None
    return _timeline(await store.timeline_view(conn, order_id, order.contract_id, after=after, limit=limit + 1), limit)


class _Facts:
    """Facts by topic, the latest first."""

    def __init__(self, rows: Iterable[Any]) -> None:
        self._rows: dict[str, list[Any]] = {}
        for row in rows:
            self._rows.setdefault(row["topic"], []).append(row)

    def of(self, topic: str, view: Callable[[Any], T]) -> Latest[T]:
        return _latest(self._rows.get(topic, ()), view)

    def last(self, topic: str) -> Any:
        return next(iter(self._rows.get(topic, ())), None)


def _latest(rows: Sequence[Any], view: Callable[[Any], T]) -> Latest[T]:
    return Latest(total=rows[0]["total"] if rows else 0, items=[view(row) for row in reversed(rows)])


def _quote(papers: dict[str, Any]) -> QuoteView | None:
    sent, accepted = papers.get("quote.sent"), papers.get("quote.accepted")
    known = {name: value for row in (sent, accepted) if row for name, value in row["data"].items()}
    if not known:
        return None
    return QuoteView(
        **known, sent_at=sent["occurred_at"] if sent else None, accepted_at=accepted["occurred_at"] if accepted else None
    )


def _contract(row: Any) -> ContractView | None:
    return None if row is None else ContractView(contract_id=row["fact_id"], **row["data"])


def _invoice(row: Any, today: date) -> InvoiceView:
    told, paid = row["data"], row["paid"] or {}
    currency = told["gross"]["currency"]
    due_on, still = date.fromisoformat(told["due_on"]), Money.of(row["open"], currency)
    return InvoiceView(
        **{name: value for name, value in told.items() if name != "due_on"},
        due_on=due_on,
        credited=Money.of(row["credited"], currency),
        open=still,
        overdue=still.amount > 0 and due_on < today,
        paid_on=paid.get("paid_on"),
        paid_on_time=paid.get("on_time"),
    )


def _production(row: Any, today: date) -> ProductionView:
    job, told, ended = row["data"], row["told"] or {}, (row["ended"] or "production.ordered").partition(".")[2]
    needed_by = date.fromisoformat(told.get("needed_by") or job["needed_by"])
    ended_on = row["ended_at"].date() if ended == "failed" else today if ended == "ordered" else None
    return ProductionView(
        **job | {"needed_by": needed_by, "quantity": told.get("quantity") or job["quantity"]},
        production_id=row["fact_id"],
        first_needed_by=row["first_needed_by"],
        state=ended,
        late=told.get("late", ended_on is not None and ended_on > needed_by),
        **{name: told.get(name) for name in ("quantity_good", "quantity_scrap", "work_center", "code", "reason", "reordered")},
        ordered_at=row["ordered_at"],
        started_at=told.get("started_at"),
        ended_at=told.get("completed_at") or told.get("failed_at") or row["ended_at"],
    )


def _ticket(row: Any) -> TicketView:
    resolved = row["times"] is not None and row["times"] >= (row["reopened"] or 0)
    return TicketView(
        **row["data"],
        state="merged" if row["into_id"] else "resolved" if resolved else "open",
        opened_at=row["occurred_at"],
        resolved_at=row["resolved_at"] if resolved else None,
        into_number=row["into_number"],
    )


def _timeline(rows: Sequence[Any], limit: int) -> TimelineView:
    shown = rows[:limit]
    return TimelineView(
        items=[Happened(at=row["at"], what=row["what"], id=row["id"], data=row["data"]) for row in shown],
        next=_encode(shown[-1]["at"], shown[-1]["key"]) if len(rows) > limit else None,
    )


def _encode(at: datetime, key: str) -> str:
    return base64.urlsafe_b64encode(f"{at.isoformat()}|{key}".encode()).decode().rstrip("=")


def _decode(cursor: str) -> tuple[datetime, str]:
    try:
        at, _, key = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode().partition("|")
        moment = datetime.fromisoformat(at)
    except (ValueError, binascii.Error) as error:
        raise Invalid("this is not a cursor of ours", field="cursor") from error
    if moment.tzinfo is None or "\x00" in key:
        raise Invalid("this is not a cursor of ours", field="cursor")
    return moment, key
