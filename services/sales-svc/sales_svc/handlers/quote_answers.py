"""What a customer does on the page of an offer: accept, decline, ask. Lock order: the opportunity, its quotes, then the link."""

import hashlib
from datetime import timedelta

from ltc_chassis.db import Transaction

from sales_svc.domain import quote_answer as rules
from sales_svc.domain.proof import Place
from sales_svc.domain.quote import Quote
from sales_svc.domain.quote_answer import Answer, DocumentChanged, QuoteLink
from sales_svc.handlers import activities, quote_mails, quote_papers, quotes
from sales_svc.handlers.locks import locked
from sales_svc.store import opportunities, quote_links
from sales_svc.store import quotes as kept

ANSWER_WITHIN = timedelta(days=1)


async def accept(
    tx: Transaction,
    link: QuoteLink,
    *,
    name: str,
    role: str,
    email: str | None,
    order_reference: str | None,
    consent: str,
    shown: str,
    place: Place,
) -> Quote:
    """The customer takes the offer, with everything that taking it over the API brings. Said again by the same link, it is said.

    `shown` is the digest of the document on the page. Raises `NotAnOffer`, `DocumentChanged`, `LinkRevoked`.
    """
    opportunity, quote = await locked(tx, link.quote_id)
    link = await _usable(tx, link)
    if await _said(tx, quote, link, "accepted"):
        return quote
    rules.require_open(quote, tx.now.date())
    sha256 = await _document(tx, quote)
    if shown != sha256:
        raise DocumentChanged("the document is not the one that was shown to you; please read it again")
    answer = Answer(
        via="link",
        name=name,
        link_id=link.id,
        address=place.address,
        user_agent=place.user_agent,
        pdf_sha256=sha256,
        role=role,
        email=email or link.mailed_to,
        order_reference=order_reference,
        consent=consent,
    )
    accepted = await quotes.accept_quote(tx, quote.id, answer)
    order = f"\nOrder reference: {order_reference}" if order_reference else ""
    details = f"{name}, {role}, accepted it online.{order}"
    await quote_mails.mail_rep(
        tx, accepted, opportunity, "accepted", details, key=f"quote-answer/{quote.id}", reply_to=answer.email
    )
    return accepted


async def decline(tx: Transaction, link: QuoteLink, reason: str, *, place: Place) -> Quote:
    """The customer does not take it. Said again by the same link, it is said. Raises `NotAnOffer`, `LinkRevoked`."""
    opportunity, quote = await locked(tx, link.quote_id)
    link = await _usable(tx, link)
    if await _said(tx, quote, link, "rejected"):
        return quote
    rules.require_open(quote, tx.now.date())
    answer = Answer(
        via="link", name=link.name, reason=reason, link_id=link.id, address=place.address, user_agent=place.user_agent
    )
    rejected = await quotes.reject_quote(tx, quote.id, answer)
    details = f"Declined online. The reason:\n\n{reason}"
    key = f"quote-answer/{quote.id}"
    await quote_mails.mail_rep(tx, rejected, opportunity, "declined", details, key=key, reply_to=link.mailed_to)
    return rejected


async def ask(tx: Transaction, link: QuoteLink, text: str, *, email: str | None) -> None:
    """A question is a task of the deal's owner for the next day, and a mail; the same words again are the same question.

    It changes nothing of the offer, and can be asked after its last day. Raises `LinkRevoked`, `TooManyQuestions`.
    """
    link = await _usable(tx, link)
    digest = rules.digest_of(text)
    if await quote_links.was_asked(tx.conn, link.id, digest):
        return
    if await quote_links.count_questions(tx.conn, link.id) >= rules.MOST_QUESTIONS:
        raise rules.TooManyQuestions("you have asked much already; please call us")
    quote = await kept.get_quote(tx.conn, link.quote_id)
    opportunity = await opportunities.get_opportunity(tx.conn, quote.opportunity_id)
    reply_to = email or link.mailed_to
    who = ", ".join(each for each in (link.name, reply_to) if each) or "somebody with the link"
    task, _ = await activities.log(
        tx,
        type="task",
        subject=f"Answer a question about quote {quote.number}",
        body=f"{who} asks:\n\n{text}",
        account_id=None,
        opportunity_id=opportunity.id,
        contact_id=None,
        by="quote page",
        occurred_at=None,
        assignee=opportunity.owner or quote.created_by,
        due_at=tx.now + ANSWER_WITHIN,
    )
    await quote_links.insert_question(tx.conn, link.id, digest, task.id, tx.now)
    await quote_mails.mail_rep(
        tx, quote, opportunity, "a question", f"{who} asks:\n\n{text}", key=f"quote-question/{task.id}", reply_to=reply_to
    )


async def _usable(tx: Transaction, link: QuoteLink) -> QuoteLink:
    """Locked, so that it is not taken back in between."""
    present = await quote_links.get_link_for_update(tx.conn, link.id)
    rules.require_not_revoked(present)
    return present


async def _said(tx: Transaction, quote: Quote, link: QuoteLink, what: str) -> bool:
    """This very link said it, and it still holds."""
    if quote.state != what:
        return False
    answer = await quote_links.find_answer(tx.conn, quote.id)
    return answer is not None and answer["link_id"] == link.id


async def _document(tx: Transaction, quote: Quote) -> str:
    """The digest of the kept bytes, computed again."""
    pdf, sha256 = await quote_papers.paper_of(tx.conn, quote, tx.now)
    if hashlib.sha256(pdf).hexdigest() != sha256:
        raise DocumentChanged("the kept document is not the one that was printed")
    return sha256
