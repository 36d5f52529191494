"""A person who was erased in lead-svc is forgotten here, too. Orders keep their customer, as the law wants; money and dates stay."""

from uuid import UUID

from ltc_chassis import personal
from ltc_chassis.db import Transaction
from ltc_chassis.personal import Who
from ltc_contracts.events import PersonErased

from order_svc.store import erasure
from order_svc.store.personal import TABLES

# Shorter ones stand in any text.
_SHORTEST = 6
# As the contracts say it of events.
GONE = "(erased)"


async def erase_person(tx: Transaction, event: PersonErased) -> None:
    """What people wrote about holds, changes, cancellations and deliveries of the person's orders, and stored answers to requests.

    An order is the person's when it, or its subscription, is on the flow of one of their leads. Words that come later are not written
    down (`said`), and those that are just being written are waited for.
    """
    if not event.flow_ids:
        return
    await erasure.lock_orders(tx.conn, event.flow_ids)
    await erasure.lock_flows(tx.conn, event.flow_ids)
    # Also what came between the two locks.
    flows, emails = await erasure.lock_orders(tx.conn, event.flow_ids)
    await erasure.insert_erased_flows(tx.conn, flows, tx.now)
    who = Who(leads=event.lead_ids, flows=flows, emails=[each for each in emails if len(each) >= _SHORTEST])
    await tx.flush()
    await personal.redact_events(tx.conn, who.flows)
    await personal.erase(tx.conn, TABLES, who)


async def said(tx: Transaction, flow_id: UUID, words: str) -> str:
    """What somebody said about an order or a subscription of this flow; only that it was said when its person was erased.

    To be asked with the order or the subscription locked, so that an erasure comes before this or finds the words.
    """
    return GONE if await erasure.is_erased(tx.conn, flow_id) else words


async def said_of_new(tx: Transaction, flow_id: UUID, words: str) -> str:
    """As `said`, of what is not there yet and cannot be locked."""
    await erasure.share_flows(tx.conn, [flow_id])
    return await said(tx, flow_id, words)


async def hold_customer(tx: Transaction, customer_id: UUID) -> None:
    """Until the transaction ends nobody of whom this customer is is erased; an erasure that had begun is waited for."""
    await erasure.lock_customer(tx.conn, customer_id)


async def said_of_customer(tx: Transaction, customer_id: UUID, words: str) -> str:
    """As `said`, of a customer, with the account locked, or held where there is none."""
    return GONE if await erasure.is_erased_customer(tx.conn, customer_id) else words


async def follow(tx: Transaction, flow_id: UUID, parent_flow_id: UUID) -> None:
    """An order of a subscription is the journey of whoever took it out."""
    await erasure.share_flows(tx.conn, [parent_flow_id])
    await erasure.insert_erased_child(tx.conn, flow_id, parent_flow_id, tx.now)
