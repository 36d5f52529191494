"""What people and machines outside reach without a token: routes with a stated reason, pages, and a limit on how often."""

import functools
import ipaddress
import math
import re
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, ClassVar, Literal

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse
from jinja2 import ChoiceLoader, Environment, PackageLoader, PrefixLoader, StrictUndefined
from ltc_contracts.errors import DomainError

from ltc_chassis import errors, limits
from ltc_chassis.api import Guard, TransactionalRoute, runtime_of
from ltc_chassis.errors import TooManyRequests

Language = Literal["en", "zh"]
_ORIGIN = re.compile(r"https?://(\*\.)?[A-Za-z0-9.-]+(:[0-9]{1,5})?")
_ZH = {
    "invalid": "请求不符合规则",
    "unauthenticated": "需要有效的凭证",
    "forbidden": "无权访问",
    "not_found": "页面不存在",
    "conflict": "当前状态下无法完成",
    "not_yet": "暂时无法完成",
    "too_large": "内容过大",
    "gone": "链接已失效",
    "too_many": "请求过于频繁",
    "unavailable": "暂时不可用",
}
_ZH_REASONS = {
    "not_found": "此链接无效。请检查链接是否完整。",
    "gone": "此链接已过期，请索取新的链接。",
    "too_large": "提交的内容过大，请缩短后重试。",
    "too_many": "请稍后再试。",
}


class PublicRoute(TransactionalRoute):
    """A route without a token. Refusals are pages for browsers and problem+json for machines. No Idempotency-Key: it belongs to
    a caller, and here there is none.
    """

    why: ClassVar[str] = ""
    idempotent = False
    largest_body = limits.PUBLIC

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        inner = super().get_route_handler()

        async def told(request: Request) -> Response:
            try:
                return await inner(request)
            except DomainError as error:
                return _refusal(request, error)

        return told

    def refusal(self, request: Request, error: Exception) -> Response | None:
        return _refusal(request, error) if isinstance(error, DomainError) else super().refusal(request, error)


def public_router(*, prefix: str, tags: list[str], why: str, largest_body: int = limits.PUBLIC) -> APIRouter:
    """A router whose routes need no bearer token, for the reason `why`; changing routes run in one transaction, and take a body of
    at most `largest_body` bytes (of a single route: `body_up_to`).

    Each route checks by itself what it is given: a signed link (`links.verify`), a signature, a published form. Routes that
    change something, or cost something, take a `Throttle`.
    """
    if len(why) < 10:
        raise ValueError("say in a sentence why these routes are open to everybody")
    route_class = type("PublicRoute", (PublicRoute,), {"why": why, "largest_body": largest_body})
    return APIRouter(prefix=prefix, tags=list(tags), route_class=route_class)


class Throttle(Guard):
    """Dependency: at most `limit` requests per `per_s` seconds from one client to one route; over it, 429 with Retry-After.

    `dependencies=[Depends(Throttle(20, per_s=60))]`. A client is an address (of IPv6 its /64 network). Counts live in this
    process: n replicas let through n times as many, a restart forgets, and of more than 10,000 clients at once the longest
    silent are forgotten. It keeps one client from taking everything; it is no defence against a flood from many addresses.
    """

    _MOST = 10_000

    def __init__(self, limit: int, per_s: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        if limit < 1 or per_s <= 0:
            raise ValueError("a throttle lets at least one request through in a span of time")
        self._every_s = per_s / limit
        self._per_s = per_s
        self._clock = clock

    def check(self, request: Request) -> None:
        """Count this request once. Raises `TooManyRequests`."""
        counted = request.scope.setdefault("ltc.throttled", set())
        if self in counted:
            return
        counted.add(self)
        # Evenly filled: each request uses up `every_s` of the client's span, and time gives it back.
        route = getattr(request.scope.get("route"), "path", request.url.path)
        spent: OrderedDict[str, float] = request.app.state.throttles.setdefault((self, route), OrderedDict())
        client, now = _network(client_of(request)), self._clock()
        until = max(spent.get(client, now), now) + self._every_s
        # A thousandth of a second is rounding, not haste.
        if (wait := until - now - self._per_s) > 0.001:
            raise TooManyRequests("this was asked too often; wait a little", retry_after_s=math.ceil(wait))
        spent[client] = until
        spent.move_to_end(client)
        if len(spent) > self._MOST:
            spent.popitem(last=False)


def client_of(request: Request) -> str:
    """The address a request came from. X-Forwarded-For counts only as far as `settings.trusted_proxies` says that it is ours."""
    trusted = runtime_of(request).settings.trusted_proxies
    if trusted:
        passed = [part.strip() for value in request.headers.getlist("x-forwarded-for") for part in value.split(",")]
        if len(passed) >= trusted and _is_address(passed[-trusted]):
            return passed[-trusted]
    return request.client.host if request.client else "unknown"


def language_of(request: Request) -> Language:
    """The language of a page: Chinese where the browser prefers it to English, else English."""
    best: dict[str, float] = {}
    for part in request.headers.get("accept-language", "")[:500].split(","):
        tag, _, quality = part.strip().partition(";q=")
        name = tag.partition("-")[0].lower()
        if name in ("en", "zh"):
            best[name] = max(best.get(name, 0.0), _quality(quality))
    return "zh" if best.get("zh", 0.0) > best.get("en", 0.0) else "en"


def page(
    request: Request,
    package: str,
    template: str,
    /,
    *,
    status_code: int = 200,
    frame_ancestors: Sequence[str] = (),
    form_action: Sequence[str] = (),
    **values: Any,
) -> HTMLResponse:
    """A page from `<package>/templates/<template>`, autoescaped; a template may extend `ltc_chassis/page.html`.

    Beside `values` it sees `lang` (en or zh) and `nonce`. The policy allows nothing from elsewhere, and of styles and scripts only
    those inside `<style nonce="{{ nonce }}">` and `<script nonce="{{ nonce }}">`. It may stand in a frame of `frame_ancestors`
    alone, and its forms go to this service and `form_action` (origins, `https://www.example.com`). Never cached.
    """
    nonce = secrets.token_urlsafe(16)
    # Frames and form targets are often a company's setting: an origin cannot smuggle in another directive.
    for origin in (*frame_ancestors, *form_action):
        if _ORIGIN.fullmatch(origin) is None:
            raise ValueError("must be origins like https://www.example.com")
    targets, frames = " ".join(("'self'", *form_action)), " ".join(frame_ancestors) or "'none'"
    policy = (
        f"default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; img-src 'self' data:; connect-src 'self'; "
        f"font-src 'self'; base-uri 'none'; form-action {targets}; frame-ancestors {frames}"
    )
    headers = {
        "Content-Security-Policy": policy,
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
    }
    if not frame_ancestors:
        headers["X-Frame-Options"] = "DENY"
    given = {"lang": language_of(request), **values, "nonce": nonce}
    return HTMLResponse(_environment(package).get_template(template).render(given), status_code, headers)


def _refusal(request: Request, error: DomainError) -> Response:
    if "text/html" not in request.headers.get("accept", ""):
        return errors.of_domain(error)
    title, reason = errors.title_of(error), error.reason
    if language_of(request) == "zh":
        title, reason = _ZH[error.kind], _ZH_REASONS.get(error.kind, reason)
    reply = page(request, "ltc_chassis", "refusal.html", status_code=errors.STATUS[error.kind], title=title, reason=reason)
    reply.headers.update(errors.headers_of(error) or {})
    return reply


@functools.cache
def _environment(package: str) -> Environment:
    shared = PrefixLoader({"ltc_chassis": PackageLoader("ltc_chassis")})
    return Environment(
        loader=ChoiceLoader([PackageLoader(package), shared]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _quality(text: str) -> float:
    try:
        return min(max(float(text), 0.0), 1.0) if text else 1.0
    except ValueError:
        return 0.0


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _network(client: str) -> str:
    if ":" not in client or not _is_address(client):
        return client
    return str(ipaddress.ip_network((client.partition("%")[0], 64), strict=False))
