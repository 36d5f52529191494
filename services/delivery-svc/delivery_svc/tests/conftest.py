"""The service under test is delivery-svc."""

from collections.abc import Callable

import httpx
import pytest
from fastapi import FastAPI

from delivery_svc.app import create_app
from delivery_svc.tests.desk import Desk


@pytest.fixture
def service() -> str:
    return "delivery_svc"


@pytest.fixture
def make_app() -> Callable[[], FastAPI]:
    return create_app


@pytest.fixture
def desk(client: httpx.AsyncClient) -> Desk:
    return Desk(client)
