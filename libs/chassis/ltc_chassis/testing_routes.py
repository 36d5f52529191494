"""Apps that tests make one after the other serve the same routers: what FastAPI makes of them is kept."""

from fastapi import FastAPI
from starlette.routing import BaseRoute

# By title of the app, then by the identity of the router that the route was made of; what is in here keeps its router alive.
_served: dict[str, dict[int, BaseRoute]] = {}


def share_routes(app: FastAPI) -> FastAPI:
    """Let the app serve each router by what was made of it for the app before: at the first request that costs 30 to 400 ms.

    A router that is made anew for an app (it may hold things of that app) is served anew. All that routes know of their app
    comes with the request.
    """
    routes = app.router.routes
    made_of = [id(getattr(route, "original_router", route)) for route in routes]
    before = _served.get(app.title, {})
    routes[:] = [before.get(router, route) for router, route in zip(made_of, routes, strict=True)]
    _served[app.title] = dict(zip(made_of, routes, strict=True))
    return app
