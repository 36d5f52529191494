"""HTTP in: what is agreed with a customer, and how much of it is used."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query
from ltc_chassis.api import Conn, Principal, Tx, scope
from ltc_chassis.api import router as make_router
from ltc_contracts.errors import Invalid
from ltc_contracts.money import Money
from pydantic import BaseModel, ConfigDict, Field

from order_svc.api.orders import Reason
from order_svc.domain.credit import Account, CreditAccountNotFound
from order_svc.handlers import credit as handlers
from order_svc.store import credit as store

router = make_router(prefix="/v1", tags=["credit"])
Controller = Annotated[Principal, scope("credit:write")]


class AgreeCredit(BaseModel):
    """`version` is the one this replaces, 0 for the first; a currency that is not named has no limit."""

    model_config = ConfigDict(extra="forbid")
    version: Annotated[int, Field(ge=0, lt=2**31)]
    blocked: bool = False
    limits: Annotated[list[Money], Field(max_length=50)]
    payment_terms_days: Annotated[int | None, Field(ge=0, le=365)] = None
    reason: Reason


class UseView(BaseModel):
    """What is open in one currency, gross; `limit` and `available` are null where there is none. Below zero: the limit was lowered."""

    currency: str
    receivables: Money
    uninvoiced: Money
    limit: Money | None
    available: Money | None


class CreditView(BaseModel):
    """What is agreed with a customer, and how it is used."""

    customer_id: UUID
    version: int
    blocked: bool
    payment_terms_days: int | None
    uses: list[UseView]


class VersionView(BaseModel):
    """What was agreed once, by whom and why."""

    version: int
    blocked: bool
    limits: list[Money]
    payment_terms_days: int | None
    by: str
    reason: str | None
    changed_at: datetime


class VersionsView(BaseModel):
    """The versions of an account, the latest first; `next` goes on below it."""

    items: list[VersionView]
    next: int | None


async def _view(conn: Any, account: Account) -> CreditView:
    uses = []
    for currency in sorted({*account.limits, *await store.list_currencies(conn, account.customer_id)}):
        exposure, limit = await store.get_exposure(conn, account.customer_id, currency), account.limits.get(currency)
        uses.append(
            UseView(
                currency=currency,
                receivables=exposure.receivables,
                uninvoiced=exposure.uninvoiced,
                limit=limit,
                available=None if limit is None else limit - exposure.total,
            )
        )
    return CreditView(
        customer_id=account.customer_id,
        version=account.version,
        blocked=account.blocked,
        payment_terms_days=account.payment_terms_days,
        uses=uses,
    )


@router.get("/customers/{customer_id}/credit", dependencies=[scope("credit:read")])
async def get_credit(customer_id: UUID, conn: Conn) -> CreditView:
    """Limits by currency, what is open of invoices and of orders not invoiced yet, and what is left."""
    account = await store.get_account(conn, customer_id)
    if account is None:
        raise CreditAccountNotFound(customer_id)
    return await _view(conn, account)


@router.put("/customers/{customer_id}/credit")
async def agree_credit(customer_id: UUID, body: AgreeCredit, tx: Tx, caller: Controller) -> CreditView:
    """The next version of what is agreed. Held orders that fit then are released, the oldest first."""
    limits = {limit.currency: limit for limit in body.limits}
    if len(limits) < len(body.limits):
        raise Invalid("a currency has one limit", field="limits")
    account = await handlers.agree(
        tx,
        customer_id,
        version=body.version,
        blocked=body.blocked,
        limits=limits,
        payment_terms_days=body.payment_terms_days,
        reason=body.reason,
        by=caller.subject,
    )
    return await _view(tx.conn, account)


@router.get("/customers/{customer_id}/credit/versions", dependencies=[scope("credit:read")])
async def list_credit_versions(
    customer_id: UUID,
    conn: Conn,
    below: Annotated[int | None, Query(ge=1, lt=2**31)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> VersionsView:
    """Every version of what was agreed, who made it and why."""
    rows = await store.list_versions(conn, customer_id, below=below, limit=limit + 1)
    items = [
        VersionView(
            version=row["version"],
            blocked=row["blocked"],
            limits=[Money.of(amount, currency) for currency, amount in sorted(row["limits"].items())],
            payment_terms_days=row["payment_terms_days"],
            by=row["changed_by"],
            reason=row["reason"],
            changed_at=row["changed_at"],
        )
        for row in rows[:limit]
    ]
    return VersionsView(items=items, next=items[-1].version if len(rows) > limit else None)
