"""Files come in: whatever they look like, each row is taken once or refused with line, field and reason."""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from ltc_chassis.db import Database
from ltc_chassis.testing import Emitted
from ltc_chassis.timers import Timer

from lead_svc.handlers import imports
from lead_svc.tests.builders import import_form, timer

Emissions = Callable[[], Awaitable[list[Emitted]]]
Run = Callable[[Timer], Awaitable[int]]
IMPORT = timer("import-rows")
HEADER = "Ref,Channel,Source,Country\n"
CSV = HEADER + "r1,web,Google,DE\nr2,web,Google,Atlantis\nr3,web,,FR\n"
MAPPING = {"external_ref": "Ref", "channel": "Channel", "source": "Source", "country": "Country"}
NAMES = {"external_ref": "Ref", "company": "Company", "contact.name": "Name"}
DEFAULTS = {"channel": "fair", "source": "list"}


async def take(
    client: httpx.AsyncClient, run_timer: Run, csv: str | bytes, mapping: dict[str, str] = NAMES, **more: Any
) -> tuple[dict[str, Any], list[dict[str, Any]], list[dict[str, Any]]]:
    """Import a file; the finished import, its refusals and all leads."""
    encoding = more.pop("encoding", None)
    form = import_form(csv, mapping, **{"defaults": DEFAULTS, **more})
    if encoding:
        form["data"]["encoding"] = encoding
    reply = await client.post("/v1/imports", **form)
    assert reply.status_code == 202, reply.text
    await run_timer(IMPORT)
    path = f"/v1/imports/{reply.json()['id']}"
    errors = (await client.get(f"{path}/errors")).json()["items"]
    return (await client.get(path)).json(), errors, (await client.get("/v1/leads", params={"limit": 500})).json()["items"]


async def test_an_import_reports_every_row_it_could_not_take(
    client: httpx.AsyncClient, run_timer: Run, emitted: Emissions
) -> None:
    reply = await client.post("/v1/imports", **import_form(CSV, MAPPING))
    assert (reply.status_code, reply.json()["state"], reply.json()["total"]) == (202, "waiting", 3)
    path = f"/v1/imports/{reply.json()['id']}"
    await run_timer(IMPORT)
    done = (await client.get(path)).json()
    assert {name: done[name] for name in ("state", "imported", "duplicates", "refused")} == {
        "state": "done",
        "imported": 1,
        "duplicates": 0,
        "refused": 2,
    }
    errors = (await client.get(f"{path}/errors")).json()["items"]
    assert [(error["line"], error["field"]) for error in errors] == [(3, "country"), (4, "source")]
    assert [event.topic for event in await emitted()] == ["lead.captured", "lead.scored"]


async def test_importing_again_adds_nothing(client: httpx.AsyncClient, run_timer: Run) -> None:
    for expected in (2, 0):
        reply = await client.post("/v1/imports", **import_form(CSV, MAPPING, defaults={"source": "unknown"}))
        await run_timer(IMPORT)
        assert (await client.get(f"/v1/imports/{reply.json()['id']}")).json()["imported"] == expected


@pytest.mark.parametrize(
    ("csv", "mapping", "more", "field"),
    [
        (b"", MAPPING, {}, "file"),
        (b"\x00\x01", MAPPING, {}, "file"),
        (CSV, {**MAPPING, "country": "Land"}, {}, "mapping"),
        (CSV, {**MAPPING, "shoe_size": "Ref"}, {}, "mapping"),
        (CSV, {"channel": "Channel"}, {}, "mapping"),
        (CSV, MAPPING, {"nulls": "text"}, "nulls"),
        (CSV, MAPPING, {"defaults": {"source": 1}}, "defaults"),
    ],
)
async def test_a_file_or_mapping_that_makes_no_sense_is_refused_whole(
    client: httpx.AsyncClient, csv: str | bytes, mapping: dict[str, str], more: dict[str, Any], field: str
) -> None:
    reply = await client.post("/v1/imports", **import_form(csv, mapping, **more))
    assert (reply.status_code, reply.json()["field"]) == (400, field)


async def test_a_header_without_rows_is_an_empty_import(client: httpx.AsyncClient, run_timer: Run) -> None:
    reply = await client.post("/v1/imports", **import_form(HEADER, MAPPING))
    await run_timer(IMPORT)
    assert (await client.get(f"/v1/imports/{reply.json()['id']}")).json()["state"] == "done"
    assert (await client.get("/v1/imports/019b0000-0000-7000-8000-000000000000")).status_code == 404


def shown(leads: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(lead["company"], lead["contact"]["name"]) for lead in leads]


@pytest.mark.parametrize(
    ("encoding", "said"),
    [
        ("utf-8", None),
        ("utf-8-sig", None),
        ("utf-16", None),
        ("utf-16", "UTF-16"),
        ("utf-8", "utf-8"),
        ("cp1252", "windows-1252"),
        ("latin-1", "iso-8859-1"),
        ("gb18030", "GB18030"),
        ("gbk", "gbk"),
    ],
)
async def test_each_encoding_is_read_as_what_it_is(
    client: httpx.AsyncClient, run_timer: Run, encoding: str, said: str | None
) -> None:
    names = ("张三", "北京太阳能") if encoding.startswith("g") else ("Jürgen Müller", "Café Zürich")
    file = f"Ref;Name;Company\r\n1;{names[0]};{names[1]}\r\n".encode(encoding)
    done, _, leads = await take(client, run_timer, file, encoding=said)
    assert (done["imported"], shown(leads)) == (1, [(names[1], names[0])])


@pytest.mark.parametrize(
    ("file", "said", "field", "words"),
    [
        ("a\n1\nMüller\n".encode("cp1252"), None, "file", "line 3 is not UTF-8"),
        ("a\n张三\n".encode("gb18030"), None, "file", "line 2 is not UTF-8"),
        ("a\nMüller\n".encode("cp1252"), "utf-8", "file", "line 2 is not UTF-8"),
        ("a\nMüller\n".encode(), "windows-1252", "encoding", "is UTF-8"),
        (b"a\n\x81\x8d\n", "windows-1252", "file", "line 2 is not Windows-1252"),
        (b"a\n\xff\xff\n", "gb18030", "file", "line 2 is not GB18030"),
        ("a\nx\n".encode("utf-16")[:-1], None, "file", "not UTF-16"),
        ("a\nx\n".encode("utf-16-le"), None, "file", "byte order mark"),
        ("a\nx\n".encode("utf-16-le"), "utf-16", "file", "byte order mark"),
        ("a\nx\x00y\n".encode("utf-16"), None, "file", "line 2"),
        ("a\nx\n".encode("utf-32"), None, "file", "UTF-32"),
        (b"PK\x03\x04\x00", None, "file", "binary"),
        (b"a\nx\n", "klingon", "encoding", "gb18030"),
    ],
)
async def test_a_wrong_encoding_is_refused_in_words_before_anything_is_taken(
    client: httpx.AsyncClient, file: bytes, said: str | None, field: str, words: str
) -> None:
    form = import_form(file, {"company": "a"}, defaults=DEFAULTS)
    form["data"] |= {"encoding": said} if said else {}
    reply = await client.post("/v1/imports", **form)
    assert (reply.status_code, reply.json()["field"]) == (400, field)
    assert words in reply.json()["detail"]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
async def test_separators_quotes_and_newlines_in_cells_are_understood(
    client: httpx.AsyncClient, run_timer: Run, separator: str
) -> None:
    odd = f'"Rossi{separator} ""Figli"" & Co\r\nMilano"'
    file = separator.join(["Ref", '"Company"', "Name"]) + "\r\n" + separator.join(["1", odd, "Anna"]) + "\r\n\r\n"
    file += separator.join(["2", "x" * 201, "Bob"]) + "\r\n" + separator.join(["3", "Beta"]) + "\r\n"
    done, errors, leads = await take(client, run_timer, file)
    assert shown(leads) == [(f'Rossi{separator} "Figli" & Co\r\nMilano', "Anna")]
    assert [(error["line"], error["field"]) for error in errors] == [(5, "company"), (6, "row")]
    assert (done["imported"], done["refused"]) == (1, 2)


FORMULAS = [
    "=cmd|' /C calc'!A0",
    "+1+1",
    "-2+3",
    "@SUM(1)",
    '=HYPERLINK("http://x")',
    "<script>alert(1)</script>",
    "Ali & <b>Söhne</b>",
]


async def test_formulas_and_html_are_text_like_any_other(client: httpx.AsyncClient, run_timer: Run, emitted: Emissions) -> None:
    rows = "".join('{},"{}",Anna\n'.format(number, text.replace('"', '""')) for number, text in enumerate(FORMULAS))
    _, errors, leads = await take(client, run_timer, "Ref,Company,Name\n" + rows)
    assert ([lead["company"] for lead in leads], errors) == (FORMULAS, [])
    assert [event.event.company for event in await emitted() if event.topic == "lead.captured"] == FORMULAS


async def test_what_is_not_mapped_is_kept_as_an_attribute_within_bounds(client: httpx.AsyncClient, run_timer: Run) -> None:
    file = f"Ref,Company,Name,Note,,\n1,A,B,call back,x,y\n2,A,B,{'z' * 2001},,\n"
    _, errors, leads = await take(client, run_timer, file)
    assert [lead["attributes"] for lead in leads] == [{"Note": "call back"}]
    assert [(error["line"], error["field"]) for error in errors] == [(3, "Note")]


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("Ref,Company,Company", "twice"),
        (",,", "no header"),
        (",".join(f"c{n}" for n in range(301)), "columns"),
        ("Ref," + "x" * 201, "longer"),
    ],
)
async def test_a_header_that_cannot_be_meant_is_refused(client: httpx.AsyncClient, header: str, words: str) -> None:
    reply = await client.post("/v1/imports", **import_form(header + "\n1\n", {"external_ref": "Ref"}, defaults=DEFAULTS))
    assert (reply.status_code, reply.json()["field"]) == (400, "file")
    assert words in reply.json()["detail"]


async def test_a_default_that_is_no_value_is_refused_before_any_row(client: httpx.AsyncClient) -> None:
    reply = await client.post("/v1/imports", **import_form(CSV, MAPPING, defaults={"country": "Atlantis"}))
    assert (reply.status_code, reply.json()["field"]) == (400, "defaults")


async def test_a_file_beyond_the_limit_is_413_and_nothing_is_kept(client: httpx.AsyncClient, db: Database) -> None:
    line = b"1,web,Google,DE," + b"x" * 1000 + b"\n"
    for size in (20 * 1024 * 1024 + 1, 22 * 1024 * 1024):
        file = (b"Ref,Channel,Source,Country,Note\n" + line * (size // len(line) + 1))[:size]
        assert (await client.post("/v1/imports", **import_form(file, MAPPING))).status_code == 413
    async with db.connection() as conn:
        assert await conn.fetchval("SELECT count(*) FROM lead_import") == 0


async def test_a_reference_twice_in_a_file_is_one_lead(client: httpx.AsyncClient, run_timer: Run) -> None:
    done, _, leads = await take(client, run_timer, "Ref,Company,Name\n2,First,A\n1,Other,B\n2,Second,C\n")
    assert (done["imported"], done["duplicates"]) == (2, 1)
    assert {lead["company"] for lead in leads} == {"First", "Other"}


async def test_a_row_that_the_database_refuses_stops_no_other(client: httpx.AsyncClient, run_timer: Run, db: Database) -> None:
    async with db.connection() as conn:
        await conn.execute("ALTER TABLE lead ADD CHECK (company <> 'Poison')")
    rows = "".join(f"{number},{'Poison' if number in (3, 17) else 'Good'},A\n" for number in range(25))
    done, errors, leads = await take(client, run_timer, "Ref,Company,Name\n" + rows)
    assert (done["state"], done["imported"], len(leads)) == ("done", 23, 23)
    assert [(error["line"], error["field"]) for error in errors] == [(5, "row"), (19, "row")]


async def test_nothing_of_a_file_stays_when_its_leads_are_in(client: httpx.AsyncClient, run_timer: Run, db: Database) -> None:
    await take(client, run_timer, "Ref,Company,Name\n" + "1,A,B\n" * 3)
    async with db.connection() as conn:
        assert await conn.fetchval("SELECT count(*) FROM import_chunk") == 0


async def test_two_workers_at_once_take_each_row_once(client: httpx.AsyncClient, run_timer: Run, db: Database) -> None:
    first, second = (
        "Ref,Company,Name\n" + "".join(f"{n},A{n},B\n" for n in order) for order in (range(2500), range(2499, -1, -1))
    )
    for file in (first, second):
        await client.post("/v1/imports", **import_form(file, NAMES, defaults=DEFAULTS))
    await asyncio.gather(*(run_timer(IMPORT) for _ in range(3)))
    async with db.connection() as conn:
        row = await conn.fetchrow(
            "SELECT sum(imported) AS taken, sum(duplicates) AS known, bool_and(state = 'done') FROM lead_import"
        )
        assert tuple(row or ()) == (2500, 2500, True)
        assert await conn.fetchval("SELECT count(*) FROM lead") == 2500


async def test_an_import_rolled_back_in_the_middle_goes_on_where_it_was(
    db: Database, client: httpx.AsyncClient, run_timer: Run, emitted: Emissions
) -> None:
    rows = "".join(f"r{number},web,Google,DE\n" for number in range(4500))
    reply = await client.post("/v1/imports", **import_form(HEADER + rows, MAPPING))
    async with db.transaction() as tx:
        assert await imports.import_rows(tx) == 2000
    with pytest.raises(RuntimeError):
        await _fail_before_the_commit(db)
    await run_timer(IMPORT)
    done = (await client.get(f"/v1/imports/{reply.json()['id']}")).json()
    assert (done["state"], done["imported"], done["duplicates"]) == ("done", 4500, 0)
    assert len({event.event.external_ref for event in await emitted() if event.topic == "lead.captured"}) == 4500


async def _fail_before_the_commit(db: Database) -> None:
    async with db.transaction() as tx:
        await imports.import_rows(tx)
        raise RuntimeError("before the commit")


@pytest.mark.timeout(300)
async def test_a_process_killed_while_it_imports_costs_no_row_and_doubles_none(
    db: Database, client: httpx.AsyncClient, run_timer: Run, emitted: Emissions
) -> None:
    total = 6000
    rows = "".join(f"r{number},web,Google,DE\n" for number in range(total))
    path = "/v1/imports/" + (await client.post("/v1/imports", **import_form(HEADER + rows, MAPPING))).json()["id"]
    for at_least in (1, 3000):
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "lead_svc.tests.import_child", stderr=asyncio.subprocess.PIPE, env={**os.environ}
        )
        while (await client.get(path)).json()["processed"] < at_least:
            assert child.returncode is None, (await child.communicate())[1]
            await asyncio.sleep(0.005)
        child.send_signal(signal.SIGKILL)
        await child.communicate()
    before = (await client.get(path)).json()
    assert before["state"] == "running"
    await run_timer(IMPORT)
    done = (await client.get(path)).json()
    assert (done["state"], done["imported"], done["duplicates"], done["refused"]) == ("done", total, 0, 0)
    async with db.connection() as conn:
        assert await conn.fetchval("SELECT count(*) FROM lead") == total
    told = [event.event.external_ref for event in await emitted() if event.topic == "lead.captured"]
    assert (len(told), len(set(told))) == (total, total)


@pytest.mark.timeout(300)
async def test_a_hundred_thousand_rows_come_in(client: httpx.AsyncClient, run_timer: Run) -> None:
    rows = "".join(f"r{number % 20_000},web,Google,{'DE' if number % 1000 else 'Atlantis'}\n" for number in range(100_000))
    reply = await client.post("/v1/imports", **import_form(HEADER + rows, MAPPING))
    assert reply.json()["total"] == 100_000
    await run_timer(IMPORT)
    done = (await client.get(f"/v1/imports/{reply.json()['id']}")).json()
    assert (done["state"], done["imported"], done["duplicates"], done["refused"]) == ("done", 19_980, 79_920, 100)
