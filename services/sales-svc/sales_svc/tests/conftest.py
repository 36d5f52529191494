"""The service under test."""

from collections.abc import Callable

import pytest
from fastapi import FastAPI

from sales_svc.app import create_app


@pytest.fixture
def service() -> str:
    return "sales_svc"


@pytest.fixture
def make_app() -> Callable[[], FastAPI]:
    return create_app
