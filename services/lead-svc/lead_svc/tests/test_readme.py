"""Every example of the README does what it says: it is run as printed, by curl, in the order of the page."""

import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from ltc_chassis.ids import new_id
from ltc_chassis.testing import KeyPair
from ltc_chassis.testing_readme import Answer, Example, examples, run

from lead_svc.tests.builders import capture, import_form, timer
from lead_svc.tests.forms import hidden
from lead_svc.tests.journeys import Nurture
from lead_svc.tests.persons import Persons
from lead_svc.tests.test_predictive import MAPPING, MEANING, history

README = Path(__file__).parents[2] / "README.md"
FILES = {
    "leads.csv": "Id,Prospect ID,Company,Country,Lead Source,Lead Origin,Converted\n1,p1,Rossi,IT,Google,web,1\n2,p2,Weber,DE,Fair,web,0\n",
    "fair.csv": "Badge;Company;Name;E-Mail\nb1;Weber;Max;max@weber.example\n",
    "spend.csv": "campaign,day,amount,currency\nspring,2026-01-07,99.00,EUR\n",
}
# Variables that are the id in the latest answer to a call.
ANSWERED = {
    "RUN": "/v1/score-rules/what-if",
    "MODEL": "/v1/predictive-models",
    "IMPORT": "/v1/imports",
    "ABSENCE": "/v1/reps/anna/absences",
    "SCAN": "/v1/duplicate-scans",
    "MERGE": "/v1/leads/$LEAD/merge",
    "EXPORT": "/v1/feedback-exports",
    "ENDPOINT": "/v1/capture-endpoints",
    "PARTNER": "/v1/partners",
    "CODE": "/v1/partners/$PARTNER/codes",
    "REFERRAL": "/v1/partner/leads",
    "RULE": "/v1/sites/shop/page-rules",
    "REQUEST": "/v1/privacy/requests",
}


class Reader:
    """Somebody who goes through the page from top to bottom: what an example needs is there, and answers give the next their ids."""

    def __init__(self, nurture: Nurture, persons: Persons, keys: KeyPair, secrets: Path) -> None:
        self.client, self.server, self.work = nurture.client, nurture.server, nurture.run
        self.nurture, self.persons, self.keys, self.secrets = nurture, persons, keys, secrets
        self.answers: dict[str, Any] = {}
        self.journey = ""

    async def variables(self, example: Example) -> dict[str, str]:
        """A value for each variable of the example."""
        found = {}
        for name in sorted(example.variables - {"TOKEN"}):
            if name in ANSWERED:
                found[name] = self._id(ANSWERED[name])
            else:
                made = getattr(self, f"_{name.lower()}", None)
                assert made is not None, f"line {example.line}: say what ${name} is in {Path(__file__).name}"
                found[name] = await made(example)
        return found

    def keep(self, example: Example, answer: Answer) -> None:
        """Remember what a call that makes something answered, by its path."""
        if example.method == "POST" and answer.is_success and answer.printed.startswith("{"):
            self.answers[example.path] = answer.body

    async def post(self, path: str, body: Any = None, method: str = "POST") -> Any:
        reply = await self.client.request(method, path, json=body)
        assert reply.is_success, f"{path}: {reply.status_code} {reply.text}"
        return reply.json() if reply.content else None

    async def prepare(self, example: Example) -> None:
        """What has to have happened before a call can do what it says."""
        call = f"{example.method} {example.path}"
        if call == "POST /v1/predictive-models":
            form = import_form(history(300), MAPPING, outcomes=MEANING)
            assert (await self.client.post("/v1/imports", **form)).status_code == 202
            await self.work(timer("import-rows"))
        elif example.path.startswith("/v1/predictive-models/$MODEL"):
            await self.work(timer("train-model"))
            if example.path.endswith("/activate"):
                await self.post(f"/v1/predictive-models/{self._id('/v1/predictive-models')}/retire")
        elif example.path.startswith("/v1/score-rules/what-if/$RUN"):
            await self.work(timer("what-if"))
        elif example.path.startswith("/v1/imports/$IMPORT"):
            await self.work(timer("import-rows"))
        elif example.path.startswith("/v1/feedback-exports/$EXPORT"):
            await self.work(timer("export-feedback"))
        elif call == "POST /v1/duplicate-scans/$SCAN/cancel":
            await self.work(timer("scan-duplicates"))
            self.answers["/v1/duplicate-scans"] = await self.post("/v1/duplicate-scans", {"kinds": ["email"]})
        elif call == "GET /v1/privacy/requests/$REQUEST/file":
            request = await self.persons.export(lead_ids=[await self._lead(example)])
            self.answers["/v1/privacy/requests"] = request
        elif call.startswith("POST /v1/privacy/requests/$REQUEST/") and not call.endswith("/link"):
            self.answers["/v1/privacy/requests"] = await self.persons.ask(lead_ids=[await self._lead(example)])
        elif call == "POST /v1/capture-endpoints" and "google" in example.command:
            await self.post("/v1/custom-fields", {"entity": "lead", "key": "budget", "label": "Budget", "type": "text"})
            await self.post("/v1/campaigns", {"code": "autumn", "name": "Autumn", "channel": "search_ads"})
        elif call == "POST /v1/badge-scans":
            await self.post("/v1/campaigns", {"code": "hannover26", "name": "Hannover", "channel": "event"})

    async def _lead(self, example: Example) -> str:
        """A lead of its own, that is as far as the example needs."""
        company = new_id().hex[-12:]  # like no other's
        contact = {"name": company.title(), "email": f"anna@{company}.example"}
        lead = await capture(self.client, company=company, country="DE", contact=contact)
        if example.path.endswith("/release"):
            await self.post(f"/v1/leads/{lead}/claim")
        elif example.method == "DELETE" and example.path.endswith("/score/manual"):
            await self.post(f"/v1/leads/{lead}/score/manual", {"value": 90, "reason": "x"}, "PUT")
        elif example.section.startswith("Nurture"):
            await self.nurture.agree(lead)
        return lead

    async def _other(self, example: Example) -> str:
        return await self._lead(example)

    async def _enrolment(self, _: Example) -> str:
        lead = await self.nurture.lead("carla@carla.example")
        await self.nurture.enrol(lead)
        return str((await self.nurture.of(lead))["enrolments"][0]["id"])

    async def _partner_code(self, _: Example) -> str:
        return str((await self.post(f"/v1/partners/{self._id('/v1/partners')}/codes", {}))["code"])

    async def _partner_token(self, _: Example) -> str:
        return self.keys.token("partners:refer", subject="system:sun")

    async def _digest(self, _: Example) -> str:
        return str((await self.persons.preview(self.answers["/v1/privacy/requests"]))["digest"])

    async def _mail(self, example: Example) -> str:
        """A mail that the server would not take."""
        self.server.rcpt_answers.append("550 no such mailbox")
        await self._written_to(example)
        return str((await self.client.get("/v1/mails", params={"state": "failed"})).json()["items"][-1]["id"])

    async def _link(self, example: Example) -> str:
        if example.path.startswith("/p/"):
            return str(self.answers["/v1/privacy/requests/$REQUEST/link"]["url"]).rpartition("/")[2]
        await self._written_to(example)
        found = re.search(rf'"http://service{example.path[:3]}([^/"]+)"', self.server.received[-1].part("html"))
        assert found is not None, example
        return found[1]

    async def _task(self, example: Example) -> str:
        given = {"lead_id": await self._lead(example), "type": "call", "title": "Call back", "due_in_minutes": 120}
        return str((await self.post("/v1/tasks", given))["id"])

    async def _delivery(self, example: Example) -> str:
        """Something that a platform sent before its secret was there."""
        secret = f"key-{example.line}"
        given = {"kind": "google", "name": "Form", "secret": secret, "channel": "search_ads", "source": "form"}
        endpoint = await self.post("/v1/capture-endpoints", given)
        column = {"column_id": "EMAIL", "string_value": f"eva@line{example.line}.example"}
        sent = {"lead_id": str(example.line), "google_key": "a secret", "user_column_data": [column]}
        assert (await self.client.post(urlsplit(endpoint["address"]).path, json=sent)).status_code == 503
        (self.secrets / secret).write_text("a secret")
        found = await self.client.get("/v1/capture-deliveries", params={"endpoint_id": endpoint["id"]})
        return str(found.json()["items"][0]["id"])

    async def _instance(self, _: Example) -> str:
        """What stands in a page with a form, which a person takes a while to fill in."""
        page = hidden((await self.client.get("/f/contact")).text)
        self.nurture.clock.advance(minutes=1)
        return page["instance"]

    async def _written_to(self, example: Example) -> None:
        """A lead got the first mail of a journey."""
        if not self.journey:
            self.journey = "letters"
            await self.nurture.journey(self.journey, entry=None)
        await self.nurture.enrol(await self.nurture.lead(f"dora@line{example.line}.example"), code=self.journey)
        await self.nurture.work()

    def _id(self, path: str, name: str = "id") -> str:
        return str(self.answers[path][name])


@pytest.mark.timeout(300)
async def test_every_example_of_the_readme_works_as_printed(
    nurture: Nurture, persons: Persons, address: str, keys: KeyPair, secrets_dir: Path, tmp_path: Path
) -> None:
    nurture.clock.advance(days=70)  # the page speaks of January and of a fair in March as over
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    reader = Reader(nurture, persons, keys, secrets_dir)
    refused = []
    for example in examples(README):
        if not example.path.startswith("/"):
            continue  # what a platform sends and signs has tests of its own
        await reader.prepare(example)
        variables = {"TOKEN": keys.token(), **await reader.variables(example)}
        answer = await run(example, address, variables, tmp_path)
        if not answer.is_success:
            refused.append(f"line {example.line}: {example.method} {example.path}: {answer.status} {answer.printed[:300]}")
        reader.keep(example, answer)
    assert not refused, "\n".join(refused)
