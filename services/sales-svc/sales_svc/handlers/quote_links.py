"""Links to offers: made and mailed, taken back, looked at, reminded of. Lock order: the opportunity, its quotes, then a link."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from ltc_chassis import links
from ltc_chassis.db import Transaction
from ltc_chassis.ids import new_id
from ltc_chassis.links import LinkInvalid
from ltc_chassis.mailroom import check_address
from ltc_contracts.errors import Invalid

from sales_svc.domain import quote_answer as rules
from sales_svc.domain.quote import Quote
from sales_svc.domain.quote_answer import QuoteLink
from sales_svc.handlers import quote_mails, quote_papers
from sales_svc.handlers.letters import on_one_line
from sales_svc.handlers.locks import locked
from sales_svc.store import quote_links, quotes

PURPOSE = "quote.answer"


@dataclass(frozen=True, slots=True)
class Recipient:
    """Who gets a link; without an address nobody is mailed, and the link is handed over by other ways."""

    email: str | None = None
    name: str | None = None
    remind_days_before: int | None = rules.REMIND_DAYS_BEFORE


async def make_links(tx: Transaction, quote_id: UUID, recipients: Sequence[Recipient], *, by: str) -> list[tuple[QuoteLink, str]]:
    """A link each, with its address; mailed with the document. Raises `NotAnOffer`, `TooManyLinks`, `BadAddress`,
    `PublicAddressMissing`.
    """
    _, quote = await locked(tx, quote_id)
    rules.require_open(quote, tx.now.date())
    _check(recipients)
    if await quote_links.count_links(tx.conn, quote_id) + len(recipients) > rules.MOST_LINKS:
        raise rules.TooManyLinks(f"quote {quote.number} can have {rules.MOST_LINKS} links; take a new version")
    pdf, _ = await quote_papers.paper_of(tx.conn, quote, tx.now)
    made = []
    for each in recipients:
        link = QuoteLink(
            id=new_id(),
            quote_id=quote_id,
            created_by=by,
            created_at=tx.now,
            expires_at=rules.expires_at(quote.valid_until),
            mailed_to=each.email,
            name=on_one_line(each.name or "") or None,
            remind_on=rules.remind_on(quote.valid_until, each.remind_days_before, tx.now.date()) if each.email else None,
        )
        url = address_of(tx, link)
        await quote_links.insert_link(tx.conn, link)
        if link.mailed_to is not None:
            await quote_mails.mail_offer(tx, quote, link, url, pdf)
        made.append((link, url))
    return made


async def make_link(tx: Transaction, quote_id: UUID, recipient: Recipient, *, by: str) -> tuple[QuoteLink, str]:
    """One more; see `make_links`."""
    if recipient.email is not None:
        check_address(recipient.email, field="email")
    [made] = await make_links(tx, quote_id, [recipient], by=by)
    return made


def address_of(tx: Transaction, link: QuoteLink) -> str:
    """The page's address. Nothing of a token is kept: it is the link's id, signed. Raises `PublicAddressMissing`."""
    return links.address(tx.settings, f"/q/{token_of(tx, link)}")


def token_of(tx: Transaction, link: QuoteLink) -> str:
    """What the page knows the link by."""
    return links.sign(links.keys(tx.settings), purpose=PURPOSE, subject=str(link.id), expires_at=link.expires_at)


async def verified(tx: Transaction, token: str) -> tuple[QuoteLink, Quote]:
    """The link that a token is for, and its quote, as they are at this moment. Raises `LinkInvalid`, `LinkExpired`."""
    found = links.verify(links.keys(tx.settings), token, purpose=PURPOSE, now=tx.now)
    link = await quote_links.find_link(tx.conn, UUID(found.subject))
    if link is None:
        raise LinkInvalid("this link is not one of ours")
    return link, await quotes.get_quote(tx.conn, link.quote_id)


async def revoke_link(tx: Transaction, quote_id: UUID, link_id: UUID, *, by: str) -> QuoteLink:
    """The link opens nothing any more, and what it was to be mailed with stays here. Raises `NotFound`."""
    link = await quote_links.revoke_link(tx.conn, quote_id, link_id, by=by, now=tx.now)
    await quote_mails.take_back(tx, link)
    return link


async def remind(tx: Transaction, *, limit: int) -> int:
    """Remind of offers whose last day comes near, each recipient once; nobody of what is answered or over. Returns how many."""
    due = await quote_links.claim_due_reminders(tx.conn, tx.now.date(), limit)
    for link in due:
        quote = await quotes.get_quote(tx.conn, link.quote_id)
        wanted = rules.state_of(quote, link, tx.now.date()) == "open"
        if wanted:
            await quote_mails.mail_reminder(tx, quote, link, address_of(tx, link))
        await quote_links.finish_reminder(tx.conn, link.id, tx.now if wanted else None)
    return len(due)


def _check(recipients: Sequence[Recipient]) -> None:
    known: set[str] = set()
    for number, each in enumerate(recipients):
        if each.email is None:
            continue
        check_address(each.email, field=f"recipients.{number}.email")
        if each.email.lower() in known:
            raise Invalid("one link for each recipient", field=f"recipients.{number}.email")
        known.add(each.email.lower())
