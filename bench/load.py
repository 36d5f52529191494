"""A small HTTP client for load: keep-alive connections and prepared bytes, so that the server is measured and not the client."""

import asyncio
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit


class Connection:
    """One keep-alive connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def open(cls, url: str) -> "Connection":
        parts = urlsplit(url)
        return cls(*await asyncio.open_connection(parts.hostname, parts.port))

    async def call(self, request: bytes, allowed: Collection[int] = (200, 201)) -> None:
        """Send one request and read its answer; raises RuntimeError unless its status is allowed."""
        self._writer.write(request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        body = await self._reader.readexactly(length)
        if int(head[9:12]) not in allowed:
            raise RuntimeError((head + body).decode()[:500])

    def close(self) -> None:
        self._writer.close()


def post(path: str, body: bytes, token: str) -> bytes:
    """The bytes of a POST."""
    head = f"POST {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def get(path: str, token: str) -> bytes:
    """The bytes of a GET."""
    return f"GET {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\n\r\n".encode()


@dataclass(frozen=True, slots=True)
class Taken:
    """Seconds that each request took, and all of them together."""

    seconds: list[float]
    took: float


async def each(url: str, requests: Sequence[bytes], *, connections: int, allowed: Collection[int] = (200, 201)) -> Taken:
    """Every request once, with every connection always busy."""
    opened = [await Connection.open(url) for _ in range(connections)]
    left, seconds = list(reversed(requests)), []

    async def run(connection: Connection) -> None:
        while left:
            request = left.pop()
            began = time.perf_counter()
            await connection.call(request, allowed)
            seconds.append(time.perf_counter() - began)

    began = time.perf_counter()
    await asyncio.gather(*(run(connection) for connection in opened))
    took = time.perf_counter() - began
    for connection in opened:
        connection.close()
    return Taken(seconds, took)


async def flood(url: str, request: bytes, *, connections: int, seconds: float) -> float:
    """Requests a second with every connection always busy."""
    opened = [await Connection.open(url) for _ in range(connections)]
    done, began = 0, time.perf_counter()

    async def run(connection: Connection) -> None:
        nonlocal done
        while time.perf_counter() - began < seconds:
            await connection.call(request)
            done += 1

    await asyncio.gather(*(run(each) for each in opened))
    took = time.perf_counter() - began
    for each in opened:
        each.close()
    return done / took


async def steady(url: str, request: bytes, *, per_second: float, seconds: float) -> None:
    """Requests begun at a steady rate, whatever the answers take."""
    idle: asyncio.Queue[Connection] = asyncio.Queue()
    for _ in range(32):
        idle.put_nowait(await Connection.open(url))
    loop, running = asyncio.get_running_loop(), set()

    async def one() -> None:
        connection = await idle.get()
        await connection.call(request)
        idle.put_nowait(connection)

    began = loop.time()
    for number in range(int(per_second * seconds)):
        await asyncio.sleep(max(began + number / per_second - loop.time(), 0))
        task = asyncio.create_task(one())
        running.add(task)
        task.add_done_callback(running.discard)
    await asyncio.gather(*running)
    while not idle.empty():
        idle.get_nowait().close()
