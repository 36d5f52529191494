"""Every example of the README does what it says: it is run as printed, by curl, in the order of the page."""

from pathlib import Path
from typing import Any

import httpx
import pytest
from ltc_chassis.testing import Deliver, KeyPair
from ltc_chassis.testing_mail import MailServer
from ltc_chassis.testing_readme import Example, examples, run

from delivery_svc.consumers import consumers
from delivery_svc.tests import shop
from delivery_svc.tests.desk import Desk, Send
from delivery_svc.tests.rig import plan
from delivery_svc.tests.test_inbound_mails import letter

README = Path(__file__).parents[2] / "README.md"


class Reader:
    """Somebody who goes through the page from top to bottom: what an example needs is there."""

    def __init__(self, desk: Desk, client: httpx.AsyncClient, deliver: Deliver, server: MailServer, send: Send) -> None:
        self.desk, self.client, self.deliver, self.server, self.send = desk, client, deliver, server, send
        self.answers: dict[str, Any] = {}
        self.planned: dict[str, Any] = {}
        self.signed = ""

    async def variables(self, example: Example) -> dict[str, str]:
        """A value for each variable of the example."""
        return {name: str(await getattr(self, f"_{name.lower()}")(example)) for name in sorted(example.variables - {"TOKEN"})}

    async def _delivery(self, _: Example) -> str:
        self.planned = await plan(self.deliver, self.client)
        return str(self.planned["id"])

    async def _line(self, _: Example) -> str:
        """Of the delivery of the same example; variables come in the order of their names."""
        return str(self.planned["lines"][0]["line_id"])

    async def _signed(self, _: Example) -> str:
        """The same delivery in all examples."""
        self.signed = self.signed or await self._delivery(_)
        return self.signed

    async def _proof(self, _: Example) -> str:
        return str(self.answers["/v1/deliveries/$SIGNED/proofs"]["id"])

    async def _made(self, _: Example) -> str:
        """A delivery of what is produced first."""
        rule = {"match": "exact", "pattern": "PUMP-7", "valid_from": "2026-01-01", "under_percent": "70"}
        steps = [{"kind": "production"}, {"kind": "shipment"}]
        reply = await self.client.put("/v1/fulfilment-rules/pump-7", json=rule | {"steps": steps})
        assert reply.status_code == 200, reply.text
        return await self._delivery(_)

    async def _step(self, _: Example) -> str:
        """The first of the delivery of the same example."""
        return str(self.planned["steps"][0]["id"])

    async def _short(self, _: Example) -> str:
        """A delivery of which one piece was handed over, and the rest may be missing."""
        delivery = await self._delivery(_)
        part = {"lines": [{"line_id": await self._line(_), "quantity": "1"}]}
        await self.client.post(f"/v1/deliveries/{delivery}/handovers", json=part)
        return delivery

    async def _shortline(self, _: Example) -> str:
        return await self._line(_)

    async def _order(self, _: Example) -> str:
        return str((await plan(self.deliver, self.client))["order_id"])

    async def _production(self, _: Example) -> str:
        return str((await shop.ordered(self.deliver, self.client))["id"])

    async def _stuck(self, example: Example) -> str:
        """A production that the shop floor aborted."""
        production_id = await self._production(example)
        await self.deliver(consumers, shop.report({"id": production_id}, -1, state="Aborted"))
        return production_id

    async def _ticket(self, _: Example) -> str:
        return str((await self.desk.open())["id"])

    async def _other(self, _: Example) -> str:
        return str((await self.desk.open())["id"])

    async def _ask(self, _: Example) -> str:
        return str((await self.client.get("/v1/survey-asks")).json()["items"][0]["id"])

    async def _absence(self, _: Example) -> str:
        return str(self.answers["/v1/service-agents/anna/absences"]["id"])

    async def _inbound(self, _: Example) -> str:
        return str(self.answers["/v1/inbound-mails"]["id"])

    async def _mailed(self, _: Example) -> str:
        return str(self.answers["/v1/inbound-mails"]["ticket_id"])

    async def _attachment(self, example: Example) -> str:
        return str((await self.desk.call("GET", f"/v1/tickets/{await self._mailed(example)}/attachments"))[0]["id"])

    async def _mail(self, _: Example) -> str:
        """A mail that the server would not take."""
        self.server.rcpt_answers.append("550 no such mailbox")
        await self.desk.say(await self.desk.open())
        await self.send()
        return str((await self.client.get("/v1/mails", params={"state": "failed"})).json()["items"][-1]["id"])


@pytest.mark.timeout(300)
async def test_every_example_of_the_readme_works_as_printed(
    desk: Desk,
    client: httpx.AsyncClient,
    deliver: Deliver,
    mail_server: MailServer,
    send_mails: Send,
    address: str,
    keys: KeyPair,
    tmp_path: Path,
) -> None:
    mail = letter("See the picture.")
    mail.add_attachment(b"PNG", maintype="image", subtype="png", filename="pump.png")
    (tmp_path / "reply.eml").write_bytes(mail.as_bytes())
    (tmp_path / "people.csv").write_text("email,name\neva@nordwind.example,Eva\n")
    (tmp_path / "signature.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    reader = Reader(desk, client, deliver, mail_server, send_mails)
    refused = []
    for example in examples(README):
        variables = {"TOKEN": keys.token(), **await reader.variables(example)}
        answer = await run(example, address, variables, tmp_path)
        if not answer.is_success:
            refused.append(f"line {example.line}: {example.method} {example.path}: {answer.status} {answer.printed[:300]}")
        elif example.method == "POST" and answer.printed.startswith("{"):
            reader.answers[example.path.partition("?")[0]] = answer.body
    assert not refused, "\n".join(refused)
