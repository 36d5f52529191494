"""Everything that can happen to a confirmed order, in any order of arrival, each fact once or more.

A world is what delivery and billing could really have decided: either completed (perhaps after progress, perhaps paid) or
cancelled (asked for first, and nothing begun). Which one it is never depends on the order in which the news arrives.
"""

from dataclasses import dataclass
from decimal import Decimal
from random import Random
from typing import Literal
from uuid import UUID

from hypothesis import strategies as st
from ltc_chassis.ids import new_id

Kind = Literal["ask", "progressed", "handed_over", "completed", "cancelled", "issued", "paid"]


WHOLE, PART = Decimal("1223.97"), Decimal("300.00")


@dataclass(frozen=True, slots=True)
class Fact:
    """`name` is the same for every repetition of a fact. `amount` is per cent, money, or the number of hand-overs."""

    kind: Kind
    name: str
    amount: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class World:
    """The facts in their order of arrival."""

    facts: list[Fact]
    outcome: Literal["completed", "cancelled"]
    paid: bool
    delivery_id: UUID

    @property
    def expected_collected(self) -> Decimal | None:
        each = {fact.name: fact.amount for fact in self.facts if fact.kind == "paid"}
        return sum(each.values(), Decimal(0)) if each else None

    @property
    def expected_state(self) -> str:
        if self.outcome == "cancelled":
            return "cancelled"
        return "closed" if self.paid else "fulfilled"

    @property
    def expected_topics(self) -> dict[str, int]:
        if self.outcome == "cancelled":
            return {"order.cancelled": 1}
        return {"order.fulfilled": 1, "order.closed": 1} if self.paid else {"order.fulfilled": 1}

    @property
    def expected_cancellation(self) -> str:
        return "granted" if self.outcome == "cancelled" else "refused"


def make_world(random: Random) -> World:
    """Drawn from `random` alone, so that a seed names a world."""
    outcome = random.choice(["completed", "cancelled"])
    facts: list[Fact] = []
    if outcome == "completed":
        handed = random.randint(0, 3)  # none: it is not told in parts, and invoiced as a whole
        facts.append(Fact("completed", "completed", Decimal(handed)))
        facts += [Fact("handed_over", f"handed-over-{number}", PART) for number in range(handed)]
        for number in range(random.randint(0, 3)):
            facts.append(Fact("progressed", f"progressed-{number}", Decimal(random.choice([0, 10, 40, 75, 100]))))
        if not handed:
            # Of an order of which the customer has a part already the rest is dropped by a change, which is another story.
            facts += [Fact("ask", f"ask-{number}") for number in range(random.randint(0, 2))]
    else:
        facts.append(Fact("cancelled", "cancelled"))
    paid = outcome == "completed" and random.random() < 0.6
    if outcome == "completed":
        invoices = [PART] * handed or [WHOLE]
        facts += [Fact("issued", f"issued-{number}", amount) for number, amount in enumerate(invoices)]
        # All but one of several may be paid; only all of them close the order.
        for number, amount in enumerate(invoices if paid else invoices[1:]):
            facts.append(Fact("paid", f"paid-{number}", amount))
    facts += [fact for fact in list(facts) for _ in range(random.choice([0, 0, 1, 2]))]
    random.shuffle(facts)
    if outcome == "cancelled":
        # Delivery cancels only what it was asked to: the request went out before the answer came in.
        facts = [Fact("ask", "ask"), *facts]
    return World(facts, "completed" if outcome == "completed" else "cancelled", paid, new_id())


def worlds() -> st.SearchStrategy[World]:
    """Worlds for hypothesis."""
    return st.randoms(use_true_random=False).map(make_world)
