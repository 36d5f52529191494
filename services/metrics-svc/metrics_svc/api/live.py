"""The page in the browser: funnel, KPIs and events as they happen."""

import asyncio
import importlib.resources
import json
from collections import deque
from collections.abc import AsyncIterator
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from ltc_chassis.api import principal_of, runtime_of, scope
from ltc_chassis.auth import COOKIE
from ltc_chassis.db import is_down
from ltc_chassis.errors import Unauthenticated
from ltc_chassis.pages import public_router
from ltc_contracts.errors import NotFound
from sse_starlette.sse import EventSourceResponse

from metrics_svc.api.conservation import conservation as conservation_of
from metrics_svc.api.kpis import answer, question
from metrics_svc.store import facts

router = APIRouter(tags=["live page"])
entrance = public_router(
    prefix="",
    tags=["live page"],
    why="They take the token themselves: from a link into a cookie, and to say how to get one where there is none.",
)
_STATIC = importlib.resources.files("metrics_svc") / "static"
_TYPES = {"live.js": "text/javascript", "live.css": "text/css", "echarts.min.js": "text/javascript"}
_POLICY = (
    "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
_SHOWN = (
    "funnel",
    "win_rate",
    "sales_cycle",
    "on_time_delivery",
    "on_time_collection",
    "outstanding",
    "overdue_amount",
    "collected",
)
_EVERY_S = 1.0
_LATEST = 40


@entrance.get("/login")
async def login(token: str, request: Request) -> Response:
    """Take a token from a link into a cookie that scripts cannot read, and go to the page."""
    runtime_of(request).verifier.verify(token)
    reply = RedirectResponse("/live", status_code=303)
    reply.set_cookie(COOKIE, token, httponly=True, samesite="strict", secure=request.url.scheme == "https")
    return reply


@entrance.get("/live")
async def page(request: Request) -> Response:
    """The page; without a valid cookie, a page that says how to get one."""
    try:
        principal_of(request).require("kpis:read")
    except Unauthenticated:
        text = (_STATIC / "signed_out.html").read_text()
        return HTMLResponse(text, status_code=401, headers={"Content-Security-Policy": _POLICY, "WWW-Authenticate": "Bearer"})
    return HTMLResponse((_STATIC / "live.html").read_text(), headers={"Content-Security-Policy": _POLICY})


@router.get("/static/{name}", dependencies=[scope("kpis:read")])
async def static(name: str) -> Response:
    """Script, style and the chart library (vendored: the page needs no other host)."""
    if name not in _TYPES:
        raise NotFound(f"no file {name}")
    folder = _STATIC / "vendor" if name == "echarts.min.js" else _STATIC
    return Response((folder / name).read_bytes(), media_type=_TYPES[name], headers={"Cache-Control": "max-age=3600"})


@router.get("/v1/stream", dependencies=[scope("kpis:read")])
async def stream(request: Request) -> EventSourceResponse:
    """Server-sent events: `kpis` every second while something changes, `event` for each new event."""
    return EventSourceResponse(_messages(request), ping=15)


async def snapshot(request: Request) -> dict[str, Any]:
    """The numbers of the page as of now."""
    runtime = runtime_of(request)
    now = runtime.clock.now()
    async with runtime.db.connection() as conn:
        kpis = {name: await answer(conn, await question(name, conn, now)) for name in _SHOWN}
        conserved = await conservation_of(conn, now, now)
    return {
        "now": now.isoformat(),
        "kpis": {name: [row.model_dump() for row in shown.rows] for name, shown in kpis.items()},
        "conservation": conserved.model_dump(mode="json"),
    }


async def _messages(request: Request) -> AsyncIterator[dict[str, str]]:
    # Rows become visible out of the order of their numbers, so what was sent is remembered rather than a position.
    sent: deque[int] = deque(maxlen=20 * _LATEST)
    runtime = runtime_of(request)
    first = True
    while not await request.is_disconnected():
        try:
            async with runtime.db.connection() as conn:
                rows = [row for row in reversed(await facts.latest_events_view(conn, _LATEST)) if row["seq"] not in sent]
            if rows or first:
                yield {"event": "kpis", "data": json.dumps(await snapshot(request), default=str)}
                first = False
        except Exception as error:
            if not is_down(error):
                raise
            rows = []
        for row in rows:
            sent.append(row["seq"])
            yield {"event": "event", "id": str(row["id"]), "data": json.dumps(dict(row), default=str)}
        await asyncio.sleep(_EVERY_S)
