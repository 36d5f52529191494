"""Scans of badges at a fair: when one was made, by a clock that may be wrong."""

from datetime import datetime, timedelta

from ltc_contracts.errors import Invalid

SKEW = timedelta(minutes=5)
"""So much may a scanner's clock be ahead of ours."""
OLDEST = timedelta(days=400)
"""A scanner that says it was longer ago has lost its clock."""
ACTIVITY = "badge_scan"


def scanned_at(told: datetime, now: datetime) -> datetime:
    """When the scan was made; one that is a little ahead was made now. Raises `Invalid`."""
    if told > now + SKEW:
        raise Invalid("lies in the future; the scanner's clock is wrong", field="occurred_at")
    if told < now - OLDEST:
        raise Invalid(f"lies more than {OLDEST.days} days back; the scanner's clock is wrong", field="occurred_at")
    return min(told, now)
