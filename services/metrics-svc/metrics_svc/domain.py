"""What an event means for the numbers: a milestone of its flow, with the amounts and days that KPIs need. Pure."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from ltc_contracts.errors import Invalid
from ltc_contracts.topics import TOPICS

from metrics_svc import claims

Data = Mapping[str, Any]
REQUIRED = {
    topic.name: frozenset(name for name, field in topic.event.model_fields.items() if field.is_required()) for topic in TOPICS
}
# The stages of a journey in their order; the page and the flow view show them so.
STAGES = (
    *("lead", "qualified", "disqualified", "opportunity", "quoted", "accepted", "contracted", "won", "lost", "ordered"),
    *("delivered", "invoiced", "overdue", "paid", "cancelled", "closed"),
)


@dataclass(frozen=True, slots=True)
class Milestone:
    """One fact. `stated` is the same amount as the event says it another way, so that the two can be checked against each other.

    `cause_id` is what a document and the fact that it is made of share: a hand-over, a return, a change, or the order as a whole.
    `handovers` counts them, as of this one (`last`: there is none after it) or all; of the end of a delivery `handed` is what they were
    worth, which is `ordered` less what was `short` and with what went `beyond` it after so many `changes`.
    """

    kind: str
    currency: str | None = None
    net: Decimal | None = None
    gross: Decimal | None = None
    open_after: Decimal | None = None
    due_on: date | None = None
    settled_on: date | None = None
    on_time: bool | None = None
    begun_at: datetime | None = None
    channel: str | None = None
    source: str | None = None
    owner: str | None = None
    country: str | None = None
    team: str | None = None
    region: str | None = None
    product: str | None = None
    segment: str | None = None
    campaign: str | None = None
    minutes: int | None = None
    score: int | None = None
    cause: str | None = None
    cause_id: str | None = None
    invoice_id: str | None = None
    stated: Decimal | None = None
    prepaid: bool | None = None
    handovers: int | None = None
    last: bool | None = None
    handed: Decimal | None = None
    ordered: Decimal | None = None
    short: Decimal | None = None
    beyond: Decimal | None = None
    changes: int | None = None


def milestone(topic: str, data: Data) -> Milestone | None:
    """The milestone of an event, None for events that are only part of the journey. Raises `Invalid` for a wrong payload."""
    missing = REQUIRED[topic] - data.keys()
    if missing:
        raise Invalid(f"not a {topic}: {', '.join(sorted(missing))} missing", field="value")
    make = _MAKERS.get(topic)
    try:
        return make(data) if make else None
    except (KeyError, TypeError, ValueError, AttributeError, InvalidOperation) as error:
        raise Invalid(f"not a {topic}: {type(error).__name__}", field="value") from error


def _money(data: Data, name: str) -> tuple[str, Decimal]:
    value = data[name]
    return value["currency"], Decimal(value["amount"])


def _net(kind: str, name: str = "net") -> Callable[[Data], Milestone]:
    def make(data: Data) -> Milestone:
        currency, amount = _money(data, name)
        return Milestone(kind, currency, net=amount)

    return make


def _plain(kind: str) -> Callable[[Data], Milestone]:
    return lambda _: Milestone(kind)


def _lead(kind: str) -> Callable[[Data], Milestone]:
    return lambda data: Milestone(
        kind,
        channel=data["channel"],
        source=data["source"],
        country=data.get("country"),
        owner=data.get("owner"),
        region=data.get("region"),
        campaign=data.get("campaign"),
    )


def _responded(data: Data) -> Milestone:
    # Who responded is not the flow's owner, so it is no dimension of it.
    return Milestone(
        "responded",
        on_time=bool(data["within_target"]),
        begun_at=datetime.fromisoformat(data["started_at"]),
        minutes=int(data["business_minutes"]),
    )


def _breached(data: Data) -> Milestone | None:
    """The target itself passed; further levels are told to further people about the same wait."""
    return Milestone("breached", begun_at=datetime.fromisoformat(data["started_at"])) if data["level"] == 1 else None


def _deal(data: Data) -> dict[str, Any]:
    """The dimensions that a deal tells; of several products the first one counts."""
    return {
        **{name: data.get(name) for name in ("owner", "team", "region", "segment", "campaign")},
        "product": next(iter(data.get("products") or ()), None),
    }


def _opened(data: Data) -> Milestone:
    return Milestone(
        "opportunity", channel=data.get("channel"), source=data.get("source"), country=data.get("country"), **_deal(data)
    )


def _won(data: Data) -> Milestone:
    currency, amount = _money(data, "value")
    return Milestone("won", currency, net=amount, begun_at=datetime.fromisoformat(data["opened_at"]), **_deal(data))


def _lost(data: Data) -> Milestone:
    currency, amount = _money(data, "value") if data.get("value") else (None, None)
    return Milestone("lost", currency, net=amount, begun_at=datetime.fromisoformat(data["opened_at"]), **_deal(data))


def _sum(lines: Iterable[Data]) -> Decimal:
    return sum((Decimal(line["net"]["amount"]) for line in lines), Decimal(0))


def _is_prepaid(data: Data) -> bool:
    return data.get("invoicing") == "on_confirmation"


def _ordered(data: Data) -> Milestone:
    currency, amount = _money(data, "net")
    return Milestone(
        "ordered", currency, net=amount, stated=_sum(data["lines"]), cause_id=data["order_id"], prepaid=_is_prepaid(data)
    )


def _changed(data: Data) -> Milestone:
    """By how much the order is worth more, or less, than before."""
    currency, delta = _money(data, "delta")
    stated = _sum(data["lines"]) - _sum(data["before"])
    return Milestone("changed", currency, net=delta, stated=stated, cause_id=data["change_id"], prepaid=_is_prepaid(data))


def _handed(data: Data) -> Milestone:
    currency, amount = _money(data, "net")
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
    currency, amount = _money(data, "net")
    stated, prepaid = _sum(data["lines"]), _is_prepaid(data)
    return Milestone("returned", currency, net=amount, stated=stated, cause_id=data["return_id"], prepaid=prepaid)


def _delivered(data: Data) -> Milestone:
    """What was delivered counts by its parts where they were told; the completion is then a day, and says what they must add up to."""
    currency, amount = _money(data, "net")
    in_parts, stated = bool(data.get("parts_told")), _sum(data["lines"])
    handed, short, beyond = (_money(data, name)[1] if data.get(name) else None for name in ("handed", "short", "beyond"))
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
    currency, collected = _money(data, "collected")
    return Milestone("closed", currency, gross=collected)


def _invoiced(data: Data) -> Milestone:
    currency, gross = _money(data, "gross")
    net, tax = _money(data, "net")[1], _money(data, "tax")[1]
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
    )


def _credited(data: Data) -> Milestone:
    currency, gross = _money(data, "gross")
    net, tax = _money(data, "net")[1], _money(data, "tax")[1]
    return Milestone(
        "credited",
        currency,
        net=net,
        gross=gross,
        stated=net + tax,
        open_after=_money(data, "open_after")[1],
        cause=data.get("cause"),
        cause_id=data.get("cause_id"),
        invoice_id=data["invoice_id"],
        settled_on=date.fromisoformat(data["credited_on"]),
    )


def _claim(fields: Callable[[Data], dict[str, Any]]) -> Callable[[Data], Milestone]:
    return lambda data: Milestone(**fields(data), invoice_id=data["invoice_id"])


def _refunded(data: Data) -> Milestone:
    currency, gross = _money(data, "amount")
    net = _money(data, "net")[1] if data.get("net") else None
    day = date.fromisoformat(data["refunded_on"])
    return Milestone("refunded", currency, net=net, gross=gross, invoice_id=data.get("invoice_id"), settled_on=day)


def _overdue(data: Data) -> Milestone:
    currency, amount = _money(data, "open")
    day = date.fromisoformat(data["due_on"])
    return Milestone("overdue", currency, gross=amount, due_on=day, invoice_id=data["invoice_id"])


def _allocated(data: Data) -> Milestone:
    currency, amount = _money(data, "amount")
    return Milestone(
        "allocated",
        currency,
        gross=amount,
        open_after=_money(data, "open_after")[1],
        settled_on=date.fromisoformat(data["received_on"]),
        invoice_id=data["invoice_id"],
    )


def _received(data: Data) -> Milestone:
    currency, amount = _money(data, "amount")
    return Milestone("received", currency, gross=amount, settled_on=date.fromisoformat(data["received_on"]))


def _paid(data: Data) -> Milestone:
    """Nothing is open any more. Where all of it was taken back or given up nobody paid: it is settled, which is no stage of a journey."""
    currency, gross = _money(data, "gross")
    not_paid = sum((_money(data, what)[1] for what in ("credited", "written_off") if data.get(what)), Decimal(0))
    return Milestone(
        "paid" if not_paid < gross or not gross else "settled",
        currency,
        gross=gross - not_paid,
        on_time=bool(data["on_time"]),
        settled_on=date.fromisoformat(data["paid_on"]),
        invoice_id=data["invoice_id"],
    )


def _spend(data: Data) -> Milestone:
    currency, change = _money(data, "change")
    return Milestone(
        "spend",
        currency,
        net=change,
        channel=data["channel"],
        source=data["spend_source"],
        campaign=data["campaign"],
        due_on=date.fromisoformat(data["day"]),
    )


def _asked(data: Data) -> Milestone:
    return Milestone(f"{data['kind']}_asked")


def _answered(data: Data) -> Milestone:
    """By the moment it was asked at, the response rate of a window counts those who were asked in it."""
    return Milestone(f"{data['kind']}_answered", begun_at=datetime.fromisoformat(data["asked_at"]))


def _score(kind: str) -> Callable[[Data], Milestone]:
    return lambda data: Milestone(kind, score=int(data["score"]), begun_at=datetime.fromisoformat(data["asked_at"]))


def _moved(data: Data) -> Milestone:
    # A kind of its own for each movement: no dimension of the flow is told by it.
    currency, delta = _money(data, "delta")
    return Milestone(f"mrr_{data['kind']}", currency, net=delta)


_MAKERS: dict[str, Callable[[Data], Milestone | None]] = {
    "lead.captured": _lead("lead"),
    "lead.qualified": _lead("qualified"),
    "lead.disqualified": _plain("disqualified"),
    "lead.first_responded": _responded,
    "lead.sla_breached": _breached,
    "campaign.spend_recorded": _spend,
    "opportunity.opened": _opened,
    "opportunity.won": _won,
    "opportunity.lost": _lost,
    "quote.sent": _net("quoted"),
    "quote.accepted": _net("accepted"),
    "contract.signed": _net("contracted"),
    "order.confirmed": _ordered,
    "order.changed": _changed,
    "order.cancelled": _net("cancelled"),
    "order.closed": _closed,
    "subscription.revenue_moved": _moved,
    "delivery.handed_over": _handed,
    "delivery.returned": _returned,
    "delivery.completed": _delivered,
    "survey.asked": _asked,
    "survey.answered": _answered,
    "csat.recorded": _score("csat"),
    "nps.recorded": _score("nps"),
    "invoice.issued": _invoiced,
    "invoice.overdue": _overdue,
    "invoice.credited": _credited,
    **{topic: _claim(fields) for topic, fields in claims.FIELDS.items()},
    "invoice.paid": _paid,
    "payment.refunded": _refunded,
    "payment.received": _received,
    "payment.allocated": _allocated,
}
