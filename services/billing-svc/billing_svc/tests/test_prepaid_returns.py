"""A prepaid order of which something comes back and is replaced."""

from decimal import Decimal

import pytest
from ltc_chassis.testing import Deliver
from ltc_contracts.events import Event

from billing_svc.tests.builders import came_back, confirmed, handed_over, line, part, promised
from billing_svc.tests.telling import Emissions, Json, claimed, tell, told


async def test_the_cent_of_a_return_is_a_note_beside_the_one_of_the_return(deliver: Deliver, emitted: Emissions) -> None:
    """Three pieces for 20.00 prepaid: two are handed over for 13.33, one comes back for 6.66, the third goes for 6.66."""
    whole = line("10.00", "3", "33.33", "22")
    order = confirmed(whole)
    delivery = promised(order.order_id)
    same: Json = {
        "order_id": order.order_id,
        "delivery_id": delivery.delivery_id,
        "invoicing": "on_confirmation",
    }
    back = came_back(order.order_id, (whole, "1", "2"), invoicing="on_confirmation")
    parts = [handed_over(part(whole, "2"), **same), handed_over(part(whole, "1", "1"), number=2, **same)]
    await tell(deliver, [order, delivery, parts[0], back, parts[1]])
    notes = await told(emitted, "invoice.credited", order.order_id)
    assert [(note.net.amount, note.cause_id) for note in notes] == [
        (Decimal("6.66"), back.return_id),
        (Decimal("0.01"), back.return_id),
    ]
    assert await claimed(emitted, order.order_id) == Decimal("13.33")


@pytest.mark.parametrize("return_first", [True, False])
async def test_what_replaces_a_prepaid_return_has_its_documents_whichever_is_heard_first(
    deliver: Deliver, emitted: Emissions, *, return_first: bool
) -> None:
    """Of seven pieces two are handed over, one comes back, and six go in one parcel: a note of one, and an invoice of one."""
    whole = line("24.95", "7", "0", "19")
    order = confirmed(whole)
    delivery = promised(order.order_id)
    same: Json = {"order_id": order.order_id, "delivery_id": delivery.delivery_id, "invoicing": "on_confirmation"}
    back = came_back(order.order_id, (whole, "1", "2"), invoicing="on_confirmation")
    parts = [handed_over(part(whole, "2"), **same), handed_over(part(whole, "6", "1"), number=2, **same)]
    late: list[Event] = [back, parts[1]] if return_first else [parts[1], back]
    await tell(deliver, [order, delivery, parts[0], *late])
    [note] = await told(emitted, "invoice.credited", order.order_id)
    assert (note.cause_id, note.net.amount) == (back.return_id, Decimal("24.95"))
    _, replaced = await told(emitted, "invoice.issued", order.order_id)
    assert (replaced.handover_id, replaced.net.amount) == (parts[1].handover_id, Decimal("24.95"))
