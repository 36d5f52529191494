"""What the measurements share: processes of services, bulk publishing, waiting for a count."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from ltc_chassis import migrate
from ltc_chassis.connection import DirectConnection
from ltc_chassis.db import connect
from ltc_chassis.tests.echo.app import Noted, Pinged
from ltc_cli.stack import Stack, ports, processes

ECHO = "ltc_chassis.tests.echo"
Wire = tuple[str, bytes, bytes, list[tuple[str, bytes]]]


@dataclass(frozen=True, slots=True)
class Served:
    """A running service process."""

    url: str
    pid: int
    ready_s: float
    rss_mb: float


@asynccontextmanager
async def serve(stack: Stack, module: str, dsn: str, env: Mapping[str, str] | None = None) -> AsyncIterator[Served]:
    """A service as `ltc up` starts it, alone, until the end of the block."""
    port = ports.free()["lead"]
    command = [sys.executable, "-m", "uvicorn", "--factory", f"{module}.app:create_app", "--host", "127.0.0.1"]
    command += ["--port", str(port), "--no-access-log"]
    given = {
        "LTC_POSTGRES_DSN": dsn,
        "LTC_KAFKA_BOOTSTRAP": stack.kafka_bootstrap,
        "LTC_AUTH_PUBLIC_KEY": str(stack.home / "keys" / "public.pem"),
        "LTC_LOG_LEVEL": "WARNING",
        **(env or {}),
    }
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("LTC_")}
    log = stack.home / "logs" / f"bench-{module.rpartition('.')[2]}.log"
    began = time.perf_counter()
    identity = processes.spawn(command, log=log, env={**inherited, **given}, cwd=stack.home)
    try:
        url = f"http://127.0.0.1:{port}"
        ready = await _ready(url) - began
        process = processes.find(identity)
        assert process is not None, f"{module} ended; see {log}"
        yield Served(url, identity["pid"], ready, process.memory_info().rss / 2**20)
    finally:
        processes.stop(identity, by=signal.SIGTERM, patience_s=15)


async def _ready(url: str) -> float:
    async with httpx.AsyncClient() as client:
        for _ in range(3000):
            try:
                if (await client.get(f"{url}/health/ready")).status_code == 200:
                    return time.perf_counter()
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.01)
    raise TimeoutError(f"{url} is not ready after 30 s")


@asynccontextmanager
async def echo_database(stack: Stack) -> AsyncIterator[tuple[str, DirectConnection]]:
    """A migrated database of the echo service (one insert and one event a request), empty; and its topics."""
    admin = await connect(stack.admin_dsn, application="bench")
    await admin.execute("DROP DATABASE IF EXISTS bench_echo WITH (FORCE)")
    await admin.execute("CREATE DATABASE bench_echo")
    await admin.close()
    dsn = stack.admin_dsn.rpartition("/")[0] + "/bench_echo"
    conn = await connect(dsn, application="bench")
    try:
        await migrate.apply(conn, ECHO)
        await make_topics(stack, [Pinged.TOPIC, Noted.TOPIC])
        yield dsn, conn
    finally:
        await conn.close()


async def make_topics(stack: Stack, names: Iterable[str]) -> None:
    """Those that are missing, with as many partitions as the suite's."""
    admin = AIOKafkaAdminClient(bootstrap_servers=stack.kafka_bootstrap)
    await admin.start()
    try:
        known = set(await admin.list_topics())
        await admin.create_topics([NewTopic(name, 6, 1) for name in names if name not in known])
    finally:
        await admin.close()


async def publish(stack: Stack, records: Iterable[Wire]) -> tuple[int, float]:
    """Send everything as fast as a bare producer can; returns how many and the seconds."""
    producer = AIOKafkaProducer(
        bootstrap_servers=stack.kafka_bootstrap, acks="all", enable_idempotence=True, linger_ms=5, max_batch_size=256 * 1024
    )
    async with producer:
        began = time.perf_counter()
        pending = [await producer.send(topic, value, key=key, headers=headers) for topic, key, value, headers in records]
        await asyncio.gather(*pending)
        return len(pending), time.perf_counter() - began


async def rate_until(conn: DirectConnection, count: str, wanted: int, *, before: int = 0, timeout: float = 180) -> float:
    """Rows a second while `count` (SQL) grows from its first rows after `before` by `wanted`. Raises TimeoutError else."""
    began: tuple[float, int] | None = None
    deadline = time.perf_counter() + timeout
    found = 0
    while time.perf_counter() < deadline:
        found = int(await conn.fetchval(count)) - before
        now = time.perf_counter()
        if began is None and found:
            began = (now, found)
        if found >= wanted and began is not None:
            return (found - began[1]) / max(now - began[0], 1e-6)
        await asyncio.sleep(0.25)  # counting costs the database; seldom enough not to be what is measured
    raise TimeoutError(f"{count}: {found} of {wanted} after {timeout:.0f} s")
