"""HTTP in, for ad platforms: an address per endpoint, whose key nobody can guess and whose deliveries are signed."""

import logging
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from fastapi.routing import APIRoute
from ltc_chassis import limits
from ltc_chassis.api import Guard, runtime_of
from ltc_chassis.limits import KB
from ltc_chassis.pages import PublicRoute, Throttle, client_of

from lead_svc.domain import hook_linkedin, hook_meta, hook_wechat
from lead_svc.domain.hook import ChallengeRefused, Endpoint, EndpointUnknown, Kind, Push
from lead_svc.domain.hook_json import read_query
from lead_svc.domain.hook_platforms import PLATFORMS
from lead_svc.handlers import hooks as handlers
from lead_svc.store import hooks as store

logger = logging.getLogger(__name__)
# What a delivery is judged by, and what tells where it came from.
_HEADERS = ("content-type", "user-agent", "x-hub-signature-256", "x-li-signature", "x-ltc-signature", "x-ltc-timestamp")
_LONGEST_HEADER = 500
_LONGEST_QUERY = 2000


class _PushRoute(PublicRoute):
    """A delivery is kept in a transaction of its own and worked on in the next one, so none is open around the route."""

    why = "an ad platform has no token of ours: the key in the address and the signature of each delivery are its permission"

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        inner = APIRoute.get_route_handler(self)
        largest = self.body_limit or limits.PUBLIC

        async def bounded(request: Request) -> Response:
            try:
                for dependency in self.dependencies:
                    if isinstance(dependency.dependency, Guard):
                        dependency.dependency.check(request)
                limits.limit(request, largest)
                await limits.read_bytes(request)  # also what is no text is kept
                return await inner(request)
            except Exception as error:
                reply = self.refusal(request, error)
                if reply is None:
                    raise
                return reply

        return bounded


public = APIRouter(prefix="/in", tags=["capture"], route_class=_PushRoute)
_DELIVERIES = Throttle(1200, per_s=60)
_CHALLENGES = Throttle(60, per_s=60)


# Meta tells of up to a thousand leads at once.
@public.post("/{kind}/{key}", dependencies=[Depends(_DELIVERIES), limits.body_up_to(256 * KB)])
async def deliver(kind: Kind, key: str, request: Request) -> Response:
    """A platform pushes leads. 200 when they are kept, or known already; 403 for a wrong signature; 400 for what cannot be read, or was
    signed too long ago; 503 when the database or a secret is away, so that the platform tries again."""
    runtime = runtime_of(request)
    push = Push(
        {name: request.headers[name][:_LONGEST_HEADER] for name in _HEADERS if name in request.headers},
        request.url.query[:_LONGEST_QUERY],
        await request.body(),
    )
    async with runtime.db.transaction() as tx:
        endpoint = await _endpoint(tx.conn, kind, key)
        receipt = await handlers.receive(tx, endpoint, push, client_of(request))
    if receipt.refusal is not None:
        raise receipt.refusal
    thanks = PLATFORMS[endpoint.kind].thanks or {}
    if receipt.known or receipt.delivery_id is None:
        return JSONResponse({**thanks, "outcome": "known"})
    try:
        async with runtime.db.transaction() as tx:
            delivery = await handlers.work(tx, receipt.delivery_id)
    except Exception as error:
        # It is kept; a timer goes on with it, so the platform need not come again.
        logger.warning("a delivery is worked on later: %s", type(error).__name__)
        return JSONResponse({**thanks, "outcome": "received"})
    if delivery.state == "refused":
        return _refused(delivery.problem, delivery.field, delivery.reason)
    return JSONResponse({**thanks, "outcome": delivery.state})


@public.get("/{kind}/{key}", dependencies=[Depends(_CHALLENGES)])
async def challenge(kind: Kind, key: str, request: Request) -> Response:
    """A platform checks that the address is ours: Meta, LinkedIn and WeChat."""
    runtime = runtime_of(request)
    asked = read_query(request.url.query[:_LONGEST_QUERY])
    async with runtime.db.connection() as conn:
        endpoint = await _endpoint(conn, kind, key)
    if endpoint.retired_at is not None:
        raise EndpointUnknown("there is no such endpoint")
    headers = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}
    if kind == "linkedin":
        answer = hook_linkedin.challenge(asked, handlers.keys(runtime.settings, endpoint.secret))
        return JSONResponse(answer, headers=headers)
    if kind == "meta":
        tokens = handlers.keys(runtime.settings, endpoint.verify_secret)
        return PlainTextResponse(hook_meta.challenge(asked, tokens), headers=headers)
    if kind == "wechat":
        tokens = handlers.keys(runtime.settings, endpoint.secret)
        return PlainTextResponse(hook_wechat.challenge(asked, tokens, runtime.clock.now(), endpoint.skew_s), headers=headers)
    raise ChallengeRefused(f"{kind} does not check addresses")


async def _endpoint(conn: Any, kind: Kind, key: str) -> Endpoint:
    endpoint = await store.find_endpoint(conn, kind, key) if len(key) <= 100 else None
    if endpoint is None:
        raise EndpointUnknown("there is no such endpoint")
    return endpoint


def _refused(problem: str | None, field: str | None, reason: str | None) -> Response:
    """The content of a genuine delivery cannot be taken: it is in the log, where a person sees why, and tries it again."""
    told = {
        "type": f"urn:ltc:problem:{problem}",
        "title": "The delivery is kept, but cannot be taken",
        "status": 400,
        "detail": reason,
        **({"field": field} if field else {}),
    }
    return JSONResponse(told, status_code=400, media_type="application/problem+json")
