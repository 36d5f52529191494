"""What an event means for the numbers: a milestone of its flow, with the amounts and days that KPIs need. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from ltc_contracts.errors import Invalid
from ltc_contracts.topics import TOPICS

Data = Mapping[str, Any]
REQUIRED = {
    topic.name: frozenset(name for name, field in topic.event.model_fields.items() if field.is_required()) for topic in TOPICS
}
# The stages of a journey in their order; the page and the flow view show them so.
STAGES = (
    *("lead", "qualified", "disqualified", "opportunity", "quoted", "accepted", "contracted", "won", "lost", "ordered"),
    *("cancelled", "delivered", "invoiced", "overdue", "paid", "closed"),
)


@dataclass(frozen=True, slots=True)
class Milestone:
    """One fact. For an invoice `open_after` is net + tax as said apart, so that it can be checked against gross."""

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


def _delivered(data: Data) -> Milestone:
    currency, amount = _money(data, "net")
    return Milestone(
        "delivered", currency, net=amount, due_on=date.fromisoformat(data["promised_on"]), on_time=bool(data["on_time"])
    )


def _invoiced(data: Data) -> Milestone:
    currency, gross = _money(data, "gross")
    net, tax = _money(data, "net")[1], _money(data, "tax")[1]
    return Milestone("invoiced", currency, net=net, gross=gross, open_after=net + tax, due_on=date.fromisoformat(data["due_on"]))


def _overdue(data: Data) -> Milestone:
    currency, amount = _money(data, "open")
    return Milestone("overdue", currency, gross=amount, due_on=date.fromisoformat(data["due_on"]))


def _allocated(data: Data) -> Milestone:
    currency, amount = _money(data, "amount")
    return Milestone(
        "allocated",
        currency,
        gross=amount,
        open_after=_money(data, "open_after")[1],
        settled_on=date.fromisoformat(data["received_on"]),
    )


def _received(data: Data) -> Milestone:
    currency, amount = _money(data, "amount")
    return Milestone("received", currency, gross=amount, settled_on=date.fromisoformat(data["received_on"]))


def _paid(data: Data) -> Milestone:
    currency, gross = _money(data, "gross")
    return Milestone("paid", currency, gross=gross, on_time=bool(data["on_time"]), settled_on=date.fromisoformat(data["paid_on"]))


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
    "order.confirmed": _net("ordered"),
    "order.cancelled": _net("cancelled"),
    "order.closed": _plain("closed"),
    "delivery.completed": _delivered,
    "survey.asked": _asked,
    "survey.answered": _answered,
    "csat.recorded": _score("csat"),
    "nps.recorded": _score("nps"),
    "invoice.issued": _invoiced,
    "invoice.overdue": _overdue,
    "invoice.paid": _paid,
    "payment.received": _received,
    "payment.allocated": _allocated,
}
