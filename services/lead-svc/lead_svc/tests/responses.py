"""What the tests of first responses share: a policy, clocks and tasks of a lead, what is logged."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from ltc_chassis.testing import Emitted

WEEK = {day: [["09:00", "17:00"]] for day in ("mon", "tue", "wed", "thu", "fri")}
BERLIN = {"timezone": "Europe/Berlin", "week": WEEK, "country": "DE", "extra_holidays": ["2026-12-24"]}
SHANGHAI = {"timezone": "Asia/Shanghai", "week": WEEK, "country": "CN"}
ANY: dict[str, Any] = {"all": []}


async def policy(client: httpx.AsyncClient, code: str = "standard", **changed: Any) -> httpx.Response:
    body = {"name": code, "condition": ANY, "target_minutes": 480, "calendar": BERLIN, **changed}
    return await client.put(f"/v1/sla-policies/{code}", json=body)


async def clocks(client: httpx.AsyncClient, lead: str) -> list[dict[str, Any]]:
    return list((await client.get(f"/v1/leads/{lead}/first-response")).json())


async def clock_of(client: httpx.AsyncClient, lead: str) -> dict[str, Any]:
    [found] = await clocks(client, lead)
    return found


async def log(client: httpx.AsyncClient, lead: str, type: str = "call", **more: Any) -> httpx.Response:
    if type in ("call", "email"):
        more = {"direction": "outbound", **more}
    return await client.post(f"/v1/leads/{lead}/activities", json={"type": type, **more})


async def tasks(client: httpx.AsyncClient, lead: str) -> list[dict[str, Any]]:
    return list((await client.get("/v1/tasks", params={"lead_id": lead})).json()["items"])


def events(all_of_them: list[Emitted], topic: str) -> list[Any]:
    return [each.event for each in all_of_them if each.topic == topic]


def local(text: str, offset: int) -> datetime:
    return (datetime.fromisoformat(text) - timedelta(hours=offset)).replace(tzinfo=UTC)
