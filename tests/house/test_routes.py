"""Every route of every service says who may use it."""

import pytest
from fastapi.dependencies.models import Dependant
from ltc_chassis import health, operations
from ltc_chassis.api import Scope
from ltc_chassis.pages import PublicRoute

from tests.house.routes import SERVICES, app_of, routes_of


def scopes_of(dependant: Dependant) -> set[str]:
    own = {dependant.call.scope} if isinstance(dependant.call, Scope) else set()
    return own.union(*(scopes_of(each) for each in dependant.dependencies))


@pytest.mark.usefixtures("settings")
@pytest.mark.parametrize("service", SERVICES)
def test_every_route_has_a_scope_or_is_health_or_is_open_for_a_stated_reason(service: str) -> None:
    found = list(routes_of(list(app_of(service).routes)))
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
