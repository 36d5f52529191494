"""The service under test is `echo`, which exists for these tests only."""

from collections.abc import Callable

import pytest
from fastapi import FastAPI

from ltc_chassis.tests.echo.app import create_app


@pytest.fixture
def service() -> str:
    return "ltc_chassis.tests.echo"


@pytest.fixture
def make_app() -> Callable[[], FastAPI]:
    return create_app
