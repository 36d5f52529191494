"""Carts become orders: those that come at the same time in one transaction."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from ltc_chassis.db import Transaction
from ltc_chassis.desk import Asked
from ltc_contracts.errors import DomainError, Invalid

from order_svc.domain import stock
from order_svc.domain.order import Order
from order_svc.domain.placement import ExternalRefReused, Placement
from order_svc.domain.stock import Shelf
from order_svc.handlers import acceptance, journal
from order_svc.store import placing
from order_svc.store.placing import Known, NewOrder


@dataclass(frozen=True, slots=True)
class Cart:
    """What a buyer wants; `wish` is why it is to be held, `by` who asks."""

    placement: Placement
    flow_id: UUID | None
    wish: str | None
    by: str


@dataclass(frozen=True, slots=True)
class CheckedOut:
    """The order of a cart; the same reference with the same content has the same order, which is not `new` then."""

    order: Order
    new: bool


async def check_out(tx: Transaction, asked: Sequence[Asked[Cart]]) -> list[CheckedOut | DomainError]:
    """Each cart's order, as if one had come after the other.

    Refused with `Invalid` is what nobody could invoice, with `ExternalRefReused` another content under a known reference.
    """
    answers: dict[int, CheckedOut | DomainError] = {}
    for place, each in enumerate(asked):
        fault = each.item.placement.fault
        if fault is not None:
            answers[place] = Invalid(fault, field="lines")
    sound = {place: each for place, each in enumerate(asked) if place not in answers}
    if len(sound) > 1:
        answers |= await _together(tx, sound)
    for place, each in sound.items():
        if place not in answers:
            with each.turn():
                answers[place] = await _alone(tx, each.item)
    return [answers[place] for place in range(len(asked))]


async def _together(tx: Transaction, asked: Mapping[int, Asked[Cart]]) -> dict[int, CheckedOut]:
    """New orders in one statement to read and one to write. Left out, but locked, is what must be looked at by itself.

    That is what has an order already, and what shares its reference or its customer's credit with another of these carts.
    """
    carts = [each.item for each in asked.values()]
    known = await placing.draw_known_together(tx.conn, [cart.placement for cart in carts], tx.now.date())
    references = Counter(cart.placement.external_ref for cart in carts)
    customers = Counter(cart.placement.customer.customer_id for cart in carts)
    shelves: Sequence[Shelf] = known.shelves
    made: dict[int, NewOrder] = {}
    for number, (place, cart) in enumerate(zip(asked, carts, strict=True)):
        placement = cart.placement
        if number in known.placed or references[placement.external_ref] > 1 or customers[placement.customer.customer_id] > 1:
            continue
        skus = {line.sku for line in placement.lines}
        grounds = Known(
            drawn=known.drawn[number],
            rule=known.rule,
            account=known.accounts.get(placement.customer.customer_id),
            shelves=[shelf for shelf in shelves if shelf.sku in skus],
            dunned=known.dunned.get(placement.customer.customer_id, ()),
        )
        made[place] = await acceptance.decide(tx, placement, grounds, flow_id=cart.flow_id, wish=cart.wish, by=cart.by)
        # The next cart finds what this one left.
        shelves = stock.after(shelves, made[place].picks)
    inserted = await placing.insert_orders(tx.conn, list(made.values()), cause=None) if made else set()
    answers: dict[int, CheckedOut] = {}
    for place, new in made.items():
        if new.order.id in inserted:
            with asked[place].turn():
                journal.tell(tx, new.order, new.changes, parent_flow_id=asked[place].item.placement.parent_flow_id)
            answers[place] = CheckedOut(new.order, new=True)
    return answers


async def _alone(tx: Transaction, cart: Cart) -> CheckedOut | DomainError:
    try:
        order, new = await acceptance.place(tx, cart.placement, flow_id=cart.flow_id, wish=cart.wish, by=cart.by)
    except ExternalRefReused as refused:
        # Nothing is written by then.
        return refused
    return CheckedOut(order, new)
