"""What the world around order-svc says and does in a history: carts, facts, actions, and what became of an order out there."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from uuid import UUID

Kind = Literal[
    "counted",
    "limit",
    "promised",
    "progressed",
    "handed_over",
    "returned",
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
PRICE = 100
# With tax, which differs from product to product.
GROSS = {"A": 120, "B": 110, "C": 100}
SKUS = tuple(GROSS)
Pieces = tuple[tuple[str, int], ...]


def net_of(pieces: Pieces) -> int:
    return sum(PRICE * quantity for _, quantity in pieces)


def gross_of(pieces: Pieces) -> int:
    return sum(GROSS[sku] * quantity for sku, quantity in pieces)


@dataclass(frozen=True, slots=True)
class Cart:
    """A line for each product, so many pieces at 100 each, and tax."""

    ref: str
    customer: UUID
    lines: Pieces
    invoicing: Literal["on_delivery", "on_confirmation"]


@dataclass(frozen=True, slots=True)
class Fact:
    """An event for order-svc; the same id is the same event. `amount` is percent, money or a count of hand-overs.

    `pieces` were handed over, came back, are invoiced or credited, or what the customer has when a change is decided.
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
    pieces: Pieces = ()


@dataclass(frozen=True, slots=True)
class Action:
    """What reaches order-svc next. With `crash` it is killed before it commits.

    `quantity` is wished of the line of `sku`, 0 drops it; without a product the rest is cancelled.
    """

    verb: Verb
    now: datetime
    crash: bool = False
    cart: Cart | None = None
    fact: Fact | None = None
    order_id: UUID | None = None
    sku: str = ""
    quantity: int = 0


@dataclass(frozen=True, slots=True)
class Told:
    """An event of order-svc; with its lines, where it has them. `amount` is the net, of a change the delta."""

    topic: str
    order_id: UUID
    ref: str | None = None
    change_id: UUID | None = None
    lines: Pieces = ()
    amount: int = 0


@dataclass(slots=True)
class Bill:
    """An invoice of some pieces, and what became of it; `left` are those that were not credited."""

    pieces: Pieces
    left: dict[str, int]
    allocated: int = 0
    credited: int = 0
    refunded: int = 0
    paid: bool = False

    @property
    def amount(self) -> int:
        return gross_of(self.pieces)

    @property
    def open(self) -> int:
        """Below zero: credit on account."""
        return self.amount - self.allocated - self.credited + self.refunded


@dataclass(slots=True)
class Deal:
    """What really became of an order, outside of order-svc, by product.

    `ordered` is what delivery knows, `claimed` what billing does; `handed` what was handed over in all, `back` what of it came back,
    and `again` what of that is delivered once more.
    """

    cart: Cart
    ordered: dict[str, int] = field(default_factory=dict)
    claimed: dict[str, int] = field(default_factory=dict)
    handed: Counter[str] = field(default_factory=Counter)
    back: Counter[str] = field(default_factory=Counter)
    again: Counter[str] = field(default_factory=Counter)
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

    @property
    def due(self) -> dict[str, int]:
        """What delivery owes."""
        owed = {sku: quantity + self.again[sku] - self.handed[sku] for sku, quantity in self.ordered.items()}
        return {sku: quantity for sku, quantity in owed.items() if quantity}

    @property
    def has(self) -> dict[str, int]:
        """What the customer has."""
        return {sku: quantity - self.back[sku] for sku, quantity in self.handed.items() if quantity > self.back[sku]}
