"""The traffic light of a deal's next step, as bounds in time: one rule for a single deal and for a list of them."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from sales_svc.domain.opportunity import Opportunity

Light = Literal["green", "amber", "red"]


@dataclass(frozen=True, slots=True)
class LightPolicy:
    """A step that is due within `due_days` is amber; a deal without one is amber for its first `young_days`. Days of 24 hours."""

    due_days: int
    young_days: int


@dataclass(frozen=True, slots=True)
class Bounds:
    """A deal has this light when its next step is due in (due_after, due_until], or when it has none and was opened in
    (opened_after, opened_until]. None is no bound; both of `opened` None: deals without a next step never have it."""

    due_after: datetime | None
    due_until: datetime | None
    opened_after: datetime | None
    opened_until: datetime | None

    def include(self, opportunity: Opportunity) -> bool:
        if opportunity.next_step_due is not None:
            return _within(opportunity.next_step_due, self.due_after, self.due_until)
        if self.opened_after is None and self.opened_until is None:
            return False
        return _within(opportunity.opened_at, self.opened_after, self.opened_until)


def bounds(light: Light, policy: LightPolicy, now: datetime) -> Bounds:
    """Green: the next step lies ahead. Amber: it is due soon, or a young deal has none. Red: overdue, or none."""
    soon, young = now + timedelta(days=policy.due_days), now - timedelta(days=policy.young_days)
    return {
        "green": Bounds(soon, None, None, None),
        "amber": Bounds(now, soon, young, None),
        "red": Bounds(None, now, None, young),
    }[light]


def light_of(opportunity: Opportunity, policy: LightPolicy, now: datetime) -> Light | None:
    """The light of an open deal; a closed one has none."""
    if not opportunity.is_open:
        return None
    lights: tuple[Light, ...] = ("green", "amber", "red")
    return next(light for light in lights if bounds(light, policy, now).include(opportunity))


def _within(moment: datetime, after: datetime | None, until: datetime | None) -> bool:
    return (after is None or moment > after) and (until is None or moment <= until)
