"""order-svc without a database: the same decisions by the same rules, over dictionaries that can be taken back."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from ltc_chassis.ids import new_id
from ltc_contracts.errors import DomainError
from ltc_contracts.events import Customer, Line
from ltc_contracts.money import Money

from order_svc.domain import acceptance, cancellation, credit, fulfilment, process, stock
from order_svc.domain import hold as holds
from order_svc.domain import order as rules
from order_svc.domain.acceptance import Grounds
from order_svc.domain.credit import Account, Exposure
from order_svc.domain.order import BOUND, TRANSITIONS, Change, Decision, Order, OrderNotKnownYet, PromiseRule
from order_svc.domain.placement import Placement
from order_svc.domain.process import Policy, Position
from order_svc.domain.stock import Pick, Shelf
from order_svc.tests.histories import PRICE, Action, Cart, Fact, Told

RULE = PromiseRule(lead_days=14)
TELL = Policy(timeout=timedelta(hours=72), attempts=3)
CANCEL = Policy(timeout=timedelta(hours=72), attempts=2, action="cancel")


def money(amount: int) -> Money:
    return Money.of(amount, "EUR")


class Model:
    """Each `apply` is one transaction: all of it, or, when killed, nothing."""

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
        self.history: dict[UUID, tuple[Change, ...]] = {}
        self.late: dict[tuple[UUID, str, datetime, int], int] = {}
        self.out: list[Told] = []

    def apply(self, action: Action) -> list[Told]:
        """What is told by the commit."""
        tables = [name for name in vars(self) if name != "out"]
        before = {name: dict(getattr(self, name)) for name in tables} if action.crash else {}
        self.out = []
        try:
            self._do(action)
        except OrderNotKnownYet:
            raise  # a fact of ours is never about an order that we did not tell
        except DomainError:
            assert action.verb in {"cancel", "release", "hold"}, action
        if action.crash:
            for name, table in before.items():
                setattr(self, name, table)
            return []
        return self.out

    def _do(self, action: Action) -> None:
        now = action.now
        if action.verb == "check_out" and action.cart is not None:
            self._check_out(action.cart, now)
        elif action.verb == "fact" and action.fact is not None:
            if action.fact.id not in self.inbox:
                self.inbox[action.fact.id] = True
                self._take(action.fact, now)
        elif action.verb == "look_again":
            for order_id in sorted(order.id for order in self.orders.values() if order.state == "held"):
                self._reconsider(self.orders[order_id], now)
        elif action.verb == "tell_late":
            self._tell_late(now)
        elif action.order_id is not None:
            order = self.orders[action.order_id]
            if action.verb == "cancel":
                self._save(order, cancellation.request_cancellation(order, "changed my mind", now))
            elif action.verb == "release":
                self._reconsider(order, now, by="ines")
            elif order.state == "held" and order.hold is not None and "manual" not in order.hold.reasons:
                self._save(order, holds.hold(order, (*order.hold.reasons, "manual"), "wait", now, wish="wait", by="ines"))

    def _check_out(self, cart: Cart, now: datetime) -> None:
        if cart.ref in self.refs:
            return
        line = Line(
            line_id=new_id(),
            sku=cart.sku,
            description=cart.sku,
            quantity=Decimal(cart.quantity),
            unit_price=money(PRICE),
            tax_rate=Decimal(0),
            net=money(cart.amount),
        )
        placement = Placement(
            contract_id=new_id(),
            source="checkout",
            external_ref=cart.ref,
            customer=Customer(customer_id=cart.customer, name="Ada", country="DE"),
            lines=(line,),
            net=line.net,
            payment_terms_days=0,
            invoicing=cart.invoicing,
        )
        assert placement.fault is None
        received, changes = rules.receive(placement, order_id=new_id(), flow_id=new_id(), number=f"O-{cart.ref}", now=now)
        self.refs[cart.ref], self.lines[received.id] = received.id, (line,)
        (order, decided), verdict = acceptance.decide(received, (line,), self._grounds(received), now)
        self._commit(order, [*changes, *decided])
        self._reserve(order, verdict.picks)

    def _reconsider(self, before: Order, now: datetime, by: str | None = None) -> None:
        order = before if by is None else holds.waive(before)
        lines = self.lines[order.id]
        decision, verdict = acceptance.decide(order, lines, self._grounds(order), now, by=by)
        self._save(before, decision)
        if decision[0].state == "confirmed":
            self._reserve(decision[0], verdict.picks)

    def _grounds(self, order: Order) -> Grounds:
        account, _ = self.accounts.get(order.customer.customer_id, (None, None))
        wish = order.hold.wish if order.hold else None
        return Grounds(
            rule=RULE, account=account, exposure=self.exposure(order.customer.customer_id), shelves=self._kept(order), wish=wish
        )

    def exposure(self, customer: UUID) -> Exposure:
        """What is open of this customer."""
        mine = [order for order in self.orders.values() if order.customer.customer_id == customer]
        uninvoiced = [order.gross - order.invoiced for order in mine if order.state in BOUND and order.invoiced_net < order.net]
        claims = [invoice for invoice, debtor in self.debtors.items() if debtor == customer]
        receivables = sum(max(0, self.open(invoice)) for invoice in claims)
        return Exposure(money(receivables), Money.total(uninvoiced, "EUR"))

    def open(self, invoice: UUID) -> int:
        """What an invoice claims."""
        signs = {"issued": 1, "allocated": -1, "credited": -1, "refunded": 1}
        return sum(signs[kind] * amount for (each, kind, _), amount in self.entries.items() if each == invoice)

    def _kept(self, order: Order) -> list[Shelf]:
        skus = {line.sku for line in self.lines[order.id]}
        return [shelf for sku, shelf in self.shelves.items() if sku in skus]

    def _reserve(self, order: Order, picks: Iterable[Pick]) -> None:
        for pick in picks:
            assert order.id not in self.picks, "reserved twice"
            shelf = stock.reserve(self.shelves[pick.sku], pick.quantity)
            assert shelf.free >= 0, "a piece is two orders'"
            self.shelves[pick.sku] = shelf
            self.picks[order.id] = (*self.picks.get(order.id, ()), (pick, "reserved", None))

    def _take(self, fact: Fact, now: datetime) -> None:
        if fact.kind == "counted":
            known = self.shelves.get(fact.sku)
            left = Decimal(0)
            for picks in self.picks.values():
                for pick, state, ended in picks:
                    if pick.sku == fact.sku and state == "consumed" and ended is not None and ended > fact.at:
                        left += pick.quantity
            told = Shelf(sku=fact.sku, site="MUC", on_hand=Decimal(fact.amount), as_of=fact.at)
            self.shelves[fact.sku] = stock.count(known, told, left) or self.shelves[fact.sku]
            return
        if fact.kind == "limit":
            assert fact.subject is not None
            account, at = self.accounts.get(fact.subject, (None, None))
            if at is None or fact.at > at:
                limits = {"EUR": money(fact.amount)}
                changed = credit.change(account, fact.subject, blocked=False, limits=limits, payment_terms_days=None)
                self.accounts[fact.subject] = (changed, fact.at)
            return
        assert fact.order_id is not None
        order = self.orders.get(fact.order_id)
        if order is None:
            raise OrderNotKnownYet(fact.order_id)
        self._save(order, self._decide(order, fact, now))

    def _decide(self, order: Order, fact: Fact, now: datetime) -> Decision:
        if fact.kind == "promised":
            return fulfilment.note_promise(order, fact.at, now)
        if fact.kind == "progressed":
            return fulfilment.progress(order, Decimal(fact.amount), now)
        if fact.kind == "completed":
            return fulfilment.fulfil(order, order.id, now, fact.at)
        if fact.kind == "cancelled":
            return cancellation.cancel(order, "stopped", now, fact.at)
        if fact.kind == "paid":
            return fulfilment.settle(order, money(fact.amount), now, fact.at)
        assert fact.subject is not None
        self.entries[fact.subject, fact.kind, fact.id] = fact.amount
        if fact.kind in {"issued", "credited"}:
            self.debtors[fact.subject] = order.customer.customer_id
        if fact.kind == "issued":
            return fulfilment.note_invoice(order, money(fact.amount), money(fact.amount), fact.at, now)
        return fulfilment.note_credit(order, money(fact.amount), now) if fact.kind == "credited" else (order, [])

    def _tell_late(self, now: datetime) -> None:
        for order_id, (position, attempt) in list(self.positions.items()):
            policy = CANCEL if position.step == "collect" else TELL
            deadline = process.deadline(position.since, policy, attempt)
            if position.step in process.ENDS or deadline is None or deadline > now:
                continue
            order = self.orders[order_id]
            key = (order_id, position.step, position.since, attempt + 1)
            self.late[key] = self.late.get(key, 0) + 1
            self.positions[order_id] = (position, attempt + 1)
            told = rules.touch(order, now)
            self.orders[order_id] = told
            if attempt + 1 == policy.attempts and policy.action == "cancel" and "cancelling" in TRANSITIONS[order.state]:
                self._save(told, cancellation.request_cancellation(told, "not paid", now))

    def _save(self, before: Order, decision: Decision) -> None:
        order, changes = decision
        if order == before:
            return
        self._commit(order, changes)
        if order.state == "cancelled" != before.state:
            self._end(order, "released", order.updated_at)
        elif before.milestones.delivered_at is None and order.milestones.delivered_at is not None:
            self._end(order, "consumed", order.milestones.delivered_at)

    def _commit(self, order: Order, changes: list[Change]) -> None:
        self.orders[order.id] = order
        self.history[order.id] = (*self.history.get(order.id, ()), *changes)
        position = process.position(order)
        known = self.positions.get(order.id)
        if known is None or known[0] != position:
            told = sum(1 for key in self.late if key[:3] == (order.id, position.step, position.since))
            self.positions[order.id] = (position, told)
        for change in changes:
            if change.event is not None:
                self.out.append(Told(change.event.TOPIC, order.id, order.external_ref))

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
