"""Every topic: who owns it, what it carries, who reads it, and how the broker keeps it."""

from dataclasses import dataclass

from ltc_contracts import events as e
from ltc_contracts.events import Event

PARTITIONS = 6
RETENTION_MS = 90 * 24 * 3600 * 1000
# The limit of an event's value; the broker's own limit is higher, so that a foreign record over ours is parked, not lost.
MAX_EVENT_BYTES = 1024 * 1024
MAX_RECORD_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Topic:
    """`readers` are the domain services that act on it; metrics-svc reads every topic and is not listed."""

    name: str
    owner: str
    event: type[Event]
    readers: tuple[str, ...] = ()
    partitions: int = PARTITIONS
    retention_ms: int = RETENTION_MS
    max_bytes: int = MAX_RECORD_BYTES


def _topic(owner: str, event: type[Event], *readers: str) -> Topic:
    return Topic(event.TOPIC, owner, event, readers)


TOPICS: tuple[Topic, ...] = (
    _topic("lead", e.LeadCaptured),
    _topic("lead", e.LeadChanged),
    _topic("lead", e.LeadEngaged),
    _topic("lead", e.LeadScored),
    _topic("lead", e.LeadFirstResponded),
    _topic("lead", e.LeadSlaBreached),
    _topic("lead", e.LeadQualified, "sales"),
    _topic("lead", e.LeadDisqualified),
    _topic("lead", e.LeadRecycled),
    _topic("lead", e.LeadAssigned),
    _topic("lead", e.LeadReleased),
    _topic("lead", e.LeadTouched),
    _topic("lead", e.NurtureEnrolled),
    _topic("lead", e.NurtureStepSent),
    _topic("lead", e.NurtureEnded),
    _topic("lead", e.CampaignSpendRecorded),
    _topic("lead", e.LeadMerged, "sales"),
    _topic("lead", e.LeadUnmerged, "sales"),
    _topic("lead", e.PersonErased, "sales", "order", "billing"),
    _topic("sales", e.OpportunityOpened, "lead"),
    _topic("sales", e.OpportunityStageChanged),
    _topic("sales", e.OpportunityWon, "lead"),
    _topic("sales", e.OpportunityLost, "lead"),
    _topic("sales", e.ActivityLogged),
    _topic("sales", e.QuoteApprovalRequested),
    _topic("sales", e.QuoteApproved),
    _topic("sales", e.QuoteSent, "order"),
    _topic("sales", e.QuoteAccepted, "order"),
    _topic("sales", e.QuoteRejected),
    _topic("sales", e.QuoteExpired),
    _topic("sales", e.ContractSigned, "order"),
    _topic("sales", e.ContractRenewalDue),
    _topic("sales", e.CommissionAccrued),
    _topic("sales", e.CommissionVested),
    _topic("sales", e.CommissionClawedBack),
    _topic("order", e.OrderReceived),
    _topic("order", e.OrderConfirmed, "delivery", "billing"),
    _topic("order", e.OrderCancellationRequested, "delivery"),
    _topic("order", e.OrderCancelled, "sales", "billing"),
    _topic("order", e.OrderChangeRequested, "delivery"),
    _topic("order", e.OrderChanged, "billing"),
    _topic("order", e.OrderHeld),
    _topic("order", e.OrderReleased),
    _topic("order", e.OrderStalled),
    _topic("order", e.OrderFulfilled),
    _topic("order", e.OrderClosed),
    _topic("order", e.SubscriptionStarted),
    _topic("order", e.SubscriptionRenewed),
    _topic("order", e.SubscriptionChanged),
    _topic("order", e.SubscriptionPaused),
    _topic("order", e.SubscriptionResumed),
    _topic("order", e.SubscriptionCancelled),
    _topic("order", e.SubscriptionCancellationWithdrawn),
    _topic("order", e.SubscriptionOrderLapsed),
    _topic("order", e.SubscriptionEnded, "billing"),
    _topic("order", e.SubscriptionRevenueMoved),
    _topic("delivery", e.DeliveryPromised, "order", "billing"),
    _topic("delivery", e.DeliveryProgressed, "order"),
    _topic("delivery", e.DeliveryCompleted, "order", "billing"),
    _topic("delivery", e.DeliveryCancelled, "order"),
    _topic("delivery", e.DeliveryHandedOver, "order", "billing"),
    _topic("delivery", e.DeliveryFailed, "order"),
    _topic("delivery", e.DeliveryReturned, "order", "billing"),
    _topic("delivery", e.DeliveryChangeDecided, "order"),
    _topic("delivery", e.ProductionOrdered, "order"),
    _topic("delivery", e.ProductionChanged, "order"),
    _topic("delivery", e.ProductionCancelled, "order"),
    _topic("delivery", e.ProductionCompleted, "order"),
    _topic("delivery", e.ProductionFailed, "order"),
    _topic("billing", e.InvoiceIssued, "sales", "order"),
    _topic("delivery", e.TicketOpened, "order"),
    _topic("delivery", e.TicketAssigned),
    _topic("delivery", e.TicketResponded),
    _topic("delivery", e.TicketEscalated),
    _topic("delivery", e.TicketResolved, "order"),
    _topic("delivery", e.TicketReopened, "order"),
    _topic("delivery", e.TicketMerged, "order"),
    _topic("delivery", e.SurveyAsked),
    _topic("delivery", e.SurveyAnswered),
    _topic("delivery", e.SurveyDeclined),
    _topic("delivery", e.SurveyExpired),
    _topic("delivery", e.CsatRecorded),
    _topic("delivery", e.NpsRecorded),
    _topic("billing", e.InvoiceOverdue, "order"),
    _topic("billing", e.InvoicePaid, "order"),
    _topic("billing", e.PaymentReceived),
    _topic("billing", e.PaymentAllocated, "lead", "sales", "order"),
    _topic("billing", e.PaymentRefunded, "lead", "sales", "order"),
    _topic("billing", e.InvoiceCredited, "sales", "order"),
    _topic("billing", e.InvoiceDisputed),
    _topic("billing", e.InvoiceDisputeResolved),
    _topic("billing", e.DunningStepTaken, "order"),
    _topic("billing", e.DunningEnded, "order"),
    _topic("billing", e.PaymentPromised),
    _topic("billing", e.PaymentPromiseBroken),
    # Read by the company's ERP.
    _topic("billing", e.JournalPosted),
    _topic("billing", e.InvoiceWrittenOff, "order"),
    _topic("billing", e.InvoiceRecovered, "order"),
    _topic("billing", e.InvoiceVoided, "sales", "order"),
    _topic("billing", e.PaymentDeclined),
    _topic("billing", e.PaymentUnapplied, "lead", "sales", "order"),
    # Told by the systems around the suite.
    _topic("erp", e.ErpOrderPlaced, "order"),
    _topic("erp", e.ErpStockChanged, "order"),
    _topic("erp", e.ErpCustomerChanged, "order"),
    _topic("mes", e.MesProductionProgressed, "delivery"),
)

BY_NAME: dict[str, Topic] = {topic.name: topic for topic in TOPICS}
BY_TYPE: dict[str, Topic] = {topic.event.type_name(): topic for topic in TOPICS}


def owned_by(service: str) -> tuple[Topic, ...]:
    return tuple(topic for topic in TOPICS if topic.owner == service)


def read_by(service: str) -> tuple[Topic, ...]:
    return tuple(topic for topic in TOPICS if service in topic.readers)
