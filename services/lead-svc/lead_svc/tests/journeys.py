"""What the tests of nurturing share: a journey's plan, leads that agreed, time that passes."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import httpx
from ltc_chassis.clock import FixedClock
from ltc_chassis.testing_mail import MailServer
from ltc_chassis.timers import Timer

from lead_svc.timers import TIMERS

ENTER, STEPS, MAILS = (
    next(timer for timer in TIMERS if timer.name == name) for name in ("enter-journeys", "nurture-steps", "nurture-mails")
)
HELLO = {
    "subject": "Hello {{ first_name | default('there') }}",
    "text": "Dear {{ name | default('friend') }} of {{ company }},\nsee https://acme.example/guide\n",
    "html": '<p>Dear {{ name }} of <b>{{ company }}</b>, <a href="https://acme.example/guide?a=1&amp;b=2">see our guide</a></p>',
}
AGAIN = {"subject": "Still there?", "text": "We are."}


def plan(**changed: Any) -> dict[str, Any]:
    steps = [{"key": "hello", "mail": HELLO}, {"key": "again", "after": {"days": 2}, "mail": AGAIN}]
    return {
        "entry": {"field": "country", "is": "in", "value": ["DE", "US"]},
        "footer": "ACME GmbH\nBerlin",
        "steps": steps,
        **changed,
    }


def office(of: str = "lead", **more: Any) -> dict[str, Any]:
    """Nine to five on weekdays, in Berlin where nothing else is known."""
    week = {day: [["09:00", "17:00"]] for day in ("mon", "tue", "wed", "thu", "fri")}
    return {"of": of, "timezone": "Europe/Berlin", "week": week, **more}


@dataclass
class Nurture:
    """A company that nurtures its leads over HTTP and SMTP."""

    client: httpx.AsyncClient
    server: MailServer
    clock: FixedClock
    run: Callable[[Timer], Awaitable[int]]
    send: Callable[[], Awaitable[int]]

    async def journey(self, code: str = "welcome", *, active: bool = True, **changed: Any) -> dict[str, Any]:
        made = await self.client.post("/v1/journeys", json={"code": code, "name": "Welcome", "plan": plan(**changed)})
        assert made.status_code == 201, made.text
        if active:
            moved = await self.client.post(f"/v1/journeys/{code}/versions/1/activate")
            assert moved.status_code == 200, moved.text
        return dict(made.json())

    async def lead(self, email: str | None = "anna@rossi.example", *, consent: bool = True, **more: Any) -> str:
        contact = {"name": "Anna Rossi", **({"email": email} if email else {})}
        given = {"channel": "web", "source": "Google", "company": "Rossi & Figli", "country": "DE", "contact": contact, **more}
        reply = await self.client.post("/v1/leads", json=given)
        assert reply.status_code == 201, reply.text
        lead_id = str(reply.json()["id"])
        if consent:
            await self.agree(lead_id)
        return lead_id

    async def agree(self, lead_id: str, *, given: bool = True) -> None:
        body = {"given": given, "wording": "Send me news", "source": "form", "evidence": {"ip": "192.0.2.1"}}
        reply = await self.client.post(f"/v1/leads/{lead_id}/consents", json=body)
        assert reply.status_code == 201, reply.text

    async def enrol(self, *lead_ids: str, code: str = "welcome") -> list[str | None]:
        """Why each does not enter; None for those that do."""
        reply = await self.client.post(f"/v1/journeys/{code}/enrolments", json={"lead_ids": lead_ids})
        assert reply.status_code == 200, reply.text
        return [answer["refusal"] for answer in reply.json()]

    async def work(self, **later: float) -> int:
        """Time passes, then everything that is due is done; returns how many mails have arrived so far."""
        self.clock.advance(**later)
        await self.run(ENTER)
        for _ in range(10):
            if not await self.run(STEPS):
                break
        await self.send()
        await self.run(MAILS)
        return len(self.server.received)

    async def of(self, lead_id: str) -> dict[str, Any]:
        return dict((await self.client.get(f"/v1/leads/{lead_id}/nurture")).json())

    async def ended_by(self, lead_id: str) -> list[str | None]:
        return [each["ended_by"] for each in (await self.of(lead_id))["enrolments"]]
