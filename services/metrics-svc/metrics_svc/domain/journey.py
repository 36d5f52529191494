"""What an event means for the numbers: a milestone of its flow, with the amounts and days that KPIs need. Pure."""

from decimal import InvalidOperation

from ltc_contracts.errors import Invalid
from ltc_contracts.topics import TOPICS

from metrics_svc.domain import deal, order, receivable
from metrics_svc.domain.milestone import Data, Maker, Milestone

REQUIRED = {
    topic.name: frozenset(name for name, field in topic.event.model_fields.items() if field.is_required()) for topic in TOPICS
}
# The stages of a journey in their order; the page and the flow view show them so.
STAGES = (
    *("lead", "qualified", "disqualified", "opportunity", "quoted", "accepted", "contracted", "won", "lost", "ordered"),
    *("delivered", "invoiced", "overdue", "paid", "cancelled", "closed"),
)
_MAKERS: dict[str, Maker] = {**deal.MAKERS, **order.MAKERS, **receivable.MAKERS}


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
