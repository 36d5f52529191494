"""Requests that come at the same time are decided on in one transaction: its begin, commit and statements are paid for once.

    DESK = Desk(check_out_together)

    @router.post("/checkout", dependencies=[at_a_desk()])
    async def check_out(body: Cart, request: Request) -> OrderView:
        return view(await DESK.ask(request, body.cart()))

Whoever comes while a transaction is open waits for the next one, so a quiet desk keeps nobody waiting and a busy one serves many at
once. When a transaction fails, each of its requests is tried in one of its own: what is wrong with one concerns nobody else. A request
with an `Idempotency-Key` has its own transaction anyway, since its answer is kept there.
"""

import asyncio
import contextvars
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from fastapi import Depends, Request
from ltc_contracts.errors import DomainError
from opentelemetry import trace

from ltc_chassis.db import Database, Transaction, is_down

A = TypeVar("A")
R = TypeVar("R")
# More in one transaction cost each other more waiting for locks than they save.
_MOST = 32
# While one transaction waits for the database, another is prepared.
_CLERKS = 2
# More do not get to stand in line: they are told at once that there is no room, and ask again.
_MOST_WAITING = 500
# Who is together waits so long for what another transaction has locked; then each waits alone, and nobody for what others need.
_LOCK_TIMEOUT = "200ms"


class DeskBusy(DomainError):
    """Too many requests of this kind wait already; repeat it a little later."""

    kind = "unavailable"


class AtADesk:
    """The route gets no transaction of its own; see `at_a_desk`."""

    async def __call__(self) -> None:
        # Asked by the route, not by FastAPI.
        return


def at_a_desk() -> Any:
    """A route dependency: the route asks a `Desk`, which opens the transaction."""
    return Depends(AtADesk())


@dataclass(frozen=True, slots=True)
class Asked(Generic[A]):
    """What one request asks for. What is announced `with asked.turn():` goes on in that request's trace."""

    item: A
    turn: Callable[[], AbstractContextManager[object]] = nullcontext


# Answers in the order of what was asked. A refusal takes only the place of an answer: it must not have written anything.
Work = Callable[[Transaction, Sequence[Asked[A]]], Awaitable[Sequence[R | DomainError]]]


@dataclass(slots=True)
class _Queue(Generic[A, R]):
    db: Database
    waiting: deque[tuple[Asked[A], asyncio.Future[R]]] = field(default_factory=deque)
    clerks: set[asyncio.Task[None]] = field(default_factory=set)
    alone: set[asyncio.Task[None]] = field(default_factory=set)


class Desk(Generic[A, R]):
    """Where requests of one kind are decided on together."""

    def __init__(self, work: Work[A, R]) -> None:
        self._work = work

    async def ask(self, request: Request, item: A) -> R:
        """The answer to what this request asks for; it is committed. Raises what a transaction of its own would raise."""
        own = getattr(request.state, "tx", None)
        if isinstance(own, Transaction):
            [answer] = await self._work(own, [Asked(item)])
            return _given(answer)
        desks: dict[Any, _Queue[A, R]] = request.app.state.desks
        queue = desks.setdefault(self, _Queue(request.app.state.runtime.db))
        if len(queue.waiting) >= _MOST_WAITING:
            raise DeskBusy(f"{_MOST_WAITING} requests wait already")
        answered: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        queue.waiting.append((Asked(item, _turn()), answered))
        if len(queue.clerks) < _CLERKS:
            # In a context of its own: it serves others after this request.
            clerk = asyncio.create_task(self._serve(queue), context=contextvars.Context())
            queue.clerks.add(clerk)
            clerk.add_done_callback(queue.clerks.discard)
        return await answered

    async def _serve(self, queue: _Queue[A, R]) -> None:
        while queue.waiting:
            # Who came in the same moment is at the desk by the next one.
            await asyncio.sleep(0)
            turns = [queue.waiting.popleft() for _ in range(min(len(queue.waiting), _MOST))]
            # Who went away meanwhile is not served.
            turns = [turn for turn in turns if not turn[1].done()]
            if turns and not await self._decide(queue.db, turns):
                # Each alone and beside the clerk: one that waits for a lock keeps nobody else waiting.
                for turn in turns:
                    alone = asyncio.create_task(self._alone(queue.db, turn), context=contextvars.Context())
                    queue.alone.add(alone)
                    alone.add_done_callback(queue.alone.discard)

    async def _alone(self, db: Database, turn: tuple[Asked[A], asyncio.Future[R]]) -> None:
        await self._decide(db, [turn])

    async def _decide(self, db: Database, turns: Sequence[tuple[Asked[A], asyncio.Future[R]]]) -> bool:
        """Whether everybody has an answer; False when nothing was done, and each is to be tried alone."""
        try:
            async with db.transaction() as tx:
                if len(turns) > 1:
                    await tx.conn.execute("SELECT set_config('lock_timeout', $1, true)", _LOCK_TIMEOUT)
                answers = await self._work(tx, [asked for asked, _ in turns])
        except Exception as error:
            # While the database is away nobody knows whether it was committed: nothing may be done again unasked.
            if len(turns) > 1 and not is_down(error):
                return False
            for _, answered in turns:
                if not answered.done():
                    answered.set_exception(error)
            return True
        except BaseException:
            for _, answered in turns:
                answered.cancel()
            raise
        for (_, answered), answer in zip(turns, answers, strict=True):
            if answered.done():
                continue
            if isinstance(answer, DomainError):
                answered.set_exception(answer)
            else:
                answered.set_result(answer)
        return True


def _given(answer: R | DomainError) -> R:
    if isinstance(answer, DomainError):
        raise answer
    return answer


def _turn() -> Callable[[], AbstractContextManager[object]]:
    span = trace.get_current_span()
    return lambda: trace.use_span(span, end_on_exit=False, record_exception=False, set_status_on_exception=False)
