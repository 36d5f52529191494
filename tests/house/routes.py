"""The routes of every service, read from its app without a database or a broker."""

import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute

SERVICES = ("lead", "sales", "order", "delivery", "billing", "metrics")


def settle(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The least that an app needs to be made."""
    key = folder / "public.pem"
    pem = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    key.write_bytes(Ed25519PrivateKey.generate().public_key().public_bytes(*pem))
    monkeypatch.setenv("LTC_POSTGRES_DSN", "postgresql://nobody@127.0.0.1:1/none")
    monkeypatch.setenv("LTC_KAFKA_BOOTSTRAP", "")
    monkeypatch.setenv("LTC_AUTH_PUBLIC_KEY", str(key))


def app_of(service: str) -> FastAPI:
    made: FastAPI = importlib.import_module(f"{service}_svc.app").create_app()
    return made


def routes_of(routes: list[BaseRoute]) -> Iterator[APIRoute]:
    """Every route, those of included routers as well."""
    for route in routes:
        included = getattr(route, "original_router", None)
        if included is not None:
            yield from routes_of(included.routes)
        else:
            # A mount, a file server or a bare Starlette route would pass by every rule of the house.
            assert isinstance(route, APIRoute), f"{route} is not a route of the chassis"
            yield route
