"""Proof of delivery: files with a digest, and services for a period that end by themselves."""

import asyncio
import hashlib
from datetime import date
from typing import Any

import httpx
import pytest
from ltc_chassis.clock import FixedClock
from ltc_chassis.ids import new_id
from ltc_chassis.testing import Deliver, KeyPair

from delivery_svc.tests.builders import a_confirmed_order, a_line
from delivery_svc.tests.desk import Run, timer
from delivery_svc.tests.rig import Emissions, Json, plan, post, read, told
from delivery_svc.tests.test_handovers import HOSE, parts

PNG = b"\x89PNG\r\n\x1a\n" + b"signed by Eva"
JPEG, PDF = b"\xff\xd8\xff\xe0 the gate", b"%PDF-1.7 the note"
END = timer("end-periods")


async def upload(client: httpx.AsyncClient, delivery: Json, content: bytes, **more: Any) -> httpx.Response:
    return await client.post(f"/v1/deliveries/{delivery['id']}/proofs", content=content, params=more)


async def test_a_file_proves_a_hand_over_and_its_digest_is_told(
    deliver: Deliver, client: httpx.AsyncClient, emitted: Emissions
) -> None:
    delivery = await plan(deliver, client)
    kept = await upload(client, delivery, PNG, kind="signature", name="Unterschrift Eva.png")
    assert (kept.status_code, kept.json()["media_type"], kept.json()["handover_id"]) == (201, "image/png", None)
    digest = hashlib.sha256(PNG).hexdigest()
    assert kept.json()["sha256"] == digest
    again = await upload(client, delivery, PNG)
    assert (again.status_code, again.json()) == (200, kept.json())
    body = parts(delivery, "1") | {"proof_id": kept.json()["id"]}
    made = await post(client, delivery, "handovers", body)
    assert made.status_code == 201
    assert (await emitted())[1].event.proof_sha256 == digest
    refused = await post(client, delivery, "handovers", body)
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:ltc:problem:proof-of-another")
    later = await upload(client, delivery, PDF, kind="document")
    named = await upload(client, delivery, PDF, handover_id=made.json()["id"])
    assert (named.status_code, named.json()["handover_id"]) == (200, made.json()["id"])
    other = await post(client, delivery, "handovers", parts(delivery, "1"))
    taken = await upload(client, delivery, PDF, handover_id=other.json()["id"])
    assert (taken.status_code, taken.json()["type"]) == (409, "urn:ltc:problem:proof-of-another")
    items = (await client.get(f"/v1/deliveries/{delivery['id']}/proofs")).json()["items"]
    assert [(item["id"], item["handover_id"]) for item in items] == [
        (kept.json()["id"], made.json()["id"]),
        (later.json()["id"], made.json()["id"]),
    ]
    file = await client.get(f"/v1/deliveries/{delivery['id']}/proofs/{kept.json()['id']}")
    assert (file.content, file.headers["content-type"]) == (PNG, "image/png")
    assert file.headers["content-disposition"] == "attachment; filename*=UTF-8''Unterschrift%20Eva.png"
    assert file.headers["x-content-type-options"] == "nosniff"


async def test_a_file_is_what_its_bytes_are(deliver: Deliver, client: httpx.AsyncClient) -> None:
    delivery = await plan(deliver, client)
    for content, media_type in [
        (JPEG, "image/jpeg"),
        (PDF, "application/pdf"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "image/webp"),
        (b"\x00\x00\x00\x18ftypheic", "image/heic"),
    ]:
        assert (await upload(client, delivery, content)).json()["media_type"] == media_type
    for content in (b"<svg onload=alert(1)>", b"<!doctype html>", b"GIF89a", b"\x00"):
        reply = await upload(client, delivery, content)
        assert (reply.status_code, reply.json()["type"]) == (400, "urn:ltc:problem:unknown-proof-format")
    assert (await upload(client, delivery, b"")).status_code == 400
    assert (await upload(client, delivery, JPEG + bytes(5 * 1024 * 1024))).status_code == 413
    assert (await upload(client, delivery, JPEG, name="../x")).status_code == 422


async def test_files_are_of_their_delivery_alone(deliver: Deliver, client: httpx.AsyncClient) -> None:
    delivery, other = await plan(deliver, client), await plan(deliver, client)
    kept = (await upload(client, other, PNG)).json()
    reply = await post(client, delivery, "handovers", parts(delivery, "1") | {"proof_id": kept["id"]})
    assert (reply.status_code, reply.json()["type"]) == (404, "urn:ltc:problem:proof-not-found")
    assert (await client.get(f"/v1/deliveries/{delivery['id']}/proofs/{kept['id']}")).status_code == 404
    unknown = await upload(client, delivery, JPEG, handover_id=str(new_id()))
    assert (unknown.status_code, unknown.json()["type"]) == (404, "urn:ltc:problem:handover-not-found")
    assert (await read(client, delivery))["state"] == "planned"


async def test_files_need_their_scopes(
    deliver: Deliver, client: httpx.AsyncClient, anonymous: httpx.AsyncClient, keys: KeyPair
) -> None:
    path = f"/v1/deliveries/{(await plan(deliver, client))['id']}/proofs"
    reader = {"Authorization": f"Bearer {keys.token('deliveries:read')}"}
    assert (await anonymous.post(path, content=PNG, headers=reader)).status_code == 403
    assert (await anonymous.get(path)).status_code == 401
    assert (await anonymous.get(path, headers=reader)).status_code == 200


async def test_the_same_file_from_many_at_once_is_kept_once(deliver: Deliver, client: httpx.AsyncClient) -> None:
    delivery = await plan(deliver, client)
    replies = await asyncio.gather(*(upload(client, delivery, PNG) for _ in range(5)))
    assert sorted(reply.status_code for reply in replies) == [200, 200, 200, 200, 201]


def a_subscription(**more: Any) -> Any:
    given = {"period_from": date(2026, 1, 1), "period_until": date(2026, 1, 31), "promised_on": date(2026, 1, 15)}
    return a_confirmed_order(**given | more)


async def test_a_service_for_a_period_is_promised_for_its_end_and_handed_over_then(
    deliver: Deliver, client: httpx.AsyncClient, clock: FixedClock, emitted: Emissions, run_timer: Run
) -> None:
    delivery = await plan(deliver, client, a_subscription())
    assert (delivery["promised_on"], delivery["promise_version"]) == ("2026-01-31", 1)
    assert [(step["kind"], step["planned_on"]) for step in delivery["steps"]] == [("period", "2026-01-31")]
    clock.advance(days=30, hours=23)
    assert await run_timer(END) == 0
    clock.advance(days=3)
    assert await run_timer(END) == 1
    assert await run_timer(END) == 0
    now = await read(client, delivery)
    assert (now["state"], now["completed_at"], now["on_time"]) == ("completed", "2026-01-31T23:59:59.999999Z", True)
    assert told(await emitted(), delivery) == ["delivery.promised", "delivery.handed_over", "delivery.completed"]


async def test_goods_of_an_order_for_a_period_wait_for_people_and_a_cancelled_one_for_nobody(
    deliver: Deliver, client: httpx.AsyncClient, clock: FixedClock, run_timer: Run
) -> None:
    rule = {"match": "exact", "pattern": "HOSE", "valid_from": "2026-01-01", "steps": [{"kind": "shipment"}]}
    assert (await client.put("/v1/fulfilment-rules/hose", json=rule)).status_code == 200
    mixed = await plan(deliver, client, a_subscription(lines=(a_line(), a_line(**HOSE))))
    whole = await plan(deliver, client, a_subscription(lines=(a_line(), a_line(**HOSE)), ship_complete=True))
    by_hand = await plan(deliver, client, a_subscription())
    await post(client, by_hand, "complete", {})
    clock.advance(days=40)
    assert await run_timer(END) == 1
    assert [each["left"] for each in (await read(client, mixed))["quantities"]] == ["0", "2.5"]
    assert (await read(client, whole))["state"] == "planned"
    await post(client, whole, "complete", {})
    assert await run_timer(END) == 0


@pytest.mark.parametrize("runs", [4])
async def test_a_period_is_handed_over_once_by_however_many_timers(
    runs: int, deliver: Deliver, client: httpx.AsyncClient, clock: FixedClock, emitted: Emissions, run_timer: Run
) -> None:
    made = [await plan(deliver, client, a_subscription()) for _ in range(5)]
    clock.advance(days=40)
    assert sum(await asyncio.gather(*(run_timer(END) for _ in range(runs)))) == 5
    events = await emitted()
    assert all(told(events, delivery).count("delivery.handed_over") == 1 for delivery in made)
