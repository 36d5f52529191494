"""HTTP in: invoices that are paid in instalments."""

from datetime import date
from decimal import Decimal
from typing import Annotated
from uuid import UUID

from ltc_chassis.api import Conn, Principal, Tx, scope
from ltc_chassis.api import router as make_router
from ltc_chassis.inputs import Day
from ltc_contracts.errors import NotFound
from ltc_contracts.money import Money
from pydantic import BaseModel, Field

from billing_svc.api.credits import Body, Reason
from billing_svc.domain.instalment import MOST, Plan, Wanted
from billing_svc.domain.invoice import Invoice
from billing_svc.handlers import instalments as handlers
from billing_svc.store import instalments as store
from billing_svc.store import invoices

router = make_router(prefix="/v1", tags=["instalments"])
Writer = Annotated[Principal, scope("instalments:write")]


class NewInstalment(Body):
    """An amount in the invoice's currency, or a percentage of its gross, or neither: an equal share of what is left then."""

    due_on: Day
    # Strings, since a JSON number may have been a float on its way.
    amount: Annotated[str, Field(pattern=r"^[0-9]{1,15}(\.[0-9]{1,4})?$")] | None = None
    percent: Annotated[str, Field(pattern=r"^[0-9]{1,2}(\.[0-9]{1,4})?$")] | None = None


class NewPlan(Body):
    """In the order of their days. `rest_due_after_days`: so long after a missed one all the rest is due; without it, never."""

    instalments: Annotated[list[NewInstalment], Field(min_length=2, max_length=MOST)]
    rest_due_after_days: Annotated[int, Field(ge=0, le=365)] | None = None
    reason: Reason


class InstalmentView(BaseModel):
    number: int
    due_on: date
    amount: Money
    open: Money


class PlanView(BaseModel):
    """`called_in_on`: the day on which all the rest became due."""

    invoice_id: UUID
    number: str
    gross: Money
    open: Money
    instalments: list[InstalmentView]
    rest_due_after_days: int | None
    called_in_on: date | None
    agreed_on: date
    agreed_by: str
    reason: str

    @classmethod
    def of(cls, invoice: Invoice, plan: Plan) -> "PlanView":
        parts = plan.parts(invoice.open)
        return cls(
            invoice_id=invoice.id,
            number=invoice.number,
            gross=invoice.gross,
            open=invoice.open,
            instalments=[
                InstalmentView(number=part.number, due_on=part.due_on, amount=part.amount, open=part.open) for part in parts
            ],
            rest_due_after_days=plan.rest_due_after_days,
            called_in_on=plan.called_in_on,
            agreed_on=plan.agreed_on,
            agreed_by=plan.agreed_by,
            reason=plan.reason,
        )


@router.post("/invoices/{invoice_id}/instalments", status_code=201, dependencies=[scope("instalments:write")])
async def agree_instalments(invoice_id: UUID, body: NewPlan, tx: Tx, caller: Writer) -> PlanView:
    """Split what an invoice claims into instalments, once. The last one takes the residual; together they are its gross.

    400: days that do not follow each other or are past, amounts that do not add up. 404: no such invoice. 409: it is void or
    paid, or paid in instalments already.
    """
    wanted = [Wanted(each.due_on, _number(each.amount), _number(each.percent)) for each in body.instalments]
    invoice, plan = await handlers.agree_instalments(
        tx, invoice_id, wanted, rest_due_after_days=body.rest_due_after_days, reason=body.reason, by=caller.subject
    )
    return PlanView.of(invoice, plan)


@router.get("/invoices/{invoice_id}/instalments", dependencies=[scope("invoices:read")])
async def get_instalments(invoice_id: UUID, conn: Conn) -> PlanView:
    """The instalments of an invoice with what is open of each. 404: no such invoice, or it is not paid in instalments."""
    invoice = await invoices.get_invoice(conn, invoice_id)
    plan = (await store.list_plans(conn, [invoice_id])).get(invoice_id)
    if plan is None:
        raise NotFound(f"invoice {invoice.number} is not paid in instalments")
    return PlanView.of(invoice, plan)


def _number(said: str | None) -> Decimal | None:
    return None if said is None else Decimal(said)
