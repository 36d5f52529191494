"""The queue of what a person decides: payments whose suggestion is not certain enough, and items of statements that are no payments."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal
from uuid import UUID

from ltc_contracts.errors import WrongTransition

from billing_svc.domain.matching import Suggestion

State = Literal["waiting", "accepted", "corrected", "rejected"]
Move = Literal["accept", "correct", "reject"]
TRANSITIONS: dict[tuple[State, Move], State] = {
    ("waiting", "accept"): "accepted",
    ("waiting", "correct"): "corrected",
    ("waiting", "reject"): "rejected",
}


@dataclass(frozen=True, slots=True)
class Review:
    """A suggestion that waits for a person, then who decided what and why. Without a payment it is an item of a statement that
    moved money out, or a batch whose payments are not told: it can only be rejected, which is to say, settled elsewhere."""

    id: UUID
    payment_id: UUID | None
    item_id: UUID | None
    suggestion: Suggestion
    state: State
    version: int
    created_at: datetime
    decided_by: str | None = None
    decided_at: datetime | None = None
    why: str | None = None


def decide(review: Review, move: Move, *, by: str, why: str | None, now: datetime) -> Review:
    """Raises `WrongTransition` for what is decided already, and for accepting what has nothing to accept."""
    state = TRANSITIONS.get((review.state, move))
    if state is None:
        raise WrongTransition(f"review {review.id}", review.state, move)
    if move != "reject" and review.payment_id is None:
        raise WrongTransition(f"review {review.id}", "of no payment", move)
    if move == "accept" and not review.suggestion.parts:
        raise WrongTransition(f"review {review.id}", "without a suggestion", move)
    return replace(review, state=state, decided_by=by, decided_at=now, why=why, version=review.version + 1)
