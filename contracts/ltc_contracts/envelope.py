"""CloudEvents 1.0 in Kafka binary mode: attributes are `ce_` headers, the record's value is the event's JSON.

Two times ride on every event: `time` (when it happened in the business) and `recordedtime` (when we wrote it down),
because a KPI must be answerable both "as of" a business time and "as known at" a recorded time.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from ltc_contracts.errors import Invalid

SPEC_VERSION = "1.0"
CONTENT_TYPE = "application/json"


class MalformedEnvelope(Invalid):
    """A required CloudEvents attribute is missing or unreadable."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """The attributes of one event. `flow_id` is None for events that belong to no single flow (`payment.received`)."""

    id: UUID
    source: str
    type: str
    subject: str
    occurred_at: datetime
    recorded_at: datetime
    dataschema: str
    partition_key: str
    sequence: int
    flow_id: UUID | None = None
    parent_flow_id: UUID | None = None
    causation_id: UUID | None = None
    correlation_id: str | None = None
    traceparent: str | None = None
    tracestate: str | None = None

    def to_headers(self) -> list[tuple[str, bytes]]:
        """Kafka headers, absent attributes left out."""
        pairs: list[tuple[str, str | None]] = [
            ("ce_specversion", SPEC_VERSION),
            ("ce_id", str(self.id)),
            ("ce_source", self.source),
            ("ce_type", self.type),
            ("ce_subject", self.subject),
            ("ce_time", wire_time(self.occurred_at)),
            ("ce_recordedtime", wire_time(self.recorded_at)),
            ("ce_dataschema", self.dataschema),
            ("ce_partitionkey", self.partition_key),
            ("ce_sequence", str(self.sequence)),
            ("ce_flowid", str(self.flow_id) if self.flow_id else None),
            ("ce_parentflowid", str(self.parent_flow_id) if self.parent_flow_id else None),
            ("ce_causationid", str(self.causation_id) if self.causation_id else None),
            ("content-type", CONTENT_TYPE),
            ("correlation_id", self.correlation_id or str(self.id)),
            ("traceparent", self.traceparent),
            ("tracestate", self.tracestate),
        ]
        return [(name, value.encode()) for name, value in pairs if value is not None]

    @classmethod
    def from_headers(cls, headers: Mapping[str, str]) -> "Envelope":
        """Read what `readable_headers` returned; raises `MalformedEnvelope` naming the attribute.

        Systems that know only CloudEvents' required attributes are welcome: recordedtime falls back to time, sequence to 0,
        partition key and subject to each other. `time` is required, since it is what a KPI counts by.
        """
        if headers.get("ce_specversion") != SPEC_VERSION:
            raise MalformedEnvelope("ce_specversion must be 1.0", field="ce_specversion")
        occurred_at = _time(headers, "ce_time")
        subject = headers.get("ce_subject") or headers.get("ce_partitionkey") or ""
        return cls(
            id=_uuid("ce_id", _required(headers, "ce_id")),
            source=_required(headers, "ce_source"),
            type=_required(headers, "ce_type"),
            subject=subject,
            occurred_at=occurred_at,
            recorded_at=_time(headers, "ce_recordedtime") if "ce_recordedtime" in headers else occurred_at,
            dataschema=headers.get("ce_dataschema", ""),
            partition_key=headers.get("ce_partitionkey") or subject,
            sequence=_sequence(headers),
            flow_id=_optional_uuid(headers, "ce_flowid"),
            parent_flow_id=_optional_uuid(headers, "ce_parentflowid"),
            causation_id=_optional_uuid(headers, "ce_causationid"),
            correlation_id=headers.get("correlation_id"),
            traceparent=headers.get("traceparent"),
            tracestate=headers.get("tracestate"),
        )


def readable_headers(raw: Iterable[tuple[str, bytes | None]]) -> dict[str, str]:
    """Headers as text. A null or non-UTF-8 value is legal in Kafka and not ours to judge: it is left out."""
    readable: dict[str, str] = {}
    for name, value in raw:
        if value is None:
            continue
        try:
            readable[name] = value.decode()
        except UnicodeDecodeError:
            continue
    return readable


def wire_time(moment: datetime) -> str:
    """RFC 3339 in UTC with microseconds and `Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _required(headers: Mapping[str, str], name: str) -> str:
    value = headers.get(name)
    if not value:
        raise MalformedEnvelope(f"{name} is missing or unreadable", field=name)
    return value


def _uuid(name: str, value: str) -> UUID:
    try:
        return UUID(value)
    except ValueError as error:
        raise MalformedEnvelope(f"{name} must be a UUID", field=name) from error


def _optional_uuid(headers: Mapping[str, str], name: str) -> UUID | None:
    value = headers.get(name)
    return _uuid(name, value) if value else None


def _time(headers: Mapping[str, str], name: str) -> datetime:
    value = _required(headers, name)
    try:
        moment = datetime.fromisoformat(value)
    except ValueError as error:
        raise MalformedEnvelope(f"{name} must be an RFC 3339 time", field=name) from error
    if moment.tzinfo is None:
        raise MalformedEnvelope(f"{name} must carry a UTC offset", field=name)
    return moment


def _sequence(headers: Mapping[str, str]) -> int:
    value = headers.get("ce_sequence", "0")
    if not value.isascii() or not value.isdigit() or len(value) > 18:
        raise MalformedEnvelope("ce_sequence must be a non-negative integer", field="ce_sequence")
    return int(value)
