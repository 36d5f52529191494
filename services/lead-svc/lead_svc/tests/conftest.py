"""The service under test."""

from collections.abc import Callable

import httpx
import pytest
from fastapi import FastAPI
from ltc_chassis.testing import KeyPair

from lead_svc.app import create_app


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
