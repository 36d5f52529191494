"""Taking in what happened."""

from collections.abc import Sequence

from ltc_chassis.db import Transaction
from ltc_chassis.records import Received
from ltc_contracts.personal import anonymous

from metrics_svc.domain.fulfilment import fulfilments
from metrics_svc.domain.journey import milestone
from metrics_svc.store import facts


async def ingest(tx: Transaction, items: Sequence[Received]) -> None:
    """Events, milestones and fulfilments of a batch, by COPY. A payload that cannot be read fails the batch; the chassis finds and parks it."""
    events: list[tuple[object, ...]] = []
    milestones: list[tuple[object, ...]] = []
    fulfilled: list[tuple[object, ...]] = []
    for item in items:
        data, envelope = item.data, item.envelope
        reached = milestone(item.topic, data)
        # Numbers name nobody: what is about a person is not kept, so that there is nothing to erase here.
        fulfilled += [facts.fulfilment_row(envelope, each) for each in fulfilments(item.topic, data)]
        events.append(facts.event_row(item, anonymous(item.topic, data)))
        if reached is not None:
            milestones.append(facts.milestone_row(envelope, reached))
    await facts.insert_facts(tx.conn, events, milestones)
    await facts.insert_fulfilments(tx.conn, fulfilled)
