"""Liveness, readiness and Prometheus metrics: the only routes without a token, and without anything to read from them.

Readiness says that this process can do its work: migrations current, database usable. Never "broker reachable": writes go on
while Kafka is away, that is what the outbox is for.
"""

import asyncio
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from ltc_chassis import outbox, parking
from ltc_chassis.api import runtime_of
from ltc_chassis.db import is_down
from ltc_chassis.mailroom import store as mail_store
from ltc_chassis.subscriber import Subscriber

router = APIRouter(tags=["health"])
_CHECK_TIMEOUT_S = 2.0


@router.get("/health/live")
async def live(request: Request) -> Response:
    """The event loop turns and no loop of the service has died; 503 asks for a restart."""
    broken = runtime_of(request).broken
    return JSONResponse({"status": "broken", "reason": broken} if broken else {"status": "live"}, 503 if broken else 200)


@router.get("/health/ready")
async def ready(request: Request) -> Response:
    """200 when the service can do its work, 503 with the reasons otherwise."""
    runtime = runtime_of(request)
    reasons = dict(runtime.not_ready)
    try:
        async with asyncio.timeout(_CHECK_TIMEOUT_S), runtime.db.connection() as conn:
            await conn.fetchval("SELECT 1")
    except Exception as error:
        if not is_down(error):
            raise
        reasons["database"] = f"not reachable ({type(error).__name__})"
    body: dict[str, Any] = {"status": "not ready" if reasons else "ready", "service": f"{runtime.name}-svc"}
    if reasons:
        body["reasons"] = reasons
    if request.app.state.mails and not runtime.settings.smtp_host:
        body["notes"] = {"mail": "mails wait: LTC_SMTP_HOST is not set"}
    return JSONResponse(body, 503 if reasons else 200)


@router.get("/metrics")
async def metrics(request: Request) -> Response:
    """Prometheus text. What needs the database is left at its last value while the database is away."""
    runtime = runtime_of(request)
    telemetry = runtime.telemetry
    subscriber: Subscriber | None = request.app.state.subscriber
    if subscriber is not None:
        for partition, lag in subscriber.lag().items():
            telemetry.lag.labels(partition.topic, partition.partition).set(lag)
        telemetry.oldest_record_age.set(subscriber.oldest_record_age_s())
    try:
        async with asyncio.timeout(_CHECK_TIMEOUT_S), runtime.db.connection() as conn:
            telemetry.outbox_age.set(await outbox.oldest_age_s(conn))
            for state, count in (await parking.counts(conn)).items():
                telemetry.parked_now.labels(state).set(count)
            if request.app.state.mails:
                mails, age = await mail_store.unsettled(conn, runtime.clock.now())
                for state in ("waiting", "handing_over", "failed", "in_doubt"):
                    telemetry.mails_now.labels(state).set(mails.get(state, 0))
                telemetry.mail_age.set(age)
    except Exception as error:
        if not is_down(error):
            raise
    return Response(generate_latest(telemetry.registry), media_type=CONTENT_TYPE_LATEST)
