"""What is to be invoiced and credited of an order, from what was told of it; whatever the order in which that came.

Facts that cannot be acted upon yet stay with the order, and are looked at again with each further fact and document. A fact that
never leads to a document waits here and holds up nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from uuid import UUID

from ltc_contracts.events import (
    DeliveryHandedOver,
    DeliveryReturned,
    HandedLine,
    OrderCancelled,
    OrderChanged,
    OrderConfirmed,
    ReturnedLine,
)
from ltc_contracts.money import Money

from billing_svc.domain import occasion as occasions
from billing_svc.domain.amounts import worth
from billing_svc.domain.credit_note import CreditCause, CreditNote, Group, Wanted, left_by_line
from billing_svc.domain.invoice import Invoice
from billing_svc.domain.occasion import Occasion
from billing_svc.domain.subscription_end import GivenBack

Fact = OrderChanged | DeliveryReturned | DeliveryHandedOver | OrderCancelled | GivenBack


@dataclass(frozen=True, slots=True, kw_only=True)
class BilledOrder:
    """What billing knows of an order. `confirmed` and `handovers` are kept of prepaid orders only; others are invoiced as handed over.

    Facts are in the order in which they came; `pending` are those that have not had their effect.
    """

    order_id: UUID
    flow_id: UUID | None
    confirmed: OrderConfirmed | None = None
    delivery_id: UUID | None = None
    cancelled: OrderCancelled | None = None
    changes: tuple[OrderChanged, ...] = ()
    returns: tuple[DeliveryReturned, ...] = ()
    handovers: tuple[DeliveryHandedOver, ...] = ()
    given_back: tuple[GivenBack, ...] = ()
    pending: frozenset[UUID] = frozenset()
    invoices: tuple[Invoice, ...] = ()
    notes: tuple[CreditNote, ...] = ()


@dataclass(frozen=True, slots=True)
class Credit:
    """So much is to be credited; None: all that is left of every invoice. `lines` may hold more than is left: that is no longer owed."""

    cause: CreditCause
    cause_id: UUID | None
    reason: str
    lines: tuple[Wanted, ...] | None
    # A cent by which parts were rounded otherwise than what is left: beside the note of the same cause.
    correction: bool = False


@dataclass(frozen=True, slots=True)
class Done:
    """A fact has had its effect, which may be none."""

    cause_id: UUID


Step = Occasion | Credit | Done


def cause_of(fact: Fact) -> UUID:
    """The id under which a fact has its effect once."""
    match fact:
        case OrderChanged():
            return fact.change_id
        case DeliveryReturned():
            return fact.return_id
        case DeliveryHandedOver():
            return fact.handover_id
        case OrderCancelled():
            return fact.order_id
        case GivenBack():
            return fact.cause_id


def next_steps(order: BilledOrder) -> list[Step]:
    """What is to be done now, until the documents that it makes are known too; nothing when everything has its documents or waits."""
    if order.cancelled is not None:
        return _cancelled(order, order.cancelled)
    if _is_prepaid(order):
        return _prepaid(order) or _given_back(order)
    for change in order.changes:
        if steps := _changed(order, change):
            return steps
    for returned in order.returns:
        if returned.return_id in order.pending and _is_invoiced(order, returned):
            wanted = tuple(Wanted(line.line_id, line.net, line.quantity) for line in returned.lines if line.net.amount)
            return [Credit("return", returned.return_id, returned.reason, wanted), Done(returned.return_id)]
    return _given_back(order)


def _given_back(order: BilledOrder) -> list[Step]:
    """What a subscription did not serve of this order, once it is invoiced. Like what people credit, it is no fact of the goods."""
    for fact in order.given_back:
        if fact.cause_id not in order.pending:
            continue
        wanted: list[Wanted] = []
        for part in fact.parts:
            lines = {
                line.line_id: _claimed(order, line.line_id, part.net.currency)
                for invoice in order.invoices
                for line in invoice.lines
                if (line.tax_category, line.tax_rate) == (part.tax_category, part.tax_rate)
            }
            missing = part.net
            for line_id, claimed in lines.items():
                net = min(missing, claimed, key=_amount)
                if net.amount > 0:
                    wanted.append(Wanted(line_id, net))
                    missing = missing - net
            if missing.amount:
                break
        else:
            return [Credit("manual", None, fact.reason, tuple(wanted)), Done(fact.cause_id)]
    return []


def _prepaid(order: BilledOrder) -> list[Step]:
    if order.confirmed is None or order.delivery_id is None:
        return []
    if not any(invoice.cause in ("order", "delivery") for invoice in order.invoices):
        return [occasions.of_order(order.confirmed, order.delivery_id)]
    facts: tuple[Fact, ...] = (*order.changes, *order.handovers, *order.returns)
    fact = next((each for each in facts if cause_of(each) in order.pending and not _awaits_return(order, each)), None)
    return _balanced(order, fact, order.delivery_id) if fact else []


def _awaits_return(order: BilledOrder, fact: Fact) -> bool:
    """Whether a hand-over tells of pieces that had come back by then, and the return is not credited yet: it comes on another topic.

    Taken before it, what replaces those pieces would look like what was ordered all along, and the return like one that is replaced:
    neither would have its document, while the order waits for both.
    """
    if not isinstance(fact, DeliveryHandedOver):
        return False
    returns = [ln for each in order.returns if each.return_id not in order.pending for ln in each.lines]
    handed = [ln for each in order.handovers if each.number < fact.number for ln in each.lines]
    return any(_pieces(handed, line.line_id) - _pieces(returns, line.line_id) > line.delivered_before for line in fact.lines)


def _pieces(lines: Iterable[HandedLine | ReturnedLine], line_id: UUID) -> Decimal:
    return sum((line.quantity for line in lines if line.line_id == line_id), Decimal(0))


def _is_prepaid(order: BilledOrder) -> bool:
    told: Iterable[OrderConfirmed | OrderChanged | DeliveryReturned | DeliveryHandedOver] = (
        *([order.confirmed] if order.confirmed else []),
        *order.changes,
        *order.returns,
        *order.handovers,
    )
    return any(fact.invoicing == "on_confirmation" for fact in told)


def _cancelled(order: BilledOrder, event: OrderCancelled) -> list[Step]:
    """Everything that was invoiced is taken back; other facts of the order have no effect any more."""
    done: list[Step] = [Done(cause_id) for cause_id in sorted(order.pending, key=str)]
    if any(invoice.claimed.amount for invoice in order.invoices):
        return [Credit("cancellation", order.order_id, event.reason, None), *done]
    return done


def _balanced(order: BilledOrder, fact: Fact, delivery_id: UUID) -> list[Step]:
    """Invoice or credit of a prepaid order, line by line, what this fact makes of the claim.

    What is claimed of a line follows from all facts that had their effect, and not from their order: what it is worth as it is
    ordered now, less what came back; but what was handed over beyond that, in place of what came back, is claimed again. As soon as
    all of its pieces were handed over it is what the customer has: a part that came back before may have been rounded otherwise than
    the part that is missing in the end, and that cent is invoiced or credited with the hand-over that tells it.

    A discount needs no rule here: order-svc takes it off the goods of its tax rate when it takes the contract, so that parts, returns
    and changes carry their part of it. Lines below zero are only those of orders that were confirmed before; they are invoiced as told.
    """
    pending = order.pending - {cause_of(fact)}
    known = replace(
        order,
        changes=tuple(each for each in order.changes if each.change_id not in pending),
        returns=tuple(each for each in order.returns if each.return_id not in pending),
        handovers=tuple(each for each in order.handovers if each.handover_id not in pending),
    )
    more, less = _differences(known)
    steps: list[Step] = []
    if more and isinstance(fact, OrderChanged):
        steps.append(occasions.of_change(fact, delivery_id, more))
    if more and isinstance(fact, DeliveryHandedOver):
        steps.append(occasions.of_replacement(fact, more))
    if less and isinstance(fact, OrderChanged):
        steps.append(Credit("change", fact.change_id, fact.reason, _wanted(less, _fewer(fact))))
    if less and isinstance(fact, DeliveryHandedOver) and known.returns:
        last = known.returns[-1]
        steps.append(Credit("return", last.return_id, last.reason, _wanted(less, {}), correction=True))
    if less and isinstance(fact, DeliveryReturned):
        back = {line.line_id: (line.net, line.quantity) for line in fact.lines}
        steps.append(Credit("return", fact.return_id, fact.reason, _wanted(less, back)))
    return [*steps, Done(cause_of(fact))]


def _differences(order: BilledOrder) -> tuple[dict[UUID, Money], dict[UUID, Money]]:
    """By line: what is to be claimed and is not invoiced, and what is invoiced and not to be claimed (as an amount above zero)."""
    currency = order.invoices[0].gross.currency
    zero = Money.zero(currency)
    lines = order.changes[-1].lines if order.changes else order.confirmed.lines if order.confirmed else ()
    ordered = {line.line_id: line for line in lines}
    names = {line.line_id for invoice in order.invoices for line in invoice.lines} | ordered.keys()
    more, less = dict[UUID, Money](), dict[UUID, Money]()
    for line_id in names:
        line = ordered.get(line_id)
        worth_now = line.net if line else zero
        handed = [ln for each in order.handovers for ln in each.lines if ln.line_id == line_id]
        given = Money.total((each.net for each in handed), currency)
        back = Money.total((ln.net for each in order.returns for ln in each.lines if ln.line_id == line_id), currency)
        if back.amount and line and sum(each.quantity for each in handed) >= line.quantity:
            claim = min(given - back, worth_now, key=_amount)
        else:
            claim = worth_now - back + _between(zero, given - worth_now, back)
        claim = claim if claim.amount > 0 or worth_now.amount < 0 else zero
        difference = claim - (_invoiced(order, line_id, currency) - _credited_by_facts(order, line_id, currency))
        if difference.amount > 0:
            more[line_id] = difference
        elif difference.amount < 0:
            less[line_id] = -difference
    return more, less


def _between(low: Money, amount: Money, high: Money) -> Money:
    """`low` where `high` is below it."""
    return max(low, min(amount, high, key=_amount), key=_amount)


def _amount(money: Money) -> Decimal:
    return money.amount


def _fewer(change: OrderChanged) -> dict[UUID, tuple[Money, Decimal]]:
    """By how much, and how many pieces, lines became less."""
    after = {line.line_id: line for line in change.lines}
    fewer = {}
    for line in change.before:
        now = after.get(line.line_id)
        fewer[line.line_id] = (line.net - now.net, line.quantity - now.quantity) if now else (line.net, line.quantity)
    return fewer


def _wanted(less: Mapping[UUID, Money], told: Mapping[UUID, tuple[Money, Decimal]]) -> tuple[Wanted, ...]:
    """Amounts, as pieces where the fact says that so many are worth just that."""
    wanted = []
    for line_id, net in less.items():
        worth_of_them, quantity = told.get(line_id, (None, Decimal(0)))
        wanted.append(Wanted(line_id, net, quantity if net == worth_of_them and quantity > 0 else None))
    return tuple(wanted)


def _changed(order: BilledOrder, change: OrderChanged) -> list[Step]:
    """Of what is invoiced as it is handed over a change credits only what became cheaper: a change keeps what was delivered.

    Looked at with every hand-over that is invoiced later, since one from before the change may come late. The last change counts.
    """
    if change is not order.changes[-1]:
        return [Done(change.change_id)] if change.change_id in order.pending else []
    before = {line.line_id: line for line in change.before}
    wanted = []
    for line in change.lines:
        old = before.get(line.line_id)
        if old is None or not worth(line, old.quantity) < worth(old, old.quantity):
            continue
        held = _invoiced_quantity(order, line.line_id) - _returned_quantity(order, line.line_id)
        beyond = _claimed(order, line.line_id, line.net.currency) - worth(line, max(held, Decimal(0)))
        if beyond.amount > 0:
            wanted.append(Wanted(line.line_id, beyond))
    steps: list[Step] = [Credit("change", change.change_id, change.reason, tuple(wanted))] if wanted else []
    return [*steps, Done(change.change_id)] if steps or change.change_id in order.pending else []


def _is_invoiced(order: BilledOrder, returned: DeliveryReturned) -> bool:
    """Whether what came back was invoiced: before that there is nothing to credit. What people credited by hand counts as invoiced."""
    for line in returned.lines:
        if line.net.amount <= 0:
            continue
        invoiced = _invoiced(order, line.line_id, line.net.currency)
        if invoiced - _credited_by_facts(order, line.line_id, line.net.currency) < line.net:
            return False
    return True


def _invoiced(order: BilledOrder, line_id: UUID, currency: str) -> Money:
    return _sum(order.invoices, line_id, currency)


def _credited_by_facts(order: BilledOrder, line_id: UUID, currency: str) -> Money:
    return _sum((note for note in order.notes if note.cause != "manual"), line_id, currency)


def _claimed(order: BilledOrder, line_id: UUID, currency: str) -> Money:
    valid = [invoice for invoice in order.invoices if invoice.state != "void"]
    return _sum(valid, line_id, currency) - _sum(order.notes, line_id, currency)


def _sum(documents: Iterable[Invoice | CreditNote], line_id: UUID, currency: str) -> Money:
    return Money.total((line.net for each in documents for line in each.lines if line.line_id == line_id), currency)


def _invoiced_quantity(order: BilledOrder, line_id: UUID) -> Decimal:
    return sum((line.quantity for each in order.invoices for line in each.lines if line.line_id == line_id), Decimal(0))


def _returned_quantity(order: BilledOrder, line_id: UUID) -> Decimal:
    had_effect = [each for each in order.returns if each.return_id not in order.pending]
    return sum((line.quantity for each in had_effect for line in each.lines if line.line_id == line_id), Decimal(0))


def share_out(
    credit: Credit, invoices: Sequence[Invoice], notes: Sequence[CreditNote]
) -> list[tuple[Invoice, tuple[Wanted, ...] | None]]:
    """Which invoice takes back what: those that invoiced a line, the latest first, each no more than what is left on it."""
    if credit.lines is None:
        return [(invoice, None) for invoice in reversed(invoices) if invoice.claimed.amount]
    missing = {each.line_id: each.net for each in credit.lines if each.net is not None}
    quantities = {each.line_id: each.quantity for each in credit.lines}
    shared: list[tuple[Invoice, tuple[Wanted, ...] | None]] = []
    for invoice in reversed(invoices):
        if invoice.state == "void":
            continue
        of_it = [note for note in notes if note.invoice_id == invoice.id]
        room, left = _room(invoice, of_it), left_by_line(invoice, of_it)
        groups = {line.line_id: (line.tax_category, line.tax_rate) for line in invoice.lines}
        taken: list[Wanted] = []
        # Discounts first: what comes back of them leaves room for the rest.
        for line_id in sorted(groups.keys() & missing.keys(), key=lambda each: missing[each].amount):
            net, group = missing[line_id], groups[line_id]
            bounds = (net, left[line_id], room[group]) if net.amount > 0 else (net, left[line_id])
            part = (min if net.amount > 0 else max)(bounds, key=lambda money: money.amount)
            if part.amount * net.amount <= 0:
                continue
            room[group] = room[group] - part
            taken.append(Wanted(line_id, part, quantities[line_id] if part == credit_of(credit, line_id) else None))
        if taken and sum(each.net.amount for each in taken if each.net is not None) > 0:
            shared.append((invoice, tuple(taken)))
            for each in taken:
                assert each.net is not None
                missing[each.line_id] = missing[each.line_id] - each.net
    return shared


def credit_of(credit: Credit, line_id: UUID) -> Money | None:
    """What is wanted of a line in all."""
    return next((each.net for each in credit.lines or () if each.line_id == line_id), None)


def _room(invoice: Invoice, notes: Sequence[CreditNote]) -> dict[Group, Money]:
    """What is left of the base of each tax rate; lines that are discounts make it less than the sum of the others."""
    room: dict[Group, Money] = {(each.category, each.rate): each.base for each in invoice.taxes}
    for note in notes:
        for each in note.taxes:
            room[each.category, each.rate] = room[each.category, each.rate] - each.base
    return room
