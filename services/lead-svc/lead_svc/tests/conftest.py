"""The service under test."""

import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from ltc_chassis.clock import FixedClock
from ltc_chassis.db import Database
from ltc_chassis.testing import KeyPair
from ltc_chassis.testing_mail import MailServer
from ltc_chassis.timers import Timer

from lead_svc.app import create_app
from lead_svc.tests.hooks import Hooks, Run
from lead_svc.tests.journeys import Nurture
from lead_svc.tests.persons import Persons


@pytest.fixture
def service() -> str:
    return "lead_svc"


@pytest.fixture
def make_app() -> Callable[[], FastAPI]:
    return create_app


@pytest.fixture
def rep(app: FastAPI, keys: KeyPair) -> Callable[..., httpx.AsyncClient]:
    """HTTP as a rep, with the scopes of a rep unless others are given."""

    def made(name: str, scopes: str = "leads:read leads:write leads:claim") -> httpx.AsyncClient:
        headers = {"Authorization": f"Bearer {keys.token(scopes, subject=name)}"}
        return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service", headers=headers)

    return made


@pytest.fixture
def nurture(
    client: httpx.AsyncClient,
    mail_server: MailServer,
    clock: FixedClock,
    run_timer: Callable[[Timer], Awaitable[int]],
    send_mails: Callable[[], Awaitable[int]],
) -> Nurture:
    """A company that nurtures its leads, with a real mail server."""
    return Nurture(client, mail_server, clock, run_timer, send_mails)


@pytest.fixture
def persons(client: httpx.AsyncClient, run_timer: Callable[[Timer], Awaitable[int]], db: Database, secrets_dir: Path) -> Persons:
    """A company that answers the requests of persons."""
    (secrets_dir / "person-key").write_text(secrets.token_hex(32))
    return Persons(client, run_timer, db)


@pytest.fixture
def seller(rep: Callable[..., httpx.AsyncClient]) -> Callable[..., httpx.AsyncClient]:
    """The same, for tests in which `rep` means something else."""
    return rep


@pytest.fixture
def hooks(
    client: httpx.AsyncClient,
    anonymous: httpx.AsyncClient,
    secrets_dir: Path,
    clock: FixedClock,
    db: Database,
    run_timer: Run,
) -> Hooks:
    """A company to which ad platforms push leads."""
    return Hooks(client, anonymous, secrets_dir, clock, db, run_timer)
