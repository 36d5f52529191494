"""Every event of the suite, by owner. The names are the contract; import them from here."""

from ltc_contracts.events.billing import InvoiceIssued, InvoiceOverdue, InvoicePaid, PaymentAllocated, PaymentReceived
from ltc_contracts.events.delivery import DeliveryCancelled, DeliveryCompleted, DeliveryProgressed, DeliveryPromised
from ltc_contracts.events.lead import (
    LeadAssigned,
    LeadCaptured,
    LeadDisqualified,
    LeadEngaged,
    LeadQualified,
    LeadReleased,
    LeadScored,
)
from ltc_contracts.events.model import Contact, Customer, Event, Line, TaxSubtotal, Touch
from ltc_contracts.events.order import (
    OrderCancellationRequested,
    OrderCancelled,
    OrderClosed,
    OrderConfirmed,
    OrderFulfilled,
    OrderReceived,
)
from ltc_contracts.events.sales import (
    ContractSigned,
    OpportunityLost,
    OpportunityOpened,
    OpportunityStageChanged,
    OpportunityWon,
    QuoteAccepted,
    QuoteSent,
)

__all__ = [
    "Contact",
    "ContractSigned",
    "Customer",
    "DeliveryCancelled",
    "DeliveryCompleted",
    "DeliveryProgressed",
    "DeliveryPromised",
    "Event",
    "InvoiceIssued",
    "InvoiceOverdue",
    "InvoicePaid",
    "LeadAssigned",
    "LeadCaptured",
    "LeadDisqualified",
    "LeadEngaged",
    "LeadQualified",
    "LeadReleased",
    "LeadScored",
    "Line",
    "OpportunityLost",
    "OpportunityOpened",
    "OpportunityStageChanged",
    "OpportunityWon",
    "OrderCancellationRequested",
    "OrderCancelled",
    "OrderClosed",
    "OrderConfirmed",
    "OrderFulfilled",
    "OrderReceived",
    "PaymentAllocated",
    "PaymentReceived",
    "QuoteAccepted",
    "QuoteSent",
    "TaxSubtotal",
    "Touch",
]
