"""Every route of every service says who may use it."""

import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from ltc_chassis import health, operations
from ltc_chassis.api import Scope
from ltc_chassis.pages import PublicRoute
from starlette.routing import BaseRoute

SERVICES = ("lead", "sales", "order", "delivery", "billing", "metrics")


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = tmp_path / "public.pem"
    pem = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    key.write_bytes(Ed25519PrivateKey.generate().public_key().public_bytes(*pem))
    monkeypatch.setenv("LTC_POSTGRES_DSN", "postgresql://nobody@127.0.0.1:1/none")
    monkeypatch.setenv("LTC_KAFKA_BOOTSTRAP", "")
    monkeypatch.setenv("LTC_AUTH_PUBLIC_KEY", str(key))


def routes_of(routes: list[BaseRoute]) -> Iterator[APIRoute]:
    for route in routes:
        included = getattr(route, "original_router", None)
        if included is not None:
            yield from routes_of(included.routes)
        else:
            # A mount, a file server or a bare Starlette route would pass by every rule below.
            assert isinstance(route, APIRoute), f"{route} is not a route of the chassis"
            yield route


def scopes_of(dependant: Dependant) -> set[str]:
    own = {dependant.call.scope} if isinstance(dependant.call, Scope) else set()
    return own.union(*(scopes_of(each) for each in dependant.dependencies))


@pytest.mark.usefixtures("settings")
@pytest.mark.parametrize("service", SERVICES)
def test_every_route_has_a_scope_or_is_health_or_is_open_for_a_stated_reason(service: str) -> None:
    app: FastAPI = importlib.import_module(f"{service}_svc.app").create_app()
    found = list(routes_of(list(app.routes)))
    assert len(found) > len(health.router.routes) + len(operations.router.routes)
    without: list[str] = []
    for route in found:
        scopes = scopes_of(route.dependant)
        if isinstance(route, PublicRoute):
            assert not scopes, f"{route.path} is open and asks for a scope"
            assert len(route.why) >= 10
        elif not scopes and route not in health.router.routes:
            without.append(f"{sorted(route.methods or ())} {route.path}")
    assert without == []
