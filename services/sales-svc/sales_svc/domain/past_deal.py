"""A deal of another system, with its past: opened, and perhaps won or lost, on the days on which it really was."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from ltc_contracts.events import Event

from sales_svc.domain import opportunity as rules
from sales_svc.domain.opportunity import Opportunity, StageChange
from sales_svc.domain.pipeline import CLOSED, Pipeline
from sales_svc.domain.rows import Row, begin_of


@dataclass(frozen=True, slots=True)
class PastDeal:
    """The deal as it is now, the move that closed it, and each event with the moment at which it happened."""

    deal: Opportunity
    closing: StageChange | None
    events: tuple[tuple[Event, int, datetime], ...]


@dataclass(frozen=True, slots=True)
class Ids:
    """New ids of a deal: its own, its flow, and the contract that won it (which lies in the other system)."""

    deal: UUID
    flow: UUID
    contract: UUID


def past_deal(
    row: Row,
    *,
    ids: Ids,
    pipeline: Pipeline,
    account_id: UUID | None,
    team: str | None,
    region: str | None,
    public: Mapping[str, Any],
    now: datetime,
) -> PastDeal:
    """What a row of a file says. `team` and `region` are the owner's where the row has none; `public` are own fields an event may tell.

    A closed deal ran through the first stage of its pipeline, since the file tells of no other. Raises `Invalid` for a stage that
    the pipeline has not, and for a day in the future.
    """
    facts = row.facts
    closed = facts["stage"] if facts["stage"] in CLOSED else None
    stage = pipeline.stages[0] if closed else pipeline.stage(facts["stage"])
    begun = begin_of(facts["opened_on"]) if "opened_on" in facts else begin_of(facts["closed_on"]) if closed else now
    product = (facts["product"],) if "product" in facts else ()
    deal = Opportunity(
        id=ids.deal,
        flow_id=ids.flow,
        lead_id=None,
        name=facts.get("name") or facts.get("company") or facts["external_ref"],
        company=facts.get("company"),
        country=facts.get("country"),
        owner=facts.get("owner"),
        stage=stage.code,
        probability=stage.probability,
        value=facts.get("value"),
        channel=facts.get("channel"),
        source=facts.get("source"),
        stage_since=begun,
        lost_reason=None,
        version=1,
        created_at=now,
        updated_at=now,
        opened_at=begun,
        account_id=account_id,
        pipeline=pipeline.code,
        pipeline_version=pipeline.version,
        furthest=stage.code,
        team=facts.get("team") or team,
        region=facts.get("region") or region,
        segment=facts.get("segment"),
        campaign=facts.get("campaign"),
        products=product,
        external_ref=facts["external_ref"],
        expected_close_on=facts.get("expected_close_on"),
        competitors=(facts["competitor"],) if "competitor" in facts else (),
        custom=row.custom,
    )
    rules.require_past(begun, now, "opened_on")
    opened: Event = rules.opened(deal, public)
    if closed is None:
        return PastDeal(deal, None, ((opened, 1, begun),))
    at = begin_of(facts["closed_on"])
    rules.require_past(at, now, "closed_on")
    event: Event
    if closed == "won":
        done, step, event = rules.win(deal, ids.contract, facts["value"], now, at=at, by=None)
    else:
        done, step, [event] = rules.lose(deal, facts.get("reason") or "not told", now, at=at)
    return PastDeal(done, step, ((opened, 1, begun), (event, done.version, at)))
