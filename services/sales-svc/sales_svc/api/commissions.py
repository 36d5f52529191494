"""HTTP out: what reps have accrued and earned, and their statements. Only one with `commissions:read_all` sees those of others."""

import csv
import io
from datetime import date
from decimal import Decimal
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Query, Response
from ltc_chassis import letterhead
from ltc_chassis.api import Conn, Page, PageArgs, Principal, scope
from ltc_chassis.api import router as make_router
from ltc_chassis.paper import print_pdf
from ltc_contracts.errors import Invalid, NotFound
from ltc_contracts.events.model import Name
from ltc_contracts.money import Money
from ltc_rules.tables import inert
from pydantic import BaseModel

from sales_svc.domain import statement as rules
from sales_svc.domain.commission import CauseKind, Kind, Part, Position
from sales_svc.domain.statement import Entry, Statement
from sales_svc.store import commissions

router = make_router(prefix="/v1", tags=["commission"])
MOST_ENTRIES = 20_000
LONGEST_DAYS = 400
Reader = Annotated[Principal, scope("commissions:read")]


class CommissionView(BaseModel):
    """`amount` accrued at signature; `accrued` and `vested` are net of what was clawed back, `open` is what may still vest."""

    id: UUID
    contract_id: UUID
    opportunity_id: UUID
    rep: str
    plan: str
    plan_version: int
    share: Decimal
    base: Money
    rate: Decimal
    amount: Money
    accrued: Money
    vested: Money
    open: Money

    @classmethod
    def of(cls, position: Position) -> "CommissionView":
        earned = {
            name: getattr(position.earning, name) for name in ("rep", "plan", "plan_version", "share", "base", "rate", "amount")
        }
        booked = {"accrued": position.accrued, "vested": position.vested, "open": position.accrued - position.vested}
        return cls(id=position.id, contract_id=position.contract_id, opportunity_id=position.opportunity_id, **earned, **booked)


class EntryView(BaseModel):
    id: UUID
    position_id: UUID
    contract_id: UUID
    contract_number: str
    customer: str
    plan: str
    kind: Kind
    part: Part
    amount: Money
    cause: CauseKind
    booked_on: date

    @classmethod
    def of(cls, entry: Entry) -> "EntryView":
        return cls(**{name: getattr(entry, name) for name in cls.model_fields})


class StatementView(BaseModel):
    """opening + accrued - vested + clawed_back_vested - clawed_back_accrued = closing; `earned` is payable for the span."""

    rep: str
    currency: str
    first: date
    last: date
    opening: Money
    accrued: Money
    vested: Money
    clawed_back_vested: Money
    clawed_back_accrued: Money
    closing: Money
    earned: Money
    entries: list[EntryView]

    @classmethod
    def of(cls, statement: Statement) -> "StatementView":
        given = {name: getattr(statement, name) for name in cls.model_fields if name != "entries"}
        return cls(**given, entries=[EntryView.of(entry) for entry in statement.entries])


class Span:
    """Whose statement, and over which days, both included."""

    def __init__(self, rep: str, first: date, last: date) -> None:
        self.rep, self.first, self.last = rep, first, last


async def _span(
    caller: Reader,
    first: Annotated[date, Query(description="first day")],
    last: Annotated[date, Query(description="last day")],
    rep: Annotated[Name | None, Query(description="the caller, unless another one is named")] = None,
) -> Span:
    if not (first.year >= 1970 and last.year <= 2200) or last < first or (last - first).days >= LONGEST_DAYS:
        raise Invalid(f"a statement covers 1 to {LONGEST_DAYS} days, from 1970 to 2200", field="last")
    return Span(_whose(caller, rep) or caller.subject, first, last)


StatementSpan = Annotated[Span, Depends(_span)]


@router.get("/commissions", dependencies=[scope("commissions:read")])
async def list_commissions(
    conn: Conn,
    page: PageArgs,
    caller: Reader,
    rep: Name | None = None,
    contract_id: UUID | None = None,
    flow_id: UUID | None = None,
) -> Page[CommissionView]:
    """What is accrued and earned per deal, plan and rep; without `commissions:read_all`, the caller's own."""
    rows = await commissions.list_positions(
        conn, rep=_whose(caller, rep), contract_id=contract_id, flow_id=flow_id, after=page.after, limit=page.limit + 1
    )
    return page.of([CommissionView.of(row) for row in rows], key=lambda view: view.id)


@router.get("/commissions/{commission_id}", dependencies=[scope("commissions:read")])
async def get_commission(commission_id: UUID, conn: Conn, caller: Reader) -> CommissionView:
    """One of them."""
    return CommissionView.of(await _visible(conn, caller, commission_id))


@router.get("/commissions/{commission_id}/entries", dependencies=[scope("commissions:read")])
async def list_entries(commission_id: UUID, conn: Conn, page: PageArgs, caller: Reader) -> Page[EntryView]:
    """Every entry with its cause, in the order of booking."""
    await _visible(conn, caller, commission_id)
    rows = await commissions.list_entries(conn, commission_id, after=page.after, limit=page.limit + 1)
    return page.of([EntryView.of(row) for row in rows], key=lambda view: view.id)


@router.get("/commission-statement", dependencies=[scope("commissions:read")])
async def get_statement(conn: Conn, span: StatementSpan) -> list[StatementView]:
    """A rep's statement for a span of days, one per currency; it balances."""
    return [StatementView.of(each) for each in await _statements(conn, span)]


@router.get("/commission-statement.csv", dependencies=[scope("commissions:read")])
async def get_statement_csv(conn: Conn, span: StatementSpan) -> Response:
    """The same for a spreadsheet; a text that would be a formula there is written as text."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(["booked_on", "contract", "customer", "plan", "entry", "part", "cause", "amount", "earned", "currency"])
    for each in await _statements(conn, span):
        days, currency = (str(each.first), str(each.last)), each.currency
        writer.writerow([days[0], "", "", "", "opening", "accrued", "", each.opening.amount, "", currency])
        for e in each.entries:
            texts = [inert(value) for value in (e.contract_number, e.customer, e.plan)]
            writer.writerow([e.booked_on, *texts, e.kind, e.part, e.cause, e.amount.amount, e.earned_change.amount, currency])
        writer.writerow([days[1], "", "", "", "closing", "accrued", "", each.closing.amount, each.earned.amount, currency])
    name = f"commission-{span.first}-{span.last}.csv"
    # The mark tells spreadsheets that it is UTF-8.
    return Response(
        "\ufeff" + out.getvalue(),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


@router.get("/commission-statement.pdf", dependencies=[scope("commissions:read")])
async def get_statement_pdf(conn: Conn, span: StatementSpan) -> Response:
    """The same on the company's paper."""
    data = rules.printable(span.rep, span.first, span.last, await _statements(conn, span))
    pdf = await print_pdf("sales_svc", "commission", data, letterhead=await letterhead.load(conn))
    name = f"commission-{span.first}-{span.last}.pdf"
    headers = {"Content-Disposition": f'inline; filename="{name}"', "Cache-Control": "no-store"}
    return Response(pdf, media_type="application/pdf", headers=headers)


async def _statements(conn: Conn, span: Span) -> list[Statement]:
    entries = await commissions.entries_of_rep(conn, span.rep, span.first, span.last, limit=MOST_ENTRIES + 1)
    if len(entries) > MOST_ENTRIES:
        raise Invalid(f"more than {MOST_ENTRIES} entries; take a shorter span", field="last")
    opening = await commissions.open_before(conn, span.rep, span.first)
    currencies = sorted({*opening, *(entry.amount.currency for entry in entries)})
    return [
        rules.draw_up(
            span.rep,
            currency,
            span.first,
            span.last,
            opening=opening.get(currency, Money.zero(currency)),
            entries=[entry for entry in entries if entry.amount.currency == currency],
        )
        for currency in currencies
    ]


async def _visible(conn: Conn, caller: Principal, commission_id: UUID) -> Position:
    position = await commissions.get_position(conn, commission_id)
    if _whose(caller, None) not in (None, position.earning.rep):
        raise NotFound(f"no commission {commission_id}")
    return position


def _whose(caller: Principal, rep: str | None) -> str | None:
    """Whose commission the caller asks for; None is everybody's. Raises `Forbidden` for another's."""
    if caller.scopes & {"commissions:read_all", "*"}:
        return rep
    if rep is not None and rep != caller.subject:
        caller.require("commissions:read_all")
    return caller.subject
