"""Receivables of another system taken over: the document keeps its number and its days, its order and delivery lie elsewhere."""

import re
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from ltc_contracts.elsewhere import id_elsewhere
from ltc_contracts.errors import DomainError
from ltc_contracts.events import Customer, Event
from ltc_contracts.money import Money

from billing_svc.domain.invoice import Invoice, issue
from billing_svc.domain.ledger import Entry
from billing_svc.domain.occasion import InvoiceLine, Occasion
from billing_svc.domain.rows import Row, begin_of

# Nothing that we number ourselves is in it, whatever the other system calls its documents.
SERIES = "EXT"


class NumberTaken(DomainError):
    """Two documents of the other system would be called the same here."""


class TakenOverOtherwise(DomainError):
    """This document was taken over before, and said something else then."""


def number_of(system: str, number: str) -> str:
    """`EXT-611365`, or `EXT-SAP-2013-0045` for `2013/0045` of the system SAP: their number with hyphens for other signs."""
    return "-".join(filter(None, (SERIES, system, re.sub(r"[^A-Za-z0-9]+", "-", number).strip("-"))))


def take_over(row: Row, *, invoice_id: UUID, flow_id: UUID, now: datetime) -> tuple[Invoice, Entry, list[Event]]:
    """The final invoice as it was issued then. It is one line without tax: tax was declared where the document was made."""
    order_id = id_elsewhere("order", row.system, row.number)
    line = InvoiceLine(
        line_id=id_elsewhere("line", row.system, row.number),
        sku=SERIES,
        description=row.description or f"Receivable {row.number}",
        quantity=Decimal(1),
        unit_price=row.amount,
        tax_category="Z",
        tax_rate=Decimal(0),
        net=row.amount,
    )
    occasion = Occasion(
        cause="import",
        cause_id=order_id,
        order_id=order_id,
        delivery_id=id_elsewhere("delivery", row.system, row.number),
        customer=Customer(
            customer_id=row.customer_id or id_elsewhere("customer", row.system, row.customer),
            name=row.customer_name,
            country=row.country,
            vat_id=row.vat_id,
        ),
        lines=(line,),
        net=row.amount,
        payment_terms_days=(row.due_on - row.issued_on).days,
    )
    number = number_of(row.system, row.number)
    invoice, entry, events = issue(occasion, invoice_id=invoice_id, flow_id=flow_id, number=number, now=begin_of(row.issued_on))
    return replace(invoice, created_at=now, updated_at=now), entry, events


def require_same(row: Row, known: tuple[Money, date, date]) -> None:
    """Raises `TakenOverOtherwise` when a document that is here already says another amount or other days: `known` says what it did."""
    for name, told, before in zip(("amount", "issued_on", "due_on"), (row.amount, row.issued_on, row.due_on), known, strict=True):
        if told != before:
            raise TakenOverOtherwise("is another than when this document was taken over", field=name)
