"""The one verb of metrics: take in what happened."""

from collections.abc import Sequence

from ltc_chassis.db import Transaction
from ltc_chassis.records import Received
from ltc_contracts.personal import anonymous

from metrics_svc import store
from metrics_svc.domain import milestone
from metrics_svc.fulfilment import fulfilments


async def ingest(tx: Transaction, items: Sequence[Received]) -> None:
    """Events, milestones and fulfilments of a batch, by COPY. A payload that cannot be read fails the batch; the chassis finds and parks it."""
    events: list[tuple[object, ...]] = []
    milestones: list[tuple[object, ...]] = []
    fulfilled: list[tuple[object, ...]] = []
    for item in items:
        data, envelope = item.data, item.envelope
        fact = milestone(item.topic, data)
        # Numbers name nobody: what is about a person is not kept, so that there is nothing to erase here.
        fulfilled += [store.fulfilment_row(envelope, each) for each in fulfilments(item.topic, data)]
        events.append(store.event_row(item, anonymous(item.topic, data)))
        if fact is not None:
            milestones.append(store.milestone_row(envelope, fact))
    await store.insert_facts(tx.conn, events, milestones)
    await store.insert_fulfilments(tx.conn, fulfilled)
