"""Many leads at once, each taken or refused by itself: rows of a bulk request, of a file, of a scanner."""

from collections.abc import Sequence

from ltc_chassis.db import Transaction, is_refused
from ltc_contracts.errors import DomainError, Invalid

from lead_svc.domain.duplicates import PossibleDuplicate
from lead_svc.domain.lead import DuplicateLead, LeadErased
from lead_svc.domain.segments import Book
from lead_svc.handlers import erased, partners
from lead_svc.handlers.capture import Arrival, capture_leads, check
from lead_svc.handlers.segments import open_book

Result = Arrival | DomainError
"""The arrival as it is now, or why it is no new lead: `DuplicateLead` for a known reference, `PossibleDuplicate` by the policy, `LeadErased`."""


async def capture_given(tx: Transaction, rows: Sequence[Result]) -> list[Result]:
    """What became of each row; one that is an error already stays it. What the single capture checks is checked of every row."""
    book = await open_book(tx)
    checked = [_checked(tx, row, book) if isinstance(row, Arrival) else row for row in rows]
    arrivals = [(number, row) for number, row in enumerate(checked) if isinstance(row, Arrival)]
    for (number, _), result in zip(arrivals, await capture_each(tx, [row for _, row in arrivals], book), strict=True):
        checked[number] = result
    return checked


async def capture_each(tx: Transaction, arrivals: Sequence[Arrival], book: Book | None = None) -> list[Result]:
    """What became of each, in their order. One that the database or a rule refuses is found by halving; it spoils no other."""
    rows = await partners.introduce(tx, arrivals)
    known = [(number, row) for number, row in enumerate(rows) if isinstance(row, Arrival)]
    for (number, _), result in zip(known, await _capture(tx, [row for _, row in known], book), strict=True):
        rows[number] = result
    return rows


async def _capture(tx: Transaction, arrivals: Sequence[Arrival], book: Book | None) -> list[Result]:
    if not arrivals:
        return []
    came = [arrival.facts for arrival in arrivals]
    try:
        async with tx.savepoint():
            taken = {id(arrival) for arrival in await capture_leads(tx, arrivals, book)}
    except Exception as error:
        if not isinstance(error, DomainError) and not is_refused(error):
            raise
        # What was tried has changed them; the halves are tried as they came.
        for arrival, facts in zip(arrivals, came, strict=True):
            arrival.begin_again(facts)
        if len(arrivals) > 1:
            return await _halves(tx, arrivals, book)
        return [error if isinstance(error, DomainError) else Invalid("holds a value that cannot be kept", field="row")]
    left = [arrival for arrival in arrivals if id(arrival) not in taken]
    known = {id(arrival) for arrival in await erased.keep_away(tx, left)} if left else set()
    return [arrival if id(arrival) in taken else _why(arrival, known=id(arrival) in known) for arrival in arrivals]


async def _halves(tx: Transaction, arrivals: Sequence[Arrival], book: Book | None) -> list[Result]:
    # By reference, since two requests that hold the same ones must meet them in the same order.
    order = sorted(range(len(arrivals)), key=lambda number: arrivals[number].lead.external_ref or "")
    half = len(order) // 2
    found: dict[int, Result] = {}
    for part in (sorted(order[:half]), sorted(order[half:])):
        found |= zip(part, await _capture(tx, [arrivals[number] for number in part], book), strict=True)
    return [found[number] for number in range(len(arrivals))]


def _checked(tx: Transaction, arrival: Arrival, book: Book) -> Result:
    try:
        check(arrival, book, tx.now)
    except DomainError as error:
        return error
    return arrival


def _why(arrival: Arrival, *, known: bool) -> DomainError:
    if arrival.verdict is not None:
        return PossibleDuplicate("the policy for duplicates refuses this lead", found=[arrival.verdict.other_id])
    if not known:
        return LeadErased("the person of this external_ref was erased; whoever comes again is a new lead", field="external_ref")
    return DuplicateLead("there is a lead with this external_ref already", field="external_ref")
