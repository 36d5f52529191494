"""Who may offer what: authority in levels, and approval step by step by those above the seller (RULES 2). Pure.

The policy's levels ascend. The first is everybody's own authority; each further one is a role with the people who hold it. A
seller who holds a higher level has that level's authority. What exceeds it is approved by each level above, one after the other,
up to the first one whose limits cover it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal
from uuid import UUID

from ltc_contracts.errors import DomainError, Invalid
from ltc_contracts.events import QuoteApprovalRequested, QuoteApproved
from ltc_contracts.events.model import Code, Name, Part, Percent
from ltc_contracts.money import Money
from pydantic import Field

from sales_svc.domain.position import Item
from sales_svc.domain.quote import Quote, percent_off

StepState = Literal["waiting", "approved", "refused", "withdrawn"]
STEP_TRANSITIONS: Mapping[tuple[StepState, str], StepState] = {
    ("waiting", "approve"): "approved",
    ("waiting", "disapprove"): "refused",
    ("waiting", "withdraw"): "withdrawn",
}


class ApprovalNeeded(DomainError):
    """The offer exceeds the seller's authority and was not approved as it is."""


class BeyondAuthority(DomainError):
    """Nobody may approve this offer by the present policy."""


class NotYourStep(DomainError):
    """The caller is not among those who approve at this step."""

    kind = "forbidden"


class OwnQuote(DomainError):
    """Nobody approves their own offer."""

    kind = "forbidden"


class NothingToApprove(DomainError):
    """No step of this offer waits for anybody."""


class Level(Part):
    """A role's authority; null is no limit. A currency that has no `max_amounts` where others do is beyond this level.

    Margins and discounts in per cent; `max_discount_percent` of the whole offer below list, `max_line_discount_percent` of any
    position. A margin that is not known does not reach any minimum.
    """

    role: Code
    approvers: Annotated[tuple[Name, ...], Field(max_length=100)] = ()
    max_discount_percent: Percent | None = None
    max_line_discount_percent: Percent | None = None
    min_margin_percent: Annotated[Decimal, Field(ge=-1000, le=100, decimal_places=2)] | None = None
    max_amounts: Annotated[tuple[Money, ...], Field(max_length=200)] = ()


@dataclass(frozen=True, slots=True)
class Policy:
    """One version; no levels: nothing needs approval."""

    version: int
    levels: tuple[Level, ...]


@dataclass(frozen=True, slots=True)
class Figures:
    """What an offer is measured by."""

    net: Money
    discount_percent: Decimal
    line_discount_percent: Decimal
    margin_percent: Decimal | None


@dataclass(frozen=True, slots=True)
class Step:
    """A role that has to approve; `position` counts from 1 within its round."""

    quote_id: UUID
    round: int
    position: int
    role: str
    approvers: tuple[str, ...]
    reasons: tuple[str, ...]
    state: StepState = "waiting"
    decided_by: str | None = None
    decided_at: datetime | None = None
    comment: str | None = None


@dataclass(frozen=True, slots=True)
class Round:
    """One request for approval, and the figures it was made for."""

    quote_id: UUID
    round: int
    policy_version: int
    requested_by: str
    requested_at: datetime
    figures: Figures
    steps: tuple[Step, ...]


NO_POLICY = Policy(0, ())


def check_policy(levels: Sequence[Level]) -> None:
    """Raises `Invalid` for levels that make no sense."""
    if not levels:
        return
    if levels[0].approvers:
        raise Invalid("the first level is everybody's own authority and names no approvers", field="levels.0.approvers")
    if len({level.role for level in levels}) < len(levels):
        raise Invalid("a role is named twice", field="levels")
    for number, level in enumerate(levels):
        if number and not level.approvers:
            raise Invalid("say who approves at this level", field=f"levels.{number}.approvers")
        if len(set(level.approvers)) < len(level.approvers):
            raise Invalid("somebody is named twice", field=f"levels.{number}.approvers")
        currencies = [amount.currency for amount in level.max_amounts]
        if len(set(currencies)) < len(currencies):
            raise Invalid("a currency has one limit", field=f"levels.{number}.max_amounts")


def figures_of(quote: Quote) -> Figures:
    """What the policy looks at."""
    lines = max((_line_discount(item) for item in quote.items), default=Decimal(0))
    return Figures(quote.net, quote.discount_of_list, lines, quote.margin_percent)


def exceeded(level: Level, figures: Figures) -> list[str]:
    """Why a level's authority does not cover an offer; empty when it does."""
    reasons: list[str] = []
    if level.max_discount_percent is not None and figures.discount_percent > level.max_discount_percent:
        reasons.append(f"{figures.discount_percent} % below list, {level.role} may {level.max_discount_percent} %")
    if level.max_line_discount_percent is not None and figures.line_discount_percent > level.max_line_discount_percent:
        reasons.append(
            f"a position {figures.line_discount_percent} % below list, {level.role} may {level.max_line_discount_percent} %"
        )
    if level.min_margin_percent is not None:
        if figures.margin_percent is None:
            reasons.append(f"the margin is not known, {level.role} needs {level.min_margin_percent} %")
        elif figures.margin_percent < level.min_margin_percent:
            reasons.append(f"a margin of {figures.margin_percent} %, {level.role} needs {level.min_margin_percent} %")
    if level.max_amounts:
        limit = next((each for each in level.max_amounts if each.currency == figures.net.currency), None)
        if limit is None:
            reasons.append(f"{level.role} has no authority in {figures.net.currency}")
        elif limit < figures.net:
            reasons.append(f"{figures.net}, {level.role} may {limit}")
    return reasons


def needed(policy: Policy, figures: Figures, seller: str) -> list[tuple[Level, list[str]]]:
    """The levels that have to approve, in order, each with why the one below does not suffice. Raises `BeyondAuthority`."""
    if not policy.levels:
        return []
    own = max(number for number, level in enumerate(policy.levels) if number == 0 or seller in level.approvers)
    chain: list[tuple[Level, list[str]]] = []
    for below, level in zip(policy.levels[own:], (*policy.levels[own + 1 :], None), strict=True):
        reasons = exceeded(below, figures)
        if not reasons:
            return chain
        if level is None:
            raise BeyondAuthority(f"nobody may offer this: {'; '.join(reasons)}")
        chain.append((level, reasons))
    raise AssertionError("the last level returned or raised")


def request(
    quote: Quote, chain: Sequence[tuple[Level, list[str]]], policy: Policy, number: int, by: str, now: datetime
) -> tuple[Round, QuoteApprovalRequested]:
    """A round of approval. Where one level after the other is needed, each waits for the one before."""
    figures = figures_of(quote)
    steps = tuple(
        Step(quote.id, number, position, level.role, level.approvers, tuple(reasons))
        for position, (level, reasons) in enumerate(chain, 1)
    )
    event = QuoteApprovalRequested(
        quote_id=quote.id,
        opportunity_id=quote.opportunity_id,
        number=quote.number,
        quote_version=quote.quote_version,
        net=quote.net,
        discount_percent=figures.discount_percent,
        roles=tuple(step.role for step in steps),
        requested_by=by,
    )
    return Round(quote.id, number, policy.version, by, now, figures, steps), event


def decide(
    found: Round, quote: Quote, move: Literal["approve", "disapprove"], by: str, comment: str | None, now: datetime
) -> Step:
    """The step that waits, decided by one of its approvers who did not make the offer. Raises `NotYourStep`, `OwnQuote`."""
    step = current(found)
    if step is None:
        raise NothingToApprove(f"quote {quote.number} waits for no approval")
    if by not in step.approvers:
        raise NotYourStep(f"{step.role} is {', '.join(step.approvers)}")
    if by in (quote.created_by, quote.edited_by, found.requested_by):
        raise OwnQuote("nobody approves their own offer; another one of the same role may")
    return replace(step, state=STEP_TRANSITIONS[step.state, move], decided_by=by, decided_at=now, comment=comment)


def current(found: Round) -> Step | None:
    """The first step that waits; null when a step was refused or all are done."""
    for step in found.steps:
        if step.state == "waiting":
            return step
        if step.state != "approved":
            return None
    return None


def withdrawn(found: Round, by: str, now: datetime) -> list[Step]:
    """The steps that nobody needs to take any more."""
    return [
        replace(step, state=STEP_TRANSITIONS[step.state, "withdraw"], decided_by=by, decided_at=now)
        for step in found.steps
        if step.state == "waiting"
    ]


def approved(quote: Quote, found: Round, now: datetime) -> QuoteApproved:
    """The event of an offer that everybody who had to approve did."""
    return QuoteApproved(
        quote_id=quote.id,
        opportunity_id=quote.opportunity_id,
        number=quote.number,
        quote_version=quote.quote_version,
        net=quote.net,
        discount_percent=found.figures.discount_percent,
        roles=tuple(step.role for step in found.steps),
        waited_seconds=max(int((now - found.requested_at).total_seconds()), 0),
    )


def _line_discount(item: Item) -> Decimal:
    return percent_off(item.list_net, item.net)
