"""What is mailed about offers: the link to the customer, one reminder, and to the rep what the customer said."""

from ltc_chassis import mailroom
from ltc_chassis.db import Transaction
from ltc_chassis.mailroom import Attachment, Mail

from sales_svc.domain.contract_text import in_words
from sales_svc.domain.opportunity import Opportunity
from sales_svc.domain.quote import Quote
from sales_svc.domain.quote_answer import MOST_LINKS, QuoteLink
from sales_svc.handlers.letters import greeting, on_one_line, our_name
from sales_svc.store import opportunities, quote_links, reps

# A larger document is read and taken from the page alone: many servers refuse mails of more than ten megabytes.
_MOST_ATTACHED = 5_000_000
_OFFER = {
    "en": (
        "Quote {number}{from_us}",
        "{greeting}\n\nhere is our quote {number}. It is valid until {day}.\n\nRead it, ask us, accept or decline it here:\n\n{url}\n\n"
        "{attached}The link is for you; pass it on only to somebody who may decide for you.\n\n{us}\n",
        "The same document is attached as a PDF.\n",
    ),
    "zh": (
        "报价单 {number}{from_us}",
        "{greeting}\n\n现向您提交报价单 {number}，有效期至 {day}。\n\n您可通过以下链接查看报价、提出问题、接受或拒绝报价：\n\n{url}\n\n"
        "{attached}此链接仅供您使用，请勿转发给无权代表贵方作出决定的人员。\n\n{us}\n",
        "同一文件已作为 PDF 附件附上。\n",
    ),
}
_REMINDER = {
    "en": (
        "Quote {number} is valid until {day}",
        "{greeting}\n\nour quote {number} is valid until {day}. Until then you can accept or decline it, or ask us, here:\n\n{url}\n\n{us}\n",
    ),
    "zh": (
        "报价单 {number} 有效期至 {day}",
        "{greeting}\n\n我们的报价单 {number} 有效期至 {day}。在此之前，您可通过以下链接接受、拒绝报价或提出问题：\n\n{url}\n\n{us}\n",
    ),
}
_FROM_US = {"en": " from {us}", "zh": "（{us}）"}


async def mail_offer(tx: Transaction, quote: Quote, link: QuoteLink, url: str, pdf: bytes) -> None:
    """The link, and the document with it. Raises `BadAddress`."""
    language = _language(quote, _OFFER)
    subject, text, attached = _OFFER[language]
    us = await our_name(tx.conn)
    fits = len(pdf) <= _MOST_ATTACHED
    body = text.format(
        greeting=greeting(language, link.name),
        number=quote.number,
        day=in_words(quote.valid_until, language),
        url=url,
        attached=attached if fits else "",
        us=us,
    )
    title = subject.format(number=quote.number, from_us=_FROM_US[language].format(us=us) if us else "")
    attachments = (Attachment(f"{quote.number}.pdf", "application/pdf", pdf),) if fits else ()
    await _post(tx, quote, link, us, title, body, f"quote-link/{link.id}", attachments)


async def mail_reminder(tx: Transaction, quote: Quote, link: QuoteLink, url: str) -> None:
    """The last day comes near; once, also after a crash in the middle."""
    language = _language(quote, _REMINDER)
    subject, text = _REMINDER[language]
    us, day = await our_name(tx.conn), in_words(quote.valid_until, language)
    body = text.format(greeting=greeting(language, link.name), number=quote.number, day=day, url=url, us=us)
    title = subject.format(number=quote.number, day=day)
    await _post(tx, quote, link, us, title, body, _reminder_of(link))


async def mail_rep(
    tx: Transaction, quote: Quote, opportunity: Opportunity, what: str, details: str, *, key: str, reply_to: str | None = None
) -> None:
    """The deal's owner, else the offer's author, is told; nobody where neither has an address."""
    address = await _rep(tx, quote, opportunity.owner)
    if address is None:
        return
    mail = Mail(
        to=address,
        subject=f"Quote {quote.number} for {on_one_line(quote.customer.name)[:200]}: {what}",
        text=f"Quote {quote.number}, version {quote.quote_version}, {quote.net}: {what}.\nDeal: {on_one_line(opportunity.name)}\n\n{details}\n",
        kind="quote_news",
        reply_to=reply_to,
        dedupe_key=key,
        about=f"quote/{quote.id}",
        flow_id=quote.flow_id,
    )
    await mailroom.post(tx, mail)


async def take_back(tx: Transaction, link: QuoteLink) -> None:
    """Of a link that was taken back nothing is mailed that has not left yet."""
    await mailroom.withdraw(tx, about=[f"quote-link/{link.id}", _reminder_of(link)], reason="the link was taken back")


async def take_back_reminders(tx: Transaction, quote: Quote) -> None:
    """Nobody is reminded of an offer that is answered."""
    links = await quote_links.list_links(tx.conn, quote.id, limit=MOST_LINKS)
    if links:
        await mailroom.withdraw(tx, about=[_reminder_of(each) for each in links], reason="the quote was answered")


async def _post(
    tx: Transaction,
    quote: Quote,
    link: QuoteLink,
    us: str,
    subject: str,
    text: str,
    key: str,
    attachments: tuple[Attachment, ...] = (),
) -> None:
    assert link.mailed_to is not None, "somebody gets it"
    opportunity = await opportunities.get_opportunity(tx.conn, quote.opportunity_id)
    mail = Mail(
        to=link.mailed_to,
        to_name=link.name,
        from_name=us or None,
        reply_to=await _rep(tx, quote, opportunity.owner),
        subject=subject,
        text=text,
        kind="quote",
        dedupe_key=key,
        about=key,
        flow_id=quote.flow_id,
        attachments=attachments,
    )
    await mailroom.post(tx, mail)


async def _rep(tx: Transaction, quote: Quote, owner: str | None) -> str | None:
    """Who answers the customer's mails, and is told what the customer says."""
    return await reps.find_email(tx.conn, [each for each in (owner, quote.created_by) if each is not None])


def _reminder_of(link: QuoteLink) -> str:
    return f"quote-link/{link.id}/reminder"


def _language(quote: Quote, known: dict[str, tuple[str, str, str]] | dict[str, tuple[str, str]]) -> str:
    return quote.language if quote.language in known else "en"
