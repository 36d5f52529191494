"""HTTP in: months of the books."""

import re
from datetime import date, datetime
from typing import Annotated

from fastapi import Path
from ltc_chassis.api import Conn, Principal, Tx, scope
from ltc_chassis.api import router as make_router
from pydantic import BaseModel, ConfigDict, StringConstraints

from billing_svc.domain.period import PeriodState
from billing_svc.handlers.periods import move_period
from billing_svc.store import periods as store

router = make_router(prefix="/v1/ledger", tags=["ledger"])
# NUL is the one character that PostgreSQL's text cannot hold.
Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=3, max_length=500, pattern=r"^[^\x00]*$")]
MONTH = r"^(19[7-9][0-9]|2[01][0-9]{2})-(0[1-9]|1[0-2])$"
Month = Annotated[str, Path(pattern=MONTH, examples=["2026-01"])]
Closer = Annotated[Principal, scope("ledger:close")]
Reopener = Annotated[Principal, scope("ledger:reopen")]
_MOST = 240


class Why(BaseModel):
    model_config = ConfigDict(extra="forbid")
    reason: Reason


class Change(BaseModel):
    state_before: PeriodState
    state: PeriodState
    reason: str
    made_by: str
    created_at: datetime


class PeriodView(BaseModel):
    month: str
    state: PeriodState
    changes: list[Change]


class Periods(BaseModel):
    """Everything before `first_open_day` is closed or closing; without one all months are open."""

    first_open_day: date | None
    periods: list[PeriodView]


@router.get("/periods", dependencies=[scope("ledger:read")])
async def list_periods(conn: Conn) -> Periods:
    """The months that were ever closed, the latest first, with who moved them and why."""
    books = await store.get_books(conn)
    rows = await store.list_periods(conn, _MOST)
    shown = [PeriodView(month=f"{row['month']:%Y-%m}", state=books.state(row["month"]), changes=row["changes"]) for row in rows]
    return Periods(first_open_day=books.first_open_day, periods=shown)


@router.post("/periods/{month}/closing", dependencies=[scope("ledger:close")])
async def begin_closing(month: Month, body: Why, tx: Tx, caller: Closer) -> Periods:
    """From now on only entries by hand are booked in this month; what else counts for it is booked in the next. 409: not over, not its turn."""
    await move_period(tx, first_day(month), "begin", reason=body.reason, by=caller.subject)
    return await list_periods(tx.conn)


@router.post("/periods/{month}/close", dependencies=[scope("ledger:close")])
async def close_period(month: Month, body: Why, tx: Tx, caller: Closer) -> Periods:
    """Nothing is booked in this month, or any before, from now on. 409: not over, not its turn, or the checks found something."""
    await move_period(tx, first_day(month), "close", reason=body.reason, by=caller.subject)
    return await list_periods(tx.conn)


@router.post("/periods/{month}/reopen", dependencies=[scope("ledger:reopen")])
async def reopen_period(month: Month, body: Why, tx: Tx, caller: Reopener) -> Periods:
    """Open the month that was closed last again."""
    await move_period(tx, first_day(month), "reopen", reason=body.reason, by=caller.subject)
    return await list_periods(tx.conn)


def first_day(month: str) -> date:
    """Of a month as the path says it."""
    assert re.fullmatch(MONTH, month)
    return date.fromisoformat(f"{month}-01")
