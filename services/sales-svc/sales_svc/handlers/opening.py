"""How deals begin: from a qualified lead or by hand. No two reps on one customer: a second one is held back or refused.

Lock order: the customer's account, then what is new.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any
from uuid import UUID

from ltc_chassis import custom_fields
from ltc_chassis.db import Transaction
from ltc_chassis.ids import new_id
from ltc_contracts.errors import DomainError, Invalid, WrongTransition
from ltc_contracts.events import LeadQualified
from ltc_contracts.money import Money
from ltc_rules import custom_fields as fields
from ltc_rules.custom_fields import FieldDef

from sales_svc.domain import opportunity as rules
from sales_svc.domain.account import known_domain
from sales_svc.domain.opportunity import CustomerTaken, Member, Opportunity
from sales_svc.domain.pipeline import Category
from sales_svc.handlers import merged_leads
from sales_svc.handlers import opportunities as deals
from sales_svc.handlers.accounts import account_of, named_account
from sales_svc.handlers.contacts import named_contact, person_of
from sales_svc.store import accounts, erasure, held_leads, opportunities, reps
from sales_svc.store.held_leads import HeldLead


class ReferenceTaken(DomainError):
    """A deal has this external reference."""


@dataclass(frozen=True, slots=True)
class NewDeal:
    """What a deal is opened with; `occurred_at` is when it really began, for deals of the past.

    `public_name` is told instead of a name that is a person's.
    """

    name: str
    public_name: str | None = None
    company: str | None = None
    country: str | None = None
    website: str | None = None
    account_id: UUID | None = None
    contact_id: UUID | None = None
    owner: str | None = None
    team: str | None = None
    value: Money | None = None
    channel: str | None = None
    source: str | None = None
    region: str | None = None
    segment: str | None = None
    campaign: str | None = None
    products: tuple[str, ...] = ()
    external_ref: str | None = None
    expected_close_on: date | None = None
    next_step: str | None = None
    next_step_due: datetime | None = None
    category: Category | None = None
    pipeline: str | None = None
    stage: str | None = None
    custom: Mapping[str, Any] = field(default_factory=dict)
    members: tuple[Member, ...] = ()
    occurred_at: datetime | None = None


async def open_from_lead(tx: Transaction, lead: LeadQualified, *, flow_id: UUID) -> Opportunity | None:
    """A qualified lead becomes a deal on the same flow; a repeated event changes nothing.

    Without a rep of its own it goes to the one who has an open deal with the customer, else to the account's owner. A lead of
    another rep is held back instead, until a person decides.
    """
    if await opportunities.has_lead(tx.conn, lead.lead_id):
        return None
    person = None if lead.contact is None or await erasure.is_erased(tx.conn, lead.lead_id) else lead.contact
    impersonal = lead.company or f"Lead from {lead.source}"
    new = NewDeal(
        name=lead.company or (person.name if person else None) or impersonal,
        public_name=impersonal,
        company=lead.company,
        country=lead.country,
        account_id=await account_of(tx, lead.company, lead.country, lead.website) if lead.company else None,
        owner=lead.owner,
        value=lead.estimated_value,
        channel=lead.channel,
        source=lead.source,
        region=lead.region,
        segment=lead.segments[0] if lead.segments else None,
        campaign=lead.campaign,
        custom=lead.custom,
    )
    other = None
    if new.account_id is not None:
        site = lead.website if known_domain(lead.website) else None
        await accounts.lock_and_complete(
            tx.conn, new.account_id, industry=lead.industry, size=lead.company_size, website=site, domain=known_domain(site)
        )
        other = await opportunities.find_open_of_other_rep(tx.conn, new.account_id, new.owner)
    if person is not None:
        new = replace(new, contact_id=await person_of(tx, new.account_id, person))
    if other is not None and new.owner is not None:
        await _hold(tx, lead.lead_id, flow_id, new, other)
        return None
    if new.owner is None and new.account_id is not None:
        account = await accounts.get_account(tx.conn, new.account_id)
        new = replace(new, owner=other[1] if other else account.owner)
    return await _open(tx, new, flow_id=flow_id, lead_id=lead.lead_id)


async def open_opportunity(
    tx: Transaction, new: NewDeal, by: str, *, despite_other_rep: bool = False, flow_id: UUID | None = None
) -> Opportunity:
    """A deal without a lead begins a flow of its own.

    Raises `CustomerTaken` when another rep has an open deal with the customer, unless that is agreed; `ReferenceTaken`.
    """
    rules.check_team(new.members)
    if new.occurred_at is not None and new.occurred_at > tx.now:
        raise Invalid("a deal cannot have begun in the future", field="occurred_at")
    if new.contact_id is not None:
        contact = await named_contact(tx, new.contact_id)
        new = replace(new, account_id=new.account_id or contact.account_id)
    if new.account_id is not None:
        account = await named_account(tx, new.account_id)
        new = replace(new, company=new.company or account.name, country=new.country or account.country)
    elif new.company:
        new = replace(new, account_id=await account_of(tx, new.company, new.country, new.website))
    if new.account_id is not None and new.owner is not None and not despite_other_rep:
        await accounts.get_account_for_update(tx.conn, new.account_id)
        other = await opportunities.find_open_of_other_rep(tx.conn, new.account_id, new.owner)
        if other is not None:
            raise CustomerTaken(*other)
    defs = await custom_fields.load(tx.conn, "opportunity")
    new = replace(new, custom=fields.merge({}, fields.validate(defs, new.custom)))
    made = await _open(tx, new, flow_id=flow_id or new_id(), lead_id=None, defs=defs)
    if made is None:
        raise ReferenceTaken("a deal has this external reference", field="external_ref")
    if new.members:
        await opportunities.replace_members(tx.conn, made.id, new.members)
    await deals.log(
        tx, made, by, {"opened": [None, made.name], **({"despite_other_rep": [None, True]} if despite_other_rep else {})}
    )
    return made


async def decide_held_lead(tx: Transaction, held_id: UUID, by: str, *, owner: str | None) -> HeldLead:
    """A person decides on a lead that was held back: `owner` opens the deal after all; none: it belongs to the open deal."""
    held = await held_leads.get_held_lead_for_update(tx.conn, held_id)
    if held.state != "waiting":
        raise WrongTransition("the lead", held.state, "decide")
    decided = replace(held, state="attached" if owner is None else "opened", decided_by=by, decided_at=tx.now)
    await held_leads.save_held_lead(tx.conn, decided)
    if owner is None:
        deal = await opportunities.get_opportunity_for_update(tx.conn, held.opportunity_id)
        await deals.log(tx, deal, by, {"lead_attached": [None, str(held.lead_id)]})
    else:
        value = held.deal["value"]
        new = NewDeal(**{**held.deal, "value": Money.of(value["amount"], value["currency"]) if value else None})
        account_id = await accounts.live_account_id(tx.conn, held.account_id)
        new = replace(new, account_id=account_id, contact_id=held.contact_id, owner=owner)
        made = await _open(tx, new, flow_id=held.flow_id, lead_id=held.lead_id)
        assert made is not None, "a lead that waits has no deal"
        await deals.log(tx, made, by, {"opened": [None, made.name]})
    return decided


async def _hold(tx: Transaction, lead_id: UUID, flow_id: UUID, new: NewDeal, other: tuple[UUID, str]) -> None:
    assert new.account_id is not None
    assert new.owner is not None
    value = {"amount": str(new.value.amount), "currency": new.value.currency} if new.value else None
    names = ("name", "public_name", "company", "country", "channel", "source", "region", "segment", "campaign", "custom")
    held = HeldLead(
        id=new_id(),
        lead_id=lead_id,
        flow_id=flow_id,
        account_id=new.account_id,
        opportunity_id=other[0],
        contact_id=new.contact_id,
        rep=new.owner,
        other_rep=other[1],
        deal={**{name: getattr(new, name) for name in names}, "value": value},
        state="waiting",
        decided_by=None,
        decided_at=None,
        created_at=tx.now,
    )
    await held_leads.insert_held_lead(tx.conn, held)


async def _open(
    tx: Transaction, new: NewDeal, *, flow_id: UUID, lead_id: UUID | None, defs: list[FieldDef] | None = None
) -> Opportunity | None:
    """None when the lead has a deal already, or the external reference is known. A lead's own fields come along where a field
    of the deal has the same key and takes the value."""
    pipeline = await deals.usable_pipeline(tx, new.pipeline)
    stage = pipeline.stage(new.stage) if new.stage else pipeline.stages[0]
    if new.custom and defs is None:
        defs = await custom_fields.load(tx.conn, "opportunity")
        new = replace(new, custom=_fitting(defs, new.custom))
    begun = new.occurred_at or tx.now
    opportunity = Opportunity(
        id=new_id(),
        flow_id=flow_id,
        lead_id=lead_id,
        name=new.name,
        company=new.company,
        country=new.country,
        owner=new.owner,
        stage=stage.code,
        probability=stage.probability,
        value=new.value,
        channel=new.channel,
        source=new.source,
        stage_since=begun,
        lost_reason=None,
        version=1,
        created_at=tx.now,
        updated_at=tx.now,
        opened_at=begun,
        account_id=new.account_id,
        contact_id=new.contact_id,
        pipeline=pipeline.code,
        pipeline_version=pipeline.version,
        furthest=stage.code,
        team=new.team or (await reps.team_of(tx.conn, new.owner) if new.owner else None),
        region=new.region,
        segment=new.segment,
        campaign=new.campaign,
        products=new.products,
        external_ref=new.external_ref,
        expected_close_on=new.expected_close_on,
        next_step=new.next_step,
        next_step_due=new.next_step_due,
        category=new.category,
        custom=new.custom,
    )
    rules.check_next_step(opportunity)
    if not await opportunities.insert_opportunity(tx.conn, opportunity):
        return None
    event = rules.opened(opportunity, fields.public(defs or (), opportunity.custom), name=new.public_name)
    deals.emit(tx, opportunity, [event], new.occurred_at)
    if lead_id is not None:
        await merged_leads.opened(tx, lead_id)
    return opportunity


def _fitting(defs: list[FieldDef], values: Mapping[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for definition in defs:
        if values.get(definition.key) is None or definition.archived:
            continue
        try:
            kept |= fields.validate([definition], {definition.key: values[definition.key]}, partial=True)
        except Invalid:  # of another type in lead-svc
            continue
    return kept
