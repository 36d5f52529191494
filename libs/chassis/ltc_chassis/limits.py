"""Requests are bounded in size while they are read: each route says how much it takes, beside its path.

    @router.post("/imports", dependencies=[scope("imports:write"), body_up_to(21 * MB)])
    ROUTER = public_router(prefix="/f", tags=["forms"], why="...", largest_body=32 * KB)

Without a word a route of `api.router` takes `settings.max_body_bytes` (1 MB), one of `pages.public_router` 64 KB. More is answered
with 413 `body-too-large`, whether the length was announced or not, and before a transaction begins; `await request.body()` inside a
route costs nothing more. `tests/house/test_body_limits.py` lists every route that takes more than usual: a new one is a decision.
"""

import re
from dataclasses import dataclass
from typing import Any

from fastapi import Depends, Request
from ltc_contracts.errors import DomainError, Invalid
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

KB = 1024
MB = 1024 * 1024
PUBLIC = 64 * KB
_KEY = "ltc.body"
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_RAW_SURROGATE = re.compile(rb"\xed[\xa0-\xbf]")
# An escape is read from its backslash on: of two of them the second one begins nothing.
_ESCAPE = re.compile(rb"\\(?:u([0-9a-fA-F]{4})|.)", re.DOTALL)
# A length of more digits is no length, and Python refuses to turn very many of them into a number.
_DIGITS = 18


class BodyTooLarge(DomainError):
    """The body has more bytes than this route takes."""

    kind = "too_large"


class BodyIncomplete(DomainError):
    """The connection ended before the body did; nothing was done."""

    kind = "invalid"


class BodyUpTo:
    """How many bytes a route takes; see `body_up_to`."""

    def __init__(self, largest: int) -> None:
        self.largest = largest

    async def __call__(self) -> None:
        # Asked by the route before its body is read, not by FastAPI.
        return


def body_up_to(largest: int) -> Any:
    """A route dependency: its body may have this many bytes, instead of what is usual."""
    if largest < 1:
        raise ValueError("a route without a body needs no limit")
    return Depends(BodyUpTo(largest))


@dataclass(slots=True)
class _Allowance:
    most: int
    announced: int
    taken: int = 0

    def check(self) -> None:
        if max(self.announced, self.taken) > self.most:
            raise BodyTooLarge(f"at most {self.most} bytes are accepted here")


class BodyLimit:
    """ASGI middleware: counts what is read of a body, and stops it where the limit of the route, or else `usual`, is passed."""

    def __init__(self, app: ASGIApp, usual: int) -> None:
        self._app = app
        self._usual = usual

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        allowance = scope[_KEY] = _Allowance(self._usual, _announced(scope))

        async def counted() -> Message:
            message = await receive()
            if message["type"] == "http.request":
                allowance.taken += len(message.get("body", b""))
                allowance.check()
            return message

        await self._app(scope, counted, send)


def limit(request: Request, most: int) -> None:
    """From here on this request's body has at most so many bytes. Raises `BodyTooLarge` where it is known to have more."""
    allowance: _Allowance = request.scope[_KEY]
    allowance.most = most
    allowance.check()


async def read(request: Request) -> None:
    """Read the body, up to the limit, for everybody who asks for it later.

    Raises `BodyTooLarge`, `BodyIncomplete`, and `Invalid` for JSON that is no text in UTF-8.
    """
    body = await read_bytes(request)
    if "json" in request.headers.get("content-type", ""):
        check_escapes(body)


async def read_bytes(request: Request) -> bytes:
    """As `read`, for routes that keep what came as it is and judge it themselves. Raises `BodyTooLarge`, `BodyIncomplete`."""
    try:
        return await request.body()
    except ClientDisconnect as error:
        raise BodyIncomplete("the connection ended before the body did") from error


def check_escapes(json_text: bytes) -> None:
    """Raise `Invalid` where JSON is not UTF-8 (RFC 8259, 8.1) or spells half of a surrogate pair, which is no character."""
    # Python reads UTF-16 and UTF-32 as well, and lets halves of pairs pass; the database would not keep them.
    if b"\x00" in json_text or _RAW_SURROGATE.search(json_text):
        raise Invalid("JSON is text in UTF-8", field="body")
    # Hardly any body has one of these at all, and looking for that costs next to nothing.
    if _SURROGATE.search(json_text) is None:
        return
    high = -1
    for match in _ESCAPE.finditer(json_text):
        code = int(match[1] or b"0", 16) if match[1] else -1
        if high >= 0 and not (match.start() == high and 0xDC00 <= code <= 0xDFFF):
            break
        if 0xDC00 <= code <= 0xDFFF and high < 0:
            break
        high = match.end() if 0xD800 <= code <= 0xDBFF else -1
    else:
        if high < 0:
            return
    raise Invalid("a text holds half of a character (a surrogate without its pair)", field="body")


def _announced(scope: Scope) -> int:
    text = dict(scope["headers"]).get(b"content-length", b"")
    if not text.isdigit():
        return 0
    return int(text) if len(text) <= _DIGITS else 10**_DIGITS
