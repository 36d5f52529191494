"""Traces, metrics and logs of one service, under the names in force (see `names`).

A flow of weeks is not one trace: there is one trace per step, and the flow id is on every span, log line and event.
"""

import logging
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TextIO
from uuid import UUID

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, ParentBased, Sampler, SamplingResult
from opentelemetry.trace import Link, Span, SpanContext, SpanKind, Status, StatusCode, TraceState
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import Attributes
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ltc_chassis import names
from ltc_chassis.logged import Formatter

_PROPAGATOR = TraceContextTextMapPropagator()
_LOG_FIELDS: ContextVar[dict[str, str] | None] = ContextVar("ltc_log_fields", default=None)
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
# The SDK keeps at most 128 links a span; a larger batch links to its first ones.
_MAX_LINKS = 100
_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"}


class _WhereKept(Sampler):
    """Spans that nobody keeps are not recorded, which is most of their cost; they have ids all the same, so traces go on."""

    keep = False

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        chosen = ALWAYS_ON if self.keep else ALWAYS_OFF
        return chosen.should_sample(parent_context, trace_id, name, kind, attributes, links, trace_state)

    def get_description(self) -> str:
        return "where kept"


class Telemetry:
    """One service's tracer and Prometheus registry. Not global, so that several services can live in one test process."""

    def __init__(self, service: str, otlp_endpoint: str = "") -> None:
        self._wanted = _WhereKept()
        self._provider = TracerProvider(
            resource=Resource.create({"service.name": service, "service.namespace": "ltc"}),
            sampler=ParentBased(self._wanted, remote_parent_sampled=self._wanted, local_parent_sampled=self._wanted),
            shutdown_on_exit=False,
        )
        if otlp_endpoint:
            self.keep_spans(BatchSpanProcessor(OTLPSpanExporter(endpoint=otlp_endpoint)))
        self.tracer = self._provider.get_tracer("ltc_chassis")
        self.registry = CollectorRegistry()
        self.http_duration = Histogram(
            "http_server_request_duration_seconds",
            "Time to answer a request.",
            ["http_request_method", "http_route", "http_response_status_code"],
            registry=self.registry,
            buckets=_SECONDS,
        )
        self.process_duration = Histogram(
            "messaging_process_duration_seconds",
            "Time to process one consumed record.",
            ["messaging_destination_name", "outcome"],
            registry=self.registry,
            buckets=_SECONDS,
        )
        self.publish_duration = Histogram(
            "messaging_client_operation_duration_seconds",
            "Time to publish one batch of outbox rows.",
            ["messaging_operation_name"],
            registry=self.registry,
            buckets=_SECONDS,
        )
        self.published = Counter("ltc_outbox_published_total", "Outbox rows confirmed by the broker.", registry=self.registry)
        self.tombstones = Counter("ltc_tombstones_total", "Records without a value, ignored.", ["topic"], registry=self.registry)
        self.parked_now = Gauge("ltc_parked", "Records parked at the moment.", ["state"], registry=self.registry)
        self.outbox_age = Gauge("ltc_outbox_oldest_age_seconds", "Age of the oldest unsent event.", registry=self.registry)
        self.mails_now = Gauge("ltc_mails", "Mails neither sent nor discarded at the moment.", ["state"], registry=self.registry)
        self.mail_age = Gauge(
            "ltc_mail_oldest_due_age_seconds", "Age of the oldest due mail, business time.", registry=self.registry
        )
        self.lag = Gauge("ltc_consumer_lag", "Records behind the end.", ["topic", "partition"], registry=self.registry)
        self.oldest_record_age = Gauge(
            "ltc_consumer_oldest_record_age_seconds", "Age of the oldest unprocessed record.", registry=self.registry
        )
        self.timer_runs = Counter("ltc_timer_handled_total", "Due rows handled.", ["timer"], registry=self.registry)
        self.timer_errors = Counter("ltc_timer_errors_total", "Timer runs that failed.", ["timer"], registry=self.registry)

    @property
    def recording(self) -> bool:
        """Whether somebody keeps spans, so that what is written on them is worth its price."""
        return self._wanted.keep

    def keep_spans(self, processor: SpanProcessor) -> None:
        """From now on spans are recorded, and given to this one when they end."""
        self._wanted.keep = True
        self._provider.add_span_processor(processor)

    @contextmanager
    def span(
        self,
        name: str,
        kind: SpanKind,
        attributes: dict[str, Any],
        *,
        parent: Context | None = None,
        links: Iterable[SpanContext] = (),
    ) -> Iterator[Span]:
        """A span that is current inside the block; an exception marks it as failed and goes on."""
        with self.tracer.start_as_current_span(
            name,
            context=parent,
            kind=kind,
            attributes=attributes,
            links=[Link(context) for context in links],
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                yield span
            except BaseException as error:
                span.set_attribute(names.ERROR_TYPE, type(error).__name__)
                span.set_status(Status(StatusCode.ERROR))
                raise

    def close(self) -> None:
        """Send what is still held."""
        self._provider.shutdown()


def current_traceparent() -> tuple[str | None, str | None]:
    """W3C `traceparent` and `tracestate` of the current span: the creation context stored with an outbox row."""
    span = trace.get_current_span().get_span_context()
    if not span.is_valid:
        return None, None
    # Written here instead of by the propagator, and once per span: it is asked for each event, and a bulk writes thousands a second.
    if _latest[0] is not span:
        written = f"00-{span.trace_id:032x}-{span.span_id:016x}-{span.trace_flags:02x}", span.trace_state.to_header() or None
        _latest[:] = [span, written]
        return written
    known: tuple[str, str | None] = _latest[1]
    return known


_latest: list[Any] = [None, None]


def remote_context(traceparent: str | None, tracestate: str | None = None) -> Context | None:
    """The context another process sent, or None where it sent none (or nonsense)."""
    if not traceparent:
        return None
    carrier = {"traceparent": traceparent}
    if tracestate:
        carrier["tracestate"] = tracestate
    context = _PROPAGATOR.extract(carrier, context=Context())
    return context if trace.get_current_span(context).get_span_context().is_valid else None


def span_contexts(traceparents: Iterable[str | None]) -> list[SpanContext]:
    """Span contexts to link to; at most as many as a span keeps."""
    found: list[SpanContext] = []
    for traceparent in traceparents:
        context = remote_context(traceparent)
        if context is not None:
            found.append(trace.get_current_span(context).get_span_context())
            if len(found) == _MAX_LINKS:
                break
    return found


@contextmanager
def log_fields(*, flow_id: UUID | None = None, **fields: str) -> Iterator[None]:
    """Put fields on every log line written inside the block."""
    merged = {**(_LOG_FIELDS.get() or {}), **fields}
    if flow_id is not None:
        merged["flow_id"] = str(flow_id)
    token = _LOG_FIELDS.set(merged)
    try:
        yield
    finally:
        _LOG_FIELDS.reset(token)


class _Fields(logging.Filter):
    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def filter(self, record: logging.LogRecord) -> bool:
        record.service = self._service
        for name, value in (_LOG_FIELDS.get() or {}).items():
            setattr(record, name, value)
        context = trace.get_current_span().get_span_context()
        if context.is_valid:
            record.trace_id = format(context.trace_id, "032x")
            record.span_id = format(context.span_id, "016x")
        return True


def log_handler(service: str, stream: TextIO) -> logging.Handler:
    """One JSON object a line, with service, flow id and trace id. Values of requests, events and rows are never logged."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        Formatter(
            "%(asctime)s %(levelname)s %(name)s %(message)s",
            rename_fields={"asctime": "time", "levelname": "level", "name": "logger"},
        )
    )
    handler.addFilter(_Fields(service))
    return handler


def configure_logging(service: str, level: str) -> None:
    """Everything is logged to standard error, as `log_handler` says."""
    root = logging.getLogger()
    root.handlers = [log_handler(service, sys.stderr)]
    root.setLevel(level)
    for noisy in ("aiokafka", "faststream", "uvicorn.access", "httpx"):
        logging.getLogger(noisy).setLevel("WARNING")


class HttpTelemetry:
    """ASGI middleware: one server span and one duration sample per request, under the route's template."""

    def __init__(self, app: ASGIApp, telemetry: Telemetry) -> None:
        self._app = app
        self._telemetry = telemetry

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(("/health", "/metrics")):
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        traceparent = headers.get(b"traceparent", b"").decode("latin-1")
        status = 500
        began = time.perf_counter()

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        # What callers make up shares one label, as paths do.
        method: str = scope["method"] if scope["method"] in _METHODS else "_OTHER"
        with self._telemetry.span(
            method, SpanKind.SERVER, {names.HTTP_METHOD: method}, parent=remote_context(traceparent)
        ) as span:
            try:
                await self._app(scope, receive, watched)
            finally:
                # Unmatched paths share one label: a scanner must not grow the registry.
                route = getattr(scope.get("route"), "path_format", None) or getattr(scope.get("route"), "path", "unmatched")
                span.update_name(f"{method} {route}")
                span.set_attribute(names.HTTP_ROUTE, route)
                span.set_attribute(names.HTTP_STATUS, status)
                if status >= 500:
                    span.set_status(Status(StatusCode.ERROR))
                self._telemetry.http_duration.labels(method, route, status).observe(time.perf_counter() - began)
