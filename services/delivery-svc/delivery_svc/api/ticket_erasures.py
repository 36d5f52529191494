"""HTTP in: a person is forgotten in tickets."""

from typing import Annotated

from ltc_chassis.api import Principal, Tx, scope
from ltc_chassis.api import router as make_router
from pydantic import BaseModel, ConfigDict

from delivery_svc.api.tickets import Address
from delivery_svc.handlers import ticket_erasures as handlers

router = make_router(prefix="/v1", tags=["ticket erasures"])
Officer = Annotated[Principal, scope("tickets:erase")]


class Erasure(BaseModel):
    """By the address that the person wrote from."""

    model_config = ConfigDict(extra="forbid")

    email: Address


class ErasureView(BaseModel):
    """The numbers of the tickets, and how many rows of which table were changed."""

    tickets: list[str]
    rows: dict[str, int]


@router.post("/ticket-erasures")
async def erase(body: Erasure, tx: Tx, caller: Officer) -> ErasureView:
    """What was said in the person's tickets, their address and mails are emptied; numbers, times and measures stay."""
    numbers, rows = await handlers.erase(tx, body.email, caller.subject)
    return ErasureView(tickets=numbers, rows=rows)
