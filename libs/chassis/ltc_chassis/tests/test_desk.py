"""A desk: requests of the same time share a transaction, and nothing else."""

import asyncio
from collections.abc import Callable, Sequence

import httpx
import pytest
from fastapi import APIRouter, FastAPI, Request
from ltc_contracts.errors import DomainError, NotFound

from ltc_chassis import desk as desk_module
from ltc_chassis.api import router as make_router
from ltc_chassis.api import scope
from ltc_chassis.db import Database, Transaction
from ltc_chassis.desk import Asked, Desk, at_a_desk
from ltc_chassis.ids import new_id
from ltc_chassis.tests.echo.app import Noted, create_app, take_note

Sizes = list[int]
LOCKED = new_id()


def desk_of(sizes: Sizes) -> Desk[str, str]:
    """Notes texts; refuses `refused`, and falls over `unstorable` in the database."""

    async def note(tx: Transaction, asked: Sequence[Asked[str]]) -> list[str | DomainError]:
        sizes.append(len(asked))
        answers: list[str | DomainError] = []
        for each in asked:
            if each.item == "refused":
                answers.append(NotFound("no"))
                continue
            if each.item == "locked":
                await tx.conn.execute(
                    "INSERT INTO note (id, flow_id, text, version, created_at) VALUES ($1, $1, 'mine', 1, now())", LOCKED
                )
            with each.turn():
                await take_note(tx, each.item, new_id(), Noted)
            answers.append(f"noted {each.item}")
        return answers

    return Desk(note)


def router_of(desk: Desk[str, str]) -> APIRouter:
    router = make_router(prefix="/v1", tags=["desk"])

    @router.post("/desk/{text}", dependencies=[scope("notes:write"), at_a_desk()])
    async def note(text: str, request: Request) -> dict[str, str]:
        return {"answer": await desk.ask(request, text)}

    return router


@pytest.fixture
def sizes() -> Sizes:
    """How many requests each transaction had."""
    return []


@pytest.fixture
def make_app(sizes: Sizes) -> Callable[[], FastAPI]:
    def make() -> FastAPI:
        app = create_app()
        app.include_router(router_of(desk_of(sizes)))
        return app

    return make


async def notes(db: Database) -> list[str]:
    async with db.connection() as conn:
        return [row["text"] for row in await conn.fetch("SELECT text FROM note ORDER BY text")]


async def test_who_comes_at_the_same_time_shares_a_transaction(client: httpx.AsyncClient, db: Database, sizes: Sizes) -> None:
    replies = await asyncio.gather(*(client.post(f"/v1/desk/{n:02}") for n in range(40)))
    assert [reply.json() for reply in replies] == [{"answer": f"noted {n:02}"} for n in range(40)]
    assert await notes(db) == [f"{n:02}" for n in range(40)]
    assert sum(sizes) == 40
    assert len(sizes) < 20


async def test_a_refusal_is_of_one_and_the_others_go_on(client: httpx.AsyncClient, db: Database) -> None:
    replies = await asyncio.gather(*(client.post(f"/v1/desk/{text}") for text in ("a", "refused", "b")))
    assert [reply.status_code for reply in replies] == [200, 404, 200]
    assert await notes(db) == ["a", "b"]


async def test_what_is_wrong_with_one_concerns_nobody_else_and_leaves_nothing(client: httpx.AsyncClient, db: Database) -> None:
    texts = ["a", "b", "unstorable", "c", "d"]
    replies = await asyncio.gather(*(client.post(f"/v1/desk/{text}") for text in texts))
    assert [reply.status_code for reply in replies] == [200, 200, 500, 200, 200]
    assert await notes(db) == ["a", "b", "c", "d"]
    assert (await client.post("/v1/desk/e")).status_code == 200


async def test_an_idempotency_key_gets_the_first_answer_again(client: httpx.AsyncClient, db: Database, sizes: Sizes) -> None:
    for _ in range(2):
        reply = await client.post("/v1/desk/a", headers={"Idempotency-Key": "k"})
        assert reply.json() == {"answer": "noted a"}
    assert (await notes(db), sizes) == (["a"], [1])


async def test_who_is_not_allowed_in_does_not_get_to_the_desk(client: httpx.AsyncClient, sizes: Sizes) -> None:
    assert (await client.post("/v1/desk/a", headers={"Authorization": ""})).status_code == 401
    assert sizes == []


async def test_who_waits_for_a_lock_keeps_nobody_else_waiting(client: httpx.AsyncClient, db: Database) -> None:
    async with db.connection() as holder, holder.transaction():
        await holder.execute(
            "INSERT INTO note (id, flow_id, text, version, created_at) VALUES ($1, $1, 'held', 1, now())", LOCKED
        )
        slow = asyncio.create_task(client.post("/v1/desk/locked"))
        replies = await asyncio.gather(*(client.post(f"/v1/desk/{n:02}") for n in range(20)))
        assert {reply.status_code for reply in replies} == {200}
        assert not slow.done()
        await holder.execute("DELETE FROM note WHERE id = $1", LOCKED)
    assert (await slow).status_code == 200


async def test_more_than_there_is_room_for_are_told_at_once(client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk_module, "_MOST_WAITING", 1)
    replies = await asyncio.gather(*(client.post(f"/v1/desk/{n:02}") for n in range(20)))
    codes = [reply.status_code for reply in replies]
    assert set(codes) == {200, 503}
    assert replies[codes.index(503)].json()["type"] == "urn:ltc:problem:desk-busy"
