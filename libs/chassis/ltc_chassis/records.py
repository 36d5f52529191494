"""Bytes to type: a Kafka record becomes an event, a tombstone, or a refusal that says why. Never raises."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

import orjson
from ltc_contracts.envelope import Envelope, MalformedEnvelope, readable_headers
from ltc_contracts.errors import Invalid
from ltc_contracts.events import Event
from ltc_contracts.topics import MAX_EVENT_BYTES
from pydantic import ValidationError


class Refused(Invalid):
    """This record can never be processed by this program; it is parked as dead, with its bytes."""


class Record(Protocol):
    """What we use of aiokafka's ConsumerRecord."""

    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int:
        """WALL milliseconds since the epoch."""

    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Sequence[tuple[str, bytes | None]]: ...


@dataclass(slots=True)
class Received:
    """One readable record. `published_at` is the WALL time at which the broker got it."""

    record: Record
    envelope: Envelope
    value: bytes

    @property
    def topic(self) -> str:
        return self.record.topic

    @property
    def partition(self) -> int:
        return self.record.partition

    @property
    def offset(self) -> int:
        return self.record.offset

    @property
    def published_at(self) -> datetime:
        return published_at(self.record)

    @property
    def data(self) -> dict[str, Any]:
        """The event's fields as plain JSON; raises `Refused` when the value is not a JSON object."""
        try:
            data = orjson.loads(self.value)
        except orjson.JSONDecodeError as error:
            raise Refused(f"the value is not JSON: {error}", field="value") from error
        if not isinstance(data, dict):
            raise Refused("the value is not a JSON object", field="value")
        return data


def published_at(record: Record) -> datetime:
    return datetime.fromtimestamp(max(record.timestamp, 0) / 1000, UTC)


def read(record: Record, types: Mapping[str, type[Event]]) -> Received | Refused:
    """Envelope and size are checked here; the payload by whoever knows its model. `types` are the types known on the topics."""
    value = record.value
    assert value is not None, "tombstones are handled before"
    if len(value) > MAX_EVENT_BYTES:
        return Refused(f"{len(value)} bytes; the limit is {MAX_EVENT_BYTES}", field="value")
    try:
        envelope = Envelope.from_headers(readable_headers(record.headers))
    except MalformedEnvelope as error:
        return Refused(error.reason, field=error.field)
    known = types.get(envelope.type)
    if known is None or record.topic != known.TOPIC:
        return Refused(f"the type '{envelope.type[:100]}' is not known on {record.topic}", field="ce_type")
    return Received(record, envelope, value)


def parse(received: Received, model: type[Event]) -> Event:
    """The payload as its model; raises `Refused` naming the fields that are wrong (names only: values may be personal)."""
    try:
        return model.model_validate_json(received.value)
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(str(part) for part in item['loc']) or 'value'}: {item['type']}" for item in error.errors()[:5]
        )
        raise Refused(f"not a {model.TOPIC} {model.VERSION}: {wrong}", field="value") from error
