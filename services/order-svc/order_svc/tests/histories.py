"""Whole histories of the suite around order-svc: shops, a warehouse, delivery, billing, people and time, in any interleaving.

A history decides what really happened (`Suite`) and what order-svc gets to hear of it: late, in any order, several times, and with
crashes before a commit, after which everything comes again. It is driven by `random` alone, so that a seed names a history; and it
does not know whether it talks to the model or to the service.
"""

from collections import Counter
from collections.abc import Generator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from uuid import UUID

from ltc_chassis.ids import new_id

from order_svc.tests.builders import NOW
from order_svc.tests.news import PRICE, SKUS, Action, Bill, Cart, Deal, Fact, Kind, Pieces, Told, Verb, gross_of


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
            self.limits[customer] = random.choice([250, 600, 1200, 2500])
            self._tell("limit", subject=customer, amount=self.limits[customer])
        for sku in SKUS:
            if random.random() < 0.8:
                self._restock(sku, random.randint(2, 8))
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
                for sku, quantity in deal.due.items() if deal.open else ():
                    self._hand_over(deal, sku, quantity)
            if not (self.news or self.unheard):
                return

    def _do(self, action: Action, *, crash: bool) -> Generator[Action, list[Told], None]:
        given = (action.cart, action.fact, action.order_id, action.sku, action.quantity)
        told = yield Action(action.verb, action.now, crash, *given)
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
            sku = random.choice(["", *(sku for sku, _ in self.deals[self.assessed[-1]].cart.lines)])
            return Action("assess", self.now, order_id=self.assessed[-1], sku=sku, quantity=random.choice([0, 1, 2, 3, 5]))
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
            tuple((sku, random.randint(1, 3)) for sku in random.sample(SKUS, random.choice([1, 1, 2, 3]))),
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
            if deal.has and deal.claimed == deal.ordered and self.random.random() < 0.25:
                self._send_back(deal)
            elif deal.open and deal.due:
                if self.random.random() < 0.3:
                    self._begin(deal)
                elif self.random.random() < 0.6:
                    sku, quantity = self.random.choice(list(deal.due.items()))
                    self._hand_over(deal, sku, self.random.randint(1, quantity))
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
            deal.confirmed, deal.ordered, deal.claimed = True, dict(heard.lines), dict(heard.lines)
            self._tell("promised", order_id)
            if deal.cart.invoicing == "on_confirmation":
                self._invoice(deal, heard.lines)
        elif heard.topic == "order.change_requested" and heard.change_id is not None:
            self._decide(deal, heard.change_id, dict(heard.lines))
        elif heard.topic == "order.changed" and deal.cart.invoicing == "on_confirmation":
            after, before = dict(heard.lines), deal.claimed
            more = tuple((sku, quantity - before.get(sku, 0)) for sku, quantity in after.items() if quantity > before.get(sku, 0))
            less = tuple((sku, quantity - after.get(sku, 0)) for sku, quantity in before.items() if quantity > after.get(sku, 0))
            deal.claimed = after
            if more:
                self._invoice(deal, more)
            self._credit(deal, less, change=True)
            deal.reduced += gross_of(less)
        elif heard.topic == "order.cancellation_requested":
            if not (deal.begun or deal.completed or deal.cancelled):
                deal.cancelled = True
                self._tell("cancelled", order_id)
        elif heard.topic == "order.cancelled":
            self._credit(deal, tuple((sku, quantity) for bill in deal.bills.values() for sku, quantity in bill.left.items()))

    def _begin(self, deal: Deal) -> None:
        deal.begun = True
        self._tell("progressed", self._id(deal), amount=self.random.choice([0, 10, 60]))

    def _hand_over(self, deal: Deal, sku: str, quantity: int) -> None:
        """A part of a line, or the rest. Its pieces are off the shelf; those beyond the order replace what came back."""
        deal.begun, order_id = True, self._id(deal)
        before, most = deal.handed[sku], deal.ordered[sku]
        deal.handed[sku] += quantity
        deal.handovers += 1
        self.pieces[sku] -= quantity
        self._tell("handed_over", order_id, subject=new_id(), pieces=((sku, quantity),))
        if deal.cart.invoicing == "on_delivery":
            self._invoice(deal, ((sku, quantity),))
        elif deal.handed[sku] > most:
            self._invoice(deal, ((sku, deal.handed[sku] - max(before, most)),))
        self._follow(deal)

    def _send_back(self, deal: Deal) -> None:
        """A part of a line comes back, for scrap, and is credited; while it is delivered still, perhaps to be replaced."""
        sku, most = self.random.choice(list(deal.has.items()))
        quantity = self.random.randint(1, most)
        deal.back[sku] += quantity
        if deal.open and self.random.random() < 0.8:
            deal.again[sku] += quantity
        self._tell("returned", self._id(deal), subject=new_id(), pieces=((sku, quantity),))
        self._credit(deal, ((sku, quantity),))

    def _follow(self, deal: Deal) -> None:
        if deal.due:
            self._tell(
                "progressed", self._id(deal), amount=deal.handed.total() * 100 // (deal.handed.total() + sum(deal.due.values()))
            )
            return
        deal.completed = True
        self._tell("completed", self._id(deal), amount=deal.handovers)

    def _decide(self, deal: Deal, change_id: UUID, wished: dict[str, int]) -> None:
        """Delivery answers a wish by what it has handed over by now; what came too late, or after something came back, is refused."""
        granted = deal.open and not deal.back and self.random.random() < 0.8
        if granted:
            kept = {sku: max(wished.get(sku, 0), deal.handed[sku]) for sku in {**deal.ordered, **wished}}
            deal.ordered = {sku: quantity for sku, quantity in kept.items() if quantity}
        self._tell("decided", self._id(deal), subject=change_id, pieces=tuple(deal.has.items()), yes=granted)
        if granted and not deal.due:
            self._follow(deal)

    def _invoice(self, deal: Deal, pieces: Pieces) -> None:
        invoice_id = new_id()
        deal.bills[invoice_id] = Bill(pieces, dict(pieces))
        self._tell("issued", self._id(deal), subject=invoice_id, pieces=pieces)

    def _credit(self, deal: Deal, pieces: Pieces, *, change: bool = False) -> None:
        """Take back so much of what was invoiced, and give back what was paid of it, or keep it on account."""
        rest = Counter[str]()
        for sku, quantity in pieces:
            rest[sku] += quantity
        for invoice_id, bill in deal.bills.items():
            part = tuple((sku, min(rest[sku], left)) for sku, left in bill.left.items() if rest[sku] and left)
            if part:
                for sku, quantity in part:
                    rest[sku] -= quantity
                    bill.left[sku] -= quantity
                bill.credited += gross_of(part)
                self._tell("credited", self._id(deal), subject=invoice_id, pieces=part, yes=change)
            if bill.open < 0 and self.random.random() < 0.5:
                # Else it stays as credit on account, and nothing is told of it.
                back = -bill.open
                bill.refunded += back
                self._tell("refunded", self._id(deal), subject=invoice_id, amount=back)
            self._settle_bill(deal, invoice_id)
        assert not rest.total(), "more was credited than was invoiced"

    def _pay(self, deal: Deal) -> None:
        due = [(invoice_id, bill) for invoice_id, bill in deal.bills.items() if bill.open > 0]
        if not due or deal.cancelled:
            return
        invoice_id, bill = self.random.choice(due)
        part = self.random.choice([min(PRICE, bill.open), bill.open])
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
        pieces: Pieces = (),
    ) -> None:
        self.now += timedelta(seconds=1)  # no two things happen at the same moment
        self.news.append(Fact(kind, new_id(), self.now, order_id, subject, sku, amount, yes, pieces))
