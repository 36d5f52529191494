"""HTTP in: routers whose changing routes run in one transaction, scopes, and the things a route may ask for."""

from collections.abc import AsyncIterator, Callable, Coroutine
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.routing import APIRoute

from ltc_chassis import errors, idempotency
from ltc_chassis.auth import COOKIE, Principal
from ltc_chassis.db import Connection, Transaction
from ltc_chassis.errors import Unauthenticated
from ltc_chassis.paging import Page, PageArgs
from ltc_chassis.runtime import Runtime

__all__ = ["Conn", "Now", "Page", "PageArgs", "Principal", "Tx", "router", "runtime_of", "scope"]

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


class Guard:
    """A dependency that refuses some requests without asking the database, so it is asked before a connection is taken."""

    async def __call__(self, request: Request) -> Any:
        # Dependencies are async although they wait for nothing: FastAPI sends others to a thread, which costs more than they do.
        return self.check(request)

    def check(self, request: Request) -> Any:
        """Raise a `DomainError` to refuse. Asked twice about a request, it answers the same."""
        raise NotImplementedError


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

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        inner = super().get_route_handler()
        if not (self.methods or set()) - _READING:
            return inner

        async def in_transaction(request: Request) -> Response:
            # Who is not allowed in gets no connection of ours.
            for dependency in self.dependencies:
                if isinstance(dependency.dependency, Guard):
                    dependency.dependency.check(request)
            try:
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
