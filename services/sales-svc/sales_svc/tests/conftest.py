"""The service under test."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable

import pytest
import uvicorn
from fastapi import FastAPI

from sales_svc.app import create_app


@pytest.fixture
def service() -> str:
    return "sales_svc"


@pytest.fixture
def make_app() -> Callable[[], FastAPI]:
    return create_app


@pytest.fixture
async def address(app: FastAPI) -> AsyncIterator[str]:
    """The app on a port of its own; its database is opened by the fixture `app`."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(app, port=port, lifespan="off", log_level="warning", timeout_graceful_shutdown=2))
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.02)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    await serving
