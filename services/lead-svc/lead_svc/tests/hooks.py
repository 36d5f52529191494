"""What the tests of deliveries share: endpoints of each platform, and deliveries as the platforms send them."""

import hashlib
import hmac
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from ltc_chassis import secrets
from ltc_chassis.clock import FixedClock
from ltc_chassis.db import Database
from ltc_chassis.timers import Errand, Timer

from lead_svc.domain import hook_wechat
from lead_svc.tests.builders import timer
from lead_svc.timers import ERRANDS

SECRET = b"s3cret-of-the-platform"
WORK, FORGET, [FETCH] = timer("capture-deliveries"), timer("forget-deliveries"), ERRANDS
Run = Callable[[Timer | Errand], Awaitable[int]]
DEFAULTS: dict[str, dict[str, Any]] = {
    "google": {"channel": "search_ads", "source": "google lead form"},
    "meta": {
        "channel": "social",
        "source": "meta lead ad",
        "verify_secret": "meta-verify",
        "fetch_secret": "graph-token",
    },
    "linkedin": {"channel": "social", "source": "linkedin lead form", "fetch_secret": "graph-token"},
    "baidu": {"channel": "search_ads", "source": "baidu"},
    "wechat": {"channel": "social", "source": "wechat ad"},
    "signed": {"channel": "direct", "source": "our site"},
}


@dataclass
class Hooks:
    """A company with endpoints, and platforms that push to them."""

    client: httpx.AsyncClient
    anonymous: httpx.AsyncClient
    folder: Path
    clock: FixedClock
    db: Database
    run: Run

    async def endpoint(self, kind: str, **given: Any) -> dict[str, Any]:
        """A new endpoint, with its secrets in place."""
        for name, value in (("hook", SECRET), ("meta-verify", b"verify-me-please"), ("graph-token", b"graph-token-1")):
            if not (self.folder / name).exists():
                self.secret(name, value)
        body = {"kind": kind, "name": f"{kind} form", "secret": "hook", **DEFAULTS[kind], **given}
        reply = await self.client.post("/v1/capture-endpoints", json=body)
        assert reply.status_code == 201, reply.text
        return dict(reply.json())

    def secret(self, name: str, value: bytes | None) -> None:
        """Put a secret in place, or take it away."""
        path = self.folder / name
        if value is None:
            path.unlink()
        else:
            path.write_bytes(value)
        secrets._known.clear()

    async def push(
        self, endpoint: dict[str, Any], body: bytes, headers: dict[str, str] | None = None, query: str = ""
    ) -> httpx.Response:
        """The bytes as they are."""
        path = endpoint["address"].removeprefix("http://service")
        given = {"content-type": "application/json", **(headers or {})}
        return await self.anonymous.post(path + (f"?{query}" if query else ""), content=body, headers=given)

    async def google(self, endpoint: dict[str, Any], **changed: Any) -> httpx.Response:
        return await self.push(endpoint, json.dumps(google(**changed)).encode())

    async def signed(
        self, endpoint: dict[str, Any], body: dict[str, Any] | bytes, *, at: int | None = None, secret: bytes = SECRET
    ) -> httpx.Response:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        stamp = str(int(self.clock.now().timestamp()) if at is None else at)
        mac = hmac.new(secret, stamp.encode() + b"." + raw, hashlib.sha256).hexdigest()
        return await self.push(endpoint, raw, {"x-ltc-timestamp": stamp, "x-ltc-signature": f"sha256={mac}"})

    async def meta(self, endpoint: dict[str, Any], *leads: str, secret: bytes = SECRET) -> httpx.Response:
        raw = json.dumps(meta(*leads)).encode()
        mac = hmac.new(secret, raw, hashlib.sha256).hexdigest()
        return await self.push(endpoint, raw, {"x-hub-signature-256": f"sha256={mac}"})

    async def linkedin(self, endpoint: dict[str, Any], lead: str, **changed: Any) -> httpx.Response:
        raw = json.dumps(linkedin(lead, **changed)).encode()
        mac = hmac.new(SECRET, b"hmacsha256=" + raw, hashlib.sha256).hexdigest()
        return await self.push(endpoint, raw, {"x-li-signature": mac})

    async def wechat(
        self, endpoint: dict[str, Any], body: dict[str, Any], *, nonce: str = "n0nce", at: int | None = None
    ) -> httpx.Response:
        return await self.push(endpoint, json.dumps(body).encode(), query=self.wechat_query(nonce, at))

    def wechat_query(self, nonce: str = "n0nce", at: int | None = None) -> str:
        stamp = str(int(self.clock.now().timestamp()) if at is None else at)
        return f"signature={hook_wechat.signature(SECRET, stamp, nonce)}&timestamp={stamp}&nonce={nonce}"

    async def deliveries(self, **asked: Any) -> list[dict[str, Any]]:
        reply = await self.client.get("/v1/capture-deliveries", params=asked)
        assert reply.status_code == 200, reply.text
        return list(reply.json()["items"])

    async def delivery(self, delivery_id: str) -> dict[str, Any]:
        reply = await self.client.get(f"/v1/capture-deliveries/{delivery_id}")
        assert reply.status_code == 200, reply.text
        return dict(reply.json())

    async def retry(self, delivery_id: str) -> httpx.Response:
        return await self.client.post(f"/v1/capture-deliveries/{delivery_id}/retry")

    async def leads(self) -> list[dict[str, Any]]:
        return list((await self.client.get("/v1/leads")).json()["items"])


def google(**changed: Any) -> dict[str, Any]:
    """As in Google's guide. `answers`: column id -> value."""
    answers = changed.pop("answers", {"FULL_NAME": "Ada Rossi", "EMAIL": "ada@rossi.example", "PHONE_NUMBER": "+39066982"})
    columns = [{"column_name": name.title(), "string_value": value, "column_id": name} for name, value in answers.items()]
    told = {
        "lead_id": "TeSter-123-ABC",
        "user_column_data": columns,
        "api_version": "1.0",
        "form_id": 40000000000,
        "campaign_id": 12345,
        "google_key": SECRET.decode(),
        "is_test": False,
        "gcl_id": "Cj0KCQ-1",
        "adgroup_id": 20000,
        "creative_id": 30000,
    }
    return {name: value for name, value in {**told, **changed}.items() if value is not None}


def meta(*leads: str) -> dict[str, Any]:
    """As in Meta's guide: one entry, a change per lead."""
    changes = [
        {
            "field": "leadgen",
            "value": {
                "created_time": 1767225500,
                "leadgen_id": lead,
                "page_id": "153125381133",
                "form_id": "1",
                "ad_id": "2",
            },
        }
        for lead in leads
    ]
    return {"object": "page", "entry": [{"id": "153125381133", "time": 1767225590, "changes": changes}]}


def linkedin(lead: str, **changed: Any) -> dict[str, Any]:
    """A notification of a response."""
    return {
        "type": "LEAD_ACTION",
        "leadGenFormResponse": f"urn:li:leadGenFormResponse:{lead}",
        "leadAction": "CREATED",
        "leadGenForm": "urn:li:versionedLeadGenForm:(urn:li:leadGenForm:3213,1)",
        "leadType": "SPONSORED",
        "owner": {"sponsoredAccount": "urn:li:sponsoredAccount:1"},
        "occurredAt": 1767225500000,
        **changed,
    }
