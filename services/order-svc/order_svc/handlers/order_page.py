"""What the suite tells of an order is kept for its page."""

from ltc_chassis.db import Transaction
from ltc_contracts.envelope import Envelope
from ltc_contracts.events import Event

from order_svc.domain import order_page as rules
from order_svc.store import order_page


async def record(tx: Transaction, event: Event, envelope: Envelope) -> None:
    """An event is a fact of an order's page, once, whether the order is known yet or not; one statement for a whole batch."""
    fact = rules.fact_of(event, envelope.id, envelope.occurred_at, envelope.flow_id, envelope.sequence)
    if fact is not None:
        tx.gather(order_page.insert_facts, fact)
