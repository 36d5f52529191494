"""The page of an order: which events are facts of it, what they are about, and what of them its readers need.

A fact never changes and never refers to a row, so facts may come in any order, again, and before the order they are about.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from ltc_contracts import events as e
from ltc_contracts.events import Event

_PART = {"lines": {"__all__": {"line_id", "sku", "quantity"}}}
_RETURNED = {"lines": {"__all__": {"line_id", "sku", "quantity", "treatment"}}}


class Kind(NamedTuple):
    """How an event becomes a fact: the fields that say what it is about, which fact it is (none: the event itself), and its count.

    `by_version`: the count is the version of what it is about, so that the greatest says how it is now.
    """

    about: str
    fact: str | None
    kept: Mapping[str, Any]
    nth: str | None = None
    by_version: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One event as the page keeps it; `data` is a part of its payload, under the same names. `flow_id` is only known on its way in."""

    about: UUID
    flow_id: UUID | None
    topic: str
    fact_id: UUID
    nth: int
    occurred_at: datetime
    data: dict[str, Any]


def _kept(*names: str, **parts: Any) -> dict[str, Any]:
    return dict.fromkeys(names, True) | parts


_QUOTE = ("quote_id", "number", "quote_version", "net")
_INVOICE = ("invoice_id", "number")
_JOB = _kept("number", "line_id", "sku", "quantity", "needed_by", "reorder_of")
_MADE = ("number", "sku", "quantity", "quantity_good", "quantity_scrap")
KINDS: Mapping[type[Event], Kind] = {
    e.QuoteSent: Kind("quote_id", "quote_id", _kept(*_QUOTE, "valid_until")),
    e.QuoteAccepted: Kind("quote_id", "quote_id", _kept(*_QUOTE, "via")),
    e.ContractSigned: Kind(
        "contract_id",
        "contract_id",
        _kept("number", "quote_id", "net", "contract_version", "document_sha256", "pdf_sha256", "signed_by", "signed_at"),
    ),
    e.DeliveryPromised: Kind(
        "order_id", "delivery_id", _kept("delivery_id", "promised_on", "promise_version", "was", "reason"), "promise_version"
    ),
    e.DeliveryProgressed: Kind("order_id", None, _kept("delivery_id", "percent", "note")),
    e.DeliveryHandedOver: Kind(
        "order_id",
        "handover_id",
        _kept("delivery_id", "number", "net", "promised_on", "handed_over_at", "last", "proof_sha256", **_PART),
    ),
    e.DeliveryFailed: Kind(
        "order_id", "attempt_id", _kept("delivery_id", "attempt", "code", "note", "failed_at", "next_attempt_on")
    ),
    e.DeliveryReturned: Kind("order_id", "return_id", _kept("delivery_id", "net", "reason", "returned_at", **_RETURNED)),
    e.DeliveryChangeDecided: Kind("order_id", "change_id", _kept("delivery_id", "granted", "reason", "promised_on")),
    e.DeliveryCompleted: Kind(
        "order_id", "delivery_id", _kept("delivery_id", "net", "promised_on", "completed_at", "on_time", "parts_told", **_PART)
    ),
    e.DeliveryCancelled: Kind("order_id", "delivery_id", _kept("delivery_id", "reason")),
    e.ProductionOrdered: Kind("order_id", "production_id", _JOB),
    e.ProductionChanged: Kind("order_id", "production_id", _JOB, by_version=True),
    e.ProductionCompleted: Kind(
        "order_id", "production_id", _kept(*_MADE, "work_center", "started_at", "completed_at", "needed_by", "late")
    ),
    e.ProductionFailed: Kind("order_id", "production_id", _kept(*_MADE, "code", "missing", "reason", "failed_at", "reordered")),
    e.ProductionCancelled: Kind("order_id", "production_id", _kept("number", "reason")),
    e.InvoiceIssued: Kind(
        "order_id", "invoice_id", _kept(*_INVOICE, "net", "tax", "gross", "issued_on", "due_on", "handover_id", "change_id")
    ),
    e.InvoiceOverdue: Kind("order_id", "invoice_id", _kept(*_INVOICE, "due_on", "days_overdue", "open")),
    e.InvoicePaid: Kind("order_id", "invoice_id", _kept(*_INVOICE, "gross", "due_on", "paid_on", "on_time")),
    e.InvoiceCredited: Kind(
        "order_id",
        "credit_id",
        _kept(*_INVOICE, "invoice_number", "net", "tax", "gross", "open_after", "reason", "credited_on", "cause"),
    ),
    e.PaymentAllocated: Kind("order_id", None, _kept(*_INVOICE, "payment_id", "amount", "open_after", "received_on")),
    e.PaymentRefunded: Kind("order_id", "refund_id", _kept(*_INVOICE, "payment_id", "amount", "net", "reason", "refunded_on")),
    e.TicketOpened: Kind("order_id", "ticket_id", _kept("ticket_id", "number", "channel", "priority", "queue")),
    e.TicketResolved: Kind("order_id", "ticket_id", _kept("ticket_id", "number", "priority", "reopened"), "reopened"),
    e.TicketReopened: Kind("ticket_id", "ticket_id", _kept("ticket_id", "number", "reopened"), "reopened"),
    e.TicketMerged: Kind("ticket_id", "ticket_id", _kept("ticket_id", "number", "into_id", "into_number")),
}


def fact_of(event: Event, event_id: UUID, occurred_at: datetime, flow_id: UUID | None, version: int = 0) -> Fact | None:
    """The fact of an event; None for one about no order (a ticket of nobody, money on account). `version` is of what it is about."""
    kind = KINDS[type(event)]
    about = getattr(event, kind.about)
    if about is None:
        return None
    return Fact(
        about=about,
        flow_id=flow_id,
        topic=event.TOPIC,
        fact_id=getattr(event, kind.fact) if kind.fact else event_id,
        nth=getattr(event, kind.nth) if kind.nth else version if kind.by_version else 0,
        occurred_at=occurred_at,
        data=event.model_dump(mode="json", include=dict(kind.kept)),
    )
