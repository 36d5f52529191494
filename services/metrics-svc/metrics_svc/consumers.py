"""Events in: every topic, by the batch."""

from collections.abc import Sequence

from ltc_chassis.consumer import Consumers
from ltc_chassis.db import Transaction
from ltc_chassis.records import Received
from ltc_contracts.topics import BY_NAME

from metrics_svc.handlers import facts

consumers = Consumers()


@consumers.batch(*BY_NAME)
async def ingest(tx: Transaction, items: Sequence[Received]) -> None:
    """All new events of a batch become facts in one transaction."""
    await facts.ingest(tx, items)
