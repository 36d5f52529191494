"""A person is forgotten in tickets and surveys: by the address they asked from, or were asked at. Numbers, times and what was measured stay."""

from ltc_chassis import mailroom, personal
from ltc_chassis.db import Transaction
from ltc_chassis.personal import Who

from delivery_svc.domain.survey import address_hash
from delivery_svc.handlers import survey_asks
from delivery_svc.store import tickets as store
from delivery_svc.store.personal import TABLES


async def erase(tx: Transaction, email: str, by: str) -> tuple[list[str], dict[str, int]]:
    """The numbers of their tickets, and how many rows of which table were changed. Once more changes nothing.

    What was said in their tickets goes, whoever said it, and what they said in those of others; mails to them that wait are taken back.
    """
    address = email.strip().lower()
    found = await store.lock_of_requester(tx.conn, address)
    asked = await survey_asks.erase(tx, address)
    forgotten = await mailroom.forget(tx, address)
    # Stored answers to requests have the address as it was written, or name the ticket.
    written = {ticket.requester_email for ticket in found if ticket.requester_email} | {ask.email for ask in asked if ask.email}
    ids = [*(ticket.id for ticket in found), *(ask.id for ask in asked)]
    who = Who(leads=ids, emails=sorted({address, *written}), hashes=[address_hash(address)])
    done = await personal.erase(tx.conn, TABLES, who)
    for ticket in found:
        await store.insert_change(tx.conn, ticket, "erase", by, tx.now, {})
    return [ticket.number for ticket in found], {**done, **({"mail": forgotten} if forgotten else {})}
