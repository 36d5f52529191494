"""The service under test is `echo`, which exists for these tests only."""

from collections.abc import Callable

import pytest
from fastapi import FastAPI

from ltc_chassis.testing import KeyPair
from ltc_chassis.tests.broker import World, create_topics
from ltc_chassis.tests.echo.app import create_app


@pytest.fixture
def service() -> str:
    return "ltc_chassis.tests.echo"


@pytest.fixture
def make_app() -> Callable[[], FastAPI]:
    return create_app


@pytest.fixture
async def world(dsn: str, kafka_bootstrap: str, keys: KeyPair) -> World:
    """A database, and topics of its own on the real broker."""
    made = World(dsn, kafka_bootstrap, keys)
    await create_topics(kafka_bootstrap, [made.pinged.TOPIC, made.noted.TOPIC])
    return made
