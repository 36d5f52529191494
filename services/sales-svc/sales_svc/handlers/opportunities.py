"""The verbs of a deal: load, decide, save, emit. The opportunity's row is locked before anything that hangs on it."""

from dataclasses import replace
from uuid import UUID

from ltc_chassis.db import Transaction
from ltc_chassis.ids import new_id
from ltc_contracts.errors import Invalid
from ltc_contracts.events import Contact, Event, LeadQualified
from ltc_contracts.money import Money

from sales_svc.domain import opportunity as rules
from sales_svc.domain import quote as offers
from sales_svc.domain.opportunity import Opportunity
from sales_svc.domain.pipeline import CLOSED
from sales_svc.handlers.accounts import account_of
from sales_svc.handlers.contacts import person_of
from sales_svc.store import opportunities, pipelines, quotes


async def open_from_lead(tx: Transaction, lead: LeadQualified, *, flow_id: UUID) -> Opportunity | None:
    """A qualified lead becomes an opportunity on the same flow; a repeated event changes nothing."""
    name = lead.company or (lead.contact.name if lead.contact else None) or f"Lead from {lead.source}"
    return await _open(
        tx,
        flow_id=flow_id,
        lead_id=lead.lead_id,
        name=name,
        company=lead.company,
        country=lead.country,
        owner=lead.owner,
        value=lead.estimated_value,
        channel=lead.channel,
        source=lead.source,
        website=lead.website,
        person=lead.contact,
    )


async def open_opportunity(
    tx: Transaction,
    *,
    name: str,
    company: str | None,
    country: str | None,
    owner: str | None,
    value: Money | None,
    channel: str | None,
    source: str | None,
) -> Opportunity:
    """A deal without a lead begins a flow of its own."""
    made = await _open(
        tx,
        flow_id=new_id(),
        lead_id=None,
        name=name,
        company=company,
        country=country,
        owner=owner,
        value=value,
        channel=channel,
        source=source,
    )
    assert made is not None, "only a lead can be there already"
    return made


async def move_stage(tx: Transaction, opportunity_id: UUID, code: str) -> Opportunity:
    """Move the deal along its pipeline."""
    if code in CLOSED:
        raise Invalid(f"'{code}' is an outcome: sign the contract to win, or use /lose with a reason", field="stage")
    stages = {stage.code: stage for stage in await pipelines.list_stages(tx.conn)}
    if code not in stages:
        raise Invalid(f"no stage '{code}'; there are {', '.join(stages)}", field="stage")
    opportunity = await opportunities.get_opportunity_for_update(tx.conn, opportunity_id)
    moved, change, events = rules.move(opportunity, stages[code], tx.now)
    if change is not None:
        await opportunities.save_opportunity(tx.conn, moved)
        await opportunities.insert_stage_change(tx.conn, new_id(), moved.id, change)
        emit(tx, moved, events)
    return moved


async def lose(tx: Transaction, opportunity_id: UUID, reason: str) -> Opportunity:
    """The deal is lost; its open quotes are no longer offers."""
    opportunity = await opportunities.get_opportunity_for_update(tx.conn, opportunity_id)
    lost, change, events = rules.lose(opportunity, reason, tx.now)
    for quote in offers.supersede(await quotes.list_quotes_for_update(tx.conn, opportunity_id), tx.now):
        await quotes.save_quote(tx.conn, quote)
    await opportunities.save_opportunity(tx.conn, lost)
    await opportunities.insert_stage_change(tx.conn, new_id(), lost.id, change)
    emit(tx, lost, events)
    return lost


async def _open(
    tx: Transaction,
    *,
    flow_id: UUID,
    lead_id: UUID | None,
    name: str,
    company: str | None,
    country: str | None,
    owner: str | None,
    value: Money | None,
    channel: str | None,
    source: str | None,
    website: str | None = None,
    person: Contact | None = None,
) -> Opportunity | None:
    first = (await pipelines.list_stages(tx.conn))[0]
    opportunity = Opportunity(
        id=new_id(),
        flow_id=flow_id,
        lead_id=lead_id,
        name=name,
        company=company,
        country=country,
        owner=owner,
        stage=first.code,
        probability=first.probability,
        value=value,
        channel=channel,
        source=source,
        stage_since=tx.now,
        lost_reason=None,
        version=1,
        created_at=tx.now,
        updated_at=tx.now,
        account_id=await account_of(tx, company, country, website) if company else None,
    )
    if not await opportunities.insert_opportunity(tx.conn, opportunity):
        return None
    if person is not None:
        opportunity = replace(opportunity, contact_id=await person_of(tx, opportunity.account_id, person))
        await opportunities.save_opportunity(tx.conn, opportunity)
    emit(tx, opportunity, [rules.opened(opportunity)])
    return opportunity


def emit(tx: Transaction, opportunity: Opportunity, events: list[Event]) -> None:
    for event in events:
        tx.emit(event, flow_id=opportunity.flow_id, sequence=opportunity.version)
