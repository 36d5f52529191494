"""The README of a service shows every endpoint, with a call that hits one."""

import re
from pathlib import Path

import pytest
from ltc_chassis import health, operations
from ltc_chassis.testing_readme import Example, examples

from tests.house.routes import SERVICES, app_of, routes_of

ROOT = Path(__file__).parents[2]


def readme(service: str) -> Path:
    return ROOT / "services" / f"{service}-svc" / "README.md"


def hits(example: Example, method: str, path: str) -> bool:
    """Whether a call is one of this route: what the route takes as a parameter may be anything."""
    pattern = re.sub(r"\\{[^}]+\\}", "[^/]+", re.escape(path))
    return example.method == method and re.fullmatch(pattern, example.path) is not None


@pytest.mark.usefixtures("settings")
@pytest.mark.parametrize("service", SERVICES)
def test_every_endpoint_has_an_example_and_every_example_an_endpoint(service: str) -> None:
    text = readme(service).read_text()
    every = {(method, route.path) for route in routes_of(list(app_of(service).routes)) for method in route.methods or ()}
    chassis = {route.path for own in (health.router, operations.router) for route in routes_of(list(own.routes))}
    # What a browser or a tool asks for needs no curl, but a word.
    told = {path for _, path in every if f"{path}`" in text or f'{path}"' in text} | chassis
    shown = [example for example in examples(readme(service)) if example.path.startswith("/")]
    asked = sorted((method, path) for method, path in every if method != "HEAD" and path not in told)
    missing = [f"{method} {path}" for method, path in asked if not any(hits(each, method, path) for each in shown)]
    wrong = [f"line {each.line}: {each.method} {each.path}" for each in shown if not any(hits(each, *route) for route in every)]
    assert (missing, wrong) == ([], [])
