"""Every example of the README does what it says: it is run as printed, by curl, in the order of the page."""

from pathlib import Path
from typing import Any

import httpx
import pytest
from ltc_chassis.clock import FixedClock
from ltc_chassis.ids import new_id
from ltc_chassis.testing import KeyPair
from ltc_chassis.testing_readme import Example, examples, run

from order_svc.tests.builders import NOW
from order_svc.tests.rig import check_out

README = Path(__file__).parents[2] / "README.md"


class Reader:
    """Somebody who goes through the page from top to bottom: what an example needs is there."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client, self.placed = client, 0
        self.customer = str(new_id())
        self.answers: dict[str, Any] = {}
        self.changing: dict[str, Any] | None = None

    async def variables(self, example: Example) -> dict[str, str]:
        """A value for each variable of the example."""
        return {name: str(await getattr(self, f"_{name.lower()}")(example)) for name in sorted(example.variables - {"TOKEN"})}

    async def _order(self, example: Example) -> str:
        """One that is held where it is to be released or held; the same one through a change."""
        if "/assessments" in example.path:
            return str((await self._changing())["id"])
        self.placed += 1
        held = {"hold": "a check for fraud"} if example.path.endswith(("/hold", "/release")) else {}
        return str((await check_out(self.client, f"README-{self.placed}", **held))["id"])

    async def _changing(self) -> dict[str, Any]:
        if self.changing is None:
            self.changing = await check_out(self.client, "README-change")
        return self.changing

    async def _line(self, _: Example) -> str:
        return str((await self._changing())["lines"][0]["line_id"])

    async def _assessment(self, _: Example) -> str:
        return str(self.answers["/v1/orders/$ORDER/assessments"]["id"])

    async def _customer(self, example: Example) -> str:
        """One whose credit is agreed already where it is read."""
        if example.method == "PUT":
            return str(new_id())
        await self.client.put(f"/v1/customers/{self.customer}/credit", json={"version": 0, "limits": [], "reason": "new"})
        return self.customer

    async def _subscription(self, _: Example) -> str:
        return str(self.answers["/v1/subscriptions"]["id"])


@pytest.mark.timeout(300)
async def test_every_example_of_the_readme_works_as_printed(
    client: httpx.AsyncClient, address: str, keys: KeyPair, clock: FixedClock, tmp_path: Path
) -> None:
    clock.set(NOW)
    reader = Reader(client)
    refused = []
    for example in examples(README):
        variables = {"TOKEN": keys.token(), **await reader.variables(example)}
        answer = await run(example, address, variables, tmp_path)
        if not answer.is_success:
            refused.append(f"line {example.line}: {example.method} {example.path}: {answer.status} {answer.printed[:300]}")
        elif example.method == "POST" and answer.printed.startswith("{"):
            reader.answers[example.path] = answer.body
    assert not refused, "\n".join(refused)
