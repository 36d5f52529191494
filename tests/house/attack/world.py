"""A service with something in it, and a client that remembers what it saw there."""

import asyncio
import json
import logging
import random
import re
import time
import traceback
from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import httpx
from fastapi import FastAPI
from ltc_chassis.testing import Deliver
from ltc_contracts.tests.golden import STEPS

from tests.house.attack import nasty
from tests.house.attack.examples import Example, leaves, replaced

LONGEST_S = 30.0
_VARIABLE = re.compile(r"\$([A-Z_]+)")
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


@dataclass
class Answer:
    """What came back, and of what."""

    request: str
    status: int
    media_type: str
    body: bytes
    seconds: float
    defect: str | None
    browser: bool

    @property
    def told(self) -> bool:
        """Whether a refusal is one as it should be: a problem, or, at an address for people, a page."""
        return self.problem is not None or (self.browser and self.media_type.startswith("text/html"))

    @property
    def problem(self) -> str | None:
        """The `type` of a refusal."""
        if not self.media_type.startswith("application/problem+json"):
            return None
        found: str = json.loads(self.body)["type"]
        return found


class _Log(logging.Handler):
    def __init__(self, defects: list[str]) -> None:
        super().__init__(logging.ERROR)
        self._defects = defects

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info:
            self._defects.append("".join(traceback.format_exception(record.exc_info[1], limit=-6)))


@dataclass
class World:
    """`ids` by the path of their collection, `versions` by the path of the object; both from what the service answered."""

    app: FastAPI
    token: str
    rng: random.Random
    examples: list[Example]
    ids: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    versions: dict[str, Any] = field(default_factory=dict)
    answers: list[Answer] = field(default_factory=list)
    worked: set[tuple[str, str]] = field(default_factory=set)
    _defects: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._client = httpx.AsyncClient(
            transport=httpx.ASGITransport(self._watched, raise_app_exceptions=False),
            base_url="http://service",
            headers={"authorization": f"Bearer {self.token}", "user-agent": "Mozilla/5.0"},
        )
        # What a variable of the examples stands for: the collection in whose path it is.
        self._means = {
            match[1]: example.path[: match.start()].rstrip("/")
            for example in self.examples
            for match in _VARIABLE.finditer(example.path)
        }

        self._log = _Log(self._defects)
        logging.getLogger("ltc_chassis.errors").addHandler(self._log)

    async def _watched(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            await self.app(scope, receive, send)
        except Exception:
            self._defects.append(traceback.format_exc(limit=-6))
            raise

    async def close(self) -> None:
        logging.getLogger("ltc_chassis.errors").removeHandler(self._log)
        await self._client.aclose()

    async def told(self, deliver: Deliver) -> None:
        """What the other services would have said: the deal of the golden examples."""
        for event, _, _, flow_id, sequence, _ in STEPS:
            if event.TOPIC in self.app.state.consumers.topics:
                await deliver(self.app.state.consumers, event, flow_id=flow_id, sequence=sequence)

    async def warm_up(self) -> None:
        """Send what the README shows, so that there is something to attack."""
        for example in self.examples:
            await self.send(self.settled(example))
            if example.method == "GET" and example.query and "$" not in example.path:
                await self.send(replace(example, query=()))

    def settled(self, example: Example) -> Example:
        """With ids and versions that are here in place of what stands for them."""
        path = self._filled(example.path, own=None)
        collection = re.split(r"/[0-9a-f]{8}-", path)[0]
        body = example.json
        for way, value in leaves(body):
            if isinstance(value, str) and value.startswith("$"):
                body = replaced(body, way, self._filled(value, own=collection, but=path))
            elif way == ("version",) and isinstance(value, int) and example.method != "POST":
                body = replaced(body, way, self._version(path, value))
        headers = dict(example.headers)
        if "if-match" in headers:
            headers["if-match"] = f'"{self._version(path, 1)}"'
        query = tuple((name, self._filled(value, own=collection, but=path)) for name, value in example.query)
        return replace(example, path=path, json=body, headers=headers, query=query)

    async def send(self, example: Example, *, raw: bytes | None = None, headers: list[tuple[str, bytes]] | None = None) -> Answer:
        """Send it, remember the answer and what it tells of the service."""
        given = [(name.encode(), value.encode()) for name, value in example.headers.items()]
        kwargs: dict[str, Any] = {}
        if raw is not None:
            kwargs["content"] = raw
        elif example.files or example.form:
            kwargs["files"] = {name: (f"{name}.csv", content, "text/csv") for name, content in example.files.items()}
            kwargs["data"] = dict(example.form)
        elif example.content is not None:
            kwargs["content"] = example.content
        elif example.json is not None:
            kwargs["content"] = nasty.written(example.json)
            given.append((b"content-type", b"application/json"))
        if "files" in kwargs:
            # Made here: a spoilt content type would keep httpx from writing the form.
            form = httpx.Request("POST", "http://service", **kwargs)
            kwargs = {"content": form.read()}
            given.append((b"content-type", form.headers["content-type"].encode()))
        for name, value in headers or []:
            given = [(key, each) for key, each in given if key != name.encode()] + [(name.encode(), value)]
        url = quote(example.path, safe="/%")
        if example.query:
            url += "?" + "&".join(
                f"{quote(name)}={quote(value, safe='%', errors='surrogatepass')}" for name, value in example.query
            )
        self._defects.clear()
        began = time.monotonic()
        request = self._client.build_request(example.method, url, headers=given, **kwargs)
        async with asyncio.timeout(LONGEST_S):
            reply = await self._client.send(request)
        told = f"{example.method} {url[:200]} {kwargs or ''}"[:900] + (f" {headers}" if headers else "")
        answer = Answer(
            told,
            reply.status_code,
            reply.headers.get("content-type", ""),
            reply.content,
            time.monotonic() - began,
            self._defects[-1] if self._defects else None,
            "text/html" in request.headers.get("accept", "") or not example.path.startswith("/v1"),
        )
        self.answers.append(answer)
        if reply.is_success:
            self._learn(example.path, example.method, reply)
        return answer

    def _learn(self, path: str, method: str, reply: httpx.Response) -> None:
        self.worked.add((method, path))
        if not reply.content or not reply.headers.get("content-type", "").startswith("application/json"):
            return
        told = reply.json()
        items = told.get("items", [told]) if isinstance(told, dict) else told
        for item in items[:20] if isinstance(items, list) else []:
            if not isinstance(item, dict):
                continue
            # An object answers under its own path, or under its collection's.
            found = str(item.get("id", ""))
            if _ID.fullmatch(found):
                base = path.removesuffix(f"/{found}")
                if found not in self.ids[base]:
                    self.ids[base].append(found)
            if isinstance(item.get("version"), int):
                self.versions[path] = self.versions[f"{path}/{found}"] = item["version"]

    def _version(self, path: str, otherwise: int) -> Any:
        while path:
            if path in self.versions:
                return self.versions[path]
            path = path.rpartition("/")[0]
        return otherwise

    def _filled(self, text: str, *, own: str | None, but: str = "") -> str:
        """`own` is the collection of what no path names; `but` a path whose object it shall not be."""

        def chosen(match: re.Match[str]) -> str:
            collection = self._means.get(match[1]) or own or ""
            known = self.ids.get(collection) or self.ids.get(_VARIABLE.sub("", collection)) or self._elsewhere(collection)
            if not known:
                return str(uuid4())
            return self.rng.choice([each for each in known if each not in but][-5:] or known)

        return _VARIABLE.sub(chosen, text)

    def _elsewhere(self, collection: str) -> list[str]:
        """Ids of things of that name, wherever they were seen: `/v1/quotes` has those made under a deal."""
        name = collection.rpartition("/")[2]
        return [
            each
            for path, ids in self.ids.items()
            if path.rpartition("/")[2] == name or path.endswith(f"/{name.rstrip('s')}")
            for each in ids
        ]
