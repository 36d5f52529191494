"""Every example of the README does what it says: it is run as printed, by curl, in the order of the page."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from ltc_chassis.clock import FixedClock
from ltc_chassis.ids import new_id
from ltc_chassis.testing import Deliver, KeyPair
from ltc_chassis.testing_mail import MailServer
from ltc_chassis.testing_readme import Answer, Example, examples, run
from ltc_chassis.tests.test_paper import png
from ltc_contracts.events import Customer

from billing_svc.tests.bank import SLICES, Ntry, Run, camt, send
from billing_svc.tests.builders import NOW, completed, line, payment_body
from billing_svc.tests.telling import Json, tell
from billing_svc.tests.test_disputes import eur
from billing_svc.tests.test_provider_hooks import KEY, event, signed
from billing_svc.timers import TIMERS

README = Path(__file__).parents[2] / "README.md"
TODAY = datetime(2026, 12, 1, 9, tzinfo=UTC)
BY_NAME = {timer.name: timer for timer in TIMERS}
# Variables that are the id in the latest answer to a call.
ANSWERED = {
    "BANKFILE": "/v1/bank-statements",
    "ENTRY": "/v1/ledger/entries",
    "EXPORT": "/v1/ledger/exports",
    "IMPORT": "/v1/imports",
    "PLAN": "/v1/usage-plans",
}
FILES = {
    "logo.png": png(),
    "rates.csv": b"source,base,quote,valid_on,rate\nECB,USD,EUR,2026-01-05,0.9000\nECB,KWD,EUR,2026-01-05,2.9500\n",
    "receivables.csv": b"no,customer,issued,due,settled,amount\nA-1,Rossi,2025-11-01,2025-12-01,2025-12-05,119.00\n",
    "statement.xml": camt(Ntry("0.50", "coffee")),
}


class Reader:
    """Somebody who goes through the page from top to bottom: each example finds an invoice of its own, and what it needs of it.

    In January two invoices were issued; now it is December.
    """

    def __init__(
        self,
        client: httpx.AsyncClient,
        deliver: Deliver,
        keys: KeyPair,
        work: Run,
        server: MailServer,
        mail: Callable[[], Awaitable[int]],
    ) -> None:
        self.client, self.deliver, self.work, self.server, self.mail = client, deliver, work, server, mail
        self.anna = {"Authorization": f"Bearer {keys.token('write-offs:write', subject='anna')}"}
        self.customer = Customer(customer_id=new_id(), name="Nordwind GmbH", country="DE", email="eva@nordwind.example")
        self.left_alone, self.sent = new_id(), 0
        self.invoice: Json = {}
        self.pushed = b""
        self.answers: dict[str, Any] = {}

    async def variables(self, example: Example) -> dict[str, str]:
        """A value for each variable of the example."""
        self.invoice = await self.issued()
        found = {}
        for name in sorted(example.variables - {"TOKEN"}):
            if name in ANSWERED:
                found[name] = str(self.answers[ANSWERED[name]]["id"])
            else:
                made = getattr(self, f"_{name.lower()}", None)
                assert made is not None, f"line {example.line}: say what ${name} is in {Path(__file__).name}"
                found[name] = str(await made(example))
        return found

    def keep(self, example: Example, answer: Answer) -> None:
        """Remember what a call that makes something answered, by its path."""
        if example.method == "POST" and answer.is_success and answer.printed.startswith("{"):
            self.answers[example.path] = answer.body

    async def issued(self, net: str = "100.00", currency: str = "EUR") -> Json:
        """At 19 %."""
        delivery = completed(line(net, "1", "0", "19", currency), customer=self.customer)
        await tell(self.deliver, [delivery])
        [made] = (await self.client.get("/v1/invoices", params={"order_id": str(delivery.order_id)})).json()["items"]
        return dict(made)

    async def _made(self, path: str, body: Json, **given: Any) -> Json:
        reply = await self.client.post(f"/v1/{path}", json=body, **given)
        assert reply.is_success, reply.text
        return dict(reply.json())

    async def _customer(self, example: Example) -> Any:
        """The one who is left alone is another."""
        return self.left_alone if "/dunning/" in example.path else self.customer.customer_id

    async def _invoice(self, _: Example) -> Any:
        return self.invoice["id"]

    async def _usd_invoice(self, _: Example) -> Any:
        return (await self.issued(currency="USD"))["id"]

    async def _line(self, _: Example) -> Any:
        return self.invoice["lines"][0]["line_id"]

    _other_invoice = _invoice

    async def _credit(self, _: Example) -> Any:
        return (await self._made(f"invoices/{self.invoice['id']}/credits", {"reason": "a scratch"}))["id"]

    async def _split(self, _: Example) -> Any:
        parts = {"reason": "x", "instalments": [{"due_on": "2026-12-15"}, {"due_on": "2027-01-15"}]}
        await self._made(f"invoices/{self.invoice['id']}/instalments", parts)
        return self.invoice["id"]

    async def _draft(self, _: Example) -> Any:
        one = {"sku": "FEE", "description": "Set-up", "quantity": "1", "unit_price": "10.00", "tax_rate": "19"}
        who = {"customer_id": str(self.customer.customer_id), "name": "Nordwind GmbH", "country": "DE"}
        return (await self._made("invoice-drafts", {"customer": who, "currency": "EUR", "lines": [one]}))["id"]

    async def _dispute(self, _: Example) -> Any:
        return (await self._made(f"invoices/{self.invoice['id']}/disputes", {"category": "price", "reason": "x"}))["id"]

    _other_dispute = _dispute

    async def _write_off(self, _: Example) -> Any:
        """Beyond the authority of who asked."""
        asked: Json = {"reason": "insolvent", "amount": eur("60.00")}
        return (await self._made(f"invoices/{self.invoice['id']}/write-offs", asked, headers=self.anna))["id"]

    _other_write_off = _write_off

    async def _payment(self, example: Example) -> Any:
        """More than its invoice claims; or one that names none, to be applied by the example."""
        reference = "thanks" if example.path.endswith("/allocations") else self.invoice["number"]
        return (await self._made("payments", payment_body("150.00", reference=reference)))["id"]

    async def _refund(self, example: Example) -> Any:
        asked: Json = {"amount": eur("10.00"), "reason": "x"}
        return (await self._made(f"payments/{await self._payment(example)}/refunds", asked))["id"]

    _other_refund = _refund

    async def _step(self, _: Example) -> Any:
        """The latest that was taken with a letter."""
        await self.work(BY_NAME["dunning"])
        taken = (await self.client.get("/v1/dunning/steps")).json()["items"]
        return next(each["id"] for each in taken if each["kind"] != "agency")

    async def _mail(self, _: Example) -> Any:
        """One that the server would not take."""
        found = await self._failed()
        if not found:
            self.server.rcpt_answers.append("550 no such mailbox")
            await self.mail()
            found = await self._failed()
        return found[0]["id"]

    async def _failed(self) -> list[Json]:
        found: list[Json] = (await self.client.get("/v1/mails", params={"state": "failed"})).json()["items"]
        return found

    async def _statement(self, _: Example) -> str:
        return "statement.xml"

    async def _bankstatement(self, _: Example) -> Any:
        await self.work(SLICES["import-bank-statements"])
        file = (await self.client.get(f"/v1/bank-statements/{self.answers[ANSWERED['BANKFILE']]['id']}")).json()
        return file["statements"][0]["id"]

    async def _review(self, _: Example) -> Any:
        """A payment that says nothing, of as much as one invoice claims."""
        self.sent += 1
        invoice = await self.issued(f"{7000 + self.sent}.00")
        entry = Ntry(invoice["gross"]["amount"], "hello")
        await send(self.client, self.work, camt(entry, ref=f"README-{self.sent}"))
        await self.work(SLICES["apply-payments"])
        waiting = (await self.client.get("/v1/payments/review", params={"limit": 100})).json()["items"]
        return next(each["id"] for each in waiting if each["told"]["amount"]["amount"] == invoice["gross"]["amount"])

    _otherreview = _lastreview = _review

    async def _event(self, _: Example) -> str:
        """Money that a provider took back over a dispute: of a payment that nobody knows."""
        self.sent += 1
        told = {"id": f"dp_{self.sent}", "charge": "ch_1", "reason": "fraudulent"}
        self.pushed = event("charge.dispute.funds_withdrawn", f"evt_{self.sent}", **told)
        return self.pushed.decode()

    async def _signature(self, _: Example) -> str:
        return signed(self.pushed, KEY, at=int(TODAY.timestamp()))

    async def _providerevent(self, _: Example) -> Any:
        await self.work(SLICES["work-provider-events"])
        waiting = (await self.client.get("/v1/payment-provider-events", params={"state": "waiting"})).json()["items"]
        return waiting[0]["id"]


@pytest.mark.timeout(300)
async def test_every_example_of_the_readme_works_as_printed(
    client: httpx.AsyncClient,
    deliver: Deliver,
    run_timer: Run,
    mail_server: MailServer,
    send_mails: Callable[[], Awaitable[int]],
    address: str,
    keys: KeyPair,
    clock: FixedClock,
    tmp_path: Path,
    secrets_dir: Path,
) -> None:
    (secrets_dir / "stripe").write_bytes(KEY)
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content)
    reader = Reader(client, deliver, keys, run_timer, mail_server, send_mails)
    clock.set(NOW)
    await reader.issued("2000.00")
    await reader.issued("1000.00")
    clock.set(TODAY)
    refused = []
    for example in examples(README):
        answer = await run(example, address, {"TOKEN": keys.token(), **await reader.variables(example)}, tmp_path)
        reader.keep(example, answer)
        if not answer.is_success:
            refused.append(f"line {example.line}: {example.method} {example.path}: {answer.status} {answer.printed[:300]}")
    assert not refused, "\n".join(refused)
