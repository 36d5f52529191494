"""A person is forgotten in tickets: by the address they asked from. Numbers, times and what was measured stay."""

from ltc_chassis import mailroom, personal
from ltc_chassis.db import Transaction
from ltc_chassis.personal import Who

from delivery_svc.store import tickets as store
from delivery_svc.store.personal import TABLES


async def erase(tx: Transaction, email: str, by: str) -> tuple[list[str], dict[str, int]]:
    """The numbers of their tickets, and how many rows of which table were changed. Once more changes nothing.

    What was said in their tickets goes, whoever said it, and what they said in those of others; mails to them that wait are taken back.
    """
    address = email.strip().lower()
    found = await store.lock_of_requester(tx.conn, address)
    forgotten = await mailroom.forget(tx, address)
    # Stored answers to requests have the address as it was written, or name the ticket.
    written = {ticket.requester_email for ticket in found if ticket.requester_email}
    who = Who(leads=[ticket.id for ticket in found], emails=sorted({address, *written}))
    done = await personal.erase(tx.conn, TABLES, who)
    for ticket in found:
        await store.insert_change(tx.conn, ticket, "erase", by, tx.now, {})
    return [ticket.number for ticket in found], {**done, **({"mail": forgotten} if forgotten else {})}
