"""What events say of promises and arrivals, per line: the facts that on-time-in-full is made of. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Literal
from uuid import UUID

from ltc_contracts.errors import Invalid

Data = Mapping[str, Any]
Kind = Literal["requested", "promised", "ordered", "handed_over", "returned", "ended", "cancelled"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fulfilment:
    """One fact of an order: a day wished or promised, so much of a line ordered, arrived or come back, or the end.

    `at` is when it happened, None for the time of the event; `version` counts promises, the order's own being 0.
    """

    order_id: UUID
    kind: Kind
    at: datetime | None = None
    line_id: UUID | None = None
    quantity: Decimal | None = None
    day: date | None = None
    version: int | None = None


def fulfilments(topic: str, data: Data) -> list[Fulfilment]:
    """The facts of an event; none for most. Raises `Invalid` for a wrong payload."""
    make = _MAKERS.get(topic)
    try:
        return make(data) if make else []
    except (KeyError, TypeError, ValueError, AttributeError, InvalidOperation) as error:
        raise Invalid(f"not a {topic}: {type(error).__name__}", field="value") from error


def _lines(kind: Kind, data: Data, at: datetime | None = None) -> list[Fulfilment]:
    order_id, quantities = UUID(data["order_id"]), dict[UUID, Decimal]()
    for line in data["lines"]:
        line_id = UUID(line["line_id"])
        quantities[line_id] = quantities.get(line_id, Decimal(0)) + Decimal(line["quantity"])
    return [
        Fulfilment(order_id=order_id, kind=kind, at=at, line_id=line_id, quantity=quantity)
        for line_id, quantity in quantities.items()
    ]


def _confirmed(data: Data) -> list[Fulfilment]:
    order_id, wished = UUID(data["order_id"]), data.get("requested_on")
    facts = [Fulfilment(order_id=order_id, kind="promised", day=date.fromisoformat(data["promised_on"]), version=0)]
    if wished:
        facts.append(Fulfilment(order_id=order_id, kind="requested", day=date.fromisoformat(wished)))
    return facts + _lines("ordered", data)


def _promised(data: Data) -> list[Fulfilment]:
    day = date.fromisoformat(data["promised_on"])
    return [Fulfilment(order_id=UUID(data["order_id"]), kind="promised", day=day, version=int(data["promise_version"]))]


def _handed_over(data: Data) -> list[Fulfilment]:
    at = datetime.fromisoformat(data["handed_over_at"])
    end = [Fulfilment(order_id=UUID(data["order_id"]), kind="ended", at=at)] if data["last"] else []
    return _lines("handed_over", data, at) + end


def _completed(data: Data) -> list[Fulfilment]:
    """Parts that were told are not told again; else everything arrives now."""
    at = datetime.fromisoformat(data["completed_at"])
    arrived = [] if data.get("parts_told") else _lines("handed_over", data, at)
    return [*arrived, Fulfilment(order_id=UUID(data["order_id"]), kind="ended", at=at)]


_MAKERS: Mapping[str, Callable[[Data], list[Fulfilment]]] = {
    "order.confirmed": _confirmed,
    "order.changed": lambda data: _lines("ordered", data),
    "order.cancelled": lambda data: [Fulfilment(order_id=UUID(data["order_id"]), kind="cancelled")],
    "delivery.promised": _promised,
    "delivery.handed_over": _handed_over,
    "delivery.returned": lambda data: _lines("returned", data, datetime.fromisoformat(data["returned_at"])),
    "delivery.completed": _completed,
}
