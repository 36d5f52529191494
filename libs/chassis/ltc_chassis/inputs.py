"""Types of what callers send, bounded so that what is computed with it and where it is kept can hold it.

A date of the year 9999 cannot be a day later, nor in another time zone; a number of 20 digits fits no column. A caller who sends
one is told so (422), instead of meeting the defect that it would be further on.
"""

from datetime import UTC, date, datetime
from typing import Annotated

from pydantic import AwareDatetime, Field

_FIRST, _LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)

Moment = Annotated[AwareDatetime, Field(ge=_FIRST, le=_LAST)]
Day = Annotated[date, Field(ge=_FIRST.date(), le=_LAST.date())]
# The ids of rows that are numbered.
RowNumber = Annotated[int, Field(ge=0, lt=2**63)]
