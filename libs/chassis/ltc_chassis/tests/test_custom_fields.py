"""Fields of a company's own: managed over HTTP, audited, in force from their commit on."""

import asyncio
from decimal import Decimal
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from ltc_rules.custom_fields import FieldDef

from ltc_chassis import custom_fields
from ltc_chassis.clock import FixedClock
from ltc_chassis.db import Database
from ltc_chassis.testing import KeyPair

PATH = "/v1/custom-fields"
TIER: dict[str, Any] = {"entity": "note", "key": "tier", "label": "Tier", "type": "choice", "choices": ["Gold", "Silver"]}


async def make(client: httpx.AsyncClient, **changed: Any) -> httpx.Response:
    return await client.post(PATH, json={**TIER, **changed})


async def change(client: httpx.AsyncClient, key: str = "tier", **given: Any) -> httpx.Response:
    return await client.patch(f"{PATH}/note/{key}", json=given)


async def test_a_field_counts_from_its_creation_on(client: httpx.AsyncClient, db: Database) -> None:
    made = await make(client)
    assert made.status_code == 201, made.text
    weight = await make(client, key="weight", type="number", choices=[], minimum="0.5", maximum=10, required=True)
    assert (weight.json()["minimum"], weight.json()["version"]) == ("0.5", 1)
    await make(client, entity="page", key="tier")
    async with db.connection() as conn:
        found = await custom_fields.load(conn, "note")
    assert found == [
        FieldDef("note", "tier", "Tier", "choice", choices=("Gold", "Silver")),
        FieldDef("note", "weight", "Tier", "number", required=True, minimum=Decimal("0.5"), maximum=Decimal(10)),
    ]
    assert (await client.get(PATH, params={"entity": "note"})).json() == [made.json(), weight.json()]
    assert len((await client.get(PATH)).json()) == 3


async def test_every_change_tells_who_when_and_what(client: httpx.AsyncClient, clock: FixedClock) -> None:
    await make(client)
    clock.advance(days=1)
    assert (await change(client, version=1, label="Class", choices=["Gold", "Tin"])).json()["version"] == 2
    assert (await change(client, version=2, label="Class")).json()["version"] == 2  # nothing changed
    assert (await change(client, version=2, archived=True)).json()["archived"] is True
    assert (await change(client, version=3, archived=False)).json()["archived"] is False
    log = (await client.get(f"{PATH}/note/tier/changes")).json()["items"]
    assert [(each["version"], each["action"], each["changed_by"]) for each in log] == [
        (1, "created", "test"),
        (2, "changed", "test"),
        (3, "archived", "test"),
        (4, "restored", "test"),
    ]
    assert (log[1]["before"]["label"], log[1]["after"]["label"], log[1]["after"]["choices"]) == ("Tier", "Class", ["Gold", "Tin"])
    assert (log[0]["before"], log[0]["changed_at"], log[1]["changed_at"]) == (
        None,
        "2026-01-01T00:00:00Z",
        "2026-01-02T00:00:00Z",
    )


async def test_a_type_never_changes_and_a_field_is_never_deleted(client: httpx.AsyncClient) -> None:
    await make(client)
    assert (await change(client, version=1, type="text")).status_code == 422
    assert (await client.delete(f"{PATH}/note/tier")).status_code == 405
    again = await make(client, type="text", choices=[])
    assert (again.status_code, again.json()["type"]) == (409, "urn:ltc:problem:field-exists")


async def test_of_two_changes_at_once_one_wins(client: httpx.AsyncClient) -> None:
    await make(client)
    replies = await asyncio.gather(*(change(client, version=1, label=f"Tier {number}") for number in range(5)))
    assert sorted(reply.status_code for reply in replies) == [200, 409, 409, 409, 409]
    [lost, *_] = [reply.json() for reply in replies if reply.status_code == 409]
    assert (lost["type"], lost["field"]) == ("urn:ltc:problem:version-conflict", "version")
    assert len((await client.get(f"{PATH}/note/tier/changes")).json()["items"]) == 2


async def test_a_kind_of_record_has_two_hundred_fields_even_at_once(client: httpx.AsyncClient, db: Database) -> None:
    async with db.connection() as conn:
        await conn.execute(
            """
            INSERT INTO custom_field SELECT 'note', 'f' || n, 'x', 'text', false, '{}', NULL, NULL, NULL, false, false, n, 1, now(), now()
            FROM generate_series(0, 197) AS n
            """
        )
    replies = await asyncio.gather(*(make(client, key=f"new{number}") for number in range(5)))
    assert sorted(reply.status_code for reply in replies) == [201, 201, 409, 409, 409]
    assert {reply.json()["type"] for reply in replies if reply.status_code == 409} == {"urn:ltc:problem:too-many-fields"}
    assert (await make(client, entity="page")).status_code == 201


@pytest.mark.parametrize(
    ("wrong", "status", "field"),
    [
        ({"entity": "invoice"}, 400, "entity"),
        ({"key": "Not A Key"}, 400, "key"),
        ({"choices": []}, 400, "choices"),
        ({"choices": ["a\u0000b"]}, 400, "choices"),
        ({"type": "colour"}, 422, None),
        ({"type": "text"}, 400, "choices"),
        ({"label": "Tier\u0000"}, 400, "label"),
        ({"minimum": 1}, 400, "minimum"),
        ({"max_length": 10**12}, 400, "max_length"),
        ({"colour": "red"}, 422, None),
    ],
)
async def test_a_definition_that_makes_no_sense_is_refused(
    client: httpx.AsyncClient, wrong: dict[str, Any], status: int, field: str | None
) -> None:
    reply = await make(client, **wrong)
    assert (reply.status_code, reply.json().get("field")) == (status, field)
    assert (await client.get(PATH)).json() == []


async def test_a_change_that_makes_no_sense_is_refused(client: httpx.AsyncClient) -> None:
    await make(client)
    assert (await change(client, version=1, choices=[])).json()["field"] == "choices"
    assert (await change(client, version=1, label=None)).json()["field"] == "label"
    assert (await change(client, key="shoe", version=1)).status_code == 404
    assert (await client.get(f"{PATH}/note/shoe/changes")).status_code == 404
    nul = await client.get(PATH, params={"entity": "\x00"})
    assert (nul.status_code, nul.json()["type"]) == (400, "urn:ltc:problem:invalid")


async def test_only_who_may_configure_changes_fields(app: FastAPI, keys: KeyPair) -> None:
    headers = {"Authorization": f"Bearer {keys.token('fields:read')}"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service", headers=headers) as reader:
        assert (await reader.get(PATH)).status_code == 200
        assert (await make(reader)).status_code == 403
        assert (await change(reader, version=1)).status_code == 403
