"""Time in: due work is state in the service's own tables, claimed with FOR UPDATE SKIP LOCKED.

Safe on any number of replicas; late but never lost after a stop, since what is due stays due.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from opentelemetry.trace import SpanKind, use_span

from ltc_chassis import names
from ltc_chassis.db import Transaction, is_down, is_retryable
from ltc_chassis.runtime import Runtime
from ltc_chassis.telemetry import log_fields

logger = logging.getLogger(__name__)
_AFTER_ERROR_S = 1.0


@dataclass(frozen=True, slots=True)
class Timer:
    """`work` claims some due rows, handles them and returns how many; it is called again until that is 0.

    `every` is the pause between polls in WALL seconds; what is due is decided by the business clock (`tx.now`).
    """

    name: str
    work: Callable[[Transaction], Awaitable[int]]
    every: float = 0.2


@dataclass(frozen=True, slots=True)
class Errand:
    """Like a `Timer`, for work that goes out to the world between two transactions: it opens its own."""

    name: str
    work: Callable[[Runtime], Awaitable[int]]
    every: float = 0.2


async def run_until_idle(runtime: Runtime, timer: Timer | Errand) -> int:
    """Handle everything that is due now, a transaction at a time; returns how many rows."""
    total = 0
    while True:
        handled = await _one_claim(runtime, timer)
        if not handled:
            return total
        total += handled
        runtime.telemetry.timer_runs.labels(timer.name).inc(handled)


async def _one_claim(runtime: Runtime, timer: Timer | Errand) -> int:
    """One transaction in a trace of its own, since what it emits is caused by the clock; an idle poll leaves no span."""
    span = runtime.telemetry.tracer.start_span(f"timer {timer.name}", kind=SpanKind.INTERNAL)
    with use_span(span, end_on_exit=False, record_exception=False, set_status_on_exception=False):
        if isinstance(timer, Errand):
            handled = await timer.work(runtime)
        else:
            async with runtime.db.transaction() as tx:
                handled = await timer.work(tx)
    if handled:
        span.set_attribute(names.LTC_TIMER_ROWS, handled)
        span.end()
    return handled


async def loop(runtime: Runtime, timer: Timer | Errand) -> None:
    """Poll until cancelled. An error is logged and counted; the next poll tries again."""
    while True:
        pause = timer.every
        try:
            with log_fields(timer=timer.name):
                await run_until_idle(runtime, timer)
        except Exception as error:
            pause = max(timer.every, _AFTER_ERROR_S)
            runtime.telemetry.timer_errors.labels(timer.name).inc()
            if is_down(error) or is_retryable(error):
                logger.warning("timer %s waits: %s", timer.name, type(error).__name__)
            else:
                logger.exception("timer %s failed", timer.name)
        await asyncio.sleep(pause)
