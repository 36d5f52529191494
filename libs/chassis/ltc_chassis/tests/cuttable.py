"""A TCP line that a test can cut and mend, to take a server away without stopping it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator


class Line:
    """Forwards a local port to a server. While cut, live connections are reset and new ones refused."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0

    async def mend(self) -> None:
        """Listen, on the same port as before."""
        self._server = await asyncio.start_server(self._forward, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        """Stop listening and reset what is connected."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in list(self._writers):
            writer.transport.abort()
        for task in list(self._tasks):
            with contextlib.suppress(Exception):
                await task

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream_reader, upstream_writer = await asyncio.open_connection(*self._target)
        ends = {writer, upstream_writer}
        self._writers |= ends
        pumps = [
            asyncio.create_task(_pump(reader, upstream_writer)),
            asyncio.create_task(_pump(upstream_reader, writer)),
        ]
        self._tasks |= set(pumps)
        await asyncio.wait(pumps)
        self._writers -= ends
        self._tasks -= set(pumps)


@contextlib.asynccontextmanager
async def line(host: str, port: int) -> AsyncIterator[Line]:
    """A mended line that is taken down at the end."""
    made = Line(host, port)
    await made.mend()
    try:
        yield made
    finally:
        await made.cut()


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()
    with contextlib.suppress(OSError, RuntimeError):
        sink.close()
