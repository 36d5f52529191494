"""Business time, injected everywhere, and scalable: a demo lives through due dates and decay with the same code."""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol

_SPEC = re.compile(r"(?P<start>[^@]+)@(?P<rate>[0-9]+(\.[0-9]+)?)")


class Clock(Protocol):
    """Tells business time. Technical waits (back-off, leases, metrics) use the wall clock instead."""

    def now(self) -> datetime:
        """The current business instant, aware, UTC."""


class SystemClock:
    """Business time is real time."""

    def now(self) -> datetime:
        return datetime.now(UTC)


@dataclass(frozen=True)
class ScaledClock:
    """Business time began at `start` when the wall showed `anchor`, and runs `rate` times as fast.

    All processes of a stack share the anchor, so they agree on the time, also after a restart.
    """

    start: datetime
    rate: float
    anchor: datetime

    def now(self) -> datetime:
        return self.start + (datetime.now(UTC) - self.anchor) * self.rate


@dataclass
class FixedClock:
    """A clock that a test moves by hand."""

    moment: datetime = field(default_factory=lambda: datetime(2026, 1, 1, tzinfo=UTC))

    def now(self) -> datetime:
        return self.moment

    def set(self, moment: datetime) -> None:
        self.moment = moment

    def advance(self, **delta: float) -> None:
        """Keyword arguments as for `timedelta`."""
        self.moment += timedelta(**delta)


def parse_clock(spec: str, anchor: str = "") -> Clock:
    """`""` is real time; `2026-01-01T00:00Z@86400` begins there and runs a day per second, from `anchor` (default: now).

    Raises ValueError with the expected form when the text cannot be read.
    """
    if not spec:
        return SystemClock()
    match = _SPEC.fullmatch(spec)
    if match is None:
        raise ValueError(f"LTC_CLOCK must look like 2026-01-01T00:00Z@86400, got '{spec}'")
    start = _aware(match["start"])
    return ScaledClock(start, float(match["rate"]), _aware(anchor) if anchor else datetime.now(UTC))


def _aware(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
