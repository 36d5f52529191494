"""What events say of invoices, credit notes, payments and refunds. Pure."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

from metrics_svc.domain import claims
from metrics_svc.domain.milestone import Data, Maker, Milestone, money


def _invoiced(data: Data) -> Milestone:
    currency, gross = money(data, "gross")
    net, tax = money(data, "net")[1], money(data, "tax")[1]
    cause = "handover" if data.get("handover_id") else "change" if data.get("change_id") else "whole"
    return Milestone(
        "invoiced",
        currency,
        net=net,
        gross=gross,
        stated=net + tax,
        due_on=date.fromisoformat(data["due_on"]),
        cause=cause,
        cause_id=data.get("handover_id") or data.get("change_id") or data["order_id"],
        invoice_id=data["invoice_id"],
        customer_id=data["customer"]["customer_id"],
    )


def _credited(data: Data) -> Milestone:
    currency, gross = money(data, "gross")
    net, tax = money(data, "net")[1], money(data, "tax")[1]
    return Milestone(
        "credited",
        currency,
        net=net,
        gross=gross,
        stated=net + tax,
        open_after=money(data, "open_after")[1],
        cause=data.get("cause"),
        cause_id=data.get("cause_id"),
        invoice_id=data["invoice_id"],
        settled_on=date.fromisoformat(data["credited_on"]),
    )


def _claim(fields: Callable[[Data], dict[str, Any]]) -> Callable[[Data], Milestone]:
    return lambda data: Milestone(**fields(data), invoice_id=data["invoice_id"])


def _refunded(data: Data) -> Milestone:
    currency, gross = money(data, "amount")
    net = money(data, "net")[1] if data.get("net") else None
    day = date.fromisoformat(data["refunded_on"])
    return Milestone("refunded", currency, net=net, gross=gross, invoice_id=data.get("invoice_id"), settled_on=day)


def _overdue(data: Data) -> Milestone:
    currency, amount = money(data, "open")
    day = date.fromisoformat(data["due_on"])
    return Milestone("overdue", currency, gross=amount, due_on=day, invoice_id=data["invoice_id"])


def _allocated(data: Data) -> Milestone:
    currency, amount = money(data, "amount")
    return Milestone(
        "allocated",
        currency,
        gross=amount,
        open_after=money(data, "open_after")[1],
        settled_on=date.fromisoformat(data["received_on"]),
        invoice_id=data["invoice_id"],
    )


def _received(data: Data) -> Milestone:
    currency, amount = money(data, "amount")
    return Milestone("received", currency, gross=amount, settled_on=date.fromisoformat(data["received_on"]))


def _paid(data: Data) -> Milestone:
    """Nothing is open any more. Where all of it was taken back or given up nobody paid: it is settled, which is no stage of a journey."""
    currency, gross = money(data, "gross")
    not_paid = sum((money(data, what)[1] for what in ("credited", "written_off") if data.get(what)), Decimal(0))
    return Milestone(
        "paid" if not_paid < gross or not gross else "settled",
        currency,
        gross=gross - not_paid,
        on_time=bool(data["on_time"]),
        settled_on=date.fromisoformat(data["paid_on"]),
        invoice_id=data["invoice_id"],
    )


MAKERS: dict[str, Maker] = {
    "invoice.issued": _invoiced,
    "invoice.overdue": _overdue,
    "invoice.credited": _credited,
    **{topic: _claim(fields) for topic, fields in claims.FIELDS.items()},
    "invoice.paid": _paid,
    "payment.refunded": _refunded,
    "payment.received": _received,
    "payment.allocated": _allocated,
}
