"""HTTP in: subscriptions are started, read, changed, paused, and cancelled."""

from functools import partial
from typing import Annotated
from uuid import UUID

from fastapi import Query, Response
from ltc_chassis.api import Conn, Page, PageArgs, Principal, Tx, scope
from ltc_chassis.api import router as make_router
from ltc_chassis.ids import new_id
from ltc_contracts.events import Customer
from ltc_contracts.money import Money
from pydantic import BaseModel, ConfigDict

from order_svc.api.orders import Reason
from order_svc.api.subscription_views import (
    AssessmentView,
    CancelSubscription,
    ChangeLines,
    ComingOrder,
    ConfirmChange,
    HappenedView,
    PauseSubscription,
    StartSubscription,
    SubscriptionHistoryView,
    SubscriptionOrderView,
    SubscriptionView,
    UpcomingView,
)
from order_svc.domain import renewal
from order_svc.domain import subscription as rules
from order_svc.domain.recurring import Interval
from order_svc.domain.subscription import State, Step
from order_svc.handlers import subscription as handlers
from order_svc.store import subscription as store

router = make_router(prefix="/v1", tags=["subscriptions"])
Writer = Annotated[Principal, scope("subscriptions:write")]
READ = scope("subscriptions:read")


class WithdrawCancellation(BaseModel):
    """Why it goes on after all."""

    model_config = ConfigDict(extra="forbid")
    reason: Reason


@router.post("/subscriptions", status_code=201)
async def start_subscription(body: StartSubscription, tx: Tx, caller: Writer, response: Response) -> SubscriptionView:
    """A subscription, with the order of its first period if its day has come. 200: the reference was started before."""
    who = body.customer
    customer = Customer(
        customer_id=who.customer_id or new_id(), name=who.name, country=who.country, vat_id=who.vat_id, email=who.email
    )
    agreed = partial(_agreed, body, customer, tx, caller.subject)
    subscription, new = await handlers.start(
        tx, agreed, source=body.source, external_ref=body.external_ref, fingerprint=body.fingerprint()
    )
    if not new:
        response.status_code = 200
    return SubscriptionView.of(subscription)


def _agreed(body: StartSubscription, customer: Customer, tx: Tx, by: str, drawn: int) -> Step:
    return rules.agree(
        subscription_id=new_id(),
        flow_id=body.flow_id or new_id(),
        number=rules.format_number(tx.now.year, drawn),
        source=body.source,
        external_ref=body.external_ref,
        contract_id=body.contract_id,
        customer=customer,
        lines=tuple(line.line() for line in body.lines),
        interval=Interval(body.interval.unit, body.interval.count),
        starts_on=body.starts_on,
        anchor_day=body.anchor_day,
        terms=body.terms,
        notice_days=body.notice_days,
        invoicing=body.invoicing,
        payment_terms_days=body.payment_terms_days,
        now=tx.now,
        by=by,
    )


@router.get("/subscriptions", dependencies=[READ])
async def list_subscriptions(
    conn: Conn,
    page: PageArgs,
    state: State | None = None,
    customer_id: UUID | None = None,
    contract_id: UUID | None = None,
    source: Annotated[str | None, Query(max_length=64)] = None,
    external_ref: Annotated[str | None, Query(max_length=200)] = None,
) -> Page[SubscriptionView]:
    """Subscriptions in the order in which they were made."""
    found = await store.list_subscriptions(
        conn,
        state=state,
        customer_id=customer_id,
        contract_id=contract_id,
        source=source,
        external_ref=external_ref,
        after=page.after,
        limit=page.limit + 1,
    )
    return page.of([SubscriptionView.of(*each) for each in found], key=lambda view: view.id)


@router.get("/subscriptions/{subscription_id}", dependencies=[READ])
async def get_subscription(subscription_id: UUID, conn: Conn) -> SubscriptionView:
    """One subscription as it is."""
    return SubscriptionView.of(*await store.get_subscription(conn, subscription_id))


@router.get("/subscriptions/{subscription_id}/upcoming", dependencies=[READ])
async def get_upcoming(subscription_id: UUID, conn: Conn, periods: Annotated[int, Query(ge=1, le=60)] = 12) -> UpcomingView:
    """What will be ordered by itself, when and for how much. Nothing while it is paused."""
    subscription, _ = await store.get_subscription(conn, subscription_id)
    coming = renewal.upcoming(subscription, periods)
    return UpcomingView(items=[ComingOrder.of(each) for each in coming], ends_on=subscription.ends_on)


@router.get("/subscriptions/{subscription_id}/history", dependencies=[READ])
async def get_subscription_history(
    subscription_id: UUID,
    conn: Conn,
    after: Annotated[int, Query(ge=0, lt=2**31)] = 0,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> SubscriptionHistoryView:
    """Everything that happened to it, with who did it and why."""
    subscription, _ = await store.get_subscription(conn, subscription_id)
    rows = await store.list_history(conn, subscription.id, after=after, limit=limit + 1)
    items = [
        HappenedView(
            version=row["version"],
            what=row["what"],
            state=row["state"],
            effective_on=row["effective_on"],
            changed_at=row["changed_at"],
            by=row["changed_by"],
            reason=row["reason"],
            event=row["event"],
        )
        for row in rows[:limit]
    ]
    return SubscriptionHistoryView(items=items, next=items[-1].version if len(rows) > limit else None)


@router.get("/subscriptions/{subscription_id}/orders", dependencies=[READ])
async def list_subscription_orders(subscription_id: UUID, conn: Conn, page: PageArgs) -> Page[SubscriptionOrderView]:
    """What it ordered, and where each order stands."""
    subscription, _ = await store.get_subscription(conn, subscription_id)
    rows = await store.list_orders(conn, subscription.id, after=page.after, limit=page.limit + 1)
    views = [
        SubscriptionOrderView(
            order_id=row["order_id"],
            number=row["number"],
            flow_id=row["flow_id"],
            state=row["state"],
            kind=row["kind"],
            period_from=row["period_from"],
            period_until=row["period_until"],
            charged=Money.of(row["charged"], row["currency"]),
            credit_used=Money.of(row["credit_used"], row["currency"]),
            net=Money.of(row["net_amount"], row["currency"]),
            placed_at=row["placed_at"],
        )
        for row in rows
    ]
    return page.of(views, key=lambda view: view.order_id)


@router.post("/subscriptions/{subscription_id}/changes/preview")
async def preview_change(subscription_id: UUID, body: ChangeLines, tx: Tx, _: Writer) -> AssessmentView:
    """What other lines would cost, be credited and bring, today; nothing of it is done."""
    lines = tuple(line.line() for line in body.lines)
    subscription, assessed = await handlers.assess(tx, subscription_id, lines, body.when)
    coming = renewal.upcoming(assessed.step.subscription, 1)
    return AssessmentView.of(subscription, lines, body.when, assessed, coming)


@router.post("/subscriptions/{subscription_id}/changes")
async def confirm_change(subscription_id: UUID, body: ConfirmChange, tx: Tx, caller: Writer) -> SubscriptionView:
    """Other lines, as assessed: 409 where what was shown counts no longer."""
    subscription = await handlers.change(
        tx,
        subscription_id,
        tuple(line.line() for line in body.lines),
        body.when,
        version=body.version,
        effective_on=body.effective_on,
        reason=body.reason,
        by=caller.subject,
    )
    return SubscriptionView.of(subscription)


@router.post("/subscriptions/{subscription_id}/pause")
async def pause_subscription(subscription_id: UUID, body: PauseSubscription, tx: Tx, caller: Writer) -> SubscriptionView:
    """Nothing is served and ordered from today on; the unused rest of the period is credited."""
    return SubscriptionView.of(await handlers.pause(tx, subscription_id, body.reason, by=caller.subject))


@router.post("/subscriptions/{subscription_id}/resume")
async def resume_subscription(subscription_id: UUID, tx: Tx, caller: Writer) -> SubscriptionView:
    """It is served again from today on; the rest of the period is ordered at once."""
    return SubscriptionView.of(await handlers.resume(tx, subscription_id, by=caller.subject))


@router.post("/subscriptions/{subscription_id}/cancel")
async def cancel_subscription(subscription_id: UUID, body: CancelSubscription, tx: Tx, caller: Writer) -> SubscriptionView:
    """It ends with a period, or with the notice; at once where it is paused or has not begun."""
    return SubscriptionView.of(await handlers.cancel(tx, subscription_id, body.at, body.reason, by=caller.subject))


@router.post("/subscriptions/{subscription_id}/withdraw-cancellation")
async def withdraw_cancellation(subscription_id: UUID, body: WithdrawCancellation, tx: Tx, caller: Writer) -> SubscriptionView:
    """It goes on after all, as if it had not been cancelled."""
    return SubscriptionView.of(await handlers.withdraw_cancellation(tx, subscription_id, body.reason, by=caller.subject))
