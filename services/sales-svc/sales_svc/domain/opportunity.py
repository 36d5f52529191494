"""The rules of a deal: it moves along its pipeline until it is won or lost (RULES 2). Pure: time and ids come in as arguments."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from ltc_contracts.errors import DomainError
from ltc_contracts.events import Event, OpportunityLost, OpportunityOpened, OpportunityStageChanged, OpportunityWon
from ltc_contracts.money import Money

from sales_svc.domain.pipeline import CLOSED, Stage


class DealClosed(DomainError):
    """The opportunity is won or lost; nothing more can be offered or moved."""


@dataclass(frozen=True, slots=True)
class Opportunity:
    """A deal that is worked on; `stage` is a pipeline's stage, or won, or lost."""

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
    account_id: UUID | None = None
    contact_id: UUID | None = None

    @property
    def is_open(self) -> bool:
        return self.stage not in CLOSED


@dataclass(frozen=True, slots=True)
class StageChange:
    """One move, with the time spent before it."""

    from_stage: str
    to_stage: str
    seconds_in_stage: int
    changed_at: datetime


def opened(opportunity: Opportunity) -> OpportunityOpened:
    """The event of a new opportunity."""
    return OpportunityOpened(
        opportunity_id=opportunity.id,
        lead_id=opportunity.lead_id,
        name=opportunity.name,
        company=opportunity.company,
        owner=opportunity.owner,
        stage=opportunity.stage,
        probability=opportunity.probability,
        value=opportunity.value,
        channel=opportunity.channel,
        source=opportunity.source,
        account_id=opportunity.account_id,
        country=opportunity.country,
    )


def move(opportunity: Opportunity, stage: Stage, now: datetime) -> tuple[Opportunity, StageChange | None, list[Event]]:
    """To another stage of the pipeline; to the same one nothing happens."""
    require_open(opportunity, "move")
    if stage.code == opportunity.stage:
        return opportunity, None, []
    change = _change(opportunity, stage.code, now)
    moved = replace(opportunity, stage=stage.code, probability=stage.probability, stage_since=now, **_touched(opportunity, now))
    event = OpportunityStageChanged(
        opportunity_id=opportunity.id,
        from_stage=change.from_stage,
        to_stage=change.to_stage,
        probability=stage.probability,
        seconds_in_stage=change.seconds_in_stage,
    )
    return moved, change, [event]


def lose(opportunity: Opportunity, reason: str, now: datetime) -> tuple[Opportunity, StageChange, list[Event]]:
    """A loss needs a reason (RULES 2)."""
    require_open(opportunity, "lose")
    change = _change(opportunity, "lost", now)
    lost = replace(opportunity, stage="lost", probability=0, stage_since=now, lost_reason=reason, **_touched(opportunity, now))
    event = OpportunityLost(
        opportunity_id=opportunity.id,
        reason=reason,
        stage=opportunity.stage,
        value=opportunity.value,
        owner=opportunity.owner,
        opened_at=opportunity.created_at,
        account_id=opportunity.account_id,
    )
    return lost, change, [event]


def win(
    opportunity: Opportunity, contract_id: UUID, value: Money, now: datetime
) -> tuple[Opportunity, StageChange, OpportunityWon]:
    """A signed contract wins the deal, at its net value."""
    require_open(opportunity, "sign")
    change = _change(opportunity, "won", now)
    won = replace(opportunity, stage="won", probability=100, stage_since=now, value=value, **_touched(opportunity, now))
    event = OpportunityWon(
        opportunity_id=opportunity.id,
        contract_id=contract_id,
        value=value,
        owner=opportunity.owner,
        opened_at=opportunity.created_at,
        account_id=opportunity.account_id,
    )
    return won, change, event


def require_offerable(opportunity: Opportunity) -> None:
    """Only an open deal takes offers."""
    require_open(opportunity, "quote")


def require_open(opportunity: Opportunity, move_name: str) -> None:
    if not opportunity.is_open:
        raise DealClosed(f"the opportunity is {opportunity.stage}; '{move_name}' is not possible any more")


def _change(opportunity: Opportunity, to: str, now: datetime) -> StageChange:
    return StageChange(opportunity.stage, to, max(int((now - opportunity.stage_since).total_seconds()), 0), now)


def _touched(row: Opportunity, now: datetime) -> dict[str, Any]:
    return {"version": row.version + 1, "updated_at": now}
