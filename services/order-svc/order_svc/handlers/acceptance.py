"""Orders come in, wherever from, and are confirmed or held; held ones are looked at again."""

import logging
from dataclasses import replace
from uuid import UUID

from ltc_chassis.db import Transaction
from ltc_chassis.ids import new_id
from ltc_contracts.errors import DomainError, VersionConflict
from ltc_contracts.events import ContractSigned, ErpOrderPlaced, Line
from ltc_contracts.money import Money

from order_svc.domain import acceptance, process
from order_svc.domain import hold as holds
from order_svc.domain import lines as arithmetic
from order_svc.domain import order as rules
from order_svc.domain.acceptance import Grounds, Verdict
from order_svc.domain.credit import Account, Exposure
from order_svc.domain.order import Decision, Order, OrderNotFound
from order_svc.domain.placement import ExternalRefReused, Placement
from order_svc.handlers import erasure, journal
from order_svc.store import credit, orders, placing, rechecks
from order_svc.store import stock as shelves
from order_svc.store.placing import Known, NewOrder, Placed

logger = logging.getLogger(__name__)


async def receive_contract(tx: Transaction, contract: ContractSigned, *, flow_id: UUID | None) -> None:
    """A signed contract becomes an order; a contract has one order, ever."""
    await place(tx, Placement.of_contract(contract), flow_id=flow_id)


async def receive_from_erp(tx: Transaction, placed: ErpOrderPlaced) -> None:
    """An order placed elsewhere becomes an order here; its reference has one, ever. What is wrong with it is told by a hold.

    Raises `ExternalRefReused` when another content comes under the reference: a person must see it.
    """
    await place(tx, Placement.of_erp(placed, contract_id=new_id()), flow_id=None)


async def place(
    tx: Transaction, placement: Placement, *, flow_id: UUID | None, wish: str | None = None, by: str | None = None
) -> tuple[Order, bool]:
    """The order of a placement, confirmed or held, and whether it is new."""
    skus = [line.sku for line in placement.lines]
    known = await placing.draw_known(tx.conn, placement.customer.customer_id, skus, tx.now.date(), placement=placement)
    if isinstance(known, Known):
        made = await _make(tx, placement, known, flow_id=flow_id, wish=wish, by=by)
        if made is not None:
            return made, True
    # Else somebody placed the same at the same time and was first; it is committed, since we waited for it.
    placed = known if isinstance(known, Placed) else await placing.find_placed(tx.conn, placement)
    assert placed is not None
    if placement.fingerprint != placed.fingerprint:
        raise ExternalRefReused(placement.external_ref or "", placed.number)
    return await orders.get_order(tx.conn, placed.order_id), False


async def _make(
    tx: Transaction, placement: Placement, known: Known, *, flow_id: UUID | None, wish: str | None, by: str | None
) -> Order | None:
    made = await decide(tx, placement, known, flow_id=flow_id, wish=wish, by=by)
    if not await placing.insert_orders(tx.conn, [made], cause=journal.cause_of(tx)):
        return None
    journal.tell(tx, made.order, made.changes, parent_flow_id=placement.parent_flow_id)
    return made.order


async def decide(
    tx: Transaction, placement: Placement, known: Known, *, flow_id: UUID | None, wish: str | None, by: str | None
) -> NewOrder:
    """The order of a placement as it is to be written, confirmed or held."""
    lines = placement.lines
    if wish is not None and flow_id is not None:
        wish = await erasure.said_of_new(tx, flow_id, wish)
    if placement.payment_terms_days is None and known.account is not None:
        placement = replace(placement, payment_terms_days=known.account.payment_terms_days)
    # A journey without a lead begins with its order.
    received, changes = rules.receive(
        placement,
        order_id=new_id(),
        flow_id=flow_id or new_id(),
        number=rules.format_number(tx.now.year, known.drawn),
        now=tx.now,
    )
    grounds = await _grounds(tx, known, received, fault=placement.fault, wish=wish)
    (order, decided), verdict = acceptance.decide(received, lines, grounds, tx.now, by=by)
    return NewOrder(
        order=order,
        lines=lines,
        fingerprint=placement.fingerprint,
        changes=[*changes, *decided],
        picks=verdict.picks,
        steps=process.passed(received, verdict.reasons, tx.now),
        position=process.position(order),
    )


async def hold(tx: Transaction, order_id: UUID, reason: str, *, by: str) -> Order:
    """A person wants an order to wait that is not confirmed yet; no check releases it then."""
    order = await journal.order_for_update(tx, order_id)
    reason = await erasure.said(tx, order.flow_id, reason)
    reasons = order.hold.reasons if order.hold else ()
    detail = "; ".join(filter(None, (order.hold.detail if order.hold else "", f"manual: {reason}")))
    if "manual" in reasons:
        return order
    decision = holds.hold(
        replace(order, waived=order.waived - {"manual"}), (*reasons, "manual"), detail, tx.now, wish=reason, by=by
    )
    return await journal.save(tx, order, decision)


async def release(tx: Transaction, order_id: UUID, reason: str, *, by: str) -> Order:
    """A person with the authority takes the risk of what the order is held for; it is confirmed, or held for what else is found."""
    customer_id = (await orders.get_order(tx.conn, order_id)).customer.customer_id
    return await _reconsider(tx, order_id, customer_id, by=by, reason=reason)


async def look_again(tx: Transaction) -> int:
    """Check one held order again whose cause may be gone, the oldest first; 0 when there is nothing to look at."""
    walk = await rechecks.claim(tx.conn)
    if walk is None:
        return 0
    if walk.order_id is not None and walk.customer_id is not None:
        try:
            async with tx.savepoint():
                await _reconsider(tx, walk.order_id, walk.customer_id)
        except DomainError as error:
            # It stays held and its step's deadline is told; those behind it must not wait for it.
            logger.warning("held order %s cannot be decided on: %s", walk.order_id, error.reason)
    await rechecks.go_on(tx.conn, walk)
    return 1


async def _reconsider(
    tx: Transaction, order_id: UUID, customer_id: UUID, *, by: str | None = None, reason: str | None = None
) -> Order:
    # Account and shelves are locked before the order, as everywhere where an order is decided on.
    lines = (await orders.list_lines(tx.conn, [order_id]))[order_id]
    known = await placing.draw_known(tx.conn, customer_id, [line.sku for line in lines], tx.now.date())
    assert isinstance(known, Known)
    before = await orders.get_order_for_update(tx.conn, order_id)
    if before is None:
        raise OrderNotFound(order_id)
    if by is None and (before.hold is None or "validation" in before.hold.reasons):
        return before
    if (await orders.list_lines(tx.conn, [order_id]))[order_id] != lines:
        # It was changed while we waited for the locks, and is looked at again for that.
        if by is None:
            return before
        raise VersionConflict(f"order {before.number}", before.version)
    order = before if by is None else holds.waive(before)
    if reason is not None:
        reason = await erasure.said(tx, order.flow_id, reason)
    wish = order.hold.wish if order.hold else None
    grounds = await _grounds(tx, known, order, fault=None, wish=wish)
    decision, verdict = acceptance.decide(order, lines, grounds, tx.now, by=by, reason=reason)
    return await _save(tx, before, decision, verdict, lines)


async def lock_grounds(tx: Transaction, order: Order, lines: tuple[Line, ...]) -> Known:
    """What a held order with these lines is decided on, locked; to be called before the order itself is locked."""
    known = await placing.draw_known(tx.conn, order.customer.customer_id, [line.sku for line in lines], tx.now.date())
    assert isinstance(known, Known)
    return known


async def take_changed(tx: Transaction, before: Order, changed: Order, lines: tuple[Line, ...], known: Known) -> Order:
    """A held order became another: what was in its way may be gone, or something else may be."""
    order = changed
    if before.gross < changed.gross:
        # The risk that a person took was a smaller one.
        order = replace(order, waived=order.waived - {"credit", "stock"})
    fault = arithmetic.fault(order.customer, lines, order.net)
    grounds = await _grounds(tx, known, order, fault=fault, wish=order.hold.wish if order.hold else None)
    (decided, told), verdict = acceptance.decide(order, lines, grounds, tx.now)
    if decided.hold is not None and not told:
        decided = replace(decided, hold=replace(decided.hold, detail=verdict.detail[:2000]))
        await rechecks.ask(tx.conn, decided, lines)
    return await _save(tx, before, (decided, told), verdict, lines)


async def _save(tx: Transaction, before: Order, decision: Decision, verdict: Verdict, lines: tuple[Line, ...]) -> Order:
    order = await journal.save(tx, before, decision)
    if order.state == "held" and decision[1]:
        await rechecks.ask(tx.conn, order, lines)
    elif order.state == "confirmed" and verdict.picks:
        await shelves.insert_reservations(tx.conn, order.id, verdict.picks)
    return order


async def _grounds(tx: Transaction, known: Known, order: Order, *, fault: str | None, wish: str | None) -> Grounds:
    return Grounds(
        rule=known.rule,
        account=known.account,
        exposure=await _exposure(tx, known.account, order),
        shelves=known.shelves,
        dunned=known.dunned,
        fault=fault,
        wish=wish,
    )


async def _exposure(tx: Transaction, account: Account | None, order: Order) -> Exposure:
    """A statement of its own: it must see what was committed while we waited for the account."""
    currency = order.net.currency
    if account is None or currency not in account.limits:
        return Exposure(Money.zero(currency), Money.zero(currency))
    return await credit.get_exposure(tx.conn, order.customer.customer_id, currency)
