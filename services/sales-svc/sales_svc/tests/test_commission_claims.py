"""Commission follows what is taken off an invoice and what is void, as it follows refunds and credits."""

import httpx
from ltc_chassis.ids import new_id
from ltc_chassis.testing import Deliver
from ltc_contracts.events import InvoiceVoided, PaymentUnapplied

from sales_svc.tests.bills import DAY, allocated, booked, eur, invoice, planned, tell
from sales_svc.tests.deals import line, signed


async def test_cash_that_is_taken_off_and_a_void_invoice_claw_back_once(client: httpx.AsyncClient, deliver: Deliver) -> None:
    await planned(client, "Ada", rate="10")
    contract = await signed(client, lines=[line("1000.00")])
    bill = invoice("1000.00", "1220.00")
    about = {"invoice_id": bill.invoice_id, "number": bill.number, "order_id": bill.order_id, "reason": "x"}
    off = PaymentUnapplied(
        **about,
        unapplication_id=new_id(),
        payment_id=new_id(),
        amount=eur("122.00"),
        open_after=eur("122.00"),
        received_on=DAY,
        unapplied_on=DAY,
    )
    await tell(deliver, contract, bill, allocated(bill, "1220.00"), off, off)
    assert await booked(client, contract) == [("Ada", "100.00", "90.00")], "it may be paid again"
    void = InvoiceVoided(**about, net=bill.net, tax=bill.tax, gross=bill.gross, voided_on=DAY)
    await tell(deliver, contract, void, void)
    assert await booked(client, contract) == [("Ada", "0.00", "0.00")], "it never counted"
