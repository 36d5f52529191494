"""A person asks for a copy of what is known of them."""

import io
import json
import secrets
import zipfile
from pathlib import Path
from typing import Any

import httpx
import pytest
from ltc_chassis.clock import FixedClock
from ltc_chassis.db import Database

from lead_svc.store import privacy as store
from lead_svc.tests.builders import capture
from lead_svc.tests.journeys import Nurture
from lead_svc.tests.persons import ADDRESS, CONTACT, DELETE, EXPORT, NAME, REQUESTS, Persons, Run, known_everywhere


def unpack(content: bytes) -> tuple[dict[str, Any], str]:
    with zipfile.ZipFile(io.BytesIO(content)) as packed:
        assert packed.testzip() is None
        return json.loads(packed.read("data.json")), packed.read("index.html").decode()


async def file_of(persons: Persons, request: dict[str, Any]) -> tuple[dict[str, Any], str]:
    reply = await persons.client.get(f"{REQUESTS}/{request['id']}/file")
    assert (reply.status_code, reply.headers["content-type"]) == (200, "application/zip")
    assert reply.headers["cache-control"] == "no-store"
    return unpack(reply.content)


async def test_a_copy_has_what_every_table_knows_of_the_person_and_nothing_of_anybody_else(
    nurture: Nurture, persons: Persons, run_timer: Run, db: Database
) -> None:
    lead_id, visitor = await known_everywhere(nurture, run_timer, db)
    await capture(persons.client, contact={"name": "Bert Other", "email": "bert@other.example", "phone": CONTACT["phone"]})
    done = await persons.export()
    data, page = await file_of(persons, done)
    tables = {name: each["rows"] for name, each in data["tables"].items()}
    assert {"lead", "lead_key", "lead_consent", "lead_change", "touch", "page_view", "visitor", "mail", "activity"} <= set(tables)
    assert {"manual_score", "nurture_enrolment", "nurture_delivery", "mail_reply", "disqualification", "lead_merge"} <= set(
        tables
    )
    leads = {each["id"]: each for each in tables["lead"]}
    assert (len(leads), leads[lead_id]["contact"]["name"], leads[lead_id]["custom"]) == (2, NAME, {"hobby": "Zyxanna's"})
    assert tables["touch"][0]["click_ids"] == {"gclid": "Zyxanna1"}
    assert tables["visitor"][0]["id"] == visitor
    assert any("Zyxanna" in each["text"] for each in tables["mail"])
    assert tables["lead_consent"][0]["evidence"] == {"ip": "192.0.2.1"}
    text = json.dumps(data)
    assert "bert" not in text.lower()
    # Who of the company did it is the company's own record.
    assert not [name for row in tables["manual_score"] for name in row if name in ("set_by", "ended_by")]
    assert "owner" not in leads[lead_id]
    assert done["outcome"]["rows"] == {name: len(rows) for name, rows in tables.items()}
    assert NAME in page
    assert "complain to a data protection" in page


async def test_a_page_to_read_runs_nothing_that_a_person_wrote(persons: Persons) -> None:
    await capture(persons.client, contact={"email": ADDRESS, "name": "<script>alert(1)</script>"})
    _, page = await file_of(persons, await persons.export())
    assert "<script" not in page
    assert "&lt;script&gt;" in page


async def test_a_link_gives_the_file_to_the_person_until_it_is_deleted(
    persons: Persons, anonymous: httpx.AsyncClient, clock: FixedClock
) -> None:
    await capture(persons.client, contact=CONTACT)
    request = await persons.ask("export")
    assert (await persons.client.post(f"{REQUESTS}/{request['id']}/link")).status_code == 409
    assert (await persons.client.get(f"{REQUESTS}/{request['id']}/file")).status_code == 409
    await persons.confirm(request)
    await persons.run(EXPORT)
    made = (await persons.client.post(f"{REQUESTS}/{request['id']}/link")).json()
    path = made["url"].removeprefix("http://service")
    assert unpack((await anonymous.get(path)).content)[0]["request"] == request["id"]
    assert (await anonymous.get(path[:-3] + "abc")).status_code == 404
    assert (await anonymous.get(f"{REQUESTS}/{request['id']}/file")).status_code == 401
    moves = (await persons.client.get(f"{REQUESTS}/{request['id']}/history")).json()
    assert [(each["move"], each["by"]) for each in moves][-2:] == [("link", "test"), ("download", "person")]
    clock.advance(days=13, hours=23)
    assert (await anonymous.get(path)).status_code == 200
    clock.advance(hours=2)
    assert (await anonymous.get(path)).status_code == 410
    assert await persons.run(DELETE) == 1
    gone = await persons.client.get(f"{REQUESTS}/{request['id']}/file")
    assert (gone.status_code, gone.json()["type"]) == (410, "urn:ltc:problem:file-gone")
    assert await persons.run(DELETE) == 0
    assert (await persons.get(request))["file"] is None


async def test_an_erasure_takes_the_copies_with_it(persons: Persons) -> None:
    await capture(persons.client, contact=CONTACT)
    done = await persons.export()
    assert (await persons.get(done))["file"]["size"] > 0
    await persons.erase()
    assert (await persons.client.get(f"{REQUESTS}/{done['id']}/file")).status_code == 410
    assert await persons.traces() == []
    empty = await persons.export()
    data, _ = await file_of(persons, empty)
    assert set(data["tables"]) <= {"privacy_request", "mail_suppression"}
    assert [each["state"] for each in data["tables"]["privacy_request"]["rows"]].count("done") == 2


async def test_an_export_that_crashes_is_made_anew(persons: Persons, monkeypatch: pytest.MonkeyPatch) -> None:
    await capture(persons.client, contact=CONTACT)
    request = await persons.ask("export")
    await persons.confirm(request)

    async def dies(*_: Any, **__: Any) -> None:
        raise ConnectionError

    with monkeypatch.context() as broken:
        broken.setattr(store, "insert_file", dies)
        with pytest.raises(ConnectionError):
            await persons.run(EXPORT)
    assert (await persons.get(request))["state"] == "confirmed"
    assert await persons.run(EXPORT) == 1
    assert len((await file_of(persons, request))[0]["tables"]["lead"]["rows"]) == 1


async def test_a_request_is_still_found_after_the_key_was_changed(
    persons: Persons, secrets_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ltc_chassis.secrets._FRESH_S", 0.0)
    done = await persons.export()
    old = (secrets_dir / "person-key").read_text()
    (secrets_dir / "person-key.previous").write_text(old)
    (secrets_dir / "person-key").write_text(secrets.token_hex(32))
    found = (await persons.client.post(f"{REQUESTS}/look-up", json={"email": ADDRESS})).json()
    assert [each["id"] for each in found] == [done["id"]]
    (secrets_dir / "person-key.previous").unlink()
    assert (await persons.client.post(f"{REQUESTS}/look-up", json={"email": ADDRESS})).json() == []


async def test_without_the_key_requests_are_refused_with_the_reason(client: httpx.AsyncClient) -> None:
    reply = await client.post(REQUESTS, json={"kind": "export", "email": ADDRESS})
    assert reply.status_code < 500
    assert "person-key" in reply.json()["detail"]
