"""An ERP beside the suite, that talks Kafka alone: it places orders as events."""

from datetime import datetime
from types import TracebackType

from aiokafka import AIOKafkaProducer
from ltc_chassis.ids import new_id
from ltc_contracts.envelope import Envelope
from ltc_contracts.events import Event


class Erp:
    """Publishes what an ERP tells, with the envelope that every event of the suite has."""

    def __init__(self, bootstrap: str) -> None:
        self._producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=True)

    async def __aenter__(self) -> "Erp":
        await self._producer.start()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._producer.stop()

    async def tell(self, event: Event, now: datetime) -> None:
        """One event, acknowledged by the broker."""
        identifier = new_id()
        envelope = Envelope(
            id=identifier,
            source="/erp",
            type=event.type_name(),
            subject=event.subject,
            occurred_at=now,
            recorded_at=now,
            dataschema=event.dataschema(),
            partition_key=event.subject,
            sequence=1,
            correlation_id=str(identifier),
        )
        await self._producer.send_and_wait(
            event.TOPIC, event.model_dump_json().encode(), key=envelope.partition_key.encode(), headers=envelope.to_headers()
        )
