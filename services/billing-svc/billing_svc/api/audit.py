"""HTTP out: the audit of numbers, sub-ledgers and ledger."""

from datetime import date
from uuid import UUID

from ltc_chassis.api import Conn, Now, scope
from ltc_chassis.api import router as make_router
from ltc_chassis.inputs import Day
from ltc_contracts.money import minor_units, round_half_up
from pydantic import BaseModel

from billing_svc.domain.audit import Audit, Difference, EntryProblem
from billing_svc.store import audit as store

router = make_router(prefix="/v1/ledger", tags=["ledger"])


class GapView(BaseModel):
    """Numbers `first` to `last` are not there."""

    series: str
    year: int
    first: int
    last: int


class DoubledView(BaseModel):
    number: str
    reason: str


class Compared(BaseModel):
    """sub_ledger = ledger + booked_later + difference; `booked_later` counts for the day, but its month was closed. Debits are above zero."""

    account: str
    currency: str
    sub_ledger: str
    ledger: str
    booked_later: str
    difference: str

    @classmethod
    def of(cls, each: Difference) -> "Compared":
        sums = (each.sub_ledger, each.ledger, each.booked_later, each.difference)
        places = minor_units(each.currency)
        shown = dict(
            zip(
                ("sub_ledger", "ledger", "booked_later", "difference"), (str(round_half_up(s, places)) for s in sums), strict=True
            )
        )
        return cls(account=each.account, currency=each.currency, **shown)


class WrongAmountView(BaseModel):
    """What is kept differs from the facts that it follows from."""

    kind: str
    id: UUID
    number: str | None
    what: str
    currency: str
    kept: str
    facts: str


class WrongEntryView(BaseModel):
    """unbalanced; lines: others than it was written with; value: none in the reporting currency, or not balanced; headless: lines without
    their entry; account: not in the chart; document: what it comes from is not there; late: written into a month after that was closed."""

    entry_id: UUID
    problem: EntryProblem
    detail: str


class UnbookedView(BaseModel):
    kind: str
    id: UUID
    number: str | None


class AuditView(BaseModel):
    """`clean` when nothing is found; each list holds the first hundred findings. `compared` lists every control account."""

    as_of: date
    clean: bool
    compared: list[Compared]
    gaps: list[GapView]
    doubled: list[DoubledView]
    differences: list[Compared]
    amounts: list[WrongAmountView]
    entries: list[WrongEntryView]
    unbooked: list[UnbookedView]

    @classmethod
    def of(cls, found: Audit) -> "AuditView":
        return cls(
            as_of=found.as_of,
            clean=not found.findings(),
            compared=[Compared.of(each) for each in found.compared],
            gaps=[GapView(series=each.series, year=each.year, first=each.first, last=each.last) for each in found.gaps],
            doubled=[DoubledView(number=each.number, reason=each.reason) for each in found.doubled],
            differences=[Compared.of(each) for each in found.differences],
            amounts=[
                WrongAmountView(
                    kind=each.kind,
                    id=each.id,
                    number=each.number,
                    what=each.what,
                    currency=each.currency,
                    kept=str(each.kept),
                    facts=str(each.facts),
                )
                for each in found.amounts
            ],
            entries=[WrongEntryView(entry_id=each.entry_id, problem=each.problem, detail=each.detail) for each in found.entries],
            unbooked=[UnbookedView(kind=each.kind, id=each.id, number=each.number) for each in found.unbooked],
        )


@router.get("/audit", dependencies=[scope("ledger:read")])
async def audit(conn: Conn, now: Now, as_of: Day | None = None) -> AuditView:
    """Gaps and doubles in numbers, differences between documents and ledger, and wrong entries, as of a day (default today)."""
    today = now.date()
    return AuditView.of(await store.audit(conn, as_of or today, today))
