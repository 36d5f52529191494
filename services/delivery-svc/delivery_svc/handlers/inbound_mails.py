"""Mails that come in: part of a ticket, a new one, or kept and left alone. The same mail twice is one."""

import asyncio
import hashlib
import re
from dataclasses import dataclass
from datetime import timedelta
from email.utils import parseaddr
from typing import Any
from uuid import UUID

from ltc_chassis import links, mailroom
from ltc_chassis.db import Transaction
from ltc_chassis.ids import new_id
from ltc_contracts.errors import DomainError

from delivery_svc.domain import incoming, ticket_thread
from delivery_svc.domain import ticket as rules
from delivery_svc.domain.incoming import Incoming, Unreadable
from delivery_svc.domain.service_desk import Queue
from delivery_svc.domain.ticket import Comment, Ticket
from delivery_svc.handlers import tickets
from delivery_svc.store import inbound_mails as store
from delivery_svc.store import service_desk
from delivery_svc.store import tickets as ticket_store

_CHINESE = re.compile(r"[\u4e00-\u9fff]")


@dataclass(frozen=True, slots=True)
class _Outcome:
    state: str
    reason: str | None = None
    ticket: Ticket | None = None
    comment: Comment | None = None


async def take(tx: Transaction, raw: bytes, by: str) -> tuple[Any, bool]:
    """The row of the mail, and whether it is new. Whatever it is, it is kept; what nothing can be made of is refused with a reason."""
    sha256 = hashlib.sha256(raw).hexdigest()
    # Kept as a digest: a Message-ID may name the sender, and a mail of somebody who was erased stays known.
    key = hashlib.sha256((incoming.message_id_of(raw) or sha256).encode()).hexdigest()
    await store.lock_key(tx.conn, key)
    known = await store.is_known(tx.conn, key)
    if known is not None:
        return known, False
    mail: Incoming | None = None
    try:
        # A large one takes a while, and others are served meanwhile.
        mail = await asyncio.to_thread(incoming.read, raw)
        async with tx.savepoint():
            outcome = await _work(tx, mail, by)
    except DomainError as error:
        outcome = _Outcome("refused", error.reason[:500])
    await store.insert_mail(
        tx.conn,
        new_id(),
        key=key,
        sha256=sha256,
        raw=raw,
        state=outcome.state,
        reason=outcome.reason,
        sender=mail.sender if mail else None,
        ticket_id=outcome.ticket.id if outcome.ticket else None,
        comment_id=outcome.comment.id if outcome.comment else None,
        by=by,
        now=tx.now,
    )
    return await store.is_known(tx.conn, key), True


async def empty_old(tx: Transaction, *, keep_days: int, limit: int) -> int:
    """The bytes are kept for a while, to look into what went wrong."""
    return await store.empty_old(tx.conn, tx.now - timedelta(days=keep_days), tx.now, limit)


async def _work(tx: Transaction, mail: Incoming, by: str) -> _Outcome:
    queues = [queue for queue in await service_desk.list_queues(tx.conn) if queue.active]
    if await _is_own(tx, mail, queues):
        return _Outcome("ignored", "one of our own")
    ticket_id = await _ticket_of(tx, mail)
    if ticket_id is not None:
        ticket = await ticket_store.get_ticket(tx.conn, ticket_id)
        said: dict[str, Any] = {"who": mail.sender, "channel": "mail", "message_id": mail.message_id}
        if mail.automatic is None and rules.is_requester(ticket, mail.sender):
            ticket, comment = await tickets.reply(tx, ticket_id, mail.text, by=by, **said)
            outcome = _Outcome("taken", None, ticket, comment)
        else:
            ticket, comment = await tickets.overheard(tx, ticket_id, mail.text, **said)
            outcome = _Outcome("noted", None, ticket, comment)
    elif mail.automatic is not None:
        return _Outcome("ignored", mail.automatic)
    else:
        try:
            mailroom.check_address(mail.sender)
        except DomainError:
            raise Unreadable("its sender cannot be answered") from None
        opened, first = await tickets.open_ticket(tx, _wanted(mail, queues), by)
        assert first is not None
        outcome = _Outcome("taken", None, opened, first)
    assert outcome.comment is not None
    await store.insert_attachments(tx.conn, outcome.comment.id, mail.attachments)
    return outcome


async def _is_own(tx: Transaction, mail: Incoming, queues: list[Queue]) -> bool:
    ours = {queue.address.lower() for queue in queues if queue.address} | {parseaddr(tx.settings.mail_from or "")[1].lower()}
    return mail.sender.lower() in ours or (mail.message_id is not None and await store.is_ours(tx.conn, mail.message_id))


async def _ticket_of(tx: Transaction, mail: Incoming) -> UUID | None:
    """By the signed mark in an address or the subject, else by the mails it answers."""
    number = ticket_thread.number_in(links.keys(tx.settings), mail.recipients, mail.subject)
    found = await ticket_store.find_by_number(tx.conn, number) if number is not None else None
    return found or (await ticket_store.find_by_messages(tx.conn, mail.thread) if mail.thread else None)


def _wanted(mail: Incoming, queues: list[Queue]) -> tickets.Wanted:
    addressed = {re.sub(r"\+[^@]*@", "@", address).lower() for address in mail.recipients}
    queue = next((queue.code for queue in queues if queue.address and queue.address.lower() in addressed), "default")
    return tickets.Wanted(
        subject=mail.subject,
        text=mail.text,
        channel="mail",
        queue=queue,
        language="zh" if _CHINESE.search(mail.subject + mail.text) else "en",
        requester_name=mail.sender_name,
        requester_email=mail.sender,
        message_id=mail.message_id,
    )
