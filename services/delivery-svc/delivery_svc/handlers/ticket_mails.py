"""Mails to those who asked: each is known as part of its ticket when it is replied to."""

from ltc_chassis import links, mailroom
from ltc_chassis.db import Transaction
from ltc_chassis.mailroom import Mail

from delivery_svc.domain import ticket_thread
from delivery_svc.domain.ticket import Ticket
from delivery_svc.handlers import ticket_links
from delivery_svc.store import service_desk
from delivery_svc.store import tickets as store

_MOST_REFERENCES = 10
_PAGE = {"en": "Read and answer here", "zh": "在此查看和回复"}


async def send_answer(tx: Transaction, ticket: Ticket, text: str, by: str) -> str | None:
    """The answer of one of us leaves with the commit; its Message-ID, or None where no address is known."""
    if ticket.requester_email is None:
        return None
    keys = links.keys(tx.settings)
    queue = await service_desk.find_queue(tx.conn, ticket.queue)
    earlier = await store.last_messages(tx.conn, ticket.id, _MOST_REFERENCES)
    threading = {"In-Reply-To": earlier[-1], "References": _fitting(earlier)} if earlier else {}
    page = f"\n{_PAGE[ticket.language]}: {ticket_links.address_of(tx, ticket)[0]}" if tx.settings.public_url else ""
    mail = Mail(
        to=ticket.requester_email,
        to_name=ticket.requester_name,
        from_name=queue.name if queue else None,
        reply_to=ticket_thread.reply_address(keys[0], ticket.number, queue.address) if queue and queue.address else None,
        subject=ticket_thread.subject(keys[0], ticket.number, ticket.subject),
        text=f"{text}\n\n-- \n{queue.name if queue else by}{page}\n",
        kind="ticket-answer",
        headers=threading,
        about=f"ticket/{ticket.id}",
        flow_id=ticket.flow_id,
    )
    return (await mailroom.post(tx, mail)).message_id


def _fitting(message_ids: list[str]) -> str:
    """As many of the latest as a header has room for."""
    chosen: list[str] = []
    for each in reversed(message_ids):
        if sum(map(len, chosen)) + len(chosen) + len(each) > 850:
            break
        chosen.insert(0, each)
    return " ".join(chosen)
