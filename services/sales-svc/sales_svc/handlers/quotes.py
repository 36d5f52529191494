"""The verbs of an offer: draft, send, accept, reject, expire. Lock order: the opportunity, then its quotes."""

from datetime import date, timedelta
from uuid import UUID

from ltc_chassis.db import Transaction
from ltc_chassis.ids import new_id
from ltc_contracts.errors import Invalid
from ltc_contracts.events import Customer, Line

from sales_svc.domain import opportunity as deals
from sales_svc.domain import quote as rules
from sales_svc.domain.opportunity import Opportunity
from sales_svc.domain.quote import Quote
from sales_svc.handlers.numbers import next_number
from sales_svc.handlers.opportunities import reach_stage
from sales_svc.store import accounts, opportunities, quotes

QUOTE_VALID_DAYS = 30  # where the seller names no last day


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
    opportunity = await opportunities.get_opportunity_for_update(tx.conn, opportunity_id)
    deals.require_offerable(opportunity)
    rules.require_customer_fits(customer, lines)
    account_id = await accounts.upsert_account(tx.conn, new_id(), customer.name, customer.country, tx.now)
    net, _, _ = rules.totals(lines)
    last_day = valid_until or tx.now.date() + timedelta(days=QUOTE_VALID_DAYS)
    if last_day < tx.now.date():
        raise Invalid("the last day of an offer cannot lie in the past", field="valid_until")
    quote = Quote(
        id=new_id(),
        flow_id=opportunity.flow_id,
        opportunity_id=opportunity.id,
        number=await next_number(tx, "Q"),
        quote_version=await quotes.next_quote_version(tx.conn, opportunity.id),
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
    await quotes.insert_quote(tx.conn, quote)
    return quote


async def send_quote(tx: Transaction, quote_id: UUID) -> Quote:
    """The offer goes out; a deal that was not that far moves to the stage `proposal`, if its criteria are met."""
    opportunity, quote = await locked(tx, quote_id)
    deals.require_offerable(opportunity)
    sent, events = rules.send(quote, tx.now)
    await quotes.save_quote(tx.conn, sent)
    await reach_stage(tx, opportunity, "proposal")
    for event in events:
        tx.emit(event, flow_id=sent.flow_id, sequence=sent.version)
    return sent


async def accept_quote(tx: Transaction, quote_id: UUID) -> Quote:
    """The customer takes this version; the others are superseded."""
    opportunity, quote = await locked(tx, quote_id)
    deals.require_offerable(opportunity)
    others = await quotes.list_quotes_for_update(tx.conn, opportunity.id)
    accepted, superseded, events = rules.accept(quote, others, tx.now)
    for changed in (*superseded, accepted):
        await quotes.save_quote(tx.conn, changed)
    for event in events:
        tx.emit(event, flow_id=accepted.flow_id, sequence=accepted.version)
    return accepted


async def reject_quote(tx: Transaction, quote_id: UUID) -> Quote:
    """The customer does not take this version; another may follow."""
    _, quote = await locked(tx, quote_id)
    rejected = rules.reject(quote, tx.now)
    await quotes.save_quote(tx.conn, rejected)
    return rejected


async def expire_quotes(tx: Transaction, *, limit: int) -> int:
    """Sent quotes past their last day; returns how many."""
    due = await quotes.list_expired_quotes_for_update(tx.conn, tx.now.date(), limit)
    for quote in due:
        await quotes.save_quote(tx.conn, rules.expire(quote, tx.now))
    return len(due)


async def locked(tx: Transaction, quote_id: UUID) -> tuple[Opportunity, Quote]:
    """The quote and its opportunity, the opportunity's row locked first."""
    known = await quotes.get_quote(tx.conn, quote_id)
    opportunity = await opportunities.get_opportunity_for_update(tx.conn, known.opportunity_id)
    return opportunity, await quotes.get_quote_for_update(tx.conn, quote_id)
