"""HTTP in: a cart becomes an order in one call."""

import hashlib
from datetime import date
from decimal import Decimal
from typing import Annotated
from uuid import UUID

from fastapi import Request, Response
from ltc_chassis.api import Principal, runtime_of, scope
from ltc_chassis.api import router as make_router
from ltc_chassis.desk import Desk, at_a_desk
from ltc_chassis.ids import new_id
from ltc_contracts.events import Customer, Line
from ltc_contracts.events.model import Code, Country, Exact, Name, Percent, TaxCategory
from ltc_contracts.money import Money
from pydantic import BaseModel, ConfigDict, Field

from order_svc.api.orders import OrderView, Reason, view_of
from order_svc.domain.axes import Axes
from order_svc.domain.placement import Invoicing, Placement
from order_svc.handlers import checkout
from order_svc.handlers.checkout import Cart

router = make_router(prefix="/v1", tags=["checkout"])
DESK = Desk(checkout.check_out)
Buyer = Annotated[Principal, scope("orders:write")]


class CartCustomer(BaseModel):
    """Who buys and is billed. Without an id it is somebody new."""

    model_config = ConfigDict(extra="forbid")
    customer_id: UUID | None = None
    name: Name
    country: Country
    vat_id: Annotated[str, Field(max_length=20)] | None = None
    email: Annotated[str, Field(max_length=254)] | None = None


class CartLine(BaseModel):
    """A priced line; `net` is quantity x price / base quantity less discount, rounded half up, and is checked."""

    model_config = ConfigDict(extra="forbid")
    line_id: UUID | None = None
    sku: Code
    description: Name
    quantity: Annotated[Exact, Field(gt=0)]
    unit_price: Money
    base_quantity: Annotated[Exact, Field(gt=0)] = Decimal(1)
    discount_percent: Percent = Decimal(0)
    tax_category: TaxCategory = "S"
    tax_rate: Percent
    net: Money

    def line(self) -> Line:
        """The line, with an id where it has none."""
        return Line(
            line_id=self.line_id or new_id(),
            sku=self.sku,
            description=self.description,
            quantity=self.quantity,
            unit_price=self.unit_price,
            base_quantity=self.base_quantity,
            discount_percent=self.discount_percent,
            tax_category=self.tax_category,
            tax_rate=self.tax_rate,
            net=self.net,
        )


class CheckOut(BaseModel):
    """A cart. `external_ref` is the shop's own name of the order: the same name is the same order.

    Without `payment_terms_days` those agreed with the customer count, else it is due at once.
    `hold` keeps the order until a person releases it (a check for fraud, say). `flow_id` is the journey of a lead who buys.
    """

    model_config = ConfigDict(extra="forbid")
    external_ref: Name
    customer: CartCustomer
    lines: Annotated[tuple[CartLine, ...], Field(min_length=1, max_length=500)]
    net: Money
    payment_terms_days: Annotated[int | None, Field(ge=0, le=365)] = None
    requested_on: date | None = None
    invoicing: Invoicing = "on_delivery"
    ship_complete: bool = False
    flow_id: UUID | None = None
    hold: Reason | None = None

    def placement(self) -> Placement:
        """What is asked for, with ids for what is new; its fingerprint is that of the request."""
        who = self.customer
        return Placement(
            contract_id=new_id(),
            source="checkout",
            external_ref=self.external_ref,
            customer=Customer(
                customer_id=who.customer_id or new_id(), name=who.name, country=who.country, vat_id=who.vat_id, email=who.email
            ),
            lines=tuple(line.line() for line in self.lines),
            net=self.net,
            payment_terms_days=self.payment_terms_days,
            requested_on=self.requested_on,
            invoicing=self.invoicing,
            ship_complete=self.ship_complete,
            fingerprint=hashlib.sha256(self.model_dump_json().encode()).hexdigest(),
        )


@router.post("/checkout", status_code=201, dependencies=[at_a_desk()])
async def check_out(body: CheckOut, caller: Buyer, request: Request, response: Response) -> OrderView:
    """A cart becomes an order, confirmed with a promised day, or held with its reasons. 200: it was placed before."""
    placement = body.placement()
    made = await DESK.ask(request, Cart(placement, body.flow_id, body.hold, caller.subject))
    if made.new:
        return OrderView.of(made.order, placement.lines, Axes())
    response.status_code = 200
    # With an Idempotency-Key there is a transaction already: a second connection could be waited for by everybody at once.
    own = getattr(request.state, "tx", None)
    if own is not None:
        return await view_of(own.conn, made.order)
    async with runtime_of(request).db.connection() as conn:
        return await view_of(conn, made.order)
