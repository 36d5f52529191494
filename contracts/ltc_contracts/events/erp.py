"""Facts told by the systems around the suite (ERP, EDI, warehouse). They belong to no single flow; their key is their subject."""

from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import AwareDatetime, Field

from ltc_contracts.events.model import Code, Customer, Day, Event, Exact, Name
from ltc_contracts.events.order import Invoicing
from ltc_contracts.events.sales import Lines
from ltc_contracts.money import Money


class ErpOrderPlaced(Event):
    """An order was placed elsewhere: by EDI, or in the ERP. `external_ref` is its name there, and the same name is the same order."""

    TOPIC: ClassVar[str] = "erp.order_placed"
    SUBJECT: ClassVar[str] = "external_ref"
    OF_A_FLOW: ClassVar[bool] = False

    external_ref: Name
    customer: Customer
    lines: Lines
    net: Money
    payment_terms_days: Annotated[int, Field(ge=0, le=365)]
    requested_on: Day | None = None
    invoicing: Invoicing = "on_delivery"


class ErpStockChanged(Event):
    """So many pieces lay at a site at a moment: the whole count, not a difference."""

    TOPIC: ClassVar[str] = "erp.stock_changed"
    SUBJECT: ClassVar[str] = "sku"
    OF_A_FLOW: ClassVar[bool] = False

    sku: Code
    site: Code
    on_hand: Annotated[Exact, Field(ge=0)]
    as_of: AwareDatetime


class ErpCustomerChanged(Event):
    """What accounting says of a customer. No `credit_limit` leaves the limits as they are; `blocked` gets nothing on credit."""

    TOPIC: ClassVar[str] = "erp.customer_changed"
    SUBJECT: ClassVar[str] = "customer_id"
    OF_A_FLOW: ClassVar[bool] = False

    customer_id: UUID
    name: Name
    credit_limit: Money | None = None
    blocked: bool = False
    payment_terms_days: Annotated[int | None, Field(ge=0, le=365)] = None
