"""One service as one process: HTTP, consumer, relay, timers and pool in one lifespan. The stop order mirrors the start order."""

import asyncio
import contextlib
import gc
import logging
from collections.abc import AsyncIterator, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any

from fastapi import APIRouter, FastAPI

from ltc_chassis import errors, health, idempotency, inbox, mailroom, migrate, operations
from ltc_chassis.consumer import Consumers, Processor
from ltc_chassis.db import Transaction, is_down
from ltc_chassis.limits import BodyLimit
from ltc_chassis.mailroom import routes as mail_routes
from ltc_chassis.relay import Relay
from ltc_chassis.runtime import Runtime
from ltc_chassis.settings import ChassisSettings
from ltc_chassis.subscriber import Subscriber
from ltc_chassis.telemetry import HttpTelemetry, configure_logging
from ltc_chassis.timers import Errand, Timer, loop

logger = logging.getLogger(__name__)
_DRAIN_S = 3.0
_RETRY_PARKED_S = 0.1
_COLLECT_AFTER = 100_000


@dataclass(frozen=True, slots=True)
class Service:
    """The parts of a service, by name. `mails`: it sends mail by `mailroom.post`."""

    name: str
    package: str
    settings: ChassisSettings
    routers: Sequence[APIRouter]
    consumers: Consumers = field(default_factory=Consumers)
    timers: Sequence[Timer | Errand] = ()
    mails: bool = False


def build(service: Service) -> FastAPI:
    """The ASGI application of a service."""
    runtime = Runtime.create(service.name, service.package, service.settings)
    processor = Processor(runtime, service.consumers)
    connected = bool(service.settings.kafka_bootstrap)
    mails: list[Timer | Errand] = [mailroom.sender(), mailroom.retention(service.settings)] if service.mails else []
    subscriber = Subscriber(runtime, service.consumers, processor) if connected and service.consumers.topics else None
    relay = Relay(runtime) if connected and service.settings.relay == "inprocess" else None

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        configure_logging(f"{service.name}-svc", service.settings.log_level)
        await runtime.db.open()
        work = _Work(runtime, processor, subscriber, relay, (*service.timers, *mails, *_own_timers(runtime)))
        await work.start()
        # What is here now stays: looking through it again and again costs a bulk a quarter of its time.
        gc.collect()
        gc.freeze()
        gc.set_threshold(_COLLECT_AFTER, 10, 20)
        try:
            yield
        finally:
            await work.stop()
            await runtime.db.close()
            runtime.telemetry.close()

    app = FastAPI(
        title=f"{service.name}-svc", version="1.0.0", lifespan=lifespan, openapi_url=None, docs_url=None, redoc_url=None
    )
    app.state.runtime = runtime
    app.state.processor = processor
    app.state.subscriber = subscriber
    app.state.consumers = service.consumers
    app.state.throttles = {}
    app.state.desks = {}
    app.state.mails = service.mails
    errors.install(app)
    mail_router = [mail_routes.router] if service.mails else []
    for router in (*service.routers, *mail_router, operations.router, operations.documents, health.router):
        app.include_router(router)
    app.add_middleware(BodyLimit, usual=service.settings.max_body_bytes)
    app.add_middleware(HttpTelemetry, telemetry=runtime.telemetry)
    return app


class _Work:
    """The loops of a running service."""

    def __init__(
        self,
        runtime: Runtime,
        processor: Processor,
        subscriber: Subscriber | None,
        relay: Relay | None,
        timers: Sequence[Timer | Errand],
    ) -> None:
        self._runtime = runtime
        self._processor = processor
        self._subscriber = subscriber
        self._relay = relay
        self._timers = timers
        self._tasks: list[asyncio.Task[None]] = []
        self._consuming: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Refuse to start on a wrong schema. A database that is away is waited for in the background."""
        self._runtime.not_ready["migrations"] = "not checked yet"
        try:
            await self._check_schema()
        except Exception as error:
            if not is_down(error):
                raise
            self._spawn(self._begin_when_possible())
        else:
            self._begin()

    async def stop(self) -> None:
        """Consumer, relay, timers; the caller closes the pool."""
        if self._consuming is not None:
            self._consuming.cancel()
            await asyncio.gather(self._consuming, return_exceptions=True)
        if self._subscriber is not None:
            await self._subscriber.stop()
        if self._relay is not None:
            with contextlib.suppress(Exception):
                async with asyncio.timeout(_DRAIN_S + 1):
                    await self._relay.drain(_DRAIN_S)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _check_schema(self) -> None:
        async with self._runtime.db.connection() as conn:
            await migrate.check(conn, self._runtime.package)
            async with conn.transaction():
                await inbox.maintain(conn, keep_days=self._runtime.settings.inbox_keep_days)
        del self._runtime.not_ready["migrations"]

    async def _begin_when_possible(self) -> None:
        while True:
            await asyncio.sleep(0.5)
            try:
                await self._check_schema()
            except Exception as error:
                if not is_down(error):
                    self._runtime.not_ready["migrations"] = str(error)
                    logger.critical("cannot work on this database: %s", error)
                continue
            self._begin()
            return

    def _begin(self) -> None:
        if self._relay is not None:
            self._runtime.db.on_emit = self._relay.wake
            self._spawn(self._relay.run())
        for timer in self._timers:
            self._spawn(loop(self._runtime, timer))
        if self._subscriber is not None:
            self._consuming = asyncio.create_task(self._subscriber.run())
            self._consuming.add_done_callback(self._ended)
        self._spawn(self._retry_parked())

    async def _retry_parked(self) -> None:
        pause = _RETRY_PARKED_S
        while True:
            try:
                while await self._processor.retry_due():
                    pass
                pause = _RETRY_PARKED_S
            except Exception as error:
                if not is_down(error):
                    logger.exception("the parking loop failed")
                pause = min(pause * 2, 5.0)
            await asyncio.sleep(pause)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        task.add_done_callback(self._ended)
        self._tasks.append(task)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """A loop that died of an error fails the liveness check: seen and restarted, never silently lame."""
        if not task.cancelled() and (error := task.exception()) is not None:
            self._runtime.broken = f"a loop ended: {type(error).__name__}"
            logger.critical("a loop of the service ended", exc_info=error)


def _own_timers(runtime: Runtime) -> list[Timer]:
    async def inbox_partitions(tx: Transaction) -> int:
        await inbox.maintain(tx.conn, keep_days=runtime.settings.inbox_keep_days)
        return 0

    return [
        Timer("inbox-partitions", inbox_partitions, every=3600),
        Timer("idempotency-keys", idempotency.forget_old, every=600),
    ]
