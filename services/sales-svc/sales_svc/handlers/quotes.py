"""The verbs of an offer: draft, change, copy, send, accept, reject, expire. Lock order: the opportunity, then its quotes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from ltc_chassis import custom_fields
from ltc_chassis.db import Transaction
from ltc_chassis.ids import new_id
from ltc_contracts.errors import DomainError, Invalid
from ltc_contracts.events import Customer, Event
from ltc_contracts.money import Money
from ltc_rules import custom_fields as fields

from sales_svc.domain import opportunity as deals
from sales_svc.domain import quote as rules
from sales_svc.domain.catalogue import NotForSale
from sales_svc.domain.offer import Known, build, with_ids
from sales_svc.domain.opportunity import Opportunity
from sales_svc.domain.position import Built, Terms, Wanted
from sales_svc.domain.price import Buyer, QuantityOutOfRange
from sales_svc.domain.pricing import Catalogue
from sales_svc.domain.quote import Quote
from sales_svc.domain.quote_answer import Answer
from sales_svc.domain.versions import require_version
from sales_svc.handlers import approvals, quote_mails
from sales_svc.handlers import quote_links as links
from sales_svc.handlers.locks import locked
from sales_svc.handlers.numbers import next_number
from sales_svc.handlers.opportunities import reach_stage
from sales_svc.handlers.prices import load_catalogue
from sales_svc.handlers.quote_links import Recipient
from sales_svc.store import accounts, opportunities, quote_links, quotes

QUOTE_VALID_DAYS = 30  # where the seller names no last day


@dataclass(frozen=True, slots=True)
class Content:
    """What a seller writes into an offer. `region` and `segment` null: the deal's."""

    customer: Customer
    currency: str
    lines: tuple[Wanted, ...]
    valid_until: date | None = None
    payment_terms_days: int = 30
    requested_on: date | None = None
    discount_percent: Decimal = Decimal(0)
    discount_amount: Decimal | None = None
    language: str = "en"
    contact: str | None = None
    address: tuple[str, ...] = ()
    introduction: str = ""
    terms: str = ""
    price_book: str | None = None
    region: str | None = None
    segment: str | None = None
    custom: Mapping[str, Any] = field(default_factory=dict)


async def draft_quote(tx: Transaction, opportunity_id: UUID, content: Content, *, by: str | None = None) -> Quote:
    """The next version of the offer, priced."""
    opportunity = await opportunities.get_opportunity_for_update(tx.conn, opportunity_id)
    deals.require_offerable(opportunity)
    made = await _priced(tx, opportunity, content)
    quote = Quote(
        id=new_id(),
        flow_id=opportunity.flow_id,
        opportunity_id=opportunity.id,
        number=await next_number(tx, "Q"),
        quote_version=await quotes.next_quote_version(tx.conn, opportunity.id),
        state="draft",
        version=1,
        created_at=tx.now,
        updated_at=tx.now,
        created_by=by,
        edited_by=by,
        **made,
    )
    await quotes.insert_quote(tx.conn, quote)
    return quote


async def change_quote(tx: Transaction, quote_id: UUID, content: Content, *, by: str, expected: int | None) -> Quote:
    """Another content for a version that is not sent; what was approved or asked for is open again. Raises `VersionConflict`."""
    opportunity, quote = await locked(tx, quote_id)
    require_version("the quote", quote.version, expected)
    deals.require_offerable(opportunity)
    made = await _priced(tx, opportunity, content)
    changed = rules.change(quote, tx.now, edited_by=by, **made)
    if quote.state == "pending_approval":
        await approvals.withdraw(tx, quote, by)
    await quotes.save_content(tx.conn, changed)
    return changed


async def copy_quote(tx: Transaction, quote_id: UUID, *, by: str, valid_until: date | None = None) -> Quote:
    """A new version with the same positions at the same prices, to be changed from there."""
    opportunity, quote = await locked(tx, quote_id)
    deals.require_offerable(opportunity)
    built = with_ids(quote.items, Terms(quote.net.currency, quote.customer.country, quote.language, new_id=new_id))
    copied = replace(
        quote,
        id=new_id(),
        number=await next_number(tx, "Q"),
        quote_version=await quotes.next_quote_version(tx.conn, opportunity.id),
        state="draft",
        items=built.items,
        lines=built.lines,
        valid_until=_last_day(tx, valid_until),
        version=1,
        created_at=tx.now,
        updated_at=tx.now,
        created_by=by,
        edited_by=by,
        copied_from=quote.id,
        sent_at=None,
        closed_reason=None,
        viewed_at=None,
    )
    await quotes.insert_quote(tx.conn, copied)
    return copied


async def send_quote(
    tx: Transaction, quote_id: UUID, *, by: str = "", supersede: bool = False, recipients: Sequence[Recipient] = ()
) -> Quote:
    """The offer goes out; a deal that was not that far moves to the stage `proposal`, if its criteria are met.

    With `supersede` earlier versions are no longer offers. Each recipient gets a link by mail. Raises `ApprovalNeeded`.
    """
    opportunity, quote = await locked(tx, quote_id)
    deals.require_offerable(opportunity)
    if quote.state == "draft":
        await approvals.require_authority(tx, quote, by)
    defs = await custom_fields.load(tx.conn, "quote")
    sent, events = rules.send(quote, tx.now, custom=fields.public(defs, quote.custom))
    await quotes.save_quote(tx.conn, sent)
    if supersede:
        known = await quotes.list_quotes_for_update(tx.conn, opportunity.id)
        earlier = [each for each in known if each.quote_version < sent.quote_version and each.state != "accepted"]
        for each in rules.supersede(earlier, tx.now):
            await quotes.save_quote(tx.conn, each)
    await reach_stage(tx, opportunity, "proposal")
    if recipients:
        await links.make_links(tx, quote_id, recipients, by=by)
    _emit(tx, sent, events)
    return sent


async def accept_quote(tx: Transaction, quote_id: UUID, answer: Answer | None = None) -> Quote:
    """The customer takes this version; the others are superseded. `answer` says who said so, and where."""
    opportunity, quote = await locked(tx, quote_id)
    deals.require_offerable(opportunity)
    others = await quotes.list_quotes_for_update(tx.conn, opportunity.id)
    accepted, superseded, events = rules.accept(quote, others, tx.now, via=answer.via if answer else "api")
    for changed in (*superseded, accepted):
        await quotes.save_quote(tx.conn, changed)
    if answer is not None:
        await quote_links.insert_answer(tx.conn, quote_id, "accepted", answer, tx.now)
    await quote_mails.take_back_reminders(tx, accepted)
    _emit(tx, accepted, events)
    return accepted


async def reject_quote(tx: Transaction, quote_id: UUID, answer: Answer | None = None) -> Quote:
    """The customer does not take this version; another may follow."""
    _, quote = await locked(tx, quote_id)
    rejected, events = rules.reject(quote, tx.now, reason=answer.reason if answer else None)
    await quotes.save_quote(tx.conn, rejected)
    if answer is not None:
        await quote_links.insert_answer(tx.conn, quote_id, "rejected", answer, tx.now)
    await quote_mails.take_back_reminders(tx, rejected)
    _emit(tx, rejected, events)
    return rejected


async def expire_quotes(tx: Transaction, *, limit: int) -> int:
    """Sent quotes past their last day; returns how many."""
    due = await quotes.list_expired_quotes_for_update(tx.conn, tx.now.date(), limit)
    for quote in due:
        expired, events = rules.expire(quote, tx.now)
        await quotes.save_quote(tx.conn, expired)
        _emit(tx, expired, events)
    return len(due)


async def _priced(tx: Transaction, opportunity: Opportunity, content: Content) -> dict[str, Any]:
    """The fields of a quote that its content decides."""
    built = await _built(tx, opportunity, content)
    rules.require_customer_fits(content.customer, built.lines)
    last_day = _last_day(tx, content.valid_until)
    defs = await custom_fields.load(tx.conn, "quote")
    custom = fields.merge({}, fields.validate(defs, content.custom))
    customer = content.customer
    account_id = await accounts.upsert_account(tx.conn, new_id(), customer.name, customer.country, tx.now)
    amount = content.discount_amount
    return {
        "customer": customer.model_copy(update={"customer_id": account_id}),
        "items": built.items,
        "lines": built.lines,
        "net": Money.total((line.net for line in built.lines), content.currency),
        "valid_until": last_day,
        "discount_amount": None if amount is None else Money.of(amount, content.currency),
        "custom": custom,
        **{
            name: getattr(content, name)
            for name in ("payment_terms_days", "requested_on", "discount_percent", "language", "contact", "address")
        },
        **{name: getattr(content, name) for name in ("introduction", "terms", "price_book")},
    }


async def _built(tx: Transaction, opportunity: Opportunity, content: Content) -> Built:
    buyer = Buyer(
        content.currency,
        tx.now.date(),
        content.customer.country,
        content.region or opportunity.region,
        content.segment or opportunity.segment,
    )
    skus = [line.sku for line in content.lines]
    catalogue = await load_catalogue(tx.conn, skus, buyer, book=content.price_book)
    terms = Terms(
        content.currency,
        content.customer.country,
        content.language,
        content.discount_percent,
        content.discount_amount,
        new_id=new_id,
    )
    return build(content.lines, _known(catalogue, content.lines), terms)


def _known(catalogue: Catalogue, lines: Sequence[Wanted]) -> list[Known | None]:
    """What the catalogue says for each position. For a seller's own price it may have nothing to say."""
    found: list[Known | None] = []
    for number, line in enumerate(lines):
        try:
            found.append(catalogue.price(line.sku, line.quantity))
        except DomainError as error:
            if line.unit_price is None or not isinstance(error, NotForSale | QuantityOutOfRange):
                error.field = f"lines.{number}.{error.field or 'sku'}"
                raise
            found.append(None)
    return found


def _last_day(tx: Transaction, wanted: date | None) -> date:
    last_day = wanted or tx.now.date() + timedelta(days=QUOTE_VALID_DAYS)
    if last_day < tx.now.date():
        raise Invalid("the last day of an offer cannot lie in the past", field="valid_until")
    return last_day


def _emit(tx: Transaction, quote: Quote, events: Sequence[Event]) -> None:
    for event in events:
        tx.emit(event, flow_id=quote.flow_id, sequence=quote.version)
