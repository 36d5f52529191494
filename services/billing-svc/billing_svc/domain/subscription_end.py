"""What a subscription charged and did not serve is taken back when it ends: by credit notes of the orders that charged it (ADR 18)."""

from collections.abc import Iterable
from typing import ClassVar
from uuid import UUID, uuid5

from ltc_contracts.events import OwedPart, SubscriptionEnded
from pydantic import BaseModel, ConfigDict


class GivenBack(BaseModel):
    """What is owed of one order, as a fact of that order: once per subscription and order."""

    model_config = ConfigDict(frozen=True)
    TOPIC: ClassVar[str] = SubscriptionEnded.TOPIC

    cause_id: UUID
    order_id: UUID
    reason: str
    parts: tuple[OwedPart, ...]


def given_back(event: SubscriptionEnded) -> list[GivenBack]:
    """By order, in the order of their ids: that in which they are locked."""
    return [
        GivenBack(
            cause_id=uuid5(event.subscription_id, str(order_id)),
            order_id=order_id,
            reason=f"not served when subscription {event.number} ended",
            parts=tuple(part for part in event.owed if part.order_id == order_id),
        )
        for order_id in sorted(_orders(event.owed), key=str)
    ]


def _orders(parts: Iterable[OwedPart]) -> set[UUID]:
    return {part.order_id for part in parts}
