"""HTTP in: write-offs, and who may write off how much."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

from ltc_chassis.api import Conn, Now, Page, PageArgs, Principal, Tx, scope
from ltc_chassis.api import router as make_router
from ltc_chassis.inputs import RowNumber
from ltc_contracts.money import Money
from pydantic import BaseModel, Field

from billing_svc.api.credits import Body, Reason
from billing_svc.domain.write_off import Cause, Limit, Policy, State, WriteOff
from billing_svc.handlers import write_offs as handlers
from billing_svc.store import write_offs as store

router = make_router(prefix="/v1", tags=["write-offs"])
Writer = Annotated[Principal, scope("write-offs:write")]
Granter = Annotated[Principal, scope("write-offs:grant")]
Admin = Annotated[Principal, scope("write-offs:configure")]


class NewWriteOff(Body):
    """Without an amount all that is open."""

    reason: Reason
    amount: Money | None = None


class Decision(Body):
    decision: Reason | None = None


class Refusal(Body):
    decision: Reason


class LimitBody(Body):
    """Of a scope or of a person (`subject`), per currency and invoice; null is any amount."""

    holder: Annotated[str, Field(pattern=r"^(scope|subject):[^\x00]{1,200}$")]
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    # A string, since a JSON number may have been a float on its way.
    up_to: Annotated[str, Field(pattern=r"^[0-9]{1,15}(\.[0-9]{1,4})?$")] | None


class NewPolicy(Body):
    """`version` is the one it replaces, 0 for none. `tax_relief`: countries of customers whose tax on bad debts is given back."""

    version: Annotated[RowNumber, Field(lt=2**31 - 1)]
    limits: Annotated[list[LimitBody], Field(max_length=200)]
    tax_relief: Annotated[tuple[Annotated[str, Field(pattern=r"^[A-Z]{2}$")], ...], Field(max_length=250)] = ()


class LimitView(BaseModel):
    holder: str
    currency: str
    up_to: str | None


class PolicyView(BaseModel):
    """Version 0: nobody has set one, and who has the scope `write-offs:grant` may write off any amount."""

    version: int
    limits: list[LimitView]
    tax_relief: list[str]
    set_by: str
    set_at: datetime

    @classmethod
    def of(cls, policy: Policy) -> "PolicyView":
        limits = [
            LimitView(holder=each.holder, currency=each.currency, up_to=None if each.up_to is None else str(each.up_to))
            for each in policy.limits
        ]
        return cls(
            version=policy.version,
            limits=limits,
            tax_relief=list(policy.tax_relief),
            set_by=policy.set_by,
            set_at=policy.set_at,
        )


class WriteOffView(BaseModel):
    """`tax` is the part that need not be paid over. `requested` waits for a second person whose authority covers it."""

    id: UUID
    invoice_id: UUID
    number: str
    order_id: UUID
    amount: Money
    tax: Money
    cause: Cause
    reason: str
    state: State
    policy_version: int
    requested_by: str
    requested_on: date
    decided_by: str | None
    decision: str | None
    decided_on: date | None

    @classmethod
    def of(cls, asked: WriteOff) -> "WriteOffView":
        given: dict[str, Any] = {name: getattr(asked, name) for name in cls.model_fields}
        return cls(**given)


@router.post("/invoices/{invoice_id}/write-offs", status_code=201)
async def request_write_off(invoice_id: UUID, body: NewWriteOff, tx: Tx, caller: Writer) -> WriteOffView:
    """Give up what is open, or a part: granted at once within the caller's authority, else it waits for a second person.

    400: another currency, not above zero. 404: no such invoice. 409: more than is open, nothing open, one waits already, void.
    """
    asked = await handlers.request_write_off(
        tx, invoice_id, amount=body.amount, reason=body.reason, by=caller.subject, scopes=caller.scopes
    )
    return WriteOffView.of(asked)


@router.post("/write-offs/{write_off_id}/grant")
async def grant_write_off(write_off_id: UUID, body: Decision, tx: Tx, caller: Granter) -> WriteOffView:
    """Agree as a second person. 403: beyond the caller's authority. 409: asked for by the caller, decided, less is open by now."""
    granted = await handlers.grant_write_off(tx, write_off_id, decision=body.decision, by=caller.subject, scopes=caller.scopes)
    return WriteOffView.of(granted)


@router.post("/write-offs/{write_off_id}/refuse")
async def refuse_write_off(write_off_id: UUID, body: Refusal, tx: Tx, caller: Writer) -> WriteOffView:
    """It stays owed; also how a request is taken back. 409: decided already."""
    return WriteOffView.of(await handlers.refuse_write_off(tx, write_off_id, decision=body.decision, by=caller.subject))


@router.get("/write-offs", dependencies=[scope("write-offs:read")])
async def list_write_offs(
    conn: Conn, page: PageArgs, invoice_id: UUID | None = None, state: State | None = None
) -> Page[WriteOffView]:
    """Write-offs in the order they were asked for."""
    rows = await store.list_write_offs(conn, invoice_id=invoice_id, state=state, after=page.after, limit=page.limit + 1)
    return page.of([WriteOffView.of(row) for row in rows], key=lambda view: view.id)


@router.get("/write-offs/{write_off_id}", dependencies=[scope("write-offs:read")])
async def get_write_off(write_off_id: UUID, conn: Conn) -> WriteOffView:
    """One write-off."""
    return WriteOffView.of(await store.get_write_off(conn, write_off_id))


@router.get("/write-off-policy", dependencies=[scope("write-offs:read")])
async def get_policy(conn: Conn, now: Now) -> PolicyView:
    """Who may write off how much."""
    return PolicyView.of(await store.get_policy(conn, now))


@router.put("/write-off-policy")
async def set_policy(body: NewPolicy, tx: Tx, caller: Admin) -> PolicyView:
    """Say who may write off how much, as a new version. 409: somebody else has set one meanwhile."""
    limits = [Limit(each.holder, each.currency, None if each.up_to is None else Decimal(each.up_to)) for each in body.limits]
    made = await handlers.set_policy(tx, version=body.version, limits=limits, tax_relief=body.tax_relief, by=caller.subject)
    return PolicyView.of(made)
