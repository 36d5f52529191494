"""The business verbs of sales: load, decide, save, emit. The opportunity's row is locked before anything that hangs on it."""

from datetime import date, timedelta
from uuid import UUID

from ltc_chassis.db import Transaction
from ltc_chassis.ids import new_id
from ltc_contracts.errors import Invalid
from ltc_contracts.events import Customer, Event, LeadQualified, Line
from ltc_contracts.money import Money

from sales_svc import domain, store
from sales_svc.domain import Contract, Opportunity, Quote

QUOTE_VALID_DAYS = 30  # where the seller names no last day


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
    if code in domain.CLOSED:
        raise Invalid(f"'{code}' is an outcome: sign the contract to win, or use /lose with a reason", field="stage")
    stages = {stage.code: stage for stage in await store.list_stages(tx.conn)}
    if code not in stages:
        raise Invalid(f"no stage '{code}'; there are {', '.join(stages)}", field="stage")
    opportunity = await store.get_opportunity_for_update(tx.conn, opportunity_id)
    moved, change, events = domain.move(opportunity, stages[code], tx.now)
    if change is not None:
        await store.save_opportunity(tx.conn, moved)
        await store.insert_stage_change(tx.conn, new_id(), moved.id, change)
        _emit(tx, moved, events)
    return moved


async def lose(tx: Transaction, opportunity_id: UUID, reason: str) -> Opportunity:
    """The deal is lost; its open quotes are no longer offers."""
    opportunity = await store.get_opportunity_for_update(tx.conn, opportunity_id)
    lost, change, events = domain.lose(opportunity, reason, tx.now)
    for quote in domain.supersede(await store.list_quotes_for_update(tx.conn, opportunity_id), tx.now):
        await store.save_quote(tx.conn, quote)
    await store.save_opportunity(tx.conn, lost)
    await store.insert_stage_change(tx.conn, new_id(), lost.id, change)
    _emit(tx, lost, events)
    return lost


async def draft_quote(
    tx: Transaction,
    opportunity_id: UUID,
    *,
    customer: Customer,
    lines: tuple[Line, ...],
    valid_until: date | None,
    payment_terms_days: int,
    requested_on: date | None,
) -> Quote:
    """The next version of the offer, priced."""
    opportunity = await store.get_opportunity_for_update(tx.conn, opportunity_id)
    domain.require_offerable(opportunity)
    domain.require_customer_fits(customer, lines)
    account_id = await store.upsert_account(tx.conn, new_id(), customer.name, customer.country, tx.now)
    net, _, _ = domain.totals(lines)
    last_day = valid_until or tx.now.date() + timedelta(days=QUOTE_VALID_DAYS)
    if last_day < tx.now.date():
        raise Invalid("the last day of an offer cannot lie in the past", field="valid_until")
    quote = Quote(
        id=new_id(),
        flow_id=opportunity.flow_id,
        opportunity_id=opportunity.id,
        number=await _number(tx, "Q"),
        quote_version=await store.next_quote_version(tx.conn, opportunity.id),
        state="draft",
        customer=customer.model_copy(update={"customer_id": account_id}),
        lines=lines,
        net=net,
        valid_until=last_day,
        payment_terms_days=payment_terms_days,
        requested_on=requested_on,
        version=1,
        created_at=tx.now,
        updated_at=tx.now,
    )
    await store.insert_quote(tx.conn, quote)
    return quote


async def send_quote(tx: Transaction, quote_id: UUID) -> Quote:
    """The offer goes out; a deal that was not that far moves to the stage `proposal`."""
    opportunity, quote = await _locked(tx, quote_id)
    domain.require_offerable(opportunity)
    sent, events = domain.send(quote, tx.now)
    await store.save_quote(tx.conn, sent)
    stages = {stage.code: stage for stage in await store.list_stages(tx.conn)}
    present, proposal = stages.get(opportunity.stage), stages.get("proposal")
    if present is not None and proposal is not None and present.position < proposal.position:
        await move_stage(tx, opportunity.id, proposal.code)
    for event in events:
        tx.emit(event, flow_id=sent.flow_id, sequence=sent.version)
    return sent


async def accept_quote(tx: Transaction, quote_id: UUID) -> Quote:
    """The customer takes this version; the others are superseded."""
    opportunity, quote = await _locked(tx, quote_id)
    domain.require_offerable(opportunity)
    others = await store.list_quotes_for_update(tx.conn, opportunity.id)
    accepted, superseded, events = domain.accept(quote, others, tx.now)
    for changed in (*superseded, accepted):
        await store.save_quote(tx.conn, changed)
    for event in events:
        tx.emit(event, flow_id=accepted.flow_id, sequence=accepted.version)
    return accepted


async def reject_quote(tx: Transaction, quote_id: UUID) -> Quote:
    """The customer does not take this version; another may follow."""
    _, quote = await _locked(tx, quote_id)
    rejected = domain.reject(quote, tx.now)
    await store.save_quote(tx.conn, rejected)
    return rejected


async def expire_quotes(tx: Transaction, *, limit: int) -> int:
    """Sent quotes past their last day; returns how many."""
    due = await store.list_expired_quotes_for_update(tx.conn, tx.now.date(), limit)
    for quote in due:
        await store.save_quote(tx.conn, domain.expire(quote, tx.now))
    return len(due)


async def draw_up_contract(tx: Transaction, quote_id: UUID) -> Contract:
    """One contract per accepted quote; asked again, it is the same one."""
    opportunity, quote = await _locked(tx, quote_id)
    existing = await store.find_contract_of_quote(tx.conn, quote_id)
    if existing is not None:
        return existing
    domain.require_offerable(opportunity)
    document, digest = domain.draw_up(quote)
    contract = Contract(
        id=new_id(),
        flow_id=quote.flow_id,
        opportunity_id=quote.opportunity_id,
        quote_id=quote.id,
        number=await _number(tx, "C"),
        state="draft",
        document=document,
        document_sha256=digest,
        signed_by=None,
        signed_at=None,
        version=1,
        created_at=tx.now,
        updated_at=tx.now,
    )
    await store.insert_contract(tx.conn, contract)
    return contract


async def sign_contract(tx: Transaction, contract_id: UUID, signed_by: str) -> Contract:
    """Signed is won: both facts leave in one transaction."""
    known = await store.get_contract(tx.conn, contract_id)
    opportunity = await store.get_opportunity_for_update(tx.conn, known.opportunity_id)
    contract = await store.get_contract_for_update(tx.conn, contract_id)
    quote = await store.get_quote(tx.conn, contract.quote_id)
    signed, won, change, events = domain.sign(contract, quote, opportunity, signed_by, tx.now)
    await store.save_contract(tx.conn, signed)
    await store.save_opportunity(tx.conn, won)
    await store.insert_stage_change(tx.conn, new_id(), won.id, change)
    agreed, *rest = events
    tx.emit(agreed, flow_id=signed.flow_id, sequence=signed.version)
    _emit(tx, won, rest)
    return signed


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
) -> Opportunity | None:
    first = (await store.list_stages(tx.conn))[0]
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
    )
    if not await store.insert_opportunity(tx.conn, opportunity):
        return None
    if company and country:
        await store.upsert_account(tx.conn, new_id(), company, country, tx.now)
    _emit(tx, opportunity, [domain.opened(opportunity)])
    return opportunity


async def _locked(tx: Transaction, quote_id: UUID) -> tuple[Opportunity, Quote]:
    """The quote and its opportunity, the opportunity's row locked first."""
    known = await store.get_quote(tx.conn, quote_id)
    opportunity = await store.get_opportunity_for_update(tx.conn, known.opportunity_id)
    return opportunity, await store.get_quote_for_update(tx.conn, quote_id)


async def _number(tx: Transaction, prefix: str) -> str:
    series = f"{prefix}-{tx.now.year}"
    return f"{series}-{await store.next_number(tx.conn, series):06d}"


def _emit(tx: Transaction, opportunity: Opportunity, events: list[Event]) -> None:
    for event in events:
        tx.emit(event, flow_id=opportunity.flow_id, sequence=opportunity.version)
