"""What the model of order-svc keeps, and what follows from a change of an order, whoever decided it."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from functools import cache
from uuid import UUID

from ltc_contracts.events import Event, Line
from ltc_contracts.money import Money

from order_svc.domain import change as wishes
from order_svc.domain import fulfilment, process, stock
from order_svc.domain.assessment import Facts
from order_svc.domain.change import Change
from order_svc.domain.credit import Account, Exposure
from order_svc.domain.order import BOUND, Decision, Order, PromiseRule
from order_svc.domain.order import Change as StateChange
from order_svc.domain.process import Position
from order_svc.domain.stock import Pick, Shelf
from order_svc.tests.news import PRICE, Pieces, Told

RULE = PromiseRule(lead_days=14)


@cache
def money(amount: int) -> Money:
    return Money.of(amount, "EUR")


class Books:
    """Tables as dictionaries that can be taken back."""

    def __init__(self) -> None:
        self.orders: dict[UUID, Order] = {}
        self.lines: dict[UUID, tuple[Line, ...]] = {}
        self.refs: dict[str, UUID] = {}
        self.accounts: dict[UUID, tuple[Account, datetime]] = {}
        self.entries: dict[tuple[UUID, str, UUID], int] = {}
        self.debtors: dict[UUID, UUID] = {}
        self.shelves: dict[str, Shelf] = {}
        self.picks: dict[UUID, tuple[tuple[Pick, str, datetime | None], ...]] = {}
        self.positions: dict[UUID, tuple[Position, int]] = {}
        self.inbox: dict[UUID, bool] = {}
        self.history: dict[UUID, tuple[StateChange, ...]] = {}
        self.delivered: dict[UUID, tuple[UUID, str, int]] = {}
        self.changes: dict[UUID, Change] = {}
        self.assessed: dict[UUID, UUID] = {}
        self.paid: dict[UUID, tuple[UUID, int]] = {}
        self.late: dict[tuple[UUID, str, datetime, int], int] = {}
        self.out: list[Told] = []

    def exposure(self, customer: UUID) -> Exposure:
        """What is open of this customer."""
        mine = [order for order in self.orders.values() if order.customer.customer_id == customer]
        uninvoiced = [
            order.gross - (order.invoiced - order.reduced)
            for order in mine
            if order.state in BOUND and order.invoiced_net - order.reduced_net < order.net
        ]
        for order in mine:
            if order.change is not None:
                claimed = order.invoiced - order.reduced
                more = order.change.gross - (claimed if order.gross < claimed else order.gross)
                uninvoiced.append(money(0) if more.amount < 0 else more)
        claims = [invoice for invoice, debtor in self.debtors.items() if debtor == customer]
        receivables = sum(max(0, self.open(invoice)) for invoice in claims)
        return Exposure(money(receivables), Money.total(uninvoiced, "EUR"))

    def open(self, invoice: UUID) -> int:
        """What an invoice claims."""
        signs = {"issued": 1, "allocated": -1, "credited": -1, "refunded": 1}
        return sum(signs[kind] * amount for (each, kind, _), amount in self.entries.items() if each == invoice)

    def collected(self, order_id: UUID) -> Money:
        """What is left of the money of an order's paid invoices."""
        paid = {invoice: amount for invoice, (of, amount) in self.paid.items() if of == order_id}
        sums = {invoice: Counter[str]() for invoice in paid}
        for (invoice, kind, _), amount in self.entries.items() if paid else ():
            if invoice in sums:
                sums[invoice][kind] += amount
        total = 0
        for invoice, amount in paid.items():
            of = sums[invoice]
            left = min(amount, of["issued"] - of["credited"]) if of["issued"] else amount
            again = of["issued"] - of["allocated"] - of["credited"] + of["refunded"] if of["refunded"] else 0
            total += max(0, left - max(0, again))
        return money(total)

    def _kept(self, order: Order) -> list[Shelf]:
        skus = {line.sku for line in self.lines[order.id]}
        return [shelf for sku, shelf in self.shelves.items() if sku in skus]

    def _reserve(self, order: Order, picks: Iterable[Pick]) -> None:
        for pick in picks:
            shelf = stock.reserve(self.shelves[pick.sku], pick.quantity)
            assert shelf.free >= 0, "a piece is two orders'"
            self.shelves[pick.sku] = shelf
            self.picks[order.id] = (*self.picks.get(order.id, ()), (pick, "reserved", None))

    def _save(self, before: Order, decision: Decision) -> None:
        order, changes = decision
        if order == before:
            return
        self._commit(order, changes)
        if order.state == "cancelled" != before.state or (
            fulfilment.knows_all_parts(order) and not fulfilment.knows_all_parts(before)
        ):
            self._end(order, "released", order.updated_at)
        self._end_wishes(before, order, now=order.updated_at)

    def _commit(self, order: Order, changes: list[StateChange]) -> None:
        self.orders[order.id] = order
        self.history[order.id] = (*self.history.get(order.id, ()), *changes)
        position = process.position(order)
        known = self.positions.get(order.id)
        if known is None or known[0] != position:
            told = sum(1 for key in self.late if key[:3] == (order.id, position.step, position.since))
            self.positions[order.id] = (position, told)
        for change in changes:
            if change.event is not None:
                self._tell(order, change.event)

    def _tell(self, order: Order, event: Event) -> None:
        lines, delta = getattr(event, "lines", ()), getattr(event, "delta", order.net)
        self.out.append(
            Told(
                event.TOPIC,
                order.id,
                order.external_ref,
                getattr(event, "change_id", None),
                tuple((line.sku, int(line.quantity)) for line in lines),
                int(delta.amount),
            )
        )

    def _end(self, order: Order, state: str, at: datetime) -> None:
        ended = []
        for pick, was, before in self.picks.get(order.id, ()):
            if was != "reserved":
                ended.append((pick, was, before))
                continue
            shelf = self.shelves[pick.sku]
            self.shelves[pick.sku] = (
                stock.consume(shelf, pick.quantity, at) if state == "consumed" else stock.release(shelf, pick.quantity)
            )
            ended.append((pick, state, at))
        if ended:
            self.picks[order.id] = tuple(ended)

    def _hand_over(self, order: Order, handover_id: UUID, pieces: Pieces, at: datetime, now: datetime) -> Decision:
        if handover_id in self.delivered:
            return order, []
        [(sku, quantity)] = pieces
        self.delivered[handover_id] = (order.id, sku, quantity)
        line = next(each for each in self.lines[order.id] if each.sku == sku)
        reserved = [pick for pick, state, _ in self.picks.get(order.id, ()) if state == "reserved"]
        for gone in stock.leaving(reserved, {line.line_id: Decimal(quantity)}):
            self.shelves[gone.sku] = stock.consume(self.shelves[gone.sku], gone.quantity, at)
            self._take_off(order, gone)
            self.picks[order.id] = (*self.picks[order.id], (gone, "consumed", at))
        percent = wishes.percent_of(self.lines[order.id], self._by_line(order, self.handed(order.id)))
        return fulfilment.hand_over(order, money(quantity * PRICE), percent, now)

    def _fit(self, order: Order) -> None:
        reserved = [pick for pick, state, _ in self.picks.get(order.id, ()) if state == "reserved"]
        gone = self._by_line(order, self.handed(order.id))
        for freed in stock.surplus(reserved, self.lines[order.id], gone):
            self.shelves[freed.sku] = stock.release(self.shelves[freed.sku], freed.quantity)
            self._take_off(order, freed)

    def _take_off(self, order: Order, gone: Pick) -> None:
        """So much is not reserved any more."""
        kept, rest = [], gone.quantity
        for pick, state, at in self.picks[order.id]:
            mine = state == "reserved" and pick.line_id == gone.line_id
            part = min(rest, pick.quantity) if mine else Decimal(0)
            rest -= part
            if pick.quantity > part:
                kept.append((replace(pick, quantity=pick.quantity - part), state, at))
        self.picks[order.id] = tuple(kept)

    def _end_wishes(self, before: Order, order: Order, now: datetime) -> None:
        """What became of the order as a whole is the answer to a wish."""
        for change in [each for each in self.changes.values() if each.order_id == order.id and each.state == "requested"]:
            whole = not change.effects.after
            if order.state == "cancelled":
                self.changes[change.id] = wishes.move(change, "granted" if whole else "refused", now)
            elif whole and before.state == "cancelling" != order.state:
                self.changes[change.id] = wishes.move(change, "refused", now)

    def handed(self, order_id: UUID) -> Counter[str]:
        """What was handed over in all, by product."""
        return self._moved(order_id, (1,))

    def has(self, order_id: UUID) -> Counter[str]:
        """What the customer has."""
        return self._moved(order_id, (1, -1))

    def _moved(self, order_id: UUID, signs: tuple[int, ...]) -> Counter[str]:
        moved = Counter[str]()
        for of, sku, quantity in self.delivered.values():
            if of == order_id and (1 if quantity > 0 else -1) in signs:
                moved[sku] += quantity
        return moved

    def _by_line(self, order: Order, pieces: Counter[str]) -> dict[UUID, Decimal]:
        return {line.line_id: Decimal(max(0, pieces[line.sku])) for line in self.lines[order.id]}

    def _facts(self, order: Order) -> Facts:
        account, _ = self.accounts.get(order.customer.customer_id, (None, None))
        return Facts(
            lines=self.lines[order.id],
            delivered=self._by_line(order, self.has(order.id)),
            reserved={},
            account=account,
            exposure=self.exposure(order.customer.customer_id),
            shelves=self._kept(order),
            rule=RULE,
        )
