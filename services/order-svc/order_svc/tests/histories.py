"""Whole histories of the suite around order-svc: shops, a warehouse, delivery, billing, people and time, in any interleaving.

A history decides what really happened (`Suite`) and what order-svc gets to hear of it: late, in any order, several times, and with
crashes before a commit, after which everything comes again. It is driven by `random` alone, so that a seed names a history; and it
does not know whether it talks to the model or to the service.
"""

from collections.abc import Generator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Literal
from uuid import UUID

from ltc_chassis.ids import new_id

from order_svc.tests.builders import NOW

Kind = Literal[
    "counted",
    "limit",
    "promised",
    "progressed",
    "handed_over",
    "decided",
    "completed",
    "cancelled",
    "issued",
    "allocated",
    "paid",
    "credited",
    "refunded",
]
Verb = Literal["check_out", "fact", "cancel", "release", "hold", "assess", "confirm", "look_again", "tell_late"]
SKUS = ("A", "B")
PRICE = 100


@dataclass(frozen=True, slots=True)
class Cart:
    """So many pieces at 100 each, without tax."""

    ref: str
    customer: UUID
    sku: str
    quantity: int
    invoicing: Literal["on_delivery", "on_confirmation"]

    @property
    def amount(self) -> int:
        return self.quantity * PRICE


@dataclass(frozen=True, slots=True)
class Fact:
    """An event for order-svc; the same id is the same event. `amount` is pieces, percent or money.

    `yes`: a change is granted; a credit note is for a change.
    """

    kind: Kind
    id: UUID
    at: datetime
    order_id: UUID | None = None
    subject: UUID | None = None
    sku: str = ""
    amount: int = 0
    yes: bool = False


@dataclass(frozen=True, slots=True)
class Action:
    """What reaches order-svc next. With `crash` it is killed before it commits. `quantity` is wished of the line; 0: cancel the rest."""

    verb: Verb
    now: datetime
    crash: bool = False
    cart: Cart | None = None
    fact: Fact | None = None
    order_id: UUID | None = None
    quantity: int = 0


@dataclass(frozen=True, slots=True)
class Told:
    """An event of order-svc; with lines: how many pieces they are. `amount` is the net, of a change the delta."""

    topic: str
    order_id: UUID
    ref: str | None = None
    change_id: UUID | None = None
    quantity: int = 0
    amount: int = 0


@dataclass(slots=True)
class Bill:
    """An invoice, and what became of it."""

    amount: int
    allocated: int = 0
    credited: int = 0
    refunded: int = 0
    paid: bool = False

    @property
    def open(self) -> int:
        """Below zero: credit on account."""
        return self.amount - self.allocated - self.credited + self.refunded


@dataclass(slots=True)
class Deal:
    """What really became of an order, outside of order-svc: `quantity` is what is to be delivered, `handed` what was."""

    cart: Cart
    quantity: int = 0
    handed: int = 0
    handovers: int = 0
    confirmed: bool = False
    asked: bool = False
    begun: bool = False
    completed: bool = False
    cancelled: bool = False
    bills: dict[UUID, Bill] = field(default_factory=dict)
    reduced: int = 0

    @property
    def paid(self) -> bool:
        return bool(self.bills) and all(bill.paid for bill in self.bills.values())

    @property
    def open(self) -> bool:
        return self.confirmed and not self.completed and not self.cancelled


@dataclass(slots=True)
class Suite:
    """The truth, and the news that are under way."""

    random: Random
    now: datetime = NOW
    limits: dict[UUID, int] = field(default_factory=dict)
    pieces: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SKUS, 0))
    received: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SKUS, 0))
    carts: list[Cart] = field(default_factory=list)
    deals: dict[UUID, Deal] = field(default_factory=dict)
    news: list[Fact] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)
    unheard: list[Told] = field(default_factory=list)
    assessed: list[UUID] = field(default_factory=list)

    def history(self, length: int) -> Generator[Action, list[Told], None]:
        """Actions; what order-svc told in answer is sent in."""
        random = self.random
        for customer in (new_id(), new_id()):
            self.limits[customer] = random.choice([200, 500, 900])
            self._tell("limit", subject=customer, amount=self.limits[customer])
        for sku in SKUS:
            if random.random() < 0.8:
                self._restock(sku, random.randint(1, 6))
        for _ in range(length):
            self.now += timedelta(hours=random.choice([0, 1, 5, 60]))
            self._world_goes_on()
            yield from self._do(self._next(), crash=random.random() < 0.15)
        if random.random() < 0.6:
            for customer in self.limits:
                self._tell("limit", subject=customer, amount=100_000)
            for sku in SKUS:
                self._restock(sku, 50)
        yield from self._settle()

    def _settle(self) -> Generator[Action, list[Told], None]:
        """All that is under way arrives, and delivery and billing do what they have to."""
        while True:
            while self.news or self.unheard:
                if self.unheard:
                    self._others_hear()
                if self.news:
                    yield from self._do(self._deliver(again=0.1), crash=False)
            yield from self._do(Action("look_again", self.now), crash=False)
            for deal in self.deals.values():
                if deal.open:
                    self._hand_over(deal, deal.quantity - deal.handed)
            if not (self.news or self.unheard):
                return

    def _do(self, action: Action, *, crash: bool) -> Generator[Action, list[Told], None]:
        told = yield Action(action.verb, action.now, crash, action.cart, action.fact, action.order_id, action.quantity)
        if crash:
            if action.fact is not None:
                self.news.append(action.fact)
            return
        self.told += told
        self.unheard += told
        for each in told:
            if each.topic == "order.received":
                self.deals[each.order_id] = Deal(next(cart for cart in self.carts if cart.ref == each.ref))

    def _next(self) -> Action:
        random = self.random
        known = list(self.deals)
        if self.assessed and random.random() < 0.5:
            # Soon, or when it is too late.
            return Action("confirm", self.now, order_id=self.assessed.pop(random.choice([-1, -1, 0])))
        choice = random.random()
        if choice < 0.22 or not known:
            if not self.carts or random.random() < 0.75:
                self.carts.append(self._cart())
            return Action("check_out", self.now, cart=random.choice(self.carts))
        if choice < 0.30:
            verb: Verb = random.choice(["cancel", "cancel", "release", "hold"])
            return Action(verb, self.now, order_id=random.choice(known))
        if choice < 0.37:
            self.assessed.append(random.choice(known))
            return Action("assess", self.now, order_id=self.assessed[-1], quantity=random.choice([0, 1, 2, 3, 5]))
        if choice < 0.44 or not self.news:
            return Action(random.choice(["look_again", "tell_late"]), self.now)
        return self._deliver(again=0.25)

    def _deliver(self, *, again: float) -> Action:
        fact = self.news.pop(self.random.randrange(len(self.news)))
        if self.random.random() < again:
            self.news.append(fact)
        return Action("fact", self.now, fact=fact)

    def _cart(self) -> Cart:
        random = self.random
        return Cart(
            f"W-{len(self.carts)}",
            random.choice(list(self.limits)),
            random.choice(SKUS),
            random.randint(1, 3),
            random.choice(["on_delivery", "on_delivery", "on_confirmation"]),
        )

    def _world_goes_on(self) -> None:
        """One thing happens out there, perhaps."""
        choice, deals = self.random.random(), list(self.deals.values())
        if choice < 0.5 and self.unheard:
            self._others_hear()
        elif choice < 0.55:
            self._restock(self.random.choice(SKUS), self.random.randint(0, 3))
        elif choice < 0.85 and deals:
            deal = self.random.choice(deals)
            if deal.open and deal.handed < deal.quantity:
                if self.random.random() < 0.3:
                    self._begin(deal)
                elif self.random.random() < 0.6:
                    self._hand_over(deal, self.random.randint(1, deal.quantity - deal.handed))
        elif deals:
            self._pay(self.random.choice(deals))

    def _others_hear(self) -> None:
        """Delivery and billing hear one thing that order-svc told; per order in its order, as of one flow."""
        index = self.random.randrange(len(self.unheard))
        order_id = self.unheard[index].order_id
        index = next(i for i, each in enumerate(self.unheard) if each.order_id == order_id)
        heard = self.unheard.pop(index)
        deal = self.deals[order_id]
        if heard.topic == "order.confirmed" and not deal.confirmed:
            deal.confirmed, deal.quantity = True, heard.quantity
            self._tell("promised", order_id)
            if deal.cart.invoicing == "on_confirmation":
                self._invoice(deal, heard.quantity * PRICE)
        elif heard.topic == "order.change_requested" and heard.change_id is not None:
            self._decide(deal, heard.change_id, heard.quantity)
        elif heard.topic == "order.changed" and deal.cart.invoicing == "on_confirmation":
            if heard.amount > 0:
                self._invoice(deal, heard.amount)
            else:
                deal.reduced += self._credit(deal, -heard.amount, change=True)
        elif heard.topic == "order.cancellation_requested":
            if not (deal.begun or deal.completed or deal.cancelled):
                deal.cancelled = True
                self._tell("cancelled", order_id)
        elif heard.topic == "order.cancelled":
            self._credit(deal, sum(bill.amount - bill.credited for bill in deal.bills.values()))

    def _begin(self, deal: Deal) -> None:
        deal.begun = True
        self._tell("progressed", self._id(deal), amount=self.random.choice([0, 10, 60]))

    def _hand_over(self, deal: Deal, pieces: int) -> None:
        """A part, or the rest. Its pieces are off the shelf."""
        deal.begun, order_id = True, self._id(deal)
        deal.handed += pieces
        deal.handovers += 1
        self.pieces[deal.cart.sku] -= pieces
        self._tell("handed_over", order_id, subject=new_id(), amount=pieces)
        if deal.cart.invoicing == "on_delivery":
            self._invoice(deal, pieces * PRICE)
        self._follow(deal)

    def _follow(self, deal: Deal) -> None:
        if deal.handed < deal.quantity:
            self._tell("progressed", self._id(deal), amount=deal.handed * 100 // deal.quantity)
            return
        deal.completed = True
        self._tell("completed", self._id(deal), amount=deal.handovers)

    def _decide(self, deal: Deal, change_id: UUID, quantity: int) -> None:
        """Delivery answers a wish by what it has handed over by now; what came too late is refused."""
        granted = deal.open and self.random.random() < 0.8
        if granted:
            deal.quantity = max(quantity, deal.handed)
        self._tell("decided", self._id(deal), subject=change_id, amount=deal.handed, yes=granted)
        if granted and deal.handed == deal.quantity:
            self._follow(deal)

    def _invoice(self, deal: Deal, amount: int) -> None:
        invoice_id = new_id()
        deal.bills[invoice_id] = Bill(amount)
        self._tell("issued", self._id(deal), subject=invoice_id, amount=amount)

    def _credit(self, deal: Deal, amount: int, *, change: bool = False) -> int:
        """Take back so much of what was invoiced, and give back what was paid of it; how much it was."""
        rest = amount
        for invoice_id, bill in deal.bills.items():
            part = min(rest, bill.amount - bill.credited)
            if part:
                rest -= part
                bill.credited += part
                self._tell("credited", self._id(deal), subject=invoice_id, amount=part, yes=change)
            if bill.open < 0 and self.random.random() < 0.5:
                # Else it stays as credit on account, and nothing is told of it.
                back = -bill.open
                bill.refunded += back
                self._tell("refunded", self._id(deal), subject=invoice_id, amount=back)
            self._settle_bill(deal, invoice_id)
        return amount - rest

    def _pay(self, deal: Deal) -> None:
        due = [(invoice_id, bill) for invoice_id, bill in deal.bills.items() if bill.open > 0]
        if not due or deal.cancelled:
            return
        invoice_id, bill = self.random.choice(due)
        part = self.random.choice([PRICE, bill.open])
        bill.allocated += part
        self._tell("allocated", self._id(deal), subject=invoice_id, amount=part)
        self._settle_bill(deal, invoice_id)

    def _settle_bill(self, deal: Deal, invoice_id: UUID) -> None:
        """Said once of each invoice of which nothing is open any more, by money or because it was taken back."""
        bill = deal.bills[invoice_id]
        if bill.open <= 0 and not bill.paid:
            bill.paid = True
            self._tell("paid", self._id(deal), subject=invoice_id, amount=bill.amount - bill.credited)

    def _restock(self, sku: str, pieces: int) -> None:
        """Pieces come, and all that lie there are counted."""
        self.pieces[sku] += pieces
        self.received[sku] += pieces
        self._tell("counted", sku=sku, amount=max(0, self.pieces[sku]))

    def _id(self, deal: Deal) -> UUID:
        return next(order_id for order_id, each in self.deals.items() if each is deal)

    def _tell(
        self,
        kind: Kind,
        order_id: UUID | None = None,
        *,
        subject: UUID | None = None,
        sku: str = "",
        amount: int = 0,
        yes: bool = False,
    ) -> None:
        self.now += timedelta(seconds=1)  # no two things happen at the same moment
        self.news.append(Fact(kind, new_id(), self.now, order_id, subject, sku, amount, yes))
