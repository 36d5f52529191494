"""Times as platforms write them. All of them are told, so none may lie in the future."""

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from lead_svc.domain.hook import ClockSkew, Unreadable

_CHINA = timezone(timedelta(hours=8))
_MILLISECONDS_FROM = 10**11  # as seconds this would be the year 5138


def epoch(value: Any) -> datetime | None:
    """Seconds or milliseconds since 1970, as number or digits; None where it is no such moment."""
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,15}", value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 10**15:
        return None
    moment = value / 1000 if value >= _MILLISECONDS_FROM else value
    try:
        return datetime.fromtimestamp(moment, UTC)
    except (OverflowError, OSError, ValueError):
        return None


def written(text: str | None) -> datetime | None:
    """ISO 8601, or `YYYY-MM-DD HH:MM:SS` in Chinese time; None where it is neither."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return epoch(text)
    try:
        return (moment if moment.tzinfo else moment.replace(tzinfo=_CHINA)).astimezone(UTC)
    except OverflowError:
        return None


def check_skew(stamp: str, now: datetime, skew_s: int) -> None:
    """Raise `ClockSkew` for a signed moment (seconds since 1970) too far from now, `Unreadable` for none."""
    moment = epoch(stamp)
    if moment is None:
        raise Unreadable("is no moment in seconds since 1970", field="timestamp")
    if abs(now - moment) > timedelta(seconds=skew_s):
        raise ClockSkew(f"was signed more than {skew_s} seconds from now", field="timestamp")
