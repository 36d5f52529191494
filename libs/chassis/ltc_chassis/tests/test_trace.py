"""One trace runs from an HTTP request through outbox and Kafka into the next service's span."""

from collections.abc import Awaitable, Callable

import pytest
from fastapi import FastAPI
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind

from ltc_chassis.runtime import Runtime
from ltc_chassis.settings import ChassisSettings
from ltc_chassis.testing import KeyPair
from ltc_chassis.tests.broker import World, create_topics, eventually, running
from ltc_chassis.tests.echo.app import create_app, event_types

pytestmark = pytest.mark.broker


def watch(app: FastAPI) -> InMemorySpanExporter:
    exporter = InMemorySpanExporter()
    runtime: Runtime = app.state.runtime
    runtime.telemetry.keep_spans(SimpleSpanProcessor(exporter))
    return exporter


def spans(exporter: InMemorySpanExporter, kind: SpanKind) -> list[ReadableSpan]:
    return [span for span in exporter.get_finished_spans() if span.kind is kind]


async def test_a_trace_is_unbroken_from_request_through_outbox_and_kafka_into_the_next_service(
    world: World, keys: KeyPair, make_dsn: Callable[[str], Awaitable[str]], service: str
) -> None:
    first = world.app()
    _, answered = event_types()
    await create_topics(world.bootstrap, [answered.TOPIC])
    # The second service consumes what the first publishes; both have a text.
    second = create_app(
        ChassisSettings(postgres_dsn=await make_dsn(service), kafka_bootstrap=world.bootstrap, auth_public_key=keys.public_key),
        world.noted,  # type: ignore[arg-type] # has the one field that the handler reads
        answered,
        name=f"second{world.suffix}",
    )
    seen_first, seen_second = watch(first), watch(second)
    caller = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    async with running(first, keys) as client, running(second, keys):
        reply = await client.post("/v1/notes", json={"text": "hello"}, headers={"traceparent": caller})
        await eventually(lambda: _any(seen_second))
        await eventually(lambda: _sent(seen_first))
    flow_id = reply.json()["flow_id"]

    [request] = [span for span in spans(seen_first, SpanKind.SERVER) if span.name == "POST /v1/notes"]
    [process] = spans(seen_second, SpanKind.CONSUMER)
    assert request.context is not None
    assert process.context is not None
    assert request.parent is not None
    assert format(request.parent.trace_id, "032x") == "0af7651916cd43dd8448eb211c80319c"
    assert process.context.trace_id == request.context.trace_id
    assert process.parent is not None
    assert process.parent.span_id == request.context.span_id
    assert [link.context.span_id for link in process.links] == [request.context.span_id]
    # The relay's own span is not in between; it links to what it sends.
    sending = [span for span in spans(seen_first, SpanKind.PRODUCER) if span.links]
    assert request.context.span_id in {link.context.span_id for span in sending for link in span.links}

    attributes = process.attributes or {}
    assert attributes["messaging.message.conversation_id"] == flow_id
    assert attributes["ltc.flow.id"] == flow_id
    assert attributes["messaging.destination.name"] == world.noted.TOPIC
    assert attributes["messaging.system"] == "kafka"
    assert attributes["messaging.operation.type"] == "process"
    assert attributes["messaging.consumer.group.name"] == f"second{world.suffix}-svc"
    assert attributes["messaging.kafka.offset"] == 0
    assert (request.attributes or {})["http.route"] == "/v1/notes"


async def _any(exporter: InMemorySpanExporter) -> bool:
    return bool(spans(exporter, SpanKind.CONSUMER))


async def _sent(exporter: InMemorySpanExporter) -> bool:
    return any(span.links for span in spans(exporter, SpanKind.PRODUCER))
