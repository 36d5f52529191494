"""What events say of claims that are not held on to, as the fields of a milestone. Pure."""

from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

Data = Mapping[str, Any]


def _amount(data: Data, name: str) -> Decimal:
    return Decimal(data[name]["amount"])


def _voided(data: Data) -> dict[str, Any]:
    """A document that never counted is taken back by hand, without a note."""
    return {
        "kind": "credited",
        "currency": data["gross"]["currency"],
        "net": _amount(data, "net"),
        "gross": _amount(data, "gross"),
        "stated": _amount(data, "net") + _amount(data, "tax"),
        "open_after": Decimal(0),
        "cause": "manual",
        "settled_on": date.fromisoformat(data["voided_on"]),
    }


def _moved(kind: str, day: str) -> Callable[[Data], dict[str, Any]]:
    def make(data: Data) -> dict[str, Any]:
        return {
            "kind": kind,
            "currency": data["amount"]["currency"],
            "gross": _amount(data, "amount"),
            "open_after": _amount(data, "open_after") if data.get("open_after") else None,
            "cause": data.get("cause"),
            "settled_on": date.fromisoformat(data[day]),
        }

    return make


def _unapplied(data: Data) -> dict[str, Any]:
    """By the day on which the money had come, so that what was in time and is taken off was never in time.

    What a credit note set free settled what is claimed no longer.
    """
    return {**_moved("unapplied", "received_on")(data), "cause": "credit" if data.get("credit_id") else None}


def _dispute(kind: str) -> Callable[[Data], dict[str, Any]]:
    """What is disputed is owed all the same: a version of its invoice, and no amount."""
    return lambda data: {"kind": kind, "currency": data["amount"]["currency"]}


FIELDS: dict[str, Callable[[Data], dict[str, Any]]] = {
    "invoice.voided": _voided,
    "invoice.written_off": _moved("written_off", "written_off_on"),
    "invoice.recovered": _moved("recovered", "recovered_on"),
    "payment.unapplied": _unapplied,
    "invoice.disputed": _dispute("disputed"),
    "invoice.dispute_resolved": _dispute("undisputed"),
}
