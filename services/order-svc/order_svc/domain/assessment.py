"""What a wish would do to an order, line by line and on the whole. Computed and shown before anything changes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Literal
from uuid import UUID

from ltc_contracts.errors import Invalid
from ltc_contracts.events import Customer, Line
from ltc_contracts.events.model import Exact, Part
from ltc_contracts.money import Money
from pydantic import Field

from order_svc.domain import credit, stock
from order_svc.domain import lines as arithmetic
from order_svc.domain.credit import Account, Exposure
from order_svc.domain.order import Order, PromiseRule, promise_day
from order_svc.domain.stock import Pick, Shelf

MOST_LINES = 500
NONE = Decimal(0)

# How it is carried out: without delivery, which does not know the order yet; by its answer; or as a cancellation of the whole.
Path = Literal["at_once", "change", "cancellation"]
Against = Literal["state", "pending", "nothing", "delivered", "credit", "stock"]


class Wish(Part):
    """What the customer wants. `cancel`: these lines, or the whole, as far as nothing is delivered. `change`: the rest of the fields."""

    kind: Literal["cancel", "change"]
    line_ids: tuple[UUID, ...] = ()
    quantities: dict[UUID, Annotated[Exact, Field(gt=0)]] = Field(default_factory=dict)
    dropped: tuple[UUID, ...] = ()
    added: tuple[Line, ...] = ()
    requested_on: date | None = None


class LineEffect(Part):
    """What becomes of a line; `reserved` are pieces of our stock that are the order's."""

    line_id: UUID
    sku: str
    description: str
    ordered: Exact
    delivered: Exact
    reserved: Exact
    quantity: Annotated[Exact, Field(description="after it; 0: the line is dropped")]
    net_before: Money
    net: Money


class InvoiceEffect(Part):
    """On invoices, all gross: what was claimed and taken back so far, what is to be taken back, and what is to be claimed further.

    `when` says by what it is claimed further: each hand-over, the order's confirmation, or the change itself.
    """

    invoiced: Money
    credited: Money
    to_credit: Money
    to_invoice: Money
    when: Literal["hand_over", "confirmation", "change"]


class Objection(Part):
    """Why it is not allowed."""

    code: Against
    detail: str


class Effects(Part):
    """All that a wish does. `credit` is how the dearer order passes the limit: `holds` is for one that is not confirmed yet."""

    path: Path
    lines: tuple[LineEffect, ...]
    before: tuple[Line, ...]
    after: tuple[Line, ...]
    net_before: Money
    net: Money
    gross_before: Money
    gross: Money
    requested_before: date | None
    requested_on: date | None
    promised_before: date | None
    promised_on: date | None
    invoices: InvoiceEffect
    credit: Literal["passes", "holds", "refused"]
    credit_detail: str | None
    reasons: tuple[Objection, ...]

    @property
    def allowed(self) -> bool:
        return not self.reasons

    def same_outcome(self, other: "Effects") -> bool:
        """Whether the customer who was shown the one gets the other: the same lines, worth, day, credit notes and way."""
        return (
            (self.path, self.before, self.after, self.promised_on, self.requested_on, self.invoices.to_credit)
            == (other.path, other.before, other.after, other.promised_on, other.requested_on, other.invoices.to_credit)
        )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What an assessment rests on. `delivered` and `reserved` are quantities by line, `shelves` those of SKUs of the order and the wish."""

    lines: tuple[Line, ...]
    delivered: Mapping[UUID, Decimal]
    reserved: Mapping[UUID, Decimal]
    account: Account | None
    exposure: Exposure
    shelves: Sequence[Shelf]
    rule: PromiseRule
    # Invoices whose dunning holds further orders, so that no more is ordered by a change either.
    dunned: Sequence[str] = ()


def resized(line: Line, quantity: Decimal) -> Line:
    """The line with another quantity, and the net of it; with its own quantity it is as it was signed."""
    if quantity == line.quantity:
        return line
    changed = line.model_copy(update={"quantity": quantity})
    return changed.model_copy(update={"net": arithmetic.line_net(changed)})


def additions(before: Sequence[Line], after: Sequence[Line]) -> tuple[Line, ...]:
    """What `after` has more than `before`, by line."""
    had = {line.line_id: line.quantity for line in before}
    more = [(line, line.quantity - had.get(line.line_id, NONE)) for line in after]
    return tuple(line.model_copy(update={"quantity": quantity}) for line, quantity in more if quantity > 0)


def more_picks(before: Sequence[Line], after: Sequence[Line], shelves: Sequence[Shelf]) -> tuple[Pick, ...]:
    """Pieces to be reserved beyond those of `before`."""
    return stock.allocate(additions(before, after), shelves).picks


def wished(wish: Wish, customer: Customer, lines: tuple[Line, ...], delivered: Mapping[UUID, Decimal]) -> tuple[Line, ...]:
    """The lines that are wished. Raises `Invalid` for lines that the order does not have, or that nobody could invoice."""
    known = {line.line_id: line for line in lines}
    named = [*wish.line_ids, *wish.quantities, *wish.dropped]
    for line_id in named:
        if line_id not in known:
            raise Invalid(f"the order has no line {line_id}", field="lines")
    if len(set(named)) < len(named):
        raise Invalid("a line is named twice", field="lines")
    if wish.kind == "cancel":
        chosen = set(wish.line_ids) or set(known)
        sizes = {line_id: min(delivered.get(line_id, NONE), known[line_id].quantity) for line_id in chosen}
    else:
        sizes = {**wish.quantities, **dict.fromkeys(wish.dropped, NONE)}
    sized = [(line, sizes.get(line.line_id, line.quantity)) for line in lines]
    after = (*(resized(line, quantity) for line, quantity in sized if quantity > 0), *wish.added)
    if len(after) > MOST_LINES:
        raise Invalid(f"an order has at most {MOST_LINES} lines", field="added")
    if wish.added:
        currency = lines[0].net.currency
        if any(line.net.currency != currency for line in wish.added):
            raise Invalid(f"the order is in {currency}, an added line is not", field="added")
        fault = arithmetic.fault(customer, wish.added, Money.total((line.net for line in wish.added), currency))
        if fault is not None or {line.line_id for line in wish.added} & set(known):
            raise Invalid(fault or "an added line has the id of another", field="added")
    return after


def assess(order: Order, wish: Wish, facts: Facts, now: datetime) -> Effects:
    """Everything that the wish would do. Raises `Invalid` for a wish that says nothing sensible of this order."""
    before, currency = facts.lines, order.net.currency
    after = wished(wish, order.customer, before, facts.delivered)
    net = Money.total((line.net for line in after), currency)
    gross = arithmetic.gross(after, net)
    held = order.state == "held"
    path: Path = "at_once" if held else "change" if after else "cancellation"
    more = gross - order.gross
    # A held order does not weigh on the credit yet: it must fit whole.
    checked = bool(after) and (held or more.amount > 0)
    owed = gross if held else more
    objection = credit.objection(facts.account, facts.exposure, owed, dunned=facts.dunned) if checked else None
    requested_on = wish.requested_on or order.requested_on
    return Effects(
        path=path,
        lines=_line_effects(before, after, facts),
        before=before,
        after=after,
        net_before=order.net,
        net=net,
        gross_before=order.gross,
        gross=gross,
        requested_before=order.requested_on,
        requested_on=requested_on,
        promised_before=order.promised_on,
        promised_on=_promised(order, wish, facts, after, requested_on, now),
        invoices=_on_invoices(order, gross, held=held),
        credit="passes" if objection is None else "holds" if held else "refused",
        credit_detail=objection,
        reasons=tuple(_objections(order, wish, facts, after, None if held else objection)),
    )


def _objections(order: Order, wish: Wish, facts: Facts, after: tuple[Line, ...], objection: str | None) -> list[Objection]:
    if order.state not in ("held", "confirmed", "in_progress"):
        return [Objection(code="state", detail=f"the order is {order.state}")]
    if order.change is not None:
        return [Objection(code="pending", detail="delivery has not answered another change yet")]
    if after == facts.lines and wish.requested_on in (None, order.requested_on):
        return [Objection(code="nothing", detail="nothing would change: what is delivered comes back by a return only")]
    found = []
    sizes = {line.line_id: line.quantity for line in after}
    for line in facts.lines:
        delivered = min(facts.delivered.get(line.line_id, NONE), line.quantity)
        if sizes.get(line.line_id, NONE) < delivered:
            found.append(Objection(code="delivered", detail=f"{line.sku}: {_plain(delivered)} are delivered already"))
    if objection is not None:
        found.append(Objection(code="credit", detail=objection))
    short = () if order.state == "held" else stock.allocate(additions(facts.lines, after), facts.shelves).shortages
    if short:
        found.append(Objection(code="stock", detail=", ".join(short)))
    return found


def _promised(
    order: Order, wish: Wish, facts: Facts, after: tuple[Line, ...], requested_on: date | None, now: datetime
) -> date | None:
    """Less takes no longer than was promised; more, or another day wished, is promised as an order of today is, but not earlier."""
    if order.promised_on is None or not after:
        return None
    if wish.requested_on not in (None, order.requested_on):
        return promise_day(requested_on, now.date(), facts.rule)
    if additions(facts.lines, after):
        return max(order.promised_on, promise_day(requested_on, now.date(), facts.rule))
    return order.promised_on


def _on_invoices(order: Order, gross: Money, *, held: bool) -> InvoiceEffect:
    nothing = Money.zero(order.net.currency)
    at_once: Literal["confirmation", "change"] = "confirmation" if held else "change"
    return InvoiceEffect(
        invoiced=order.invoiced,
        credited=order.credited,
        to_credit=_positive(order.invoiced - order.credited - gross, nothing),
        to_invoice=_positive(gross - (order.invoiced - order.reduced), nothing),
        when="hand_over" if order.invoicing == "on_delivery" else at_once,
    )


def _line_effects(before: tuple[Line, ...], after: tuple[Line, ...], facts: Facts) -> tuple[LineEffect, ...]:
    had, has = ({line.line_id: line for line in lines} for lines in (before, after))
    effects = []
    for line_id, line in {**had, **has}.items():
        old, new = had.get(line_id), has.get(line_id)
        nothing = Money.zero(line.net.currency)
        effects.append(
            LineEffect(
                line_id=line_id,
                sku=line.sku,
                description=line.description,
                ordered=old.quantity if old else NONE,
                delivered=facts.delivered.get(line_id, NONE),
                reserved=facts.reserved.get(line_id, NONE),
                quantity=new.quantity if new else NONE,
                net_before=old.net if old else nothing,
                net=new.net if new else nothing,
            )
        )
    return tuple(effects)


def _positive(amount: Money, nothing: Money) -> Money:
    return amount if amount.amount > 0 else nothing


def _plain(quantity: Decimal) -> str:
    return format(quantity.normalize(), "f")
