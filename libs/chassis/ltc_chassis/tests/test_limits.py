"""How much of a request is read: by route, announced or not, and never while a connection of the database is held."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request, UploadFile

from ltc_chassis import pages
from ltc_chassis.api import KB, MB, Tx, body_up_to, router, scope
from ltc_chassis.app import Service, build
from ltc_chassis.settings import ChassisSettings
from ltc_chassis.testing import KeyPair

told = router(prefix="/v1", tags=["told"])
posted = pages.public_router(prefix="", tags=["open"], why="For these tests; it answers what it was told.")
hooks = pages.public_router(
    prefix="/hooks", tags=["hooks"], why="For these tests; it answers what it was told.", largest_body=4 * KB
)


@told.post("/usual", dependencies=[scope("told:write")])
@told.post("/large", dependencies=[scope("told:write"), body_up_to(3 * MB)])
@told.post("/little", dependencies=[scope("told:write"), body_up_to(KB)])
@posted.post("/open")
@posted.post("/open/large", dependencies=[body_up_to(128 * KB)])
@hooks.post("/one")
async def tell(request: Request, tx: Tx) -> dict[str, int]:
    assert tx.now
    return {"bytes": len(await request.body())}


@told.post("/file", dependencies=[scope("told:write"), body_up_to(3 * MB)])
async def take(file: UploadFile, tx: Tx) -> dict[str, int]:
    assert tx.now
    return {"bytes": len(await file.read())}


@told.post("/nothing", dependencies=[scope("told:write")])
async def needs_nothing(tx: Tx) -> dict[str, int]:
    await tx.conn.execute(
        "INSERT INTO note (id, flow_id, text, version, created_at) VALUES (gen_random_uuid(), gen_random_uuid(), 'x', 1, now())"
    )
    return {}


@told.get("/read", dependencies=[scope("told:read")])
async def read() -> dict[str, int]:
    return {}


@pytest.fixture
def make_app() -> Callable[[], FastAPI]:
    def made() -> FastAPI:
        settings = ChassisSettings(pool_size=2)
        return build(Service("echo", "ltc_chassis.tests.echo", settings, routers=[told, posted, hooks]))

    return made


LIMITS = [
    ("/v1/usual", MB),
    ("/v1/large", 3 * MB),
    ("/v1/little", KB),
    ("/open", 64 * KB),
    ("/open/large", 128 * KB),
    ("/hooks/one", 4 * KB),
]


async def pieces(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), 64 * KB):
        yield content[start : start + 64 * KB]


@pytest.mark.parametrize(("path", "most"), LIMITS)
async def test_each_route_takes_what_it_declares_and_not_a_byte_more(client: httpx.AsyncClient, path: str, most: int) -> None:
    for content in (b"x" * most, pieces(b"x" * most)):
        assert (await client.post(path, content=content)).json() == {"bytes": most}
    for content in (b"x" * (most + 1), pieces(b"x" * (most + 1))):
        reply = await client.post(path, content=content)
        assert (reply.status_code, reply.json()["type"]) == (413, "urn:ltc:problem:body-too-large")
        assert reply.headers["content-type"] == "application/problem+json"
        assert str(most) in reply.json()["detail"]


async def test_a_route_that_reads_nothing_does_nothing_when_too_much_comes(client: httpx.AsyncClient, db: Any) -> None:
    for content in (b"x" * (MB + 1), pieces(b"x" * (MB + 1))):
        assert (await client.post("/v1/nothing", content=content)).status_code == 413
    async with db.connection() as conn:
        assert await conn.fetchval("SELECT count(*) FROM note") == 0
    assert (await client.request("GET", "/v1/read", content=b"x" * (MB + 1))).status_code == 413
    assert (await client.post("/v1/no-such-route", content=b"x" * (MB + 1))).status_code == 404


async def test_a_body_without_an_end_is_read_as_far_as_the_limit_only(client: httpx.AsyncClient) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 64 * KB
            yield b"x" * (64 * KB)

    assert (await client.post("/v1/usual", content=endless())).status_code == 413
    assert sent <= MB + 128 * KB


async def test_a_body_may_lie_about_its_length(app: FastAPI, keys: KeyPair) -> None:
    for length in ("5", "", "-1", "1e9", "9" * 5000, "²"):
        headers = {"authorization": f"Bearer {keys.token()}"}
        status, _ = await _send(app, "/v1/usual", [b"x" * MB, b"x"], {**headers, "content-length": length})
        assert status == 413, length


async def test_who_may_not_is_told_so_before_anything_is_read(app: FastAPI) -> None:
    status, read = await _send(app, "/v1/large", [b"x"] * 5, {})
    assert (status, read) == (401, 0)


async def test_a_file_in_pieces_arrives_whole(client: httpx.AsyncClient) -> None:
    files = {"file": ("a.csv", b"x" * (2 * MB), "text/csv")}
    request = client.build_request("POST", "/v1/file", files=files)
    assert (await client.send(request)).json() == {"bytes": 2 * MB}
    again = client.build_request("POST", "/v1/file", files=files)
    body = again.read()
    headers = {"content-type": again.headers["content-type"], "idempotency-key": "k"}
    assert (await client.post("/v1/file", content=pieces(body), headers=headers)).json() == {"bytes": 2 * MB}


async def test_who_sends_slowly_holds_no_connection_of_the_database(client: httpx.AsyncClient) -> None:
    go_on = asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield b"x"
        await go_on.wait()
        yield b"x"

    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        waiting = [group.create_task(client.post("/v1/usual", content=slow())) for _ in range(5)]
        await asyncio.sleep(0.05)
        # More senders than connections; others are served all the same.
        assert (await client.post("/v1/usual", content=b"xx")).status_code == 200
        go_on.set()
    assert [task.result().json() for task in waiting] == [{"bytes": 2}] * 5


async def test_a_connection_that_breaks_off_is_no_defect_of_ours(app: FastAPI, keys: KeyPair) -> None:
    status, _ = await _send(app, "/v1/usual", [b"x"], {"authorization": f"Bearer {keys.token()}"}, gone=True)
    assert status == 400


async def test_a_page_says_it_in_the_readers_language(anonymous: httpx.AsyncClient) -> None:
    headers = {"accept": "text/html", "accept-language": "zh"}
    reply = await anonymous.post("/open", content=b"x" * (64 * KB + 1), headers=headers)
    assert (reply.status_code, reply.headers["content-type"]) == (413, "text/html; charset=utf-8")
    assert "内容过大" in reply.text


def test_a_limit_of_nothing_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="no limit"):
        body_up_to(0)


async def _send(
    app: FastAPI, path: str, chunks: Iterable[bytes], headers: dict[str, str], *, gone: bool = False
) -> tuple[int, int]:
    """The status of the answer, and how many messages were read, over bare ASGI: a client would not lie for us."""
    left, read, status = list(chunks), 0, 0

    async def receive() -> dict[str, Any]:
        nonlocal read
        read += 1
        if not left and gone:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": left.pop(0) if left else b"", "more_body": bool(left) or gone}

    async def send(message: Any) -> None:
        nonlocal status
        status = message.get("status", status)

    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    base = {"type": "http", "method": "POST", "path": path, "raw_path": path.encode(), "query_string": b"", "headers": raw}
    await app({**base, "http_version": "1.1", "scheme": "http", "client": ("1.2.3.4", 1), "server": ("s", 80)}, receive, send)
    return status, read
