"""The service under test is delivery-svc."""

from collections.abc import Callable

import httpx
import pytest
from fastapi import FastAPI
from ltc_chassis.testing_mail import MailServer

from delivery_svc.app import create_app
from delivery_svc.tests.desk import Desk, Run, Send
from delivery_svc.tests.panel import Panel


@pytest.fixture
def service() -> str:
    return "delivery_svc"


@pytest.fixture
def make_app() -> Callable[[], FastAPI]:
    return create_app


@pytest.fixture
def desk(client: httpx.AsyncClient) -> Desk:
    return Desk(client)


@pytest.fixture
def panel(desk: Desk, client: httpx.AsyncClient, run_timer: Run, mail_server: MailServer, send_mails: Send) -> Panel:
    return Panel(desk, client, run_timer, mail_server, send_mails)
