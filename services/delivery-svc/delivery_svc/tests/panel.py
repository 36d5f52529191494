"""What the tests of surveys share: surveys, people who are asked, and what they answer."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import httpx
from ltc_chassis.testing import Deliver
from ltc_chassis.testing_mail import MailServer, Received

from delivery_svc.tests.builders import a_confirmed_order, a_customer
from delivery_svc.tests.desk import Desk, Run, Send, timer
from delivery_svc.tests.rig import Json, plan, post

ASK, ROUNDS = timer("ask-surveys"), timer("survey-rounds")
HTML = {"Accept": "text/html"}
COMMENT = {"key": "comment", "kind": "text", "text": {"en": "What may we do better?", "zh": "您有什么建议？"}}


class Panel:
    """Surveys over HTTP, and the mails in which people are asked."""

    def __init__(self, desk: Desk, client: httpx.AsyncClient, run: Run, server: MailServer, send: Send) -> None:
        self.desk, self.client, self.run, self.server, self.send = desk, client, run, server, send

    async def csat(self, code: str = "after-delivery", trigger: str = "delivery_completed", **more: Any) -> Json:
        return await self.survey(code, {"kind": "csat", "trigger": trigger, "questions": [COMMENT], **more})

    async def nps(self, code: str = "recommend", **more: Any) -> Json:
        return await self.survey(code, {"kind": "nps", "trigger": "schedule", "every_days": 90, **more})

    async def research(self, code: str = "pumps", questions: Sequence[Json] = (), **more: Any) -> Json:
        given = {"kind": "research", "trigger": "request", "questions": list(questions) or [COMMENT], **more}
        return await self.survey(code, given)

    async def survey(self, code: str, body: Json, status: int = 200) -> Json:
        found: Json = await self.desk.call("PUT", f"/v1/surveys/{code}", {"name": code, **body}, status)
        return found

    async def quiet(self, days: int) -> None:
        version = (await self.desk.call("GET", "/v1/survey-rule"))["version"]
        await self.desk.call("PUT", "/v1/survey-rule", {"quiet_days": days, "version": version})

    async def ask(self, code: str, *people: Json, status: int = 202, **more: Any) -> Json:
        found: Json = await self.desk.call("POST", f"/v1/surveys/{code}/asks", {"people": list(people), **more}, status)
        return found

    async def asks(self, **params: Any) -> list[Json]:
        found: list[Json] = (await self.desk.call("GET", "/v1/survey-asks", params=params))["items"]
        return found

    async def states(self, **params: Any) -> list[str]:
        return [each["reason"] or each["state"] for each in await self.asks(**params)]

    async def mails(self, address: str) -> list[Received]:
        """What is due goes out; the mails about surveys to an address so far."""
        await self.run(ASK)
        await self.send()
        return [mail for mail in self.server.to(address) if "/y/" in mail.part("plain")]

    async def path(self, address: str) -> str:
        """The path of the page in the last mail to an address."""
        return path_of((await self.mails(address))[-1])

    async def results(self, code: str, **params: Any) -> Json:
        found: Json = await self.desk.call("GET", f"/v1/surveys/{code}/results", params=params)
        return found


def path_of(mail: Received, ending: str = "") -> str:
    """Of the first link that ends so; without an ending, of the one to answer at."""
    links = [word for word in mail.part("plain").split() if "/y/" in word and word.endswith("/stop") == (ending == "/stop")]
    return urlsplit(links[0]).path


async def delivered(
    deliver: Deliver, client: httpx.AsyncClient, email: str | None = "eva@nordwind.example", **customer: Any
) -> Json:
    """A delivery that was completed now."""
    delivery = await plan(deliver, client, a_confirmed_order(customer=a_customer(email=email, **customer)))
    assert (await post(client, delivery, "complete")).is_success
    return delivery


def form(*, seen: Sequence[str], **answers: Any) -> dict[str, Any]:
    """What the page sends."""
    return {"seen": list(seen), **{f"q.{key}": value for key, value in answers.items()}}
