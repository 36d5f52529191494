"""Commission: accrued on signature, vested as cash is collected, clawed back on refund and credit (RULES 2).

What a rep has accrued and vested is a pure function of the facts known so far; an entry is the difference to what was
booked before. So the end is the same in whatever order facts arrive, and sum(vested) <= rate x collected after each of them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from math import floor
from typing import Literal
from uuid import UUID

from ltc_contracts.events import CommissionAccrued, CommissionClawedBack, CommissionVested, Event
from ltc_contracts.money import Money, minor_units

from sales_svc.domain.commission_plan import HUNDRED, Plan, Share, shares_of

Kind = Literal["accrued", "vested", "clawed_back"]
Part = Literal["accrued", "vested"]
CauseKind = Literal["signature", "invoice", "payment", "refund", "credit", "cancellation"]
Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Deal:
    """A signed contract as it was on the day of signature. `lines` are (sku, net); `net` is their sum.

    `cancelled`: what is not invoiced will never be.
    """

    contract_id: UUID
    opportunity_id: UUID
    flow_id: UUID
    owner: str | None
    pipeline: str
    lines: tuple[tuple[str, Decimal], ...]
    net: Money
    signed_at: datetime
    cancelled: bool = False
    version: int = 1


@dataclass(frozen=True, slots=True)
class Earning:
    """What one rep earns of one deal by one plan, once all its cash is in. `rate`, in per cent of `base`, is for people to read."""

    plan: str
    plan_version: int
    rep: str
    share: Decimal
    base: Money
    rate: Decimal
    amount: Money


@dataclass(frozen=True, slots=True)
class Position:
    """An earning with what is booked on it: `accrued` and `vested` are net of what was clawed back; vested <= accrued."""

    id: UUID
    contract_id: UUID
    opportunity_id: UUID
    earning: Earning
    accrued: Money
    vested: Money


@dataclass(frozen=True, slots=True)
class InvoiceFacts:
    """What is known of an invoice of the deal; amounts in its currency. `allocated` and `refunded` are gross."""

    invoice_id: UUID
    net: Decimal
    gross: Decimal
    allocated: Decimal = Decimal(0)
    refunded: Decimal = Decimal(0)
    credited_net: Decimal = Decimal(0)
    credited_gross: Decimal = Decimal(0)

    @property
    def claim(self) -> Decimal:
        """Net that the invoice still claims after its credit notes."""
        return max(self.net - self.credited_net, Decimal(0))

    @property
    def collected(self) -> Fraction:
        """Cash that settles what is still claimed, net of tax: its part of the gross claim, times the net claim.

        Money paid on what was credited later is the customer's again, refunded or not, so a credit and its refund count once.
        """
        claim_gross = self.gross - self.credited_gross
        kept = min(self.allocated - self.refunded, claim_gross)
        if claim_gross <= 0 or kept <= 0:
            return Fraction(0)
        return Fraction(self.claim) * Fraction(kept) / Fraction(claim_gross)


@dataclass(frozen=True, slots=True)
class Move:
    """One entry to book. `part` says which balance moves; amounts are above zero. `after` is the position afterwards."""

    kind: Kind
    part: Part
    amount: Money
    after: Position


def participants(deal: Deal, plans: Sequence[Plan], agreed: Sequence[Share]) -> list[tuple[Plan, str]]:
    """Who earns by which plan, and so whose attainment is asked for."""
    if deal.owner is None:
        return []
    return [(plan, rep) for plan, _ in bases(deal, plans) for rep, _ in shares_of(plan, agreed, deal.owner)]


def bases(deal: Deal, plans: Sequence[Plan]) -> list[tuple[Plan, Decimal]]:
    """Each line earns by one plan: the narrowest that pays it. Returns the net per plan, without plans that get nothing."""
    found: dict[str, Decimal] = {}
    by_code = {plan.code: plan for plan in plans}
    for sku, net in deal.lines:
        paying = sorted((plan for plan in plans if plan.pays(sku, deal.pipeline)), key=lambda plan: plan.rank)
        if paying:
            found[paying[0].code] = found.get(paying[0].code, Decimal(0)) + net
    return [(by_code[code], net) for code, net in found.items() if net > 0]


def earn(deal: Deal, plans: Sequence[Plan], agreed: Sequence[Share], attained: Mapping[Key, Decimal]) -> list[Earning]:
    """What a signature accrues. `attained`: net of the period before this deal, by plan code and rep.

    Rounded down per plan, so that the sum never exceeds rate x net; the last rep of a split absorbs the residual.
    """
    currency = deal.net.currency
    earnings: list[Earning] = []
    if deal.owner is None:
        return earnings
    for plan, net in bases(deal, plans):
        shares = shares_of(plan, agreed, deal.owner)
        parts = _split(net, [percent for _, percent in shares], currency)
        exact = [
            plan.earned(attained.get((plan.code, rep), Decimal(0)), part, currency)
            for (rep, _), part in zip(shares, parts, strict=True)
        ]
        amounts = [_down(each, currency) for each in exact[:-1]]
        amounts.append(_down(sum(exact, Fraction(0)), currency) - sum(amounts, Decimal(0)))
        for (rep, percent), part, whole, amount in zip(shares, parts, exact, amounts, strict=True):
            if part > 0:
                rate, base = _percent(whole, part), Money.of(part, currency)
                earnings.append(Earning(plan.code, plan.version, rep, percent, base, rate, Money.of(amount, currency)))
    return earnings


def collected(net: Decimal, invoices: Iterable[InvoiceFacts]) -> Fraction:
    """Cash collected on a deal, net of tax, at most what was agreed."""
    return min(sum((each.collected for each in invoices), Fraction(0)), Fraction(net))


def collectable(net: Decimal, invoices: Sequence[InvoiceFacts], *, cancelled: bool) -> Decimal:
    """What can still be collected over the deal's whole life: claimed by invoices, or not invoiced yet; at most the net."""
    claimed = sum((each.claim for each in invoices), Decimal(0))
    ahead = Decimal(0) if cancelled else max(net - sum((each.net for each in invoices), Decimal(0)), Decimal(0))
    return min(claimed + ahead, net)


def settle(deal: Deal, positions: Iterable[Position], invoices: Sequence[InvoiceFacts]) -> list[Move]:
    """The entries that bring every position to what the facts say. None where nothing changes.

    Each rep's part is rounded down to the minor unit; when everything is collected it is exact, so the last payment absorbs
    the residual.
    """
    moves: list[Move] = []
    for position in positions:
        accrued, vested = due(deal, position.earning.amount, invoices)
        moves += _towards(position, accrued, vested)
    return moves


def due(deal: Deal, amount: Money, invoices: Sequence[InvoiceFacts]) -> tuple[Money, Money]:
    """What of an amount, accrued at signature, the facts leave accrued, and what they let vest."""
    net = deal.net.amount
    if net <= 0:
        return Money.zero(amount.currency), Money.zero(amount.currency)
    full = Fraction(amount.amount)
    accrued = _down(full * Fraction(collectable(net, invoices, cancelled=deal.cancelled)) / Fraction(net), amount.currency)
    vested = min(_down(full * collected(net, invoices) / Fraction(net), amount.currency), accrued)
    return Money.of(accrued, amount.currency), Money.of(vested, amount.currency)


def event_of(move: Move, cause: CauseKind) -> Event:
    """The fact that an entry is."""
    position, earning = move.after, move.after.earning
    whose = {
        "commission_id": position.id,
        "contract_id": position.contract_id,
        "opportunity_id": position.opportunity_id,
        "rep": earning.rep,
        "plan": earning.plan,
        "plan_version": earning.plan_version,
        "amount": move.amount,
        "accrued_after": position.accrued,
    }
    if move.kind == "accrued":
        return CommissionAccrued.model_validate({**whose, "base": earning.base, "rate": earning.rate})
    if move.kind == "vested":
        return CommissionVested.model_validate({**whose, "vested_after": position.vested})
    reason = cause if cause in ("refund", "credit") else "cancellation"
    return CommissionClawedBack.model_validate({**whose, "part": move.part, "cause": reason, "vested_after": position.vested})


def _towards(position: Position, accrued: Money, vested: Money) -> list[Move]:
    """Take back first what was vested, then what was accrued; accrue first, then vest: no balance is negative in between."""
    moves: list[Move] = []
    steps: list[tuple[Kind, Part, Money]] = [
        ("clawed_back", "vested", position.vested - vested),
        ("clawed_back", "accrued", position.accrued - accrued),
        ("accrued", "accrued", accrued - position.accrued),
        ("vested", "vested", vested - position.vested),
    ]
    for kind, part, amount in steps:
        if amount.amount > 0:
            signed = -amount if kind == "clawed_back" else amount
            if part == "vested":
                position = replace(position, vested=position.vested + signed)
            else:
                position = replace(position, accrued=position.accrued + signed)
            moves.append(Move(kind, part, amount, position))
    return moves


def _split(net: Decimal, percents: Sequence[Decimal], currency: str) -> list[Decimal]:
    parts = [_down(Fraction(net) * Fraction(percent) / 100, currency) for percent in percents[:-1]]
    return [*parts, net - sum(parts, Decimal(0))]


def _down(amount: Fraction, currency: str) -> Decimal:
    """Towards zero to the minor unit; amounts here are not negative."""
    places = minor_units(currency)
    return Decimal(floor(amount * 10**places)).scaleb(-places)


def _percent(amount: Fraction, base: Decimal) -> Decimal:
    """To four places, for people; what is booked does not come from it."""
    rate = amount / Fraction(base) * 100
    return min((Decimal(rate.numerator) / Decimal(rate.denominator)).quantize(Decimal("0.0001")), HUNDRED)
