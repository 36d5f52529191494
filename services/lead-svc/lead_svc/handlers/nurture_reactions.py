"""How a nurture mail is taken up: opened, clicked, answered, unsubscribed; and mails that come back."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, NamedTuple
from uuid import UUID

from ltc_chassis.db import Transaction
from ltc_chassis.ids import new_id
from ltc_chassis.links import Link, LinkInvalid
from ltc_contracts.errors import Invalid

from lead_svc.domain.consent import Suppression, address_hash
from lead_svc.domain.identity import normal_email
from lead_svc.domain.lead import Lead
from lead_svc.domain.score import Activity
from lead_svc.handlers import consent, nurture_exit
from lead_svc.handlers import leads as lead_handlers
from lead_svc.store import consent as consents
from lead_svc.store import leads
from lead_svc.store import nurture as store
from lead_svc.store.nurture import Delivery

OPEN, CLICK, REPLY = "email_open", "email_click", "reply"
Kind = Literal["reply", "auto_reply", "bounce", "complaint"]


class Answer(NamedTuple):
    """Whom an answer was from, and how that was found; `fresh` is False for one that was taken before."""

    lead_id: UUID | None
    matched_by: str | None
    fresh: bool


async def opened(tx: Transaction, link: Link, *, bot: bool) -> None:
    """A mail's picture was loaded: once per mail it is an activity of the lead; programs that look at mails are noted apart."""
    delivery = await _delivery(tx, link)
    lead = await _lead(tx, delivery)
    if await store.mark(tx.conn, delivery.id, "opened_by_bot" if bot else "opened", tx.now) and not bot:
        await lead_handlers.add_activity(tx, lead.id, Activity(OPEN, tx.now))


async def clicked(tx: Transaction, link: Link, *, bot: bool) -> str:
    """A link of a mail was followed: once per mail it is an activity; returns the page, one that the mail had and no other."""
    delivery = await _delivery(tx, link)
    number = link.claims.get("n")
    if not isinstance(number, int) or not 0 <= number < len(delivery.links):
        raise LinkInvalid("this link is not one of ours")
    lead = await _lead(tx, delivery)
    if await store.mark(tx.conn, delivery.id, "clicked_by_bot" if bot else "clicked", tx.now) and not bot:
        await lead_handlers.add_activity(tx, lead.id, Activity(CLICK, tx.now))
    return delivery.links[number]


async def unsubscribe(tx: Transaction, link: Link) -> None:
    """The person wants no more mails: the address gets none, by whatever lead. Asked again, nothing changes."""
    delivery = await _delivery(tx, link)
    lead = await leads.get_lead(tx.conn, delivery.lead_id)
    email = lead.contact.email if lead.contact else None
    same = email if address_hash(email) == delivery.address_hash else None
    await consent.suppress(
        tx, delivery.address_hash, why="unsubscribed", source=f"nurture {delivery.step}", by="recipient", email=same
    )
    await store.mark(tx.conn, delivery.id, "unsubscribed", tx.now)


async def answered(
    tx: Transaction,
    *,
    kind: Kind,
    message_id: str,
    answers: Sequence[str],
    sender: str,
    received_at: datetime | None,
    by: str,
) -> Answer:
    """A mail came in. A reply ends the lead's journeys and counts as one; an automatic one does neither; a bounce or a complaint
    silences the address. Recognised by the Message-ID it answers, else by the address. The same message again changes nothing.
    """
    received_at = received_at or tx.now
    if received_at > tx.now:
        raise Invalid("it cannot have come in the future", field="received_at")
    delivery = await store.find_delivery(tx.conn, message_ids=answers) if answers else None
    matched_by = "message_id" if delivery is not None else None
    hashed = address_hash(sender)
    if delivery is None and hashed is not None:
        delivery = await store.find_delivery(tx.conn, address=hashed)
        matched_by = "address" if delivery is not None else None
    lead = None if delivery is None else await leads.get_living_for_update(tx.conn, delivery.lead_id)
    if lead is not None and lead.erased_at is not None:
        delivery, lead, matched_by = None, None, None
    if lead is None and (normal := normal_email(sender)) is not None and (some := await consents.leads_at(tx.conn, normal)):
        # Nothing was sent to it, but it is a lead's address: the newest one's.
        lead, matched_by = await leads.get_living_for_update(tx.conn, some[-1]), "address"
    fresh = await consents.insert_reply(
        tx.conn,
        reply_id=new_id(),
        message_id=message_id,
        kind=kind,
        delivery_id=delivery.id if delivery else None,
        lead_id=lead.id if lead else None,
        matched_by=matched_by if lead else None,
        received_at=received_at,
        by=by,
    )
    if not fresh:
        known = await consents.find_reply(tx.conn, message_id)
        assert known is not None
        return Answer(known["lead_id"], known["matched_by"], fresh=False)
    if kind == "reply" and lead is not None:
        if delivery is not None:
            await store.mark(tx.conn, delivery.id, "replied", tx.now)
        await lead_handlers.add_activity(tx, lead.id, Activity(REPLY, received_at))
    if kind in ("bounce", "complaint"):
        await _silence(tx, "bounced" if kind == "bounce" else "complained", delivery, lead, sender, by)
    return Answer(lead.id if lead else None, matched_by if lead else None, fresh=True)


async def _silence(
    tx: Transaction,
    why: Literal["bounced", "complained"],
    delivery: Delivery | None,
    lead: Lead | None,
    sender: str,
    by: str,
) -> None:
    """A bounce comes from a mail server, so the address it is about is that of the mail it answers, where that is known."""
    hashed = delivery.address_hash if delivery is not None else address_hash(sender)
    if hashed is None:
        return
    await consents.insert_suppression(tx.conn, Suppression(hashed, why, "mail reply", by, tx.now))
    if lead is not None:
        await nurture_exit.leave(tx, [lead.id], "undeliverable" if why == "bounced" else "unsubscribed")


async def _delivery(tx: Transaction, link: Link) -> Delivery:
    found = await store.find_delivery(tx.conn, delivery_id=UUID(link.subject))
    if found is None:
        # The mail was taken back before it left, or its lead is erased.
        raise LinkInvalid("this link is not one of ours")
    return found


async def _lead(tx: Transaction, delivery: Delivery) -> Lead:
    """The (locked) lead of a mail; of a merged one the lead that it became part of, since its mails went along.

    Raises `LinkInvalid` for one whose person was erased: what that person does is counted no more.
    """
    lead = await leads.get_living_for_update(tx.conn, delivery.lead_id)
    if lead.erased_at is not None:
        raise LinkInvalid("this link is not one of ours")
    return lead
