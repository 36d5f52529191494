"""What events say of leads, campaigns, deals, offers and subscriptions. Pure."""

from collections.abc import Callable
from datetime import date, datetime
from typing import Any

from metrics_svc.domain.milestone import Data, Maker, Milestone, money, net, plain


def _first(values: Any) -> Any:
    """Of several the first one counts."""
    return next(iter(values or ()), None)


def _first_touch(data: Data) -> datetime | None:
    touch = _first(data.get("touches"))
    return datetime.fromisoformat(touch["occurred_at"]) if touch else None


def _lead(kind: str) -> Callable[[Data], Milestone]:
    return lambda data: Milestone(
        kind,
        channel=data["channel"],
        source=data["source"],
        country=data.get("country"),
        owner=data.get("owner"),
        region=data.get("region"),
        campaign=data.get("campaign"),
        segment=_first(data.get("segments")),
        begun_at=_first_touch(data),
    )


def _assigned(data: Data) -> Milestone:
    """Whose lead it is from now on."""
    return Milestone("assigned", owner=data["owner"])


def _lead_changed(data: Data) -> Milestone:
    return Milestone("lead_changed", country=data.get("country"), region=data.get("region"), segment=_first(data.get("segments")))


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
        "product": _first(data.get("products")),
    }


def _opened(data: Data) -> Milestone:
    return Milestone(
        "opportunity", channel=data.get("channel"), source=data.get("source"), country=data.get("country"), **_deal(data)
    )


def _won(data: Data) -> Milestone:
    currency, amount = money(data, "value")
    return Milestone("won", currency, net=amount, begun_at=datetime.fromisoformat(data["opened_at"]), **_deal(data))


def _lost(data: Data) -> Milestone:
    currency, amount = money(data, "value") if data.get("value") else (None, None)
    return Milestone("lost", currency, net=amount, begun_at=datetime.fromisoformat(data["opened_at"]), **_deal(data))


def _spend(data: Data) -> Milestone:
    currency, change = money(data, "change")
    return Milestone(
        "spend",
        currency,
        net=change,
        channel=data["channel"],
        source=data["spend_source"],
        campaign=data["campaign"],
        due_on=date.fromisoformat(data["day"]),
    )


def _moved(data: Data) -> Milestone:
    # A kind of its own for each movement: no dimension of the flow is told by it.
    currency, delta = money(data, "delta")
    return Milestone(f"mrr_{data['kind']}", currency, net=delta, customer_id=data["customer_id"])


MAKERS: dict[str, Maker] = {
    "lead.captured": _lead("lead"),
    "lead.qualified": _lead("qualified"),
    "lead.disqualified": plain("disqualified"),
    "lead.assigned": _assigned,
    "lead.changed": _lead_changed,
    "lead.first_responded": _responded,
    "lead.sla_breached": _breached,
    "campaign.spend_recorded": _spend,
    "opportunity.opened": _opened,
    "opportunity.won": _won,
    "opportunity.lost": _lost,
    "quote.sent": net("quoted"),
    "quote.accepted": net("accepted"),
    "contract.signed": net("contracted"),
    "subscription.revenue_moved": _moved,
}
