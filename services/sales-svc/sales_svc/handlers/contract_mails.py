"""What is mailed about contracts: the link to sign, and reminders of renewals. Names are put on one line before they become headers."""

from datetime import date

from ltc_chassis import mailroom
from ltc_chassis.db import Transaction
from ltc_chassis.mailroom import Mail

from sales_svc.domain.contract import Contract
from sales_svc.domain.contract_text import in_words
from sales_svc.domain.renewal import Policy, Reminder, Term
from sales_svc.handlers.letters import greeting, on_one_line, our_name

_TO_SIGN = {
    "en": (
        "Contract {number} to sign",
        "{greeting}\n\nplease read contract {number} and sign it by {day}:\n\n{url}\n\nThe link is for you; pass it on only to somebody who may"
        " sign for you.\n\n{us}\n",
    ),
    "zh": (
        "请签署合同 {number}",
        "{greeting}\n\n请阅读合同 {number}，并于 {day} 前签署：\n\n{url}\n\n此链接仅供您使用，请勿转发给无权签署的人员。\n\n{us}\n",
    ),
}


async def mail_link(tx: Transaction, contract: Contract, url: str, *, to: str, name: str | None) -> None:
    """The customer gets the link to sign; sent again, the mail goes again. Raises `BadAddress`."""
    language = contract.language if contract.language in _TO_SIGN else "en"
    subject, text = _TO_SIGN[language]
    name = on_one_line(name or "") or None
    us = await our_name(tx.conn)
    assert contract.sign_by is not None, "it was sent"
    body = text.format(
        greeting=greeting(language, name),
        number=contract.number,
        day=in_words(contract.sign_by, language),
        url=url,
        us=us,
    )
    mail = Mail(
        to=to,
        to_name=name,
        from_name=us or None,
        subject=subject.format(number=contract.number),
        text=body,
        kind="contract",
        dedupe_key=f"contract/{contract.id}/{contract.version}",
        about=f"contract/{contract.id}",
        flow_id=contract.flow_id,
    )
    await mailroom.post(tx, mail)


async def mail_reminders(
    tx: Transaction, contract: Contract, customer: str, owner: str | None, reminder: Reminder, term: Term, policy: Policy
) -> None:
    """Each address of the policy gets one mail per reminder, also after a crash in the middle."""
    ends = "renews" if term.auto_renew else "ends"
    subject = f"Contract {contract.number} with {on_one_line(customer)}: notice by {term.notice_by}"
    text = (
        f"Contract {contract.number} with {on_one_line(customer)} {ends} after {term.ends_on}.\n"
        f"Notice can be given until {term.notice_by} ({_days(tx.now.date(), term.notice_by)}).\n"
        f"Owner of the deal: {on_one_line(owner or 'nobody')}\n"
    )
    for address in policy.mail_to:
        mail = Mail(
            to=address,
            subject=subject,
            text=text,
            kind="renewal",
            dedupe_key=f"renewal/{contract.id}/{term.number}/{reminder.days_before}/{address}",
            about=f"contract/{contract.id}",
            flow_id=contract.flow_id,
        )
        await mailroom.post(tx, mail)


def _days(today: date, day: date) -> str:
    left = (day - today).days
    return f"{left} days from now" if left > 0 else "today" if left == 0 else f"{-left} days ago"
