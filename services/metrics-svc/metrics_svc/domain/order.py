"""What events say of orders and their deliveries, and of what people answered about them. Pure."""

from collections.abc import Callable, Iterable
from datetime import date, datetime
from decimal import Decimal

from metrics_svc.domain.milestone import Data, Maker, Milestone, money, net


def _sum(lines: Iterable[Data]) -> Decimal:
    return sum((Decimal(line["net"]["amount"]) for line in lines), Decimal(0))


def _is_prepaid(data: Data) -> bool:
    return data.get("invoicing") == "on_confirmation"


def _ordered(data: Data) -> Milestone:
    """Where no deal told it, the order says by which channel it came, and for what (the first line counts)."""
    currency, amount = money(data, "net")
    came_by = data.get("source", "contract")
    return Milestone(
        "ordered",
        currency,
        net=amount,
        stated=_sum(data["lines"]),
        cause_id=data["order_id"],
        prepaid=_is_prepaid(data),
        customer_id=data["customer"]["customer_id"],
        channel=None if came_by == "contract" else came_by,
        country=data["customer"]["country"],
        product=data["lines"][0]["sku"],
    )


def _changed(data: Data) -> Milestone:
    """By how much the order is worth more, or less, than before."""
    currency, delta = money(data, "delta")
    stated = _sum(data["lines"]) - _sum(data["before"])
    return Milestone("changed", currency, net=delta, stated=stated, cause_id=data["change_id"], prepaid=_is_prepaid(data))


def _handed(data: Data) -> Milestone:
    currency, amount = money(data, "net")
    stated, prepaid = _sum(data["lines"]), _is_prepaid(data)
    return Milestone(
        "handed",
        currency,
        net=amount,
        stated=stated,
        cause_id=data["handover_id"],
        prepaid=prepaid,
        handovers=int(data["number"]),
        last=bool(data["last"]),
    )


def _returned(data: Data) -> Milestone:
    currency, amount = money(data, "net")
    stated, prepaid = _sum(data["lines"]), _is_prepaid(data)
    return Milestone("returned", currency, net=amount, stated=stated, cause_id=data["return_id"], prepaid=prepaid)


def _delivered(data: Data) -> Milestone:
    """What was delivered counts by its parts where they were told; the completion is then a day, and says what they must add up to."""
    currency, amount = money(data, "net")
    in_parts, stated = bool(data.get("parts_told")), _sum(data["lines"])
    handed, short, beyond = (money(data, name)[1] if data.get(name) else None for name in ("handed", "short", "beyond"))
    return Milestone(
        "delivered",
        currency,
        net=None if in_parts else amount,
        stated=stated - (short or 0) + (beyond or 0) if handed is not None or not in_parts else None,
        handovers=data.get("handovers"),
        handed=handed,
        ordered=amount,
        short=short,
        beyond=beyond,
        changes=data.get("changes"),
        cause_id=data["order_id"],
        due_on=date.fromisoformat(data["promised_on"]),
        on_time=bool(data["on_time"]),
    )


def _closed(data: Data) -> Milestone:
    currency, collected = money(data, "collected")
    return Milestone("closed", currency, gross=collected)


def _ticket(kind: str) -> Callable[[Data], Milestone | None]:
    """How long it took by the clock of its policy; without one there is nothing to measure."""

    def make(data: Data) -> Milestone | None:
        minutes, in_time = data.get("business_minutes"), data.get("within_target")
        return Milestone(kind, minutes=int(minutes), on_time=in_time) if minutes is not None else None

    return make


def _asked(data: Data) -> Milestone:
    return Milestone(f"{data['kind']}_asked")


def _answered(data: Data) -> Milestone:
    """By the moment it was asked at, the response rate of a window counts those who were asked in it."""
    return Milestone(f"{data['kind']}_answered", begun_at=datetime.fromisoformat(data["asked_at"]))


def _score(kind: str) -> Callable[[Data], Milestone]:
    return lambda data: Milestone(kind, score=int(data["score"]), begun_at=datetime.fromisoformat(data["asked_at"]))


MAKERS: dict[str, Maker] = {
    "order.confirmed": _ordered,
    "order.changed": _changed,
    "order.cancelled": net("cancelled"),
    "order.closed": _closed,
    "delivery.handed_over": _handed,
    "delivery.returned": _returned,
    "delivery.completed": _delivered,
    "ticket.responded": _ticket("ticket_responded"),
    "ticket.resolved": _ticket("ticket_resolved"),
    "survey.asked": _asked,
    "survey.answered": _answered,
    "csat.recorded": _score("csat"),
    "nps.recorded": _score("nps"),
}
