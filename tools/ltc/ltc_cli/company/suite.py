"""The suite seen from outside: six base URLs, one token, business verbs as HTTP calls."""

import asyncio
from collections.abc import Mapping
from decimal import Decimal
from types import TracebackType
from typing import Any, Self
from uuid import UUID, uuid4

import httpx

SERVICES = ("lead", "sales", "order", "delivery", "billing", "metrics")
Json = dict[str, Any]


class Refused(Exception):
    """A service answered with a problem; `problem` is its body."""

    def __init__(self, method: str, url: str, status: int, problem: Json) -> None:
        super().__init__(f"{method} {url}: {status} {problem.get('type')} {problem.get('detail')}")
        self.status = status
        self.problem = problem


class Suite:
    """Calls the six services. A service that is away (503, connection refused) is called again with the same key.

    Every changing call carries an Idempotency-Key, so repeating it after a lost answer has no second effect.
    """

    def __init__(self, urls: Mapping[str, str], token: str, *, patience_s: float = 60) -> None:
        self._urls = dict(urls)
        self._patience_s = patience_s
        self._http = httpx.AsyncClient(
            headers={"Authorization": f"Bearer {token}"},
            timeout=30,
            limits=httpx.Limits(max_connections=40, max_keepalive_connections=40),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._http.aclose()

    async def get(self, service: str, path: str, **params: Any) -> Any:
        """A GET; `None` parameters are left out."""
        given = {name: str(value) for name, value in params.items() if value is not None}
        return await self._call("GET", service, path, params=given)

    async def post(self, service: str, path: str, body: Json | None = None) -> Any:
        """A changing call, safe to repeat."""
        return await self._call("POST", service, path, json=body or {}, headers={"Idempotency-Key": uuid4().hex})

    async def put(self, service: str, path: str, body: Json) -> Any:
        """Configuration, safe to repeat."""
        return await self._call("PUT", service, path, json=body, headers={"Idempotency-Key": uuid4().hex})

    async def upload(self, path: str, *, file: bytes, name: str, fields: Mapping[str, str], service: str = "lead") -> Any:
        """A file, as a form."""
        key = uuid4().hex
        # A boundary of our own: the same bytes again when the call is repeated, as the key promises.
        headers = {"Idempotency-Key": key, "Content-Type": f"multipart/form-data; boundary={key}"}
        return await self._call(
            "POST", service, path, files={"file": (name, file, "text/csv")}, data=dict(fields), headers=headers
        )

    async def _call(self, method: str, service: str, path: str, **how: Any) -> Any:
        url = f"{self._urls[service]}{path}"
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._patience_s
        pause = 0.1
        while True:
            try:
                reply = await self._http.request(method, url, **how)
            except httpx.TransportError:
                if loop.time() > deadline:
                    raise
            else:
                if reply.is_success:
                    return reply.json() if reply.content else None
                try:
                    problem = reply.json()
                except ValueError:
                    problem = {"detail": reply.text[:200]}
                again = reply.status_code == 503 or problem.get("type") == "urn:ltc:problem:concurrent-change"
                if not again or loop.time() > deadline:
                    raise Refused(method, url, reply.status_code, problem)
            await asyncio.sleep(pause)
            pause = min(pause * 2, 1.0)

    async def first(self, service: str, path: str, *, timeout: float = 30, **params: Any) -> Json:
        """The first item of a list, waited for: what an event makes appears a moment later."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        while True:
            items = (await self.get(service, path, **params))["items"]
            if items:
                found: Json = items[0]
                return found
            if loop.time() > deadline:
                raise TimeoutError(f"nothing at {service} {path} {params} within {timeout:.0f} s")
            await asyncio.sleep(0.1)

    # Business verbs, in the order of a deal.

    async def capture(self, **lead: Any) -> Json:
        """A lead by API; `channel` and `source` are filled in unless given."""
        made: Json = await self.post("lead", "/v1/leads", {"channel": "web", "source": "Google", **lead})
        return made

    async def qualify(self, lead_id: str, owner: str | None = None) -> Json:
        made: Json = await self.post("lead", f"/v1/leads/{lead_id}/qualify", {"owner": owner})
        return made

    async def give(self, opportunity_id: str, owner: str) -> Json:
        """The deal is this rep's from now on."""
        deal = await self.get("sales", f"/v1/opportunities/{opportunity_id}")
        body = {"owner": owner, "version": deal["version"]}
        key = {"Idempotency-Key": uuid4().hex}
        given: Json = await self._call("PATCH", "sales", f"/v1/opportunities/{opportunity_id}", json=body, headers=key)
        return given

    async def quote(self, opportunity_id: str, *, customer: Json, lines: list[Json], **more: Any) -> Json:
        """A priced version, sent to the customer."""
        body = {"currency": "EUR", "customer": customer, "lines": lines, **more}
        quote = await self.post("sales", f"/v1/opportunities/{opportunity_id}/quotes", body)
        sent: Json = await self.post("sales", f"/v1/quotes/{quote['id']}/send")
        return sent

    async def draw_up(self, quote_id: str) -> Json:
        """The contract of an accepted quote."""
        made: Json = await self.post("sales", f"/v1/quotes/{quote_id}/contract")
        return made

    async def sign(self, quote_id: str, signed_by: str) -> Json:
        """Accept the quote, draw up the contract, sign it."""
        await self.post("sales", f"/v1/quotes/{quote_id}/accept")
        contract = await self.draw_up(quote_id)
        signed: Json = await self.post("sales", f"/v1/contracts/{contract['id']}/sign", {"signed_by": signed_by})
        return signed

    async def pay(self, invoice: Json, amount: Decimal | None = None, **more: Any) -> Json:
        """Pay an invoice (all that it claims unless `amount`), naming it."""
        gross = invoice["gross"]
        value = gross["amount"] if amount is None else str(amount)
        body = {
            "amount": {"amount": value, "currency": gross["currency"]},
            "method": "bank_transfer",
            "reference": f"Invoice {invoice['number']}",
            "allocations": [{"invoice_id": invoice["invoice_id"], "amount": value}],
            **more,
        }
        made: Json = await self.post("billing", "/v1/payments", body)
        return made

    async def flow(self, flow_id: UUID | str) -> Json:
        """The journey as metrics-svc knows it."""
        found: Json = await self.get("metrics", f"/v1/flows/{flow_id}")
        return found
