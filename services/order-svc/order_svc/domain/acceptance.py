"""Whether we may bind ourselves: is the order sound, may the customer owe it, do we have the pieces."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from ltc_contracts.events import Line

from order_svc.domain import credit, hold, stock
from order_svc.domain import order as rules
from order_svc.domain.credit import Account, Exposure
from order_svc.domain.order import Decision, HoldReason, Order, PromiseRule
from order_svc.domain.stock import Pick, Shelf


@dataclass(frozen=True, slots=True, kw_only=True)
class Grounds:
    """What the decision rests on, read under locks. `dunned` are invoices whose dunning holds orders.

    `fault` is what is wrong with the order, `wish` why a person wants it held.
    """

    rule: PromiseRule
    account: Account | None
    exposure: Exposure
    shelves: Sequence[Shelf]
    dunned: Sequence[str] = ()
    fault: str | None = None
    wish: str | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is in the way, in the order of the checks, and what is reserved when nothing is."""

    reasons: tuple[HoldReason, ...]
    detail: str
    picks: tuple[Pick, ...]


def judge(order: Order, lines: tuple[Line, ...], grounds: Grounds) -> Verdict:
    """Every check but those a person took the risk of. Without soundness the others say nothing."""
    if grounds.fault is not None:
        return Verdict(("validation",), f"validation: {grounds.fault}", ())
    against: dict[HoldReason, str] = {}
    objection = credit.objection(grounds.account, grounds.exposure, order.gross, dunned=grounds.dunned)
    if objection is not None and "credit" not in order.waived:
        against["credit"] = objection
    allocation = stock.allocate(lines, grounds.shelves)
    if allocation.shortages and "stock" not in order.waived:
        against["stock"] = ", ".join(allocation.shortages)
    if grounds.wish is not None and "manual" not in order.waived:
        against["manual"] = grounds.wish
    detail = "; ".join(f"{reason}: {said}" for reason, said in against.items())
    return Verdict(tuple(against), detail, () if against else allocation.picks)


def decide(
    order: Order,
    lines: tuple[Line, ...],
    grounds: Grounds,
    now: datetime,
    *,
    by: str | None = None,
    reason: str | None = None,
) -> tuple[Decision, Verdict]:
    """Confirm a received order or release a held one when nothing is in the way, else hold it (on)."""
    verdict = judge(order, lines, grounds)
    if verdict.reasons:
        wish = grounds.wish if "manual" in verdict.reasons else None
        return hold.hold(order, verdict.reasons, verdict.detail, now, wish=wish, by=by), verdict
    if order.state == "held":
        return hold.release(order, lines, grounds.rule, now, by=by, reason=reason), verdict
    return rules.confirm(order, lines, grounds.rule, now), verdict
