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
    "counted", "limit", "promised", "progressed", "completed", "cancelled", "issued", "allocated", "paid", "credited", "refunded"
]
Verb = Literal["check_out", "fact", "cancel", "release", "hold", "look_again", "tell_late"]
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
    """An event for order-svc; the same id is the same event. `amount` is pieces, percent or money."""

    kind: Kind
    id: UUID
    at: datetime
    order_id: UUID | None = None
    subject: UUID | None = None
    sku: str = ""
    amount: int = 0


@dataclass(frozen=True, slots=True)
class Action:
    """What reaches order-svc next. With `crash` it is killed before it commits."""

    verb: Verb
    now: datetime
    crash: bool = False
    cart: Cart | None = None
    fact: Fact | None = None
    order_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """An event of order-svc."""

    topic: str
    order_id: UUID
    ref: str | None = None


@dataclass(slots=True)
class Deal:
    """What really became of an order, outside of order-svc."""

    cart: Cart
    confirmed: bool = False
    asked: bool = False
    begun: bool = False
    completed: bool = False
    cancelled: bool = False
    invoice: UUID | None = None
    allocated: int = 0
    credited: int = 0
    refunded: int = 0

    @property
    def paid(self) -> bool:
        return self.invoice is not None and self.allocated >= self.cart.amount


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
            open_deals = [deal for deal in self.deals.values() if deal.confirmed and not deal.completed and not deal.cancelled]
            for deal in open_deals:
                self._complete(deal)
            if not (self.news or self.unheard):
                return

    def _do(self, action: Action, *, crash: bool) -> Generator[Action, list[Told], None]:
        told = yield Action(action.verb, action.now, crash, action.cart, action.fact, action.order_id)
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
        choice = random.random()
        if choice < 0.22 or not known:
            if not self.carts or random.random() < 0.75:
                self.carts.append(self._cart())
            return Action("check_out", self.now, cart=random.choice(self.carts))
        if choice < 0.30:
            verb: Verb = random.choice(["cancel", "cancel", "release", "hold"])
            return Action(verb, self.now, order_id=random.choice(known))
        if choice < 0.38 or not self.news:
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
            if deal.confirmed and not deal.cancelled and not deal.completed:
                if self.random.random() < 0.4:
                    self._begin(deal)
                elif self.random.random() < 0.6:
                    self._complete(deal)
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
            deal.confirmed = True
            self._tell("promised", order_id)
            if deal.cart.invoicing == "on_confirmation":
                self._invoice(order_id)
        elif heard.topic == "order.cancellation_requested":
            if not (deal.begun or deal.completed or deal.cancelled):
                deal.cancelled = True
                self._tell("cancelled", order_id)
        elif heard.topic == "order.cancelled" and deal.invoice is not None:
            deal.credited = deal.cart.amount
            self._tell("credited", order_id, subject=deal.invoice, amount=deal.credited)
            if deal.allocated:
                deal.refunded = deal.allocated
                self._tell("refunded", order_id, subject=deal.invoice, amount=deal.refunded)

    def _begin(self, deal: Deal) -> None:
        deal.begun = True
        self._tell("progressed", self._id(deal), amount=self.random.choice([0, 10, 60]))

    def _complete(self, deal: Deal) -> None:
        deal.completed = True
        self.pieces[deal.cart.sku] -= deal.cart.quantity
        self._tell("completed", self._id(deal))
        if deal.cart.invoicing == "on_delivery":
            self._invoice(self._id(deal))

    def _invoice(self, order_id: UUID) -> None:
        deal = self.deals[order_id]
        deal.invoice = new_id()
        self._tell("issued", order_id, subject=deal.invoice, amount=deal.cart.amount)

    def _pay(self, deal: Deal) -> None:
        if deal.invoice is None or deal.paid or deal.credited:
            return
        part = self.random.choice([PRICE, deal.cart.amount - deal.allocated])
        deal.allocated += part
        self._tell("allocated", self._id(deal), subject=deal.invoice, amount=part)
        if deal.allocated >= deal.cart.amount:
            self._tell("paid", self._id(deal), subject=deal.invoice, amount=deal.cart.amount)

    def _restock(self, sku: str, pieces: int) -> None:
        """Pieces come, and all that lie there are counted."""
        self.pieces[sku] += pieces
        self.received[sku] += pieces
        self._tell("counted", sku=sku, amount=max(0, self.pieces[sku]))

    def _id(self, deal: Deal) -> UUID:
        return next(order_id for order_id, each in self.deals.items() if each is deal)

    def _tell(
        self, kind: Kind, order_id: UUID | None = None, *, subject: UUID | None = None, sku: str = "", amount: int = 0
    ) -> None:
        self.now += timedelta(seconds=1)  # no two things happen at the same moment
        self.news.append(Fact(kind, new_id(), self.now, order_id, subject, sku, amount))
