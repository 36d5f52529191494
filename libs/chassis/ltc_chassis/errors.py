"""Every refusal as RFC 9457 problem+json: a stable `type`, the field and the reason. One place maps kinds to status codes."""

import json
import logging
from typing import Any

import asyncpg
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from ltc_contracts.errors import DomainError
from pydantic import ValidationError
from starlette.exceptions import HTTPException

from ltc_chassis.db import is_down, is_out_of_range, is_retryable

logger = logging.getLogger(__name__)

STATUS = {
    "invalid": 400,
    "unauthenticated": 401,
    "forbidden": 403,
    "not_found": 404,
    "conflict": 409,
    "not_yet": 409,
    "too_large": 413,
    "gone": 410,
    "too_many": 429,
    "unavailable": 503,
}
_TITLES = {
    "invalid": "The request breaks a rule",
    "unauthenticated": "No valid token",
    "forbidden": "The token does not allow this",
    "not_found": "Not found",
    "conflict": "Not possible in the present state",
    "not_yet": "Not possible yet",
    "too_large": "Too large",
    "gone": "No longer there",
    "too_many": "Too many requests",
    "unavailable": "Not possible at this moment",
}
_RETRY_AFTER_S = "2"


class Unauthenticated(DomainError):
    """The request carries no token, or one that is not valid (any more)."""

    kind = "unauthenticated"


class Forbidden(DomainError):
    """The token is valid but lacks a scope."""

    kind = "forbidden"


class TooManyRequests(DomainError):
    """This client asked too often for what is open to everybody; after `retry_after_s` it may again."""

    kind = "too_many"

    def __init__(self, reason: str, *, retry_after_s: int) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s


class _Problem(JSONResponse):
    """A problem may quote what the caller sent, whatever that was."""

    media_type = "application/problem+json"

    def render(self, content: Any) -> bytes:
        # Half of a surrogate pair is no character of UTF-8; as an escape of JSON it can be said.
        return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "backslashreplace")


def problem(status: int, slug: str, title: str, detail: str, *, headers: dict[str, str] | None = None, **extra: Any) -> Response:
    """A problem+json answer; `type` is `urn:ltc:problem:<slug>`."""
    return _Problem(members(status, slug, title, detail, **extra), status_code=status, headers=headers)


def members(status: int, slug: str, title: str, detail: str, **extra: Any) -> dict[str, Any]:
    """The members of RFC 9457, for an answer that tells of many things at once."""
    return {"type": f"urn:ltc:problem:{slug}", "title": title, "status": status, "detail": detail, **extra}


def members_of(error: DomainError) -> dict[str, Any]:
    """The members that tell of a rule that said no."""
    extra = {**error.members(), **({"field": error.field} if error.field else {})}
    return members(STATUS[error.kind], error.slug(), _TITLES[error.kind], error.reason, **extra)


def members_of_shape(error: ValidationError) -> dict[str, Any]:
    """The members that tell of one object among many which has not the expected shape; `field` is the first that is wrong."""
    found = error.errors(include_url=False, include_context=False, include_input=False)[:5]
    fields = [{"field": ".".join(str(part) for part in item["loc"])[:200] or "row", "reason": item["msg"]} for item in found]
    reasons = "; ".join(f"{item['field']}: {item['reason']}" for item in fields[:3])
    title = "The object has not the expected shape"
    return members(422, "malformed-request", title, reasons, field=fields[0]["field"], errors=fields)


def of_domain(error: DomainError) -> Response:
    """The answer to a rule that said no."""
    return JSONResponse(
        members_of(error), status_code=STATUS[error.kind], media_type="application/problem+json", headers=headers_of(error)
    )


def title_of(error: DomainError) -> str:
    """One line for the kind of refusal."""
    return _TITLES[error.kind]


def headers_of(error: DomainError) -> dict[str, str] | None:
    """What a refusal says beside its text, whether it is told as a problem or as a page."""
    if isinstance(error, TooManyRequests):
        return {"Retry-After": str(error.retry_after_s)}
    if error.kind == "unavailable":
        return {"Retry-After": _RETRY_AFTER_S}
    return {"WWW-Authenticate": "Bearer"} if error.kind == "unauthenticated" else None


def unavailable() -> Response:
    """The database is away; nothing was done; the caller may repeat the request."""
    return problem(
        503,
        "database-unavailable",
        "The database is not reachable",
        "Nothing is known to be done; repeat the request, with the same Idempotency-Key if it changes something.",
        headers={"Retry-After": _RETRY_AFTER_S},
    )


def _defect() -> Response:
    return problem(500, "internal-error", "A defect on our side", "The error is logged with this request's trace id.")


def answer(error: Exception) -> Response | None:
    """The answer to an exception, or None where it is a defect of ours."""
    if isinstance(error, DomainError):
        return of_domain(error)
    if isinstance(error, asyncpg.CharacterNotInRepertoireError | asyncpg.UntranslatableCharacterError):
        return problem(400, "invalid", _TITLES["invalid"], "A text holds a character that cannot be kept (NUL).")
    if is_out_of_range(error):
        logger.warning("a value that no column holds came through: %s", type(error.__cause__ or error).__name__)
        return problem(400, "invalid", _TITLES["invalid"], "A value lies outside of what can be kept.")
    if is_retryable(error):
        return problem(409, "concurrent-change", _TITLES["conflict"], "Another request changed the same object; repeat this one.")
    if is_down(error):
        logger.warning("database unavailable: %s", type(error).__name__)
        return unavailable()
    return None


def install(app: FastAPI) -> None:
    """Register the handlers."""

    async def refused(_: Request, error: Exception) -> Response:
        assert isinstance(error, DomainError)
        return of_domain(error)

    async def malformed(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        fields = [
            {"field": ".".join(str(part) for part in item["loc"] if part != "body") or "body", "reason": item["msg"]}
            for item in error.errors()[:50]
        ]
        reasons = "; ".join(f"{item['field']}: {item['reason']}" for item in fields[:3])
        return problem(422, "malformed-request", "The request has not the expected shape", reasons, errors=fields)

    async def http(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        slug = {400: "unreadable-body", 404: "no-such-route", 405: "method-not-allowed"}.get(error.status_code, "http-error")
        headers = dict(error.headers) if error.headers else None
        return problem(error.status_code, slug, str(error.detail), str(error.detail), headers=headers)

    async def unexpected(_: Request, error: Exception) -> Response:
        return answer(error) or _defect()

    async def of_database(_: Request, error: Exception) -> Response:
        reply = answer(error)
        if reply is not None:
            return reply
        # Nobody further out sees what is answered here.
        logger.error("a defect: %s", type(error).__name__, exc_info=error)
        return _defect()

    app.add_exception_handler(DomainError, refused)
    app.add_exception_handler(RequestValidationError, malformed)
    app.add_exception_handler(HTTPException, http)
    for kind in (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        app.add_exception_handler(kind, of_database)
    app.add_exception_handler(Exception, unexpected)
