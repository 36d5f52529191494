"""The README's examples of claims that are given up do what they say: each is run as printed, by curl, in the order of the page."""

from pathlib import Path
from typing import Any

import httpx
import pytest
from ltc_chassis.clock import FixedClock
from ltc_chassis.testing import Deliver, KeyPair
from ltc_chassis.testing_readme import Example, examples, run

from billing_svc.tests.builders import NOW, completed, line, payment_body
from billing_svc.tests.telling import Json, tell
from billing_svc.tests.test_disputes import eur

README = Path(__file__).parents[2] / "README.md"
SECTIONS = {"Claims that are not held on to"}


class Reader:
    """Somebody who goes through the page from top to bottom: each example finds an invoice of its own, and what it needs of it."""

    def __init__(self, client: httpx.AsyncClient, deliver: Deliver, keys: KeyPair) -> None:
        self.client, self.deliver = client, deliver
        self.anna = {"Authorization": f"Bearer {keys.token('write-offs:write', subject='anna')}"}
        self.invoice: Json = {}

    async def variables(self, example: Example) -> dict[str, str]:
        """A value for each variable of the example."""
        self.invoice = await self._issued()
        return {name: str(await getattr(self, f"_{name.lower()}")(example)) for name in sorted(example.variables - {"TOKEN"})}

    async def _issued(self) -> Json:
        """100.00 net at 19 %."""
        delivery = completed(line("100.00", "1", "0", "19"))
        await tell(self.deliver, [delivery])
        [made] = (await self.client.get("/v1/invoices", params={"order_id": str(delivery.order_id)})).json()["items"]
        return dict(made)

    async def _made(self, path: str, body: Json, **given: Any) -> Json:
        reply = await self.client.post(f"/v1/{path}", json=body, **given)
        assert reply.is_success, reply.text
        return dict(reply.json())

    async def _invoice(self, _: Example) -> Any:
        return self.invoice["id"]

    async def _line(self, _: Example) -> Any:
        return self.invoice["lines"][0]["line_id"]

    _other_invoice = _invoice

    async def _dispute(self, _: Example) -> Any:
        return (await self._made(f"invoices/{self.invoice['id']}/disputes", {"category": "price", "reason": "x"}))["id"]

    _other_dispute = _dispute

    async def _write_off(self, _: Example) -> Any:
        """Beyond the authority of who asked."""
        asked: Json = {"reason": "insolvent", "amount": eur("60.00")}
        return (await self._made(f"invoices/{self.invoice['id']}/write-offs", asked, headers=self.anna))["id"]

    _other_write_off = _write_off

    async def _payment(self, _: Example) -> Any:
        """More than the invoice claims."""
        return (await self._made("payments", payment_body("150.00", reference=self.invoice["number"])))["id"]

    async def _refund(self, example: Example) -> Any:
        return (await self._made(f"payments/{await self._payment(example)}/refunds", {"amount": eur("10.00"), "reason": "x"}))[
            "id"
        ]

    _other_refund = _refund


@pytest.mark.timeout(300)
async def test_every_example_of_the_readme_works_as_printed(
    client: httpx.AsyncClient, deliver: Deliver, address: str, keys: KeyPair, clock: FixedClock, tmp_path: Path
) -> None:
    clock.set(NOW)
    reader = Reader(client, deliver, keys)
    refused = []
    for example in (each for each in examples(README) if each.section in SECTIONS):
        answer = await run(example, address, {"TOKEN": keys.token(), **await reader.variables(example)}, tmp_path)
        if not answer.is_success:
            refused.append(f"line {example.line}: {example.method} {example.path}: {answer.status} {answer.printed[:300]}")
    assert not refused, "\n".join(refused)
