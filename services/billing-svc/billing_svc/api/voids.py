"""HTTP in: documents that never counted, and which have left the house, so that they do."""

from typing import Annotated
from uuid import UUID

from ltc_chassis.api import Now, Principal, Tx, scope
from ltc_chassis.api import router as make_router
from ltc_chassis.inputs import Day
from pydantic import StringConstraints

from billing_svc.api.credits import Body, Reason
from billing_svc.api.invoices import InvoiceView
from billing_svc.handlers import invoices as handlers

router = make_router(prefix="/v1", tags=["invoices"])
Writer = Annotated[Principal, scope("invoices:write")]
Channel = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=64, pattern=r"^[^\x00]*$")]


class Void(Body):
    reason: Reason


class Sending(Body):
    """By post, a portal or by hand; the day is today unless said."""

    channel: Channel
    sent_on: Day | None = None


@router.post("/invoices/{invoice_id}/void", dependencies=[scope("invoices:write")])
async def void_invoice(invoice_id: UUID, body: Void, tx: Tx) -> InvoiceView:
    """The number stays, what it booked is reversed; it is not issued anew by itself.

    404: no such invoice. 409: it was sent, paid, credited, disputed or called overdue, or its month is over: credit it instead.
    """
    return InvoiceView.of(await handlers.void_invoice(tx, invoice_id, reason=body.reason), tx.now.date())


@router.post("/invoices/{invoice_id}/sendings", status_code=204)
async def record_sending(invoice_id: UUID, body: Sending, tx: Tx, now: Now, caller: Writer) -> None:
    """It has left the house, so that it cannot be void any more. 400: a day before it was issued or to come. 404, 409: void."""
    await handlers.record_sending(tx, invoice_id, channel=body.channel, on=body.sent_on or now.date(), by=caller.subject)
