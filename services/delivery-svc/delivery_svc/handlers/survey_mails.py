"""The mail by which a person is asked, and the signed links in it: to answer, until it expires, and to be asked no more."""

import re
from datetime import timedelta
from uuid import UUID

from ltc_chassis import links, mailroom
from ltc_chassis.db import Transaction
from ltc_chassis.mailroom import Mail

from delivery_svc.domain import survey as rules
from delivery_svc.domain.survey import Survey
from delivery_svc.domain.survey_ask import Ask

ANSWER, STOP = "survey.answer", "survey.stop"
# Longer than anybody keeps a mail to look for the way out.
_STOP_LASTS = timedelta(days=3650)
_CONTROL = re.compile(r"[\x00-\x1f\x7f\u0085\u2028\u2029]")
_WORDS = {
    "en": ("Answer here", "until", "No more surveys", "Reminder: "),
    "zh": ("点此作答", "截止", "不再接收调查", "提醒："),
}


async def send(tx: Transaction, ask: Ask, survey: Survey) -> None:
    """Ask, or remind: leaves with the commit, each once, whatever happens."""
    assert ask.email is not None
    assert ask.expires_at is not None
    here, until, no_more, reminder = _WORDS[ask.language]
    subject = filled(rules.said(rules.text_of(survey, "subject"), ask.language), ask)
    intro = filled(rules.said(rules.text_of(survey, "intro"), ask.language), ask)
    stop = stop_address(tx, ask.id)
    address = links.address(tx.settings, f"/y/{answer_token(tx, ask)}")
    mail = Mail(
        to=ask.email,
        to_name=_CONTROL.sub(" ", ask.name)[:200] if ask.name else None,
        subject=_CONTROL.sub(" ", (reminder if ask.reminded_at else "") + subject)[:300],
        text=f"{intro}\n\n{here} ({until} {ask.expires_at:%Y-%m-%d}): {address}\n\n-- \n{no_more}: {stop}\n",
        kind="survey",
        dedupe_key=f"survey/{ask.id}{'/reminder' if ask.reminded_at else ''}",
        about=about(ask),
        flow_id=ask.flow_id,
        unsubscribe_url=stop,
    )
    await mailroom.post(tx, mail)


def about(ask: Ask) -> str:
    """By which its mails are taken back."""
    return f"survey-ask/{ask.id}"


def filled(text: str, ask: Ask) -> str:
    """With the number of the order or ticket in its place."""
    return text.replace("{number}", ask.number or "").strip()


def answer_token(tx: Transaction, ask: Ask) -> str:
    """Raises `SecretMissing`."""
    assert ask.expires_at is not None
    return links.sign(links.keys(tx.settings), purpose=ANSWER, subject=str(ask.id), expires_at=ask.expires_at)


def stop_token(tx: Transaction, ask_id: UUID) -> str:
    """Raises `SecretMissing`."""
    return links.sign(links.keys(tx.settings), purpose=STOP, subject=str(ask_id), expires_at=tx.now + _STOP_LASTS)


def stop_address(tx: Transaction, ask_id: UUID) -> str:
    """Raises `PublicAddressMissing`, `SecretMissing`."""
    return links.address(tx.settings, f"/y/{stop_token(tx, ask_id)}/stop")


def verified(tx: Transaction, token: str, purpose: str) -> UUID:
    """Whom a link asks. Raises `LinkInvalid`, `LinkExpired`."""
    return UUID(links.verify(links.keys(tx.settings), token, purpose=purpose, now=tx.now).subject)
