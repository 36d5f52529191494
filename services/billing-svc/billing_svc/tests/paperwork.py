"""billing-svc without a database: the documents of one order, by the same rules, and what really happened to it."""

from dataclasses import dataclass, field, replace
from decimal import Decimal
from random import Random
from typing import Any, Literal
from uuid import UUID

from ltc_chassis.ids import new_id
from ltc_contracts.events import DeliveryHandedOver, DeliveryReturned, Event, Line, OrderCancelled, OrderChanged, OrderConfirmed
from ltc_contracts.money import Money

from billing_svc.domain import billed_order as rules
from billing_svc.domain import credit_note, invoice
from billing_svc.domain import occasion as occasions
from billing_svc.domain.amounts import worth
from billing_svc.domain.billed_order import BilledOrder, Credit, Done, Fact
from billing_svc.domain.occasion import Occasion
from billing_svc.tests.builders import (
    NOW,
    amended,
    came_back,
    cancelled,
    confirmed,
    handed_over,
    line,
    order_changed,
    part,
    promised,
)

ZERO = Decimal(0)


class Paperwork:
    """What is made of each fact as it comes; every document keeps what is open of it at nothing or above."""

    def __init__(self, order_id: UUID) -> None:
        self.order = BilledOrder(order_id=order_id, flow_id=None)

    def take(self, event: Any) -> None:
        if isinstance(event, OrderConfirmed):
            if event.invoicing == "on_confirmation":
                self.order = replace(self.order, confirmed=event)
        elif isinstance(event, DeliveryHandedOver) and event.invoicing == "on_delivery":
            self._issue(occasions.of_handover(event))
        elif event.TOPIC == "delivery.promised":
            self.order = replace(self.order, delivery_id=event.delivery_id)
        else:
            self._know(event)
        self._settle()

    def _know(self, fact: Fact) -> None:
        order = replace(self.order, pending=self.order.pending | {rules.cause_of(fact)})
        if isinstance(fact, OrderChanged):
            self.order = replace(order, changes=(*order.changes, fact))
        elif isinstance(fact, OrderCancelled):
            self.order = replace(order, cancelled=fact)
        elif isinstance(fact, DeliveryHandedOver):
            self.order = replace(order, handovers=(*order.handovers, fact))
        elif isinstance(fact, DeliveryReturned):
            self.order = replace(order, returns=(*order.returns, fact))
        else:
            self.order = replace(order, given_back=(*order.given_back, fact))

    def _settle(self) -> None:
        for _ in range(20):
            steps = rules.next_steps(self.order)
            if not steps:
                return
            for step in steps:
                if isinstance(step, Occasion):
                    self._issue(step)
                elif isinstance(step, Credit):
                    self._credit(step)
            done = frozenset(step.cause_id for step in steps if isinstance(step, Done))
            self.order = replace(self.order, pending=self.order.pending - done)
        raise AssertionError("it never ends")

    def _issue(self, occasion: Occasion) -> None:
        made, _, _ = invoice.issue(occasion, invoice_id=new_id(), flow_id=new_id(), number="INV", now=NOW)
        self.order = replace(self.order, invoices=(*self.order.invoices, made))

    def _credit(self, credit: Credit) -> None:
        notes = self.order.notes
        for of, wanted in rules.share_out(credit, self.order.invoices, notes):
            earlier = [note for note in notes if note.invoice_id == of.id]
            lines = credit_note.everything(of, earlier) if wanted is None else credit_note.lines_of(of, earlier, wanted)
            made = credit_note.credit(
                of,
                earlier,
                lines,
                credit_id=new_id(),
                number="CN",
                reason=credit.reason,
                cause=credit.cause,
                cause_id=credit.cause_id,
                now=NOW,
            )
            assert made.invoice.open.amount >= 0
            invoices = tuple(made.invoice if each.id == of.id else each for each in self.order.invoices)
            self.order = replace(self.order, invoices=invoices, notes=(*self.order.notes, made.note))

    def claimed(self, line_id: UUID) -> Decimal:
        """Net, of all documents."""
        invoiced = sum((each.net.amount for made in self.order.invoices for each in made.lines if each.line_id == line_id), ZERO)
        return invoiced - sum((ln.net.amount for note in self.order.notes for ln in note.lines if ln.line_id == line_id), ZERO)


@dataclass(slots=True)
class Story:
    """What really happened to an order whose goods carry a discount, and the events that tell it, by topic in their order.

    A change keeps what was handed over, as delivery grants no other.
    """

    random: Random
    invoicing: Literal["on_delivery", "on_confirmation"]
    lines: dict[UUID, Line] = field(default_factory=dict)
    handed: dict[UUID, int] = field(default_factory=dict)
    back: dict[UUID, int] = field(default_factory=dict)
    replaced: dict[UUID, int] = field(default_factory=dict)
    topics: dict[str, list[Event]] = field(default_factory=dict)
    priced: dict[UUID, Line] = field(default_factory=dict)
    cancelled: bool = False
    order_id: UUID = field(default_factory=new_id)
    delivery_id: UUID = field(default_factory=new_id)

    def __post_init__(self) -> None:
        lines = [self._good() for _ in range(self.random.randint(1, 3))]
        self.lines = {each.line_id: each for each in lines}
        self.priced = dict(self.lines)
        self._tell(confirmed(*lines, order_id=self.order_id, invoicing=self.invoicing))
        self._tell(promised(self.order_id, delivery_id=self.delivery_id))
        if self.random.random() < 0.15:
            self.cancelled = True
            self._tell(cancelled(self.order_id, Money.total((each.net for each in lines), "EUR")))
            return
        for _ in range(self.random.randint(0, 7)):
            self.random.choice([self._hand_over, self._hand_over, self._return, self._change])()
        while any(self._due(each) for each in self.lines):
            self._hand_over()
        if self.random.random() < 0.2:
            # Everything comes back.
            for line_id in self.lines:
                self._send_back(line_id, self.has(line_id), again=False)

    def has(self, line_id: UUID) -> int:
        return self.handed.get(line_id, 0) - self.back.get(line_id, 0)

    def expected(self, line_id: UUID) -> Decimal:
        """What the customer has is worth."""
        return ZERO if self.cancelled else worth(self.priced[line_id], Decimal(self.has(line_id))).amount

    def arrivals(self) -> list[Event]:
        """Events of one topic stay in their order, as Kafka keeps it."""
        waiting, events = [list(each) for each in self.topics.values()], list[Event]()
        while any(waiting):
            events.append(self.random.choice([each for each in waiting if each]).pop(0))
        return events

    def _good(self) -> Line:
        """Goods as order-svc makes them of a contract with a discount: priced as a whole; or as they were signed."""
        rate, quantity = self.random.choice(["19", "7"]), str(self.random.randint(1, 6))
        price = Decimal(self.random.randint(0, 3000)) / 100
        made = line(str(price), quantity, self.random.choice(["0", "33"]), rate)
        if self.random.random() < 0.3:
            return made
        return amended(made, quantity, base_quantity=Decimal(quantity), discount_percent=ZERO)

    def _due(self, line_id: UUID) -> int:
        """Pieces that delivery still owes."""
        gone = self.handed.get(line_id, 0) - self.replaced.get(line_id, 0)
        return int(self.lines[line_id].quantity) - gone

    def _hand_over(self) -> None:
        due = [each for each in self.lines if self._due(each)]
        if not due:
            return
        line_id = self.random.choice(due)
        pieces = self.random.randint(1, self._due(line_id))
        handed = part(self.lines[line_id], str(pieces), str(self.has(line_id)))
        self.handed[line_id] = self.handed.get(line_id, 0) + pieces
        self._tell(handed_over(handed, **self._same()))

    def _return(self) -> None:
        there = [each for each in self.lines if self.has(each)]
        if there:
            line_id = self.random.choice(there)
            self._send_back(line_id, self.random.randint(1, self.has(line_id)), again=self.random.random() < 0.4)

    def _send_back(self, line_id: UUID, pieces: int, *, again: bool) -> None:
        """`again`: delivery replaces them."""
        if not pieces:
            return
        told = (self.lines[line_id], str(pieces), str(self.has(line_id)))
        self._tell(came_back(self.order_id, told, invoicing=self.invoicing))
        self.back[line_id] = self.back.get(line_id, 0) + pieces
        if again:
            self.replaced[line_id] = self.replaced.get(line_id, 0) + pieces

    def _change(self) -> None:
        """Another quantity, a line dropped, or one more; of what came back nothing is changed any more."""
        before, after = list(self.lines.values()), dict(self.lines)
        still = [each for each in self.lines if not self.back.get(each)]
        if self.random.random() < 0.3 or not still:
            new = self._good()
            after[new.line_id] = self.priced[new.line_id] = new
        else:
            line_id = self.random.choice(still)
            quantity = self.random.randint(self.handed.get(line_id, 0), 8)
            if quantity:
                after[line_id] = amended(self.lines[line_id], str(quantity))
            elif len(after) > 1:
                del after[line_id]
        if list(after.values()) == before:
            return
        self.lines = after
        self._tell(order_changed(self.order_id, before, list(after.values()), invoicing=self.invoicing))

    def _same(self) -> dict[str, Any]:
        return {"order_id": self.order_id, "delivery_id": self.delivery_id, "invoicing": self.invoicing}

    def _tell(self, event: Event) -> None:
        self.topics.setdefault(event.TOPIC, []).append(event)
