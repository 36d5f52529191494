"""Periods of plans and forecasts: a month (2026-01), a quarter (2026-Q1), a year (2026). Days are UTC."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime

from ltc_contracts.errors import Invalid


@dataclass(frozen=True, slots=True)
class Period:
    """From the first day up to, without, `until`."""

    code: str
    begin: date
    until: date

    @property
    def moments(self) -> tuple[datetime, datetime]:
        """The same bounds as moments."""
        return datetime.combine(self.begin, datetime.min.time(), UTC), datetime.combine(self.until, datetime.min.time(), UTC)


def period_of(code: str) -> Period:
    """Raises `Invalid` for anything that is no month, quarter or year between 1970 and 2999."""
    found = re.fullmatch(r"(19[7-9][0-9]|2[0-9]{3})(?:-(?:Q([1-4])|(0[1-9]|1[0-2])))?", code)
    if found is None:
        raise Invalid("a month (2026-01), a quarter (2026-Q1) or a year (2026)", field="period")
    year = int(found[1])
    first, months = (3 * int(found[2]) - 2, 3) if found[2] else (int(found[3]), 1) if found[3] else (1, 12)
    end = first + months
    return Period(code, date(year, first, 1), date(year, end, 1) if end <= 12 else date(year + 1, end - 12, 1))
