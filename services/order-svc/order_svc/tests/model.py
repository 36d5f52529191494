"""order-svc without a database: the same decisions by the same rules, over dictionaries that can be taken back."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from ltc_chassis.ids import new_id
from ltc_contracts.errors import DomainError
from ltc_contracts.events import Customer, Line

from order_svc.domain import acceptance, assessment, cancellation, credit, fulfilment, process, stock
from order_svc.domain import change as wishes
from order_svc.domain import hold as holds
from order_svc.domain import order as rules
from order_svc.domain.acceptance import Grounds
from order_svc.domain.assessment import Wish
from order_svc.domain.change import AssessmentNotFound, Change, ChangeNotAllowed, ChangeOutdated
from order_svc.domain.order import TRANSITIONS, ChangePending, Decision, Order, OrderNotKnownYet
from order_svc.domain.placement import Placement
from order_svc.domain.process import Policy
from order_svc.domain.stock import Shelf
from order_svc.tests.books import RULE, Books, money
from order_svc.tests.news import GROSS, PRICE, Action, Cart, Fact, Told, gross_of, net_of

TELL = Policy(timeout=timedelta(hours=72), attempts=3)
CANCEL = Policy(timeout=timedelta(hours=72), attempts=2, action="cancel")


class Model(Books):
    """Each `apply` is one transaction: all of it, or, when killed, nothing."""

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
            assert action.verb in {"cancel", "release", "hold", "assess", "confirm"}, action
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
                self._cancel(order, "changed my mind", now)
            elif action.verb == "assess":
                self._assess(order, self._wish(order, action), now)
            elif action.verb == "confirm":
                self._confirm(order, now)
            elif action.verb == "release":
                self._reconsider(order, now, by="ines")
            elif order.state == "held" and order.hold is not None and "manual" not in order.hold.reasons:
                self._save(order, holds.hold(order, (*order.hold.reasons, "manual"), "wait", now, wish="wait", by="ines"))

    def _check_out(self, cart: Cart, now: datetime) -> None:
        if cart.ref in self.refs:
            return
        lines = tuple(
            Line(
                line_id=new_id(),
                sku=sku,
                description=sku,
                quantity=Decimal(quantity),
                unit_price=money(PRICE),
                tax_rate=Decimal(GROSS[sku] - PRICE),
                net=money(quantity * PRICE),
            )
            for sku, quantity in cart.lines
        )
        placement = Placement(
            contract_id=new_id(),
            source="checkout",
            external_ref=cart.ref,
            customer=Customer(customer_id=cart.customer, name="Ada", country="DE"),
            lines=lines,
            net=money(net_of(cart.lines)),
            payment_terms_days=0,
            invoicing=cart.invoicing,
        )
        assert placement.fault is None
        received, changes = rules.receive(placement, order_id=new_id(), flow_id=new_id(), number=f"O-{cart.ref}", now=now)
        self.refs[cart.ref], self.lines[received.id] = received.id, lines
        (order, decided), verdict = acceptance.decide(received, lines, self._grounds(received), now)
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
        if fact.kind == "decided":
            self._answer(order, fact, now)
        else:
            self._save(order, self._decide(order, fact, now))

    def _decide(self, order: Order, fact: Fact, now: datetime) -> Decision:
        if fact.kind == "promised":
            return fulfilment.note_promise(order, fact.at, now)
        if fact.kind == "progressed":
            return fulfilment.progress(order, Decimal(fact.amount), now, fact.at)
        if fact.kind == "handed_over" and fact.subject is not None:
            return self._hand_over(order, fact.subject, fact.pieces, fact.at, now)
        if fact.kind == "returned" and fact.subject is not None:
            [(sku, quantity)] = fact.pieces
            self.delivered[fact.subject] = (order.id, sku, -quantity)
            return order, []
        if fact.kind == "completed":
            return fulfilment.fulfil(order, order.id, now, fact.at, handovers=fact.amount)
        if fact.kind == "cancelled":
            return cancellation.cancel(order, "stopped", now, fact.at)
        assert fact.subject is not None
        if fact.kind == "paid":
            self.paid[fact.subject] = (order.id, fact.amount)
            return fulfilment.settle(order, self.collected(order.id), now, fact.at)
        gross, net = money(gross_of(fact.pieces)), money(net_of(fact.pieces))
        self.entries[fact.subject, fact.kind, fact.id] = int(gross.amount) or fact.amount
        order = fulfilment.recount(order, self.collected(order.id), now)
        if fact.kind in {"issued", "credited"}:
            self.debtors[fact.subject] = order.customer.customer_id
        if fact.kind == "issued":
            return fulfilment.note_invoice(order, gross, net, fact.at, now)
        if fact.kind == "credited":
            return fulfilment.note_credit(order, gross, net, now, for_change=fact.yes)
        return order, []

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
            has = self.has(order_id)
            left = any(has[line.sku] < line.quantity for line in self.lines[order.id])
            if attempt + 1 == policy.attempts and policy.action == "cancel" and "cancelling" in TRANSITIONS[order.state] and left:
                self._cancel(told, "not paid", now)

    def _wish(self, order: Order, action: Action) -> Wish:
        if not action.sku:
            return Wish(kind="cancel")
        line_id = next((line.line_id for line in self.lines[order.id] if line.sku == action.sku), new_id())
        if not action.quantity:
            return Wish(kind="change", dropped=(line_id,))
        return Wish(kind="change", quantities={line_id: Decimal(action.quantity)})

    def _assess(self, order: Order, wish: Wish, now: datetime) -> Change:
        change = Change(
            id=new_id(),
            order_id=order.id,
            order_version=order.version,
            state="assessed",
            wish=wish,
            effects=assessment.assess(order, wish, self._facts(order), now),
            reason="changed my mind",
            assessed_by="ines",
            assessed_at=now,
            expires_at=now + timedelta(hours=24),
        )
        self.changes[change.id], self.assessed[order.id] = change, change.id
        return change

    def _confirm(self, order: Order, now: datetime) -> None:
        if order.id not in self.assessed:
            raise AssessmentNotFound(order.id)
        change = self.changes[self.assessed[order.id]]
        wishes.require_open(change, now)
        if order.change is not None:
            raise ChangePending(order)
        if self.lines[order.id] != change.effects.before:
            raise ChangeOutdated(order)
        wishes.require_same(change, order, assessment.assess(order, change.wish, self._facts(order), now))
        effects = change.effects
        if not effects.after:
            self.changes[change.id] = wishes.move(change, "granted" if order.state == "held" else "requested", now)
            self._save(order, cancellation.request_cancellation(order, "changed my mind", now))
        elif effects.path == "at_once":
            changed = wishes.become(order, effects.after, effects.requested_on, now)
            self.lines[order.id] = effects.after
            self.changes[change.id] = wishes.move(
                change, "granted", now, lines=effects.after, lines_version=changed.lines_version
            )
            if changed.gross > order.gross:
                changed = replace(changed, waived=changed.waived - {"credit", "stock"})
            decision, verdict = acceptance.decide(changed, effects.after, self._grounds(changed), now)
            self._save(order, decision)
            self._reserve(decision[0], verdict.picks)
        else:
            self._request(order, change, now)

    def _request(self, before: Order, change: Change, now: datetime) -> None:
        order, requested, told = wishes.request(before, change, "ines", now)
        self.changes[change.id] = requested
        self._reserve(order, assessment.more_picks(change.effects.before, change.effects.after, self._kept(order)))
        self._save(before, (order, []))
        self._tell(order, told)

    def _cancel(self, order: Order, reason: str, now: datetime) -> None:
        if order.state not in ("confirmed", "in_progress") or not +self.has(order.id):
            self._save(order, cancellation.request_cancellation(order, reason, now))
            return
        if order.change is not None:
            raise ChangePending(order)
        change = self._assess(order, Wish(kind="cancel"), now)
        if not change.effects.allowed:
            raise ChangeNotAllowed(change.effects)
        self._request(order, change, now)

    def _answer(self, before: Order, fact: Fact, now: datetime) -> None:
        assert fact.subject is not None
        change = self.changes[fact.subject]
        if not wishes.expects(before, change):
            return
        if fact.yes:
            there = dict(fact.pieces)
            delivered = {line.line_id: Decimal(there[line.sku]) for line in self.lines[before.id] if line.sku in there}
            order, change, told = wishes.grant(before, change, delivered, now.date(), fact.at, now)
            self.lines[order.id] = told.lines
        else:
            order, change = wishes.refuse(before, change, "too late", now)
        self.changes[change.id] = change
        self._fit(order)
        self._save(before, (order, []))
        if fact.yes:
            self._tell(order, told)
        self._save(order, fulfilment.close_when_done(order, now))
