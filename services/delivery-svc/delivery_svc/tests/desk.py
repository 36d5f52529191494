"""What the tests of tickets share: a desk with agents, a policy, tickets and what happens to them."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from ltc_chassis.testing import Emitted
from ltc_chassis.timers import Timer

from delivery_svc.timers import TIMERS

WEEK = {day: [["09:00", "17:00"]] for day in ("mon", "tue", "wed", "thu", "fri")}
BERLIN = {"timezone": "Europe/Berlin", "week": WEEK, "country": "DE"}
ALWAYS = {"timezone": "UTC", "week": {day: [["00:00", "24:00"]] for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")}}
Run = Callable[[Timer], Awaitable[int]]
Send = Callable[[], Awaitable[int]]


def timer(name: str) -> Timer:
    [found] = [each for each in TIMERS if each.name == name]
    return found


def local(text: str, offset: int) -> datetime:
    return (datetime.fromisoformat(text) - timedelta(hours=offset)).replace(tzinfo=UTC)


class Desk:
    """The service desk over HTTP."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client

    async def call(self, method: str, path: str, body: Any = None, status: int = 0, **more: Any) -> Any:
        reply = await self.client.request(method, path, json=body, **more)
        assert reply.status_code == status if status else reply.is_success, f"{method} {path}: {reply.status_code} {reply.text}"
        return reply.json() if reply.content else None

    async def agent(self, subject: str = "anna", **more: Any) -> Any:
        return await self.call("PUT", f"/v1/service-agents/{subject}", {"email": f"{subject}@acme.example", **more})

    async def queue(self, code: str = "support", **more: Any) -> Any:
        return await self.call("PUT", f"/v1/ticket-queues/{code}", {"name": "ACME Support", **more})

    async def policy(self, code: str = "standard", **more: Any) -> Any:
        given = {"name": code, "response_minutes": 240, "resolution_minutes": 960, "calendar": BERLIN, **more}
        return await self.call("PUT", f"/v1/ticket-policies/{code}", given)

    async def open(self, **more: Any) -> Any:
        given = {"subject": "The pump leaks", "text": "It drips since Monday.", "requester_email": "eva@nordwind.example", **more}
        return await self.call("POST", "/v1/tickets", given)

    async def say(self, ticket: Any, text: str = "We look into it.", **more: Any) -> Any:
        return await self.call("POST", f"/v1/tickets/{ticket['id']}/comments", {"text": text, **more})

    async def move(self, ticket: Any, move: str, **more: Any) -> Any:
        return await self.call("POST", f"/v1/tickets/{ticket['id']}/move", {"move": move}, **more)

    async def read(self, ticket: Any) -> Any:
        return await self.call("GET", f"/v1/tickets/{ticket['id']}")

    async def comments(self, ticket: Any, **params: Any) -> Any:
        return (await self.call("GET", f"/v1/tickets/{ticket['id']}/comments", params=params))["items"]

    async def clock(self, ticket: Any, kind: str = "resolution") -> Any:
        [found] = [each for each in await self.call("GET", f"/v1/tickets/{ticket['id']}/clocks") if each["kind"] == kind]
        return found


def events(emitted: list[Emitted], topic: str) -> list[Any]:
    return [each.event for each in emitted if each.topic == topic]
