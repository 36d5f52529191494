"""A stopwatch of business time: it counts while it runs, rests while it is stopped, and says when a target will be reached."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from ltc_rules.calendar import Calendar

NOTHING = timedelta(0)


@dataclass(frozen=True, slots=True)
class Stopwatch:
    """`used` is the business time up to the last stop; it runs since `running_since` (aware), or rests."""

    used: timedelta = NOTHING
    running_since: datetime | None = None

    def started(self, now: datetime) -> "Stopwatch":
        """It runs from now on; one that runs already goes on."""
        return self if self.running_since is not None else replace(self, running_since=now)

    def stopped(self, calendar: Calendar, now: datetime) -> "Stopwatch":
        """It rests from now on."""
        return Stopwatch(self.took(calendar, now), None)

    def took(self, calendar: Calendar, now: datetime) -> timedelta:
        """The business time that it has counted by now."""
        if self.running_since is None:
            return self.used
        return self.used + calendar.business_between(self.running_since, now)

    def reaches(self, calendar: Calendar, target: timedelta) -> datetime | None:
        """When it will have counted `target`, if it runs on; what it has already is reached at its last start. None while it rests.

        Raises `NeverOpen` when 20 years do not suffice.
        """
        if self.running_since is None:
            return None
        return calendar.add_business(self.running_since, target - self.used)
