"""A person who was erased in lead-svc is forgotten here, too. Orders keep their customer, as the law wants; money and dates stay."""

from ltc_chassis import personal
from ltc_chassis.db import Transaction
from ltc_chassis.personal import Who
from ltc_contracts.events import PersonErased

from order_svc.store import erasure
from order_svc.store.personal import TABLES

# Shorter ones stand in any text.
_SHORTEST = 6


async def erase_person(tx: Transaction, event: PersonErased) -> None:
    """What people wrote about holds, changes, cancellations and deliveries of the person's orders, and stored answers to requests.

    An order is the person's when it, or its subscription, is on the flow of one of their leads. Words that come later are not written down.
    """
    if not event.flow_ids:
        return
    flows, emails = await erasure.lock_orders(tx.conn, event.flow_ids)
    await erasure.insert_erased_flows(tx.conn, flows, tx.now)
    who = Who(leads=event.lead_ids, flows=flows, emails=[each for each in emails if len(each) >= _SHORTEST])
    await tx.flush()
    await personal.redact_events(tx.conn, who.flows)
    await personal.erase(tx.conn, TABLES, who)
