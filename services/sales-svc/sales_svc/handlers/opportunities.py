"""The verbs of a deal: load, decide, save, emit. The opportunity's row is locked before anything that hangs on it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from ltc_chassis import custom_fields
from ltc_chassis.connection import Connection
from ltc_chassis.db import Transaction
from ltc_chassis.ids import new_id
from ltc_contracts.errors import Invalid
from ltc_contracts.events import Event
from ltc_contracts.money import Money
from ltc_rules import custom_fields as fields

from sales_svc.domain import opportunity as rules
from sales_svc.domain import quote as offers
from sales_svc.domain.opportunity import Member, Opportunity
from sales_svc.domain.pipeline import CriteriaMissing, Evidence, Pipeline
from sales_svc.domain.versions import require_version
from sales_svc.handlers.accounts import named_account
from sales_svc.handlers.contacts import named_contact
from sales_svc.handlers.reasons import listed_competitors
from sales_svc.store import changes, opportunities, pipelines, quotes, reps


async def move_stage(
    tx: Transaction, opportunity_id: UUID, code: str, by: str | None = None, *, occurred_at: datetime | None = None
) -> Opportunity:
    """Move the deal along its pipeline. Raises `CriteriaMissing` with everything that the stages left behind ask for."""
    opportunity = await opportunities.get_opportunity_for_update(tx.conn, opportunity_id)
    rules.require_open(opportunity, "move")
    pipeline = await pipelines.get_version(tx.conn, opportunity.pipeline, opportunity.pipeline_version)
    asking = any(stage.asks_for_something for stage in pipeline.left(opportunity.stage, code))
    evidence, labels = await evidence_of(tx.conn, opportunity) if asking else (None, {})
    moved, change, events = rules.move(opportunity, pipeline, code, evidence, tx.now, at=occurred_at, by=by, labels=labels)
    if change is not None:
        await opportunities.save_opportunity(tx.conn, moved)
        await opportunities.insert_stage_change(tx.conn, new_id(), moved.id, change)
        emit(tx, moved, events, occurred_at)
    return moved


async def reach_stage(tx: Transaction, opportunity: Opportunity, code: str) -> Opportunity:
    """A (locked) deal that has not come as far moves to the stage by itself; where criteria are missing it stays where it is."""
    pipeline = await pipelines.get_version(tx.conn, opportunity.pipeline, opportunity.pipeline_version)
    known = {stage.code: stage.position for stage in pipeline.stages}
    if not opportunity.is_open or code not in known or known.get(opportunity.stage, 0) >= known[code]:
        return opportunity
    try:
        return await move_stage(tx, opportunity.id, code)
    except CriteriaMissing:
        return opportunity


async def lose(
    tx: Transaction,
    opportunity_id: UUID,
    reason: str,
    by: str | None = None,
    *,
    reason_code: str | None = None,
    competitors: Sequence[str] = (),
    occurred_at: datetime | None = None,
) -> Opportunity:
    """The deal is lost; its open quotes are no longer offers."""
    opportunity = await opportunities.get_opportunity_for_update(tx.conn, opportunity_id)
    lost, change, events = rules.lose(
        opportunity, reason, tx.now, reason_code=reason_code, competitors=competitors, at=occurred_at, by=by
    )
    known = await quotes.list_quotes_for_update(tx.conn, opportunity_id)
    for quote in offers.supersede([each for each in known if each.state != "accepted"], tx.now):
        await quotes.save_quote(tx.conn, quote)
    await opportunities.save_opportunity(tx.conn, lost)
    await opportunities.insert_stage_change(tx.conn, new_id(), lost.id, change)
    emit(tx, lost, events, occurred_at)
    return lost


async def win(
    tx: Transaction,
    opportunity_id: UUID,
    *,
    contract_id: UUID,
    value: Money,
    products: Sequence[str] = (),
    by: str | None = None,
    occurred_at: datetime | None = None,
) -> Opportunity:
    """The deal is won by a contract that was signed elsewhere, or long ago; one of ours wins it by its signature."""
    opportunity = await opportunities.get_opportunity_for_update(tx.conn, opportunity_id)
    won, change, event = rules.win(opportunity, contract_id, value, tx.now, products=products, at=occurred_at, by=by)
    for quote in offers.supersede(await quotes.list_quotes_for_update(tx.conn, opportunity_id), tx.now):
        await quotes.save_quote(tx.conn, quote)
    await opportunities.save_opportunity(tx.conn, won)
    await opportunities.insert_stage_change(tx.conn, new_id(), won.id, change)
    emit(tx, won, [event], occurred_at)
    return won


async def change_opportunity(
    tx: Transaction, opportunity_id: UUID, given: Mapping[str, Any], by: str, *, expected: int | None
) -> Opportunity:
    """Change some fields of the version that was read. Raises `VersionConflict`, `DealClosed`."""
    opportunity = await opportunities.get_opportunity_for_update(tx.conn, opportunity_id)
    require_version("the opportunity", opportunity.version, expected)
    wanted = dict(given)
    if "custom" in wanted:
        defs = await custom_fields.load(tx.conn, "opportunity")
        given_custom = fields.validate(defs, wanted["custom"] or {}, partial=True)
        wanted["custom"] = fields.merge(opportunity.custom, given_custom)
    if "competitors" in wanted:
        wanted["competitors"] = await listed_competitors(tx, wanted["competitors"] or ())
    if wanted.get("account_id") is not None:
        await named_account(tx, wanted["account_id"])
    if wanted.get("contact_id") is not None:
        await named_contact(tx, wanted["contact_id"])
    if wanted.get("owner") is not None and wanted["owner"] != opportunity.owner and "team" not in wanted:
        wanted["team"] = await reps.team_of(tx.conn, wanted["owner"]) or opportunity.team
    changed, what = rules.change(opportunity, wanted, tx.now)
    if what:
        await opportunities.save_opportunity(tx.conn, changed)
        await log(tx, changed, by, {name: [_json(each) for each in pair] for name, pair in what.items()})
    return changed


async def set_members(
    tx: Transaction, opportunity_id: UUID, members: Sequence[Member], by: str, *, expected: int | None
) -> Opportunity:
    """Who works on the deal with its owner, all at once, and how it is split."""
    rules.check_team(members)
    opportunity = await opportunities.get_opportunity_for_update(tx.conn, opportunity_id)
    require_version("the opportunity", opportunity.version, expected)
    before = (await opportunities.members_of(tx.conn, [opportunity_id])).get(opportunity_id, [])
    changed = rules.touched(opportunity, "change", tx.now)
    await opportunities.replace_members(tx.conn, opportunity_id, members)
    await opportunities.save_opportunity(tx.conn, changed)
    await log(tx, changed, by, {"members": [[_json(asdict(each)) for each in team] for team in (before, members)]})
    return changed


async def tick(tx: Transaction, opportunity_id: UUID, stage_code: str, item: str, by: str, *, done: bool) -> Opportunity:
    """Mark a line of a stage's checklist as done, or as not done after all."""
    opportunity = await opportunities.get_opportunity_for_update(tx.conn, opportunity_id)
    rules.require_open(opportunity, "tick")
    pipeline = await pipelines.get_version(tx.conn, opportunity.pipeline, opportunity.pipeline_version)
    if item not in {each.code for each in pipeline.stage(stage_code).checklist}:
        raise Invalid(f"the stage '{stage_code}' has no checklist item '{item}'", field="item")
    if done:
        await opportunities.set_done(tx.conn, opportunity_id, stage_code, item, by=by, now=tx.now)
    else:
        await opportunities.unset_done(tx.conn, opportunity_id, stage_code, item)
    return opportunity


async def change_pipeline(tx: Transaction, opportunity_id: UUID, code: str, stage: str | None, by: str) -> Opportunity:
    """The deal goes on under (the latest version of) a pipeline, in the stage that is named or the one it is in."""
    opportunity = await opportunities.get_opportunity_for_update(tx.conn, opportunity_id)
    pipeline = await usable_pipeline(tx, code)
    changed, change, events = rules.change_pipeline(opportunity, pipeline, stage or opportunity.stage, tx.now, by=by)
    await opportunities.save_opportunity(tx.conn, changed)
    if change is not None:
        await opportunities.insert_stage_change(tx.conn, new_id(), changed.id, change)
        emit(tx, changed, events)
    before = [f"{opportunity.pipeline} {opportunity.pipeline_version}", f"{changed.pipeline} {changed.pipeline_version}"]
    await log(tx, changed, by, {"pipeline": before})
    return changed


async def usable_pipeline(tx: Transaction, code: str | None) -> Pipeline:
    """The latest version of the pipeline, of the default one where none is named. Raises `Invalid`."""
    if code is None:
        return await pipelines.get_default(tx.conn)
    if not await pipelines.takes_deals(tx.conn, code):
        raise Invalid(f"no pipeline '{code}' that takes deals", field="pipeline")
    return await pipelines.get_latest(tx.conn, code)


async def evidence_of(conn: Connection, opportunity: Opportunity) -> tuple[Evidence, dict[str, str]]:
    """What the deal has, as exit criteria look at it, and the labels of the company's own fields."""
    defs = await custom_fields.load(conn, "opportunity")
    evidence = Evidence(
        values={**opportunity.values, **fields.typed(defs, opportunity.custom)},
        activities=await opportunities.count_activities(conn, opportunity.id),
        documents=await opportunities.list_documents(conn, opportunity.id),
        done=set(await opportunities.list_done(conn, opportunity.id)),
    )
    return evidence, {f"custom.{each.key}": each.label for each in defs}


def emit(tx: Transaction, opportunity: Opportunity, events: Sequence[Event], occurred_at: datetime | None = None) -> None:
    for event in events:
        tx.emit(event, flow_id=opportunity.flow_id, sequence=opportunity.version, occurred_at=occurred_at)


async def log(tx: Transaction, opportunity: Opportunity, by: str, what: Mapping[str, Any]) -> None:
    """Who changed what."""
    await changes.insert_change(
        tx.conn, "opportunity", opportunity.id, change_id=new_id(), version=opportunity.version, by=by, at=tx.now, changes=what
    )


def _json(value: Any) -> Any:
    if isinstance(value, Money):
        return {"amount": str(value.amount), "currency": value.currency}
    if isinstance(value, Mapping):
        return {key: _json(each) for key, each in value.items()}
    if isinstance(value, tuple | list):
        return [_json(each) for each in value]
    return str(value) if isinstance(value, UUID | date | Decimal) else value
