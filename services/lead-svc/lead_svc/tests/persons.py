"""What the tests of a person's requests share: a person of whom much is known, and requests."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import httpx
from ltc_chassis.db import Database
from ltc_chassis.ids import new_id
from ltc_chassis.timers import Timer

from lead_svc.tests import builders
from lead_svc.tests.builders import capture, import_form, timer
from lead_svc.tests.journeys import Nurture

REQUESTS = "/v1/privacy/requests"
ERASE, EXPORT, DELETE = timer("erase-persons"), timer("export-persons"), timer("delete-exports")
# Whatever holds one of these in whatever case is about the person.
ADDRESS, NAME, PHONE = "Zyxanna@Quux.example", "Zyxanna Quuxova", "+49 30 7654321"
MARKS = ("zyxanna", "quux", "7654321")
CONTACT = {"name": NAME, "email": ADDRESS, "phone": PHONE}
Run = Callable[[Timer], Awaitable[int]]


@dataclass
class Persons:
    """Requests over HTTP."""

    client: httpx.AsyncClient
    run: Run
    db: Database

    async def ask(self, kind: str = "erase", **given: Any) -> dict[str, Any]:
        reply = await self.client.post(REQUESTS, json={"kind": kind, **(given or {"email": ADDRESS})})
        assert reply.status_code == 201, reply.text
        return dict(reply.json())

    async def preview(self, request: dict[str, Any]) -> dict[str, Any]:
        reply = await self.client.post(f"{REQUESTS}/{request['id']}/preview")
        assert reply.status_code == 200, reply.text
        return dict(reply.json())

    async def confirm(self, request: dict[str, Any]) -> httpx.Response:
        body = {"identity": "answered_from_address", "digest": request["digest"]}
        return await self.client.post(f"{REQUESTS}/{request['id']}/confirm", json=body)

    async def get(self, request: dict[str, Any]) -> dict[str, Any]:
        return dict((await self.client.get(f"{REQUESTS}/{request['id']}")).json())

    async def erase(self, **given: Any) -> dict[str, Any]:
        """Ask, look, confirm, and let it be done."""
        request = await self.preview(await self.ask(**given))
        assert (await self.confirm(request)).status_code == 202
        await self.run(ERASE)
        done = await self.get(request)
        assert done["state"] == "done", done
        return done

    async def export(self, **given: Any) -> dict[str, Any]:
        request = await self.ask("export", **given)
        assert (await self.confirm(request)).status_code == 202
        await self.run(EXPORT)
        done = await self.get(request)
        assert done["state"] == "done", done
        return done

    async def traces(self, *marks: str) -> list[str]:
        """Where in the whole database something of the person stands, whether as text, JSON or bytes."""
        wanted = [mark.lower() for mark in (*MARKS, *marks)]
        wanted += [mark.encode().hex() for mark in wanted]
        found = []
        async with self.db.connection() as conn:
            tables = await conn.fetch(
                "SELECT relname AS name FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' ORDER BY 1"
            )
            for (name,) in tables:
                for row in await conn.fetch(f'SELECT to_jsonb(t)::text AS line FROM "{name}" t'):  # noqa: S608 - names of the catalogue
                    found += [f"{name}: {row['line'][:500]}" for mark in wanted if mark in row["line"].lower()]
        return found


async def known_everywhere(nurture: Nurture, run: Run, db: Database) -> tuple[str, str]:
    """A person of whom every part of the service knows something: two leads, one merged into the other. The survivor and its visitor."""
    client = nurture.client
    await client.post("/v1/sites", json={"key": "shop", "name": "Shop", "hosts": ["www.shop.example"]})
    agent = "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"
    browser = {"origin": "https://www.shop.example", "user-agent": agent, "content-type": "text/plain"}
    visitor = str(new_id())
    page = {"site": "shop", "url": "https://www.shop.example/prices?utm_source=ads&gclid=Zyxanna1", "visitor": visitor}
    seen = await client.post("/t", content=json.dumps(page), headers=browser)
    assert seen.status_code < 300, seen.text
    field = {"entity": "lead", "key": "hobby", "label": "Hobby", "type": "text", "personal": True}
    assert (await client.post("/v1/custom-fields", json=field)).status_code == 201
    more = {
        "contact": CONTACT,
        "country": "DE",
        "industry": "software",
        "company": "Rossi Consulting",
        "website": "https://quux.example",
    }
    given = {
        "channel": "web",
        "source": "ads",
        "visitor_id": visitor,
        "external_ref": "quux-1",
        **more,
        "custom": {"hobby": "Zyxanna's"},
    }
    made = await client.post("/v1/leads", json=given, headers={"Idempotency-Key": "capture-1"})
    assert made.status_code == 201, made.text
    lead_id = made.json()["id"]
    other = await capture(
        client, contact={**CONTACT, "email": "ZYXANNA+news@quux.example"}, country="DE", company="Rossi", campaign="x"
    )
    merged = await client.post(f"/v1/leads/{other}/merge", json={"into": lead_id})
    assert merged.status_code == 200, merged.text
    await nurture.agree(lead_id)
    await nurture.journey()
    await nurture.enrol(lead_id)
    await nurture.work()
    score = {"value": 80, "reason": "Zyxanna called"}
    assert (await client.put(f"/v1/leads/{lead_id}/score/manual", json=score)).status_code < 300
    reply = {"from": ADDRESS, "message_id": "<1@quux.example>"}
    assert (await client.post("/v1/mail-replies", json=reply)).status_code == 200
    lead = (await client.get(f"/v1/leads/{lead_id}")).json()
    changed = {"version": lead["version"], "company": "Rossi Advice"}
    assert (await client.patch(f"/v1/leads/{lead_id}", json=changed)).status_code == 200
    csv = f"Company,Email,Size\nRossi,{ADDRESS},many\n"
    mapping = {"company": "Company", "contact.email": "Email", "company_size": "Size"}
    imported = await client.post("/v1/imports", **import_form(csv, mapping, defaults={"channel": "web", "source": "list"}))
    assert imported.status_code < 300, imported.text
    await run(builders.timer("import-rows"))
    async with db.transaction() as tx:
        await tx.conn.execute(
            """
            INSERT INTO import_error (id, import_id, line, field, reason) VALUES (gen_random_uuid(), $1, 9, 'x', 'Zyxanna@quux.example is odd')
            """,
            imported.json()["id"],
        )
        await tx.conn.execute(
            """
            INSERT INTO parked (topic, partition, "offset", published_at, header_names, header_values, value, flow_id, state, reason, error)
            VALUES ('opportunity.lost', 0, 1, now(), '{}', '{}', $1, $2, 'dead', 'error', 'input_value=Zyxanna')
            """,
            b'{"reason": "Zyxanna has no money", "stage": "proposal"}',
            lead["flow_id"],
        )
    wait = await client.post(f"/v1/leads/{lead_id}/disqualify", json={"code": "other", "reason": "Zyxanna is not nice"})
    assert wait.status_code == 200, wait.text
    return lead_id, visitor
