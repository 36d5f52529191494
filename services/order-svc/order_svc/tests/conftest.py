"""The service under test is order-svc."""

from collections.abc import Callable

import pytest
from fastapi import FastAPI

from order_svc.app import create_app


@pytest.fixture
def service() -> str:
    return "order_svc"


@pytest.fixture
def make_app() -> Callable[[], FastAPI]:
    return create_app
