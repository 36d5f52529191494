"""Every example of the README does what it says: it is run as printed, by curl, in the order of the page."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from ltc_chassis.clock import FixedClock
from ltc_chassis.ids import new_id
from ltc_chassis.testing import Deliver, KeyPair
from ltc_chassis.testing_mail import MailServer
from ltc_chassis.testing_readme import Answer, Example, examples, run
from ltc_chassis.tests.test_paper import png
from ltc_chassis.timers import Timer

from sales_svc.consumers import consumers
from sales_svc.tests.builders import lead_qualified
from sales_svc.tests.deals import Json, accepted, drafted, ok, opened, signed
from sales_svc.tests.shop import book, price, product
from sales_svc.tests.test_quote_links import drafted as quoted
from sales_svc.tests.test_quote_links import linked, sent
from sales_svc.timers import TIMERS

README = Path(__file__).parents[2] / "README.md"
Run = Callable[[Timer], Awaitable[int]]
Send = Callable[[], Awaitable[int]]
BY_NAME = {timer.name: timer for timer in TIMERS}
# Variables that are the id in the latest answer to a call.
ANSWERED = {
    "ACTIVITY": "/v1/activities",
    "CONTACT": "/v1/accounts/$ACCOUNT/contacts",
    "IMPORT": "/v1/imports",
    "PRICE": "/v1/price-books/DE-SME/prices",
    "CLAUSE": "/v1/clauses",
    "ASSIGNMENT": "/v1/commission-assignments",
}
FILES = {
    "opportunities.csv": "id,stage,closed,value\nd1,Won,2025-12-01,1200\n",
    "prices.csv": "sku,unit_price,valid_from\nSEAT,44.00,2027-01-01\n",
}


class Reader:
    """Somebody who goes through the page from top to bottom: what an example needs is there, and answers give the next their ids."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        deliver: Deliver,
        work: Run,
        clock: FixedClock,
        keys: KeyPair,
        server: MailServer,
        send: Send,
    ) -> None:
        self.client, self.deliver, self.work, self.clock, self.keys = client, deliver, work, clock, keys
        self.server, self.send = server, send
        self.answers: dict[str, Any] = {}
        self.kept: dict[str, str] = {}
        self.companies = 0

    async def variables(self, example: Example) -> dict[str, str]:
        """A value for each variable of the example."""
        found = {}
        for name in sorted(example.variables - {"TOKEN"}):
            if name in ANSWERED:
                found[name] = str(self.answers[ANSWERED[name]]["id"])
            else:
                made = getattr(self, f"_{name.lower()}", None)
                assert made is not None, f"line {example.line}: say what ${name} is in {Path(__file__).name}"
                found[name] = await made(example)
        return found

    def keep(self, example: Example, answer: Answer) -> None:
        """Remember what a call that makes something answered, by its path."""
        if example.method == "POST" and answer.is_success and answer.printed.startswith("{"):
            self.answers[example.path] = answer.body

    async def prepare(self, example: Example) -> None:
        """What has to have happened before a call can do what it says."""
        call = f"{example.method} {example.path}"
        if call == "PUT /v1/pipelines/partners":
            self.kept["partner"] = str((await self.deal(pipeline="partners"))["id"])
        elif call == "GET /v1/snapshots/2026-01-31":
            for days in (1, 31):
                self.clock.advance(days=days)
                await self.work(BY_NAME["take-snapshot"])
        elif call == "GET /v1/reports/coaching":
            await self.deal(owner="Anna")
        elif call == "POST /v1/opportunities/$OPPORTUNITY/quotes" and "PUMP" in example.command and "SEAT" in example.command:
            await book(self.client)
            await product(self.client, "PUMP")
            await product(self.client, "CALL", kind="usage", meter="api_calls")
            for sku, amount in (("PUMP", "100.00"), ("CALL", "0.40"), ("SEAT", "49.90")):
                await price(self.client, sku, amount)

    def token(self, example: Example) -> str:
        """Nobody approves their own offer."""
        return self.keys.token(subject="dana" if example.path.endswith("approve") else "test")

    async def deal(self, **given: Any) -> Json:
        self.companies += 1
        name = f"Customer number {self.companies} Ltd"
        return await opened(self.client, **{"name": f"Deal {self.companies}", "company": name, **given})

    async def _opportunity(self, example: Example) -> str:
        if "/checklist/" in example.path:
            return self.kept["partner"]
        deal = await self.deal()
        if '"version": 2' in example.command:
            await ok(self.client, "PATCH", f"/v1/opportunities/{deal['id']}", {"name": "Pumps", "version": 1})
        return str(deal["id"])

    async def _account(self, example: Example) -> str:
        self.companies += 1
        body = {"name": f"Customer number {self.companies} Ltd", "country": "IT"}
        account = await ok(self.client, "POST", "/v1/accounts", body)
        for version in range(1, int(('"version": 1' + example.command).rpartition('"version": ')[2][0])):
            await ok(self.client, "PATCH", f"/v1/accounts/{account['id']}", {"industry": f"pumps {version}", "version": version})
        return str(account["id"])

    async def _parent(self, _: Example) -> str:
        self.companies += 1
        body = {"name": f"Customer number {self.companies} Ltd", "country": "IT"}
        return str((await ok(self.client, "POST", "/v1/accounts", body))["id"])

    async def _other(self, example: Example) -> str:
        return await self._parent(example)

    async def _quote(self, example: Example) -> str:
        """An offer that is as far as the call needs."""
        if "LINK" in example.variables or "OTHER_QUOTE" in example.variables:
            return self.kept["quote"]
        if example.path.endswith(("/accept", "/reject", "/links")):
            return str((await sent(self.client, deal=await self.deal()))["id"])
        if example.path.endswith(("/contract", "/answer")):
            return str((await accepted(self.client, await self.deal()))["id"])
        quote = await quoted(self.client, await self.deal(), discount_percent="10" if "/approval" in example.path else "0")
        if example.path.endswith("approve"):
            await ok(self.client, "POST", f"/v1/quotes/{quote['id']}/approval")
        return str(quote["id"])

    async def _other_quote(self, _: Example) -> str:
        quote = await quoted(self.client, await self.deal())
        self.kept["quote"] = str(quote["id"])
        return str((await ok(self.client, "POST", f"/v1/quotes/{quote['id']}/copy", {}))["id"])

    async def _link(self, example: Example) -> str:
        if example.path.startswith("/v1/quotes"):
            quote = await sent(self.client, deal=await self.deal())
            self.kept["quote"] = str(quote["id"])
            return str((await linked(self.client, quote, name="Carla"))[0]["id"])
        if "contract_link" not in self.kept:
            contract = await drafted(self.client, await self.deal())
            await ok(self.client, "POST", f"/v1/contracts/{contract['id']}/send")
            made = await ok(self.client, "POST", f"/v1/contracts/{contract['id']}/link")
            self.kept["contract_link"] = urlsplit(made["url"]).path.rpartition("/")[2]
        return self.kept["contract_link"]

    async def _contract(self, example: Example) -> str:
        """A contract that is as far as the call needs."""
        if example.path.endswith(("/certificate.pdf", "/verify", "/trail")):
            return str((await signed(self.client, await self.deal()))["id"])
        if example.path.endswith(("/terms", "/notice")):
            return str((await drafted_subscription(self.client, await self.deal()))["id"])
        if example.path.endswith("/countersign"):
            both = {"code": "both", "name": "Both", "language": "en", "clauses": [{"code": "scope"}], "countersign": True}
            both |= {"condition": {"field": "country", "is": "eq", "value": "FR"}}
            await ok(self.client, "POST", "/v1/contract-templates", both)
            contract = await drafted(self.client, await self.deal(), {"template": "both"})
            await ok(self.client, "POST", f"/v1/contracts/{contract['id']}/sign", {"signed_by": "Anna Rossi"})
            return str(contract["id"])
        contract = await drafted(self.client, await self.deal())
        path = f"/v1/contracts/{contract['id']}"
        if example.path.endswith("/link"):
            await ok(self.client, "POST", f"{path}/send")
        elif example.path.endswith("/differences"):
            text = {"code": "payment", "text": "Payable in 45 days."}
            await ok(self.client, "POST", f"{path}/versions", {"contract_version": 1, "reason": "asked for", "changes": [text]})
        return str(contract["id"])

    async def _flow(self, _: Example) -> str:
        return str((await self.deal())["flow_id"])

    async def _held(self, _: Example) -> str:
        mine = await self.deal(owner="Anna")
        await self.deliver(consumers, lead_qualified(company=mine["company"], owner="Ben"), flow_id=new_id())
        return str((await self.client.get("/v1/held-leads", params={"state": "waiting"})).json()["items"][-1]["id"])

    async def _commission(self, _: Example) -> str:
        if "commission" not in self.kept:
            sells = {"rep": "Darcel Schlecht", "plan": "standard"}
            await ok(self.client, "POST", "/v1/commission-assignments", sells)
            contract = await signed(self.client, await self.deal(owner="Darcel Schlecht"))
            found = await ok(self.client, "GET", f"/v1/commissions?contract_id={contract['id']}")
            self.kept["commission"] = str(found["items"][0]["id"])
        return self.kept["commission"]

    async def _mail(self, example: Example) -> str:
        """A mail that the server would not take."""
        self.server.rcpt_answers.append("550 no such mailbox")
        await sent(self.client, {"email": f"nobody{example.line}@rossi.example"}, deal=await self.deal())
        await self.send()
        return str((await self.client.get("/v1/mails", params={"state": "failed"})).json()["items"][-1]["id"])


async def drafted_subscription(client: httpx.AsyncClient, deal: Json) -> Json:
    contract = await drafted(client, deal, {"template": "subscription"})
    made: Json = await ok(client, "POST", f"/v1/contracts/{contract['id']}/sign", {"signed_by": "Anna Rossi"})
    return made


@pytest.mark.timeout(300)
async def test_every_example_of_the_readme_works_as_printed(
    client: httpx.AsyncClient,
    deliver: Deliver,
    run_timer: Run,
    mail_server: MailServer,
    send_mails: Send,
    address: str,
    keys: KeyPair,
    clock: FixedClock,
    tmp_path: Path,
) -> None:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "logo.png").write_bytes(png())
    reader = Reader(client, deliver, run_timer, clock, keys, mail_server, send_mails)
    refused = []
    for example in examples(README):
        if not example.path.startswith("/"):
            continue  # a customer's link; its pages have tests of their own
        await reader.prepare(example)
        variables = {"TOKEN": reader.token(example), **await reader.variables(example)}
        answer = await run(example, address, variables, tmp_path)
        if not answer.is_success:
            refused.append(f"line {example.line}: {example.method} {example.path}: {answer.status} {answer.printed[:300]}")
        reader.keep(example, answer)
    assert not refused, "\n".join(refused)
