"""Orders are changed, and cancelled in part or as a whole: assessed, confirmed by the customer, decided by delivery."""

from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from ltc_chassis.db import Transaction
from ltc_chassis.ids import new_id
from ltc_contracts.events import DeliveryChangeDecided, Line
from ltc_contracts.money import Money

from order_svc.domain import assessment, cancellation, fulfilment
from order_svc.domain import change as rules
from order_svc.domain.assessment import NONE, Effects, Facts, Wish
from order_svc.domain.change import AssessmentNotFound, Change, ChangeNotAllowed, ChangeNotKnownYet, ChangeOutdated, State
from order_svc.domain.credit import Account, Exposure
from order_svc.domain.order import ChangePending, Order
from order_svc.handlers import acceptance, erasure
from order_svc.handlers.journal import fit_reservations, known_order_for_update, order_for_update, save
from order_svc.settings import Settings
from order_svc.store import changes, credit, deliveries, orders, placing, stock
from order_svc.store.placing import Known


async def assess(tx: Transaction, order_id: UUID, wish: Wish, reason: str, *, by: str) -> Change:
    """Compute and keep what a wish would do; nothing changes by it. Raises `OrderNotFound`, `Invalid`."""
    order = await order_for_update(tx, order_id)
    account = await credit.get_account(tx.conn, order.customer.customer_id)
    return await _assess(tx, order, wish, await erasure.said(tx, order.flow_id, reason), account, by=by)


async def confirm(tx: Transaction, order_id: UUID, change_id: UUID, *, by: str) -> Order:
    """The customer wants what was shown: delivery is asked, or an order that it does not know is changed at once.

    Raises `AssessmentNotFound`, `AssessmentExpired`, `ChangeOutdated`, `ChangeNotAllowed`, `ChangePending`, `WrongTransition`.
    """
    seen = await orders.get_order(tx.conn, order_id)
    shown = await _change_of(tx, order_id, change_id)
    known, account = None, None
    # Account and shelves are locked before an order that is held, as by those who look at it again; after it nobody else locks
    # the shelves but those who deliver or cancel a bound order, and they lock the order first.
    if seen.state in ("received", "held"):
        known = await acceptance.lock_grounds(tx, seen, shown.effects.after)
        account = known.account
    else:
        account = await credit.get_account_for_update(tx.conn, seen.customer.customer_id)
    order = await order_for_update(tx, order_id)
    change = await _change_of(tx, order_id, change_id)
    rules.require_open(change, tx.now)
    if order.change is not None:
        raise ChangePending(order)
    lines = (await orders.list_lines(tx.conn, [order.id]))[order.id]
    if lines != change.effects.before:
        raise ChangeOutdated(order)
    fresh = assessment.assess(order, change.wish, await _facts(tx, order, lines, change.wish, account, lock=True), tx.now)
    rules.require_same(change, order, fresh)
    if fresh.path == "cancellation" or not fresh.after:
        return await _cancel(tx, order, change, by=by)
    if known is not None:
        return await _change_held(tx, order, change, known, by=by)
    return await _request(tx, order, change, by=by)


async def cancel(tx: Transaction, order_id: UUID, reason: str, *, by: str | None = None) -> Order:
    """The customer wants out: of all of it, or, when something was delivered, of the rest.

    Delivery decides; until then the order is `cancelling`, or shows the change. A held order is cancelled at once.
    Raises `ChangePending`, `ChangeNotAllowed` (nothing is left), `WrongTransition`.
    """
    order = await order_for_update(tx, order_id)
    return await cancel_locked(tx, order, await erasure.said(tx, order.flow_id, reason), by=by)


async def cancel_locked(tx: Transaction, order: Order, reason: str, *, by: str | None = None) -> Order:
    """As `cancel`, of an order that is locked."""
    delivered = await deliveries.get_delivered(tx.conn, order.id)
    if order.state not in ("confirmed", "in_progress") or not any(delivered.values()):
        return await save(tx, order, cancellation.request_cancellation(order, reason, tx.now, by=by))
    if order.change is not None:
        raise ChangePending(order)
    who = by or "process"
    change = await _assess(tx, order, Wish(kind="cancel"), reason, None, by=who)
    if not change.effects.allowed:
        raise ChangeNotAllowed(change.effects)
    return await _request(tx, order, change, by=who)


async def something_is_left(tx: Transaction, order: Order) -> bool:
    """Whether a line is not wholly delivered, as far as we know."""
    delivered = await deliveries.get_delivered(tx.conn, order.id)
    lines = (await orders.list_lines(tx.conn, [order.id]))[order.id]
    return any(delivered.get(line.line_id, NONE) < line.quantity for line in lines)


async def record_decision(tx: Transaction, event: DeliveryChangeDecided, at: datetime) -> None:
    """Delivery's answer: the order becomes what was wished, or stays what it is. An answer that nobody waits for changes nothing."""
    asked = await changes.get_change(tx.conn, event.change_id)
    if asked is None:
        raise ChangeNotKnownYet(event.change_id)
    before = await known_order_for_update(tx, asked.order_id)
    change = await _change_of(tx, asked.order_id, asked.id)
    if not rules.expects(before, change):
        return
    if not event.granted:
        why = event.reason and await erasure.said(tx, before.flow_id, event.reason)
        order, change = rules.refuse(before, change, why, tx.now)
        await changes.save_change(tx.conn, change)
        await fit_reservations(tx, order.id, change.effects.before)
        await save(tx, before, (order, []), refused=True)
        await save(tx, order, fulfilment.close_when_done(order, tx.now))
        return
    delivered = {part.line_id: part.quantity for part in event.delivered}
    order, change, told = rules.grant(before, change, delivered, event.promised_on, at, tx.now)
    await changes.save_lines(tx.conn, order.id, told.lines)
    await changes.save_change(tx.conn, change)
    await fit_reservations(tx, order.id, told.lines)
    await save(tx, before, (order, []))
    if order.gross < before.gross:
        await credit.ask_recheck(tx.conn, order.customer.customer_id)
    tx.emit(told, flow_id=order.flow_id, sequence=order.version)
    await save(tx, order, fulfilment.close_when_done(order, tx.now))


async def _assess(tx: Transaction, order: Order, wish: Wish, reason: str, account: Account | None, *, by: str) -> Change:
    lines = (await orders.list_lines(tx.conn, [order.id]))[order.id]
    effects = assessment.assess(order, wish, await _facts(tx, order, lines, wish, account), tx.now)
    change = Change(
        id=new_id(),
        order_id=order.id,
        order_version=order.version,
        state="assessed",
        wish=wish,
        effects=effects,
        reason=reason,
        assessed_by=by,
        assessed_at=tx.now,
        expires_at=tx.now + timedelta(hours=tx.settings_as(Settings).assessment_hours),
    )
    await changes.insert_change(tx.conn, change)
    return change


async def _change_of(tx: Transaction, order_id: UUID, change_id: UUID) -> Change:
    change = await changes.get_change(tx.conn, change_id)
    if change is None or change.order_id != order_id:
        raise AssessmentNotFound(change_id)
    return change


async def _facts(
    tx: Transaction, order: Order, lines: tuple[Line, ...], wish: Wish, account: Account | None, *, lock: bool = False
) -> Facts:
    """What is known under the order's lock. Shelves are locked to decide, and only looked at to assess."""
    currency = order.net.currency
    exposure = Exposure(Money.zero(currency), Money.zero(currency))
    if account is not None and currency in account.limits:
        exposure = await credit.get_exposure(tx.conn, order.customer.customer_id, currency)
    skus = [line.sku for line in (*lines, *wish.added)]
    read = stock.get_shelves_for_update if lock and order.state != "held" else stock.get_shelves
    reserved: dict[UUID, Decimal] = {}
    for row in await stock.list_reservations(tx.conn, order.id):
        if row["state"] == "reserved":
            reserved[row["line_id"]] = reserved.get(row["line_id"], NONE) + row["quantity"]
    return Facts(
        lines=lines,
        delivered=await deliveries.get_delivered(tx.conn, order.id),
        reserved=reserved,
        account=account,
        exposure=exposure,
        shelves=await read(tx.conn, skus),
        dunned=await credit.list_dunned(tx.conn, order.customer.customer_id),
        rule=await placing.get_promise_rule(tx.conn, tx.now.date()),
    )


async def _request(tx: Transaction, before: Order, change: Change, *, by: str) -> Order:
    order, change, told = rules.request(before, change, by, tx.now)
    effects = change.effects
    # What is wished more is reserved from now on, so that delivery is not asked for what another order took meanwhile.
    shelves = await stock.get_shelves_for_update(
        tx.conn, [line.sku for line in assessment.additions(effects.before, effects.after)]
    )
    picks = assessment.more_picks(effects.before, effects.after, shelves)
    if picks:
        await stock.insert_reservations(tx.conn, order.id, picks)
    await changes.save_change(tx.conn, change)
    await save(tx, before, (order, []))
    tx.emit(told, flow_id=order.flow_id, sequence=order.version)
    return order


async def _cancel(tx: Transaction, order: Order, change: Change, *, by: str) -> Order:
    """Nothing is left of it: the order is cancelled as always, and what becomes of that is the answer."""
    to: State = "granted" if order.state == "held" else "requested"
    await changes.save_change(tx.conn, rules.move(change, to, tx.now, confirmed_by=by))
    return await save(tx, order, cancellation.request_cancellation(order, change.reason, tx.now, by=by))


async def _change_held(tx: Transaction, before: Order, change: Change, known: Known, *, by: str) -> Order:
    effects: Effects = change.effects
    order = rules.become(before, effects.after, effects.requested_on, tx.now)
    await changes.save_lines(tx.conn, order.id, effects.after)
    granted = rules.move(change, "granted", tx.now, confirmed_by=by, lines=effects.after, lines_version=order.lines_version)
    await changes.save_change(tx.conn, granted)
    return await acceptance.take_changed(tx, before, order, effects.after, known)
