"""A subscription that lives through days and wishes by the rules alone, and a second opinion of what was served."""

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any

from ltc_chassis.ids import new_id
from ltc_contracts.errors import DomainError
from ltc_contracts.events import Event, Line, SubscriptionRevenueMoved
from ltc_contracts.money import Money

from order_svc.domain import amendment, lapse, proration, renewal, suspension, termination
from order_svc.domain import lines as arithmetic
from order_svc.domain import subscription as rules
from order_svc.domain.amendment import When
from order_svc.domain.lapse import Standing
from order_svc.domain.recurring import Interval
from order_svc.domain.subscription import Purchase, Step, Subscription
from order_svc.domain.termination import CancelAt
from order_svc.tests.builders import a_customer


def agreed(lines: tuple[Line, ...], starts_on: date, **more: Any) -> Step:
    given: dict[str, Any] = {
        "subscription_id": new_id(),
        "flow_id": new_id(),
        "number": "S-2026-000001",
        "source": "test",
        "external_ref": "A-1",
        "contract_id": None,
        "customer": a_customer(),
        "lines": lines,
        "interval": Interval("month"),
        "starts_on": starts_on,
        "anchor_day": None,
        "terms": None,
        "notice_days": 0,
        "invoicing": "on_confirmation",
        "payment_terms_days": 14,
        "now": rules.beginning_of(starts_on),
    }
    return rules.agree(**given | more)


@dataclass
class Life:
    """One subscription, day by day. `served` says by which lines each day was served."""

    subscription: Subscription
    today: date
    orders: list[Purchase] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    served: dict[date, tuple[Line, ...]] = field(default_factory=dict)
    standing: list[Standing] = field(default_factory=list)
    free: Money = field(default_factory=lambda: Money.zero("EUR"))
    refused: int = 0

    @property
    def now(self) -> datetime:
        return rules.beginning_of(self.today) + timedelta(hours=9)

    def take(self, step: Step) -> None:
        before = self.subscription.version
        assert [fact.version for fact in step.facts] == list(range(before + 1, step.subscription.version + 1))
        self.subscription = step.subscription
        self.events += [fact.event for fact in step.facts if fact.event is not None]
        if step.purchase is not None:
            self.orders.append(step.purchase)
            bill = step.purchase.bill
            self.standing.append(
                Standing(
                    order_id=new_id(),
                    number="O-1",
                    period=step.purchase.period,
                    taken=bill.taken,
                    cost=proration.by_class(bill.lines),
                    without=step.purchase.without,
                )
            )

    def catch_up(self) -> None:
        while self.subscription.next_on is not None and self.subscription.next_on <= self.today:
            self.take(renewal.advance(self.subscription, self.now))

    def wait(self, days: int) -> None:
        """Days pass with a timer that runs at their beginnings."""
        for _ in range(days):
            self.catch_up()
            if self.subscription.state in rules.SERVED:
                self.served[self.today] = self.subscription.lines
            self.today += timedelta(days=1)
        self.catch_up()

    def wish(self, what: str, lines: tuple[Line, ...], when: When, at: CancelAt) -> None:
        """A wish of a person; what is not possible from here is refused."""
        subscription, now = self.subscription, self.now
        try:
            match what:
                case "change":
                    self.take(amendment.assess(subscription, lines, when, now).step)
                case "pause":
                    self.take(suspension.pause(subscription, "rest", now))
                case "resume":
                    self.take(suspension.resume(subscription, now))
                case "cancel":
                    self.take(termination.cancel(subscription, at, "enough", now))
                case "withdraw":
                    self.take(termination.withdraw(subscription, "stay", now))
        except DomainError:
            self.refused += 1

    def cancel_order(self, number: int) -> None:
        """One of the orders that stand is cancelled, 0 the last. What was served for it, and cannot be taken back, was `free`."""
        if not self.standing:
            return
        at = len(self.standing) - 1 - number % len(self.standing)
        order, later = self.standing[at], self.standing[at + 1 :]
        had = self.subscription.credit
        step, later = lapse.lapse(self.subscription, order, later, self.now)
        self.standing[at:] = later
        self.take(step)
        cost = proration.total(order.cost, "EUR")
        if order.spent:
            # What its money paid for meanwhile is served, or was.
            for key, amount in order.cost.items():
                self.free += max(amount - had.get(key, Money.zero("EUR")), Money.zero("EUR"))
        elif any(each.period.first > order.period.last for each in later):
            self.free += cost + proration.total(order.taken, "EUR")
        else:
            self.served = {day: lines for day, lines in self.served.items() if day < order.period.first}
            # What had been free may not be served any more; nothing else becomes free.
            free = self.worth() + self.subscription.balance - self.ordered
            assert Money.zero("EUR") <= free <= self.free
            self.free = free

    @property
    def ordered(self) -> Money:
        """What the orders that stand cost."""
        return Money.total((proration.total(each.cost, "EUR") for each in self.standing), "EUR")

    @property
    def moved(self) -> Money:
        moves = [event for event in self.events if isinstance(event, SubscriptionRevenueMoved)]
        return Money.total((event.delta for event in moves), self.subscription.currency)

    def worth(self) -> Money:
        """What was served or is paid for, by integers of cents: whole runs of days of the same line, each as the rule says."""
        days, subscription = dict(self.served), self.subscription
        if subscription.state in rules.SERVED and subscription.charged_until is not None:
            ahead = (subscription.charged_until - self.today).days + 1
            days |= {self.today + timedelta(days=n): subscription.lines for n in range(ahead)}
        total = 0
        for day, lines in days.items():
            whole = subscription.rhythm.period(day)
            offset = (day - whole.first).days
            for line in lines:
                cents = int(line.net.amount * 100)
                total += _cents(cents, offset + 1, whole.days) - _cents(cents, offset, whole.days)
        return Money.of(f"{total / 100:.2f}", subscription.currency)

    def check(self) -> None:
        """What holds at any time."""
        subscription = self.subscription
        assert self.ordered + self.free == self.worth() + subscription.balance
        assert self.free.amount >= 0
        # The credit is taken back from orders that charged it, none more than it charged; all of it unless something was served free.
        charged = [(each.order_id, each.cost) for each in reversed(self.standing)]
        owed = termination.owed(subscription.credit, charged)
        total = Money.total((part.net for part in owed), subscription.currency)
        assert total == subscription.balance if not self.free.amount else total <= subscription.balance
        costs = {(order, *key): amount for order, cost in charged for key, amount in cost.items()}
        assert all(part.net <= costs[part.order_id, part.tax_category, part.tax_rate.normalize()] for part in owed)
        assert all(amount.amount > 0 for amount in subscription.credit.values())
        assert subscription.mrr == self.moved
        serves = subscription.state in rules.SERVED
        assert subscription.mrr == (
            amendment.monthly_after(subscription, subscription.lines) if serves else Money.zero(subscription.currency)
        )
        assert (subscription.state == "ended") == (subscription.next_on is None and subscription.state != "paused")
        for order in self.orders:
            assert arithmetic.fault(subscription.customer, order.bill.lines, order.bill.net) is None
        renewals = [order.period for order in self.orders if order.kind == "renewal"]
        assert all(first.last < second.first for first, second in pairwise(renewals))
        assert len({order.external_ref for order in self.orders}) == len(self.orders)


def _cents(cents: int, days: int, of: int) -> int:
    """Half up."""
    return (2 * cents * days + of) // (2 * of)
