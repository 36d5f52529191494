"""The topics of the contract, made on a broker."""

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from ltc_contracts.topics import TOPICS


async def create_topics(bootstrap: str) -> int:
    """Create what is missing, with the contract's partitions, retention and record size; returns how many."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        present = set(await admin.list_topics())
        missing = [topic for topic in TOPICS if topic.name not in present]
        if missing:
            await admin.create_topics(
                [
                    NewTopic(
                        topic.name,
                        topic.partitions,
                        1,
                        topic_configs={"retention.ms": str(topic.retention_ms), "max.message.bytes": str(topic.max_bytes)},
                    )
                    for topic in missing
                ]
            )
        return len(missing)
    finally:
        await admin.close()
