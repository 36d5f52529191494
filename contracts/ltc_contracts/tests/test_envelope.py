from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ltc_contracts.envelope import Envelope, MalformedEnvelope, readable_headers, wire_time

NOW = datetime(2026, 1, 5, 9, 30, 0, 123456, tzinfo=UTC)
FULL = Envelope(
    id=uuid4(),
    source="/lead-svc",
    type="ltc.lead.qualified.v1",
    subject="s",
    occurred_at=NOW,
    recorded_at=NOW + timedelta(seconds=1),
    dataschema="/schemas/lead.qualified/1.0.json",
    partition_key="k",
    sequence=3,
    flow_id=uuid4(),
    parent_flow_id=uuid4(),
    causation_id=uuid4(),
    correlation_id="c",
    traceparent="00-" + "a" * 32 + "-" + "b" * 16 + "-01",
    tracestate="x=y",
)


def read(envelope: Envelope, **changes: str | None) -> Envelope:
    headers = {name: value.decode() for name, value in envelope.to_headers()}
    for name, value in changes.items():
        if value is None:
            del headers[name]
        else:
            headers[name] = value
    return Envelope.from_headers(headers)


@given(
    st.integers(0, 2**33).map(lambda second: datetime.fromtimestamp(second, UTC)),
    st.integers(0, 10**17),
    st.none() | st.uuids(),
    st.uuids(),
)
def test_headers_give_back_the_envelope(moment: datetime, sequence: int, flow_id: UUID | None, event_id: UUID) -> None:
    made = replace(FULL, occurred_at=moment, sequence=sequence, flow_id=flow_id, id=event_id)
    assert read(made) == made


def test_what_is_absent_is_no_header_and_correlation_falls_back_to_the_id() -> None:
    bare = replace(
        FULL, flow_id=None, parent_flow_id=None, causation_id=None, correlation_id=None, traceparent=None, tracestate=None
    )
    headers = dict(bare.to_headers())
    assert not {"ce_flowid", "ce_parentflowid", "ce_causationid", "traceparent", "tracestate"} & set(headers)
    assert headers["correlation_id"] == str(bare.id).encode()
    assert headers["content-type"] == b"application/json"


def test_times_are_written_in_utc() -> None:
    assert wire_time(NOW.astimezone(timezone(timedelta(hours=8)))) == "2026-01-05T09:30:00.123456Z"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ce_specversion", None),
        ("ce_specversion", "0.3"),
        ("ce_id", None),
        ("ce_id", "no uuid"),
        ("ce_source", None),
        ("ce_type", None),
        ("ce_type", ""),
        ("ce_time", None),
        ("ce_time", "yesterday"),
        ("ce_time", "2026-01-05T09:30:00"),
        ("ce_recordedtime", "2026-01-05"),
        ("ce_flowid", "f"),
        ("ce_causationid", "c"),
        ("ce_sequence", "-1"),
        ("ce_sequence", "\u0661"),
        ("ce_sequence", "9" * 19),
    ],
)
def test_a_malformed_attribute_is_named(name: str, value: str | None) -> None:
    with pytest.raises(MalformedEnvelope) as refused:
        read(FULL, **{name: value})
    assert refused.value.field == name


def test_a_system_that_knows_only_cloudevents_is_understood() -> None:
    headers = {
        "ce_specversion": "1.0",
        "ce_id": str(FULL.id),
        "ce_source": "/erp",
        "ce_type": "t",
        "ce_time": "2026-01-05T10:30:00+01:00",
        "ce_subject": "c-1",
    }
    found = Envelope.from_headers(headers)
    assert (found.occurred_at, found.recorded_at) == (datetime(2026, 1, 5, 9, 30, tzinfo=UTC),) * 2
    assert (found.sequence, found.partition_key, found.flow_id) == (0, "c-1", None)


def test_null_and_unreadable_headers_are_left_out() -> None:
    assert readable_headers([("a", b"1"), ("b", None), ("c", b"\xff"), ("a2", b"")]) == {"a": "1", "a2": ""}
