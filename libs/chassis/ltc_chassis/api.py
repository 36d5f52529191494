"""HTTP in: routers whose changing routes run in one transaction, scopes, and the things a route may ask for.

A route that takes a larger body than usual says so: `dependencies=[scope("imports:write"), body_up_to(21 * MB)]`; see `limits`.
"""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Coroutine
from datetime import datetime
from typing import Annotated, Any, ClassVar

from fastapi import APIRouter, Depends, Request, Response
from fastapi.routing import APIRoute

from ltc_chassis import errors, idempotency, limits
from ltc_chassis.auth import COOKIE, Principal
from ltc_chassis.db import Connection, Transaction
from ltc_chassis.desk import AtADesk
from ltc_chassis.errors import Unauthenticated
from ltc_chassis.limits import KB, MB, BodyUpTo, body_up_to
from ltc_chassis.paging import Page, PageArgs
from ltc_chassis.runtime import Runtime

__all__ = ["KB", "MB", "Conn", "Now", "Page", "PageArgs", "Principal", "Tx", "body_up_to", "router", "runtime_of", "scope"]

_READING = {"GET", "HEAD", "OPTIONS"}


def runtime_of(request: Request) -> Runtime:
    """The running service."""
    runtime = request.app.state.runtime
    assert isinstance(runtime, Runtime)
    return runtime


def principal_of(request: Request) -> Principal:
    """Who calls: by bearer token, or, for reading only, by the cookie a browser got from a login link."""
    known = getattr(request.state, "principal", None)
    if isinstance(known, Principal):
        return known
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        token = request.cookies.get(COOKIE, "") if request.method in _READING else ""
    if not token:
        raise Unauthenticated("send `Authorization: Bearer <token>`")
    principal = runtime_of(request).verifier.verify(token)
    request.state.principal = principal
    return principal


class Guard(ABC):
    """A dependency that refuses some requests without asking the database, so it is asked before a connection is taken."""

    async def __call__(self, request: Request) -> Any:
        # Dependencies are async although they wait for nothing: FastAPI sends others to a thread, which costs more than they do.
        return self.check(request)

    @abstractmethod
    def check(self, request: Request) -> Any:
        """Raise a `DomainError` to refuse. Asked twice about a request, it answers the same."""


class Scope(Guard):
    """The caller's token carries a scope; see `scope`."""

    def __init__(self, name: str) -> None:
        self.scope = name

    def check(self, request: Request) -> Principal:
        """The caller, who must have the scope."""
        principal = principal_of(request)
        principal.require(self.scope)
        return principal


def scope(name: str) -> Any:
    """A route dependency: the caller's token must carry this scope. Returns the `Principal`."""
    return Depends(Scope(name))


class TransactionalRoute(APIRoute):
    """A changing request is one transaction: handler, outbox and stored answer commit together, before the reply is sent."""

    idempotent = True
    # Of a body, in bytes; None is `settings.max_body_bytes`.
    largest_body: ClassVar[int | None] = None

    @property
    def body_limit(self) -> int | None:
        """How many bytes of a body this route takes: what it declares by `body_up_to`, or its router; None is what is usual."""
        declared = [each.dependency.largest for each in self.dependencies if isinstance(each.dependency, BodyUpTo)]
        return declared[-1] if declared else self.largest_body

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        inner = super().get_route_handler()
        largest = self.body_limit

        async def bounded(request: Request) -> Response:
            limits.limit(request, largest or runtime_of(request).settings.max_body_bytes)
            return await inner(request)

        if not (self.methods or set()) - _READING:
            return bounded
        at_a_desk = any(isinstance(each.dependency, AtADesk) for each in self.dependencies)

        async def in_transaction(request: Request) -> Response:
            # Who is not allowed in gets no connection of ours, and neither does who is still sending.
            for dependency in self.dependencies:
                if isinstance(dependency.dependency, Guard):
                    dependency.dependency.check(request)
            limits.limit(request, largest or runtime_of(request).settings.max_body_bytes)
            await limits.read(request)
            try:
                if at_a_desk and idempotency.HEADER not in request.headers:
                    return await inner(request)
                async with runtime_of(request).db.transaction() as tx:
                    request.state.tx = tx
                    if not self.idempotent or idempotency.HEADER not in request.headers:
                        return await inner(request)
                    caller = principal_of(request).subject
                    replay = await idempotency.claim(tx, request, caller)
                    if replay is not None:
                        return replay
                    response = await inner(request)
                    await idempotency.store(tx, request, caller, response)
                    return response
            except Exception as error:
                reply = self.refusal(request, error)
                if reply is None:
                    raise
                return reply

        return in_transaction

    def refusal(self, request: Request, error: Exception) -> Response | None:  # noqa: ARG002 - pages answer in the request's language
        """The answer to an exception, or None where it is a defect of ours."""
        return errors.answer(error)


def router(*, prefix: str, tags: list[str]) -> APIRouter:
    """The router of a service: every changing route is transactional."""
    return APIRouter(prefix=prefix, tags=list(tags), route_class=TransactionalRoute)


async def _tx(request: Request) -> Transaction:
    tx = request.state.tx
    assert isinstance(tx, Transaction)
    return tx


async def _conn(request: Request) -> AsyncIterator[Connection]:
    async with runtime_of(request).db.connection() as conn:
        yield conn


async def _now(request: Request) -> datetime:
    return runtime_of(request).clock.now()


Tx = Annotated[Transaction, Depends(_tx)]
Conn = Annotated[Connection, Depends(_conn)]
Now = Annotated[datetime, Depends(_now)]
