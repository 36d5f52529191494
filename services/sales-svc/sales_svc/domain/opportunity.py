"""The rules of a deal: it moves along its pipeline until it is won or lost (RULES 2). Pure: time and ids come in as arguments."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from ltc_contracts.errors import DomainError, Invalid
from ltc_contracts.events import Event, OpportunityLost, OpportunityOpened, OpportunityStageChanged, OpportunityWon
from ltc_contracts.money import Money

from sales_svc.domain.pipeline import CLOSED, Category, CriteriaMissing, Evidence, Pipeline, missing


class DealClosed(DomainError):
    """The opportunity is won or lost; nothing more can be offered or moved."""


class CustomerTaken(DomainError):
    """Another rep has an open deal with this customer; it is named, so that the two can talk (no two reps on one customer)."""

    def __init__(self, opportunity_id: UUID, owner: str) -> None:
        super().__init__(
            f"{owner} has an open deal with this customer; agree first, then say `despite_other_rep`", field="account_id"
        )
        self.opportunity_id = opportunity_id
        self.owner = owner

    def members(self) -> dict[str, Any]:
        return {"opportunity_id": str(self.opportunity_id), "owner": self.owner}


@dataclass(frozen=True, slots=True)
class Opportunity:
    """A deal that is worked on; `stage` is a stage of its pipeline's version, or won, or lost.

    `opened_at` and `closed_at` are when it happened in the business, `created_at` when it was written down. `furthest` is the
    last stage that it ever reached. `category` overrides the forecast category of its stage. `lost_reason` and `won_reason`
    are texts, `reason_code` one of the configured reasons. `custom` holds the company's own fields.
    """

    id: UUID
    flow_id: UUID
    lead_id: UUID | None
    name: str
    company: str | None
    country: str | None
    owner: str | None
    stage: str
    probability: int
    value: Money | None
    channel: str | None
    source: str | None
    stage_since: datetime
    lost_reason: str | None
    version: int
    created_at: datetime
    updated_at: datetime
    opened_at: datetime
    account_id: UUID | None = None
    contact_id: UUID | None = None
    pipeline: str = "default"
    pipeline_version: int = 1
    furthest: str | None = None
    team: str | None = None
    region: str | None = None
    segment: str | None = None
    campaign: str | None = None
    products: tuple[str, ...] = ()
    external_ref: str | None = None
    expected_close_on: date | None = None
    next_step: str | None = None
    next_step_due: datetime | None = None
    category: Category | None = None
    closed_at: datetime | None = None
    reason_code: str | None = None
    won_reason: str | None = None
    competitors: tuple[str, ...] = ()
    custom: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_open(self) -> bool:
        return self.stage not in CLOSED

    @property
    def values(self) -> dict[str, Any]:
        """What conditions look at; the company's own fields are added by who knows their types."""
        plain = ("name", "company", "country", "owner", "team", "region", "segment", "campaign", "channel", "source")
        names = (*plain, "next_step", "external_ref", "expected_close_on", "next_step_due")
        return {
            **{name: getattr(self, name) for name in names},
            "amount": self.value.amount if self.value else None,
            "currency": self.value.currency if self.value else None,
            "account_id": str(self.account_id) if self.account_id else None,
            "contact_id": str(self.contact_id) if self.contact_id else None,
            "products": list(self.products),
            "competitors": list(self.competitors),
        }


@dataclass(frozen=True, slots=True)
class Member:
    """One who works on the deal; `share` of it in per cent, where it is split. What is not given away is the owner's."""

    member: str
    role: str
    share: Decimal | None = None


@dataclass(frozen=True, slots=True)
class StageChange:
    """One move, with the time spent before it."""

    from_stage: str
    to_stage: str
    seconds_in_stage: int
    changed_at: datetime
    backward: bool = False
    by: str | None = None


def opened(opportunity: Opportunity, custom: Mapping[str, Any], *, name: str | None = None) -> OpportunityOpened:
    """The event of a new opportunity; `custom`, and `name` where it differs from the deal's own, without what is personal."""
    return OpportunityOpened(
        opportunity_id=opportunity.id,
        lead_id=opportunity.lead_id,
        name=name or opportunity.name,
        company=opportunity.company,
        owner=opportunity.owner,
        stage=opportunity.stage,
        probability=opportunity.probability,
        value=opportunity.value,
        channel=opportunity.channel,
        source=opportunity.source,
        country=opportunity.country,
        external_ref=opportunity.external_ref,
        expected_close_on=opportunity.expected_close_on,
        custom=dict(custom),
        **_context(opportunity),
    )


def change(opportunity: Opportunity, given: Mapping[str, Any], now: datetime) -> tuple[Opportunity, dict[str, Any]]:
    """The deal with the given fields, and what changed: field to [before, after]. Raises `DealClosed`."""
    require_open(opportunity, "change")
    changes = {name: [getattr(opportunity, name), value] for name, value in given.items() if getattr(opportunity, name) != value}
    if not changes:
        return opportunity, {}
    made = replace(opportunity, **{name: after for name, (_, after) in changes.items()}, **_touched(opportunity, now))
    check_next_step(made)
    return made, changes


def touched(opportunity: Opportunity, what: str, now: datetime) -> Opportunity:
    """The next version of an open deal, when something that hangs on it changes. Raises `DealClosed`."""
    require_open(opportunity, what)
    return replace(opportunity, **_touched(opportunity, now))


def change_pipeline(
    opportunity: Opportunity, pipeline: Pipeline, code: str, now: datetime, *, by: str
) -> tuple[Opportunity, StageChange | None, list[Event]]:
    """The deal goes on under another pipeline, or a later version of its own, in this stage of it. No criteria hold it up."""
    require_open(opportunity, "change_pipeline")
    stage = pipeline.stage(code)
    change = replace(_change(opportunity, code, now), by=by) if code != opportunity.stage else None
    moved = replace(
        opportunity,
        pipeline=pipeline.code,
        pipeline_version=pipeline.version,
        stage=code,
        probability=stage.probability,
        stage_since=now if change else opportunity.stage_since,
        furthest=pipeline.further(opportunity.furthest, code),
        **_touched(opportunity, now),
    )
    return moved, change, [_moved(moved, change, ())] if change else []


def move(
    opportunity: Opportunity,
    pipeline: Pipeline,
    code: str,
    evidence: Evidence | None,
    now: datetime,
    *,
    at: datetime | None = None,
    by: str | None = None,
    labels: Mapping[str, str] | None = None,
) -> tuple[Opportunity, StageChange | None, list[Event]]:
    """To another stage of its pipeline, at a moment (`now` unless told); to the same one nothing happens.

    Forwards it must meet the exit criteria of every stage that it leaves or skips: raises `CriteriaMissing`, which names
    everything. `evidence` may be None where none of them asks for anything. Backwards it may always go.
    """
    require_open(opportunity, "move")
    stage = pipeline.stage(code)
    if stage.code == opportunity.stage:
        return opportunity, None, []
    left = pipeline.left(opportunity.stage, code)
    if evidence is not None and (lacking := missing(left, evidence, labels)):
        raise CriteriaMissing(lacking)
    moment = _moment(opportunity, now, at)
    step = replace(_change(opportunity, stage.code, moment), backward=not left, by=by)
    moved = replace(
        opportunity,
        stage=stage.code,
        probability=stage.probability,
        stage_since=moment,
        furthest=pipeline.further(opportunity.furthest, stage.code),
        **_touched(opportunity, now),
    )
    return moved, step, [_moved(moved, step, [each.code for each in left[1:]])]


def lose(
    opportunity: Opportunity,
    reason: str,
    now: datetime,
    *,
    reason_code: str | None = None,
    competitors: Sequence[str] = (),
    at: datetime | None = None,
    by: str | None = None,
) -> tuple[Opportunity, StageChange, list[Event]]:
    """A loss needs a reason (RULES 2). `competitors` are added to those that were known."""
    require_open(opportunity, "lose")
    if not reason.strip():
        raise Invalid("a loss needs a reason", field="reason")
    moment = _moment(opportunity, now, at)
    step = replace(_change(opportunity, "lost", moment), by=by)
    lost = replace(
        opportunity,
        stage="lost",
        probability=0,
        stage_since=moment,
        closed_at=moment,
        lost_reason=reason,
        reason_code=reason_code,
        won_reason=None,
        competitors=tuple(dict.fromkeys((*opportunity.competitors, *competitors))),
        **_touched(opportunity, now),
    )
    event = OpportunityLost(
        opportunity_id=lost.id,
        reason=reason_code or reason,
        stage=opportunity.stage,
        value=lost.value,
        owner=lost.owner,
        opened_at=lost.opened_at,
        competitors=lost.competitors,
        **_context(lost),
    )
    return lost, step, [event]


def win(
    opportunity: Opportunity,
    contract_id: UUID,
    value: Money,
    now: datetime,
    *,
    products: Sequence[str] = (),
    at: datetime | None = None,
    by: str | None = None,
) -> tuple[Opportunity, StageChange, OpportunityWon]:
    """A signed contract wins the deal, at its net value; exit criteria do not hold up a signature. `products` are what was sold."""
    require_open(opportunity, "sign")
    moment = _moment(opportunity, now, at)
    step = replace(_change(opportunity, "won", moment), by=by)
    won = replace(
        opportunity,
        stage="won",
        probability=100,
        stage_since=moment,
        closed_at=moment,
        value=value,
        products=tuple(dict.fromkeys(products))[:100] or opportunity.products,
        **_touched(opportunity, now),
    )
    event = OpportunityWon(
        opportunity_id=won.id,
        contract_id=contract_id,
        value=value,
        owner=won.owner,
        opened_at=won.opened_at,
        reason=won.reason_code or won.won_reason,
        competitors=won.competitors,
        **_context(won),
    )
    return won, step, event


def require_past(moment: datetime, now: datetime, field_name: str) -> None:
    """Raises `Invalid` for what has not happened yet."""
    if moment > now:
        raise Invalid("lies in the future", field=field_name)


def give_win_reason(
    opportunity: Opportunity, code: str | None, text: str | None, competitors: Sequence[str], now: datetime
) -> Opportunity:
    """Why the deal is (about to be) won. Raises `DealClosed` for a lost one, `Invalid` without any reason."""
    if opportunity.stage != "won":
        require_open(opportunity, "win")
    if not (text or "").strip():
        raise Invalid("say why", field="reason")
    against = tuple(dict.fromkeys((*opportunity.competitors, *competitors)))
    return replace(opportunity, reason_code=code, won_reason=text, competitors=against, **_touched(opportunity, now))


def check_next_step(opportunity: Opportunity) -> None:
    """Raises `Invalid` for a next step that is due at no moment, or a moment without a step."""
    if (opportunity.next_step is None) != (opportunity.next_step_due is None):
        raise Invalid("a next step has a text and a due moment, or neither", field="next_step_due")


def check_team(members: Sequence[Member]) -> None:
    """Raises `Invalid` unless everybody is named once and no more than the whole deal is given away."""
    if len({each.member for each in members}) < len(members):
        raise Invalid("a member is named twice", field="members")
    if sum((each.share or Decimal(0) for each in members), Decimal(0)) > 100:
        raise Invalid("the shares add up to more than 100 per cent", field="members")


def require_offerable(opportunity: Opportunity) -> None:
    """Only an open deal takes offers."""
    require_open(opportunity, "quote")


def require_open(opportunity: Opportunity, move_name: str) -> None:
    if not opportunity.is_open:
        raise DealClosed(f"the opportunity is {opportunity.stage}; '{move_name}' is not possible any more")


def _moved(moved: Opportunity, step: StageChange, skipped: Sequence[str]) -> OpportunityStageChanged:
    return OpportunityStageChanged(
        opportunity_id=moved.id,
        from_stage=step.from_stage,
        to_stage=step.to_stage,
        probability=moved.probability,
        seconds_in_stage=step.seconds_in_stage,
        pipeline=moved.pipeline,
        backward=step.backward,
        skipped=tuple(skipped),
    )


def _context(opportunity: Opportunity) -> dict[str, Any]:
    """What KPIs are told apart by."""
    names = ("account_id", "pipeline", "team", "region", "segment", "campaign", "products")
    return {name: getattr(opportunity, name) for name in names}


def _moment(opportunity: Opportunity, now: datetime, at: datetime | None) -> datetime:
    """When it happened; a fact may be written down later than it happened, never before, nor before the one it follows."""
    if at is None:
        return now
    if not opportunity.stage_since <= at <= now:
        raise Invalid(f"must lie between the last move ({opportunity.stage_since.isoformat()}) and now", field="occurred_at")
    return at


def _change(opportunity: Opportunity, to: str, at: datetime) -> StageChange:
    return StageChange(opportunity.stage, to, max(int((at - opportunity.stage_since).total_seconds()), 0), at)


def _touched(row: Opportunity, now: datetime) -> dict[str, Any]:
    return {"version": row.version + 1, "updated_at": now}
