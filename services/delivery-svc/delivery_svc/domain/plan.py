"""The plan of a delivery: how much of each line is wanted, went and came back, and the steps that lead there.

A line's steps are chains of work (`production`, `shipment` before an installation) that end in what hands over: a shipment, an
installation, a period of service, or milestones that share the line's quantity. Quantities are in the unit of the line.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import ROUND_DOWN, Context, Decimal, localcontext
from typing import Literal
from uuid import UUID

from ltc_contracts.events import Line
from ltc_contracts.money import Money

Kind = Literal["shipment", "installation", "milestone", "production", "period"]
StepState = Literal["planned", "in_progress", "done", "cancelled"]
TRANSITIONS: dict[StepState, frozenset[StepState]] = {
    "planned": frozenset({"in_progress", "done", "cancelled"}),
    # What was begun and is not wanted any more ends with what is done of it, or is cancelled with nothing.
    "in_progress": frozenset({"in_progress", "done", "cancelled"}),
    "done": frozenset(),
    "cancelled": frozenset(),
}
OPEN_STEP: frozenset[StepState] = frozenset({"planned", "in_progress"})
NONE = Decimal(0)
# Wide enough for 20 digits x 19 x 9 and one division, as in the arithmetic of priced lines (RULES 4).
_EXACT = Context(prec=80)


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """How much more, or less, than ordered may be delivered, in per cent of the line; `charge_over`: what is more is paid."""

    over_percent: Decimal = NONE
    under_percent: Decimal = NONE
    charge_over: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedLine:
    """A line as it is wanted now, and what happened to it. Of what was `returned` so much as is `replaced` is delivered again.

    `rule` is the fulfilment rule that planned it; `handed_net` what the parts that were `handed_over` were worth, each as it went, in the
    line's currency.
    """

    line: Line
    position: int
    handed_over: Decimal = NONE
    handed_net: Decimal = NONE
    returned: Decimal = NONE
    replaced: Decimal = NONE
    closed: bool = False
    dropped: bool = False
    allowance: Allowance = Allowance()
    rule: str | None = None
    rule_version: int | None = None

    @property
    def id(self) -> UUID:
        return self.line.line_id

    @property
    def held(self) -> Decimal:
        """What the customer has."""
        return self.handed_over - self.returned

    @property
    def due(self) -> Decimal:
        """All that is ever to be handed over."""
        return self.line.quantity + self.replaced

    @property
    def surplus(self) -> Decimal:
        """By how much all that went is worth more than what is ordered, below zero: less."""
        return self.handed_net - (NONE if self.dropped else self.line.net.amount)

    @property
    def left(self) -> Decimal:
        """What is still to be handed over."""
        return NONE if self.closed or self.dropped else max(NONE, self.due - self.handed_over)

    @property
    def most(self) -> Decimal:
        """What may still be handed over, with the allowance."""
        return self.due + self.line.quantity * self.allowance.over_percent / 100 - self.handed_over

    @property
    def short(self) -> Decimal:
        """What may be missing at the end."""
        return self.line.quantity * self.allowance.under_percent / 100

    def worth(self, quantity: Decimal) -> Money:
        """The net of so much of the line: the line's own from its quantity on, so that parts add up to it to the cent (RULES 4).

        What is beyond the line is worth nothing, unless it is charged.
        """
        line = self.line
        if quantity <= 0:
            return Money.zero(line.net.currency)
        if quantity >= line.quantity and not (self.allowance.charge_over and quantity > line.quantity):
            return line.net
        with localcontext(_EXACT):
            exact = quantity * line.unit_price.amount * (100 - line.discount_percent) / (line.base_quantity * 100)
            return Money.rounded(exact, line.net.currency)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing to do for a line; it takes so many working `days` and is done by `planned_on`.

    With one that `hands_over` the customer gets something; `done` may pass `quantity` then. Steps of a `chain` follow each other; a line
    has further chains, from 2 on, for what was ordered later or is delivered again.
    """

    id: UUID
    line_id: UUID
    position: int
    kind: Kind
    name: str | None = None
    hands_over: bool = True
    quantity: Decimal
    done: Decimal = NONE
    state: StepState = "planned"
    planned_on: date
    days: int = 0
    chain: int = 1

    @property
    def open(self) -> Decimal:
        """What is still to be done."""
        return max(NONE, self.quantity - self.done) if self.state in OPEN_STEP else NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Lines in the order of the order, steps by line and position."""

    lines: tuple[PlannedLine, ...]
    steps: tuple[Step, ...]

    @property
    def wanted(self) -> tuple[PlannedLine, ...]:
        """Without lines that were dropped."""
        return tuple(line for line in self.lines if not line.dropped)

    @property
    def ordered(self) -> tuple[Line, ...]:
        """The lines as events and readers have them."""
        return tuple(line.line for line in self.wanted)

    @property
    def complete(self) -> bool:
        return not any(line.left for line in self.lines)

    @property
    def percent(self) -> Decimal:
        """How much of the quantities is handed over, in per cent with two places, rounded down; 100 only when nothing is left."""
        if self.complete:
            return Decimal(100)
        whole = sum((line.line.quantity for line in self.wanted), NONE)
        gone = sum((line.line.quantity - min(line.left, line.line.quantity) for line in self.wanted), NONE)
        return (gone * 100 / whole).quantize(Decimal("0.01"), rounding=ROUND_DOWN)

    def chains(self, line_id: UUID) -> list[list[Step]]:
        """The steps of a line, by chain."""
        steps = [step for step in self.steps if step.line_id == line_id]
        return [[step for step in steps if step.chain == chain] for chain in sorted({step.chain for step in steps})]

    def line(self, line_id: UUID) -> PlannedLine | None:
        return next((line for line in self.wanted if line.id == line_id), None)

    def with_line(self, changed: PlannedLine) -> "Plan":
        return replace(self, lines=tuple(changed if line.id == changed.id else line for line in self.lines))

    def with_steps(self, changed: Sequence[Step]) -> "Plan":
        by_id = {step.id: step for step in changed}
        return replace(self, steps=tuple(by_id.get(step.id, step) for step in self.steps))


def advance(step: Step, quantity: Decimal) -> Step:
    """So much more of a step is done."""
    done = step.done + quantity
    return move(replace(step, done=done), "done" if done >= step.quantity else "in_progress")


def move(step: Step, to: StepState) -> Step:
    assert to in TRANSITIONS[step.state], (step.state, to)
    return replace(step, state=to)


def hand(plan: Plan, line_id: UUID, quantity: Decimal, *, first: UUID | None = None) -> Plan:
    """So much of a line went to the customer: steps are done in their order (`first` before others), and the work before them.

    What is more than planned counts for the step that is last.
    """
    steps = [step for step in plan.steps if step.line_id == line_id]
    ending = sorted((step for step in steps if step.hands_over and step.open), key=lambda s: (s.id != first, s.position))
    changed: dict[UUID, Step] = {}
    rest = quantity
    for step in ending:
        part = rest if step is ending[-1] else min(rest, step.open)
        if part > 0:
            changed[step.id] = advance(step, part)
            rest -= part
    line = plan.line(line_id)
    gone = (line.handed_over if line else NONE) + quantity
    # Who hands over has done the work before it, whether that was reported or not.
    for kind in ("production", "shipment", "installation"):
        work = [step for step in steps if step.kind == kind and not step.hands_over]
        missing = gone - sum((step.done for step in work), NONE)
        for step in work:
            part = min(missing, step.open)
            if part > 0:
                changed[step.id] = advance(step, part)
                missing -= part
    return plan.with_steps(list(changed.values()))


def end_steps(plan: Plan, line_id: UUID) -> Plan:
    """Nothing more is done for a line: what was begun ends with what is done of it, the rest is cancelled."""
    ended = [
        move(step, "done" if step.done else "cancelled")
        for step in plan.steps
        if step.line_id == line_id and step.state in OPEN_STEP
    ]
    return plan.with_steps(ended)


def lessen(plan: Plan, line: PlannedLine) -> Plan:
    """Steps of a line that want more than is still to be delivered want less: the last of each kind first, never less than is done."""
    changed: list[Step] = []
    steps = [step for step in plan.steps if step.line_id == line.id]
    for kind, hands_over in {(step.kind if not step.hands_over else "", step.hands_over) for step in steps}:
        of_kind = [step for step in steps if step.hands_over == hands_over and (hands_over or step.kind == kind)]
        needed = line.left if hands_over or not line.left else max(NONE, line.due - sum((step.done for step in of_kind), NONE))
        surplus = sum((step.open for step in of_kind), NONE) - needed
        for step in sorted(of_kind, key=lambda step: -step.position):
            cut = min(surplus, step.open)
            if cut > 0:
                surplus -= cut
                less = replace(step, quantity=step.quantity - cut)
                changed.append(less if less.open else move(less, "done" if less.done else "cancelled"))
    return plan.with_steps(changed)
