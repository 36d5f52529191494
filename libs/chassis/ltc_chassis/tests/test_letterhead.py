"""The letterhead over HTTP, on a real database."""

import asyncio

import httpx
import pytest

from ltc_chassis.db import Database
from ltc_chassis.letterhead import load
from ltc_chassis.testing import KeyPair
from ltc_chassis.tests.test_paper import HEAD, png

BODY = HEAD.model_dump(mode="json")


async def test_each_change_is_a_version_with_who_and_when(client: httpx.AsyncClient) -> None:
    assert (await client.get("/v1/letterhead")).status_code == 404
    first = await client.put("/v1/letterhead", json=BODY)
    assert (first.status_code, first.json()["version"], first.json()["set_by"]) == (200, 1, "test")
    logo = await client.put("/v1/letterhead/logo", content=png())
    assert (logo.json()["version"], logo.json()["logo"], logo.json()["name"]) == (2, True, HEAD.name)
    moved = await client.put("/v1/letterhead", json={**BODY, "address": ["Elbe 2"]})
    assert (moved.json()["version"], moved.json()["logo"]) == (3, True)
    assert (await client.get("/v1/letterhead")).json()["address"] == ["Elbe 2"]
    assert (await client.get("/v1/letterhead", params={"version": 1})).json()["address"] == BODY["address"]
    assert (await client.get("/v1/letterhead/logo")).content == png()
    assert (await client.delete("/v1/letterhead/logo")).json()["logo"] is False
    assert (await client.get("/v1/letterhead/logo")).status_code == 404
    assert (await client.get("/v1/letterhead", params={"version": 9})).status_code == 404


async def test_changes_at_once_are_versions_one_after_the_other(client: httpx.AsyncClient, db: Database) -> None:
    replies = await asyncio.gather(*(client.put("/v1/letterhead", json={**BODY, "name": f"Nord {n}"}) for n in range(6)))
    assert sorted(reply.json()["version"] for reply in replies) == [1, 2, 3, 4, 5, 6]
    async with db.connection() as conn:
        latest = await load(conn)
    assert latest is not None
    assert latest.version == 6


@pytest.mark.parametrize(
    "logo",
    [
        b"",
        b"GIF89a",
        b"<svg/>",
        png()[:20],
        png()[:16] + b"\x00\x01\x00\x00\x00\x01\x00\x00" + png()[24:],
        png() + b"\0" * 200_000,
    ],
)
async def test_a_logo_is_a_png_of_reasonable_size(client: httpx.AsyncClient, logo: bytes) -> None:
    await client.put("/v1/letterhead", json=BODY)
    reply = await client.put("/v1/letterhead/logo", content=logo)
    assert (reply.status_code, reply.json()["field"]) == (400, "logo")


async def test_a_logo_needs_a_letterhead_and_changes_need_the_scope(client: httpx.AsyncClient, keys: KeyPair) -> None:
    assert (await client.put("/v1/letterhead/logo", content=png())).status_code == 404
    reader = {"Authorization": f"Bearer {keys.token('letterhead:read')}"}
    assert (await client.put("/v1/letterhead", json=BODY, headers=reader)).status_code == 403


@pytest.mark.parametrize(
    "changed",
    [{"colour": "red"}, {"name": ""}, {"address": ["x"] * 7}, {"bank": [{"bank": "B", "number": "<>"}]}, {"nothing": 1}],
)
async def test_a_letterhead_that_makes_no_sense_is_refused(client: httpx.AsyncClient, changed: dict[str, object]) -> None:
    assert (await client.put("/v1/letterhead", json={**BODY, **changed})).status_code == 422
