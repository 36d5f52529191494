"""Leads at a size that hurts: a million of them, then duplicate checks, claims, single captures, bulk requests and imports over HTTP."""

import asyncio
import json
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx
from ltc_chassis.connection import DirectConnection
from ltc_chassis.db import connect
from ltc_chassis.ids import new_id
from ltc_cli.stack import Stack

from bench.load import each, get, post
from bench.report import Row, percentile
from bench.rig import serve

_ROWS_A_CALL = 1000


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured: leads that are there, single requests, rows by bulk and by file."""

    leads: int
    looks: int
    captures: int
    rows: int


FULL = Size(1_000_000, 400, 3_000, 30_000)
SHORT = Size(50_000, 100, 500, 5_000)

# A vocabulary of 50,000 words that sound like some, used as words are (the rank of a word is log-uniform: few very often, many rarely).
_FILL = (
    "SELECT setseed(0.5)",
    """
    CREATE TEMP TABLE word AS
    SELECT rank, string_agg(substr(CASE place % 2 WHEN 0 THEN 'nnrrsssttllmmddkgbfhpvwcz' ELSE 'eeeaaiioouy' END,
                                   1 + get_byte(decode(md5(rank::text), 'hex'), place) % CASE place % 2 WHEN 0 THEN 25 ELSE 11 END, 1),
                            '' ORDER BY place) AS word
    FROM generate_series(1, 50000) AS rank, generate_series(0, 3 + rank % 5) AS place GROUP BY rank
    """,
    """
    CREATE TEMP TABLE drawn AS
    SELECT n, ceil(power(50000, random()))::int AS a, ceil(power(50000, random()))::int AS b, ceil(power(50000, random()))::int AS c,
           ceil(power(50000, random()))::int AS d
    FROM generate_series(1, $1::int) AS n
    """,
    """
    CREATE TEMP TABLE made AS
    SELECT gen_random_uuid() AS id, gen_random_uuid() AS flow_id, n, initcap(a.word || ' ' || b.word) AS company,
           initcap(c.word || ' ' || d.word) AS person
    FROM drawn JOIN word a ON a.rank = drawn.a JOIN word b ON b.rank = drawn.b JOIN word c ON c.rank = drawn.c
    JOIN word d ON d.rank = drawn.d
    """,
    """
    INSERT INTO lead (id, flow_id, status, captured_via, channel, source, company, country, contact, attributes, version, created_at,
                      updated_at)
    SELECT id, flow_id, 'new', 'csv', 'web', 'bench', company, 'DE',
           jsonb_build_object('name', person, 'email', format('p%s@c%s.example', n, n / 4), 'phone', NULL), '{}', 1, now(), now()
    FROM made
    """,
    """
    INSERT INTO lead_key (kind, value, lead_id)
    SELECT 'email', format('p%s@c%s.example', n, n / 4), id FROM made
    UNION ALL SELECT 'domain', format('c%s.example', n / 4), id FROM made
    UNION ALL SELECT 'phone', '+4930' || (1000000 + n / 2), id FROM made
    UNION ALL SELECT 'name', lower(company || ' ' || person), id FROM made
    """,
    """
    INSERT INTO lead_score (lead_id, band, ceiling, rule_version, next_look_at)
    SELECT id, 'cold', 0, (SELECT version FROM score_rule ORDER BY valid_from DESC LIMIT 1), NULL FROM made
    """,
    "DROP TABLE made, drawn, word",
)
_WITHOUT_INDEXES = (
    """
    CREATE TEMP TABLE made_later AS
    SELECT indexrelid::regclass::text AS name, pg_get_indexdef(indexrelid) AS made_by FROM pg_index
    WHERE indrelid IN ('lead'::regclass, 'lead_key'::regclass, 'lead_score'::regclass) AND NOT indisunique
    """,
    """
    DO $$ DECLARE i record; BEGIN
        FOR i IN SELECT name FROM made_later LOOP EXECUTE 'DROP INDEX ' || i.name; END LOOP;
    END $$
    """,
)
_WITH_INDEXES = (
    "SET maintenance_work_mem = '512MB'",
    """
    DO $$ DECLARE i record; BEGIN
        FOR i IN SELECT made_by FROM made_later LOOP EXECUTE i.made_by; END LOOP;
    END $$
    """,
    "DROP TABLE made_later",
    "VACUUM ANALYZE lead",
    "VACUUM ANALYZE lead_key",
    "VACUUM ANALYZE lead_score",
)
# What the service wrote for some leads, and the same by hand. In this order, since the later ones point to the first.
_READ = {
    "lead": """
        SELECT id, flow_id, status, captured_via, channel, source, company, country, external_ref, contact, attributes,
               version, created_at, updated_at, classified, custom
        FROM lead WHERE external_ref = ANY($1::text[])
    """,
    "lead_key": """
        SELECT kind, value, lead_id
        FROM lead_key WHERE lead_id = ANY($1::uuid[])
    """,
    "lead_score": """
        SELECT lead_id, band, ceiling, rule_version, next_look_at
        FROM lead_score WHERE lead_id = ANY($1::uuid[])
    """,
    "outbox": """
        SELECT id, aggregatetype, aggregateid, type, payload, shard, source, subject, sequence, time, recordedtime,
               dataschema, flowid, parentflowid, causationid, correlationid, traceparent, tracestate
        FROM outbox WHERE subject = ANY($1::text[])
    """,
}
_WRITE = {
    "lead": """
        INSERT INTO lead (id, flow_id, status, captured_via, channel, source, company, country, external_ref, contact,
               attributes, version, created_at, updated_at, classified, custom)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
    """,
    "lead_key": """
        INSERT INTO lead_key (kind, value, lead_id)
        VALUES ($1, $2, $3)
    """,
    "lead_score": """
        INSERT INTO lead_score (lead_id, band, ceiling, rule_version, next_look_at)
        VALUES ($1, $2, $3, $4, $5)
    """,
    "outbox": """
        INSERT INTO outbox (id, aggregatetype, aggregateid, type, payload, shard, source, subject, sequence, time,
               recordedtime, dataschema, flowid, parentflowid, causationid, correlationid, traceparent, tracestate)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
    """,
}


async def leads(stack: Stack, *, size: Size = FULL) -> list[Row]:
    """What a lead costs among a million others; beside it the same rows, or the same look, by bare asyncpg."""
    conn = await connect(stack.dsn("lead"), application="bench")
    await _fill(conn, size.leads)
    ids: list[UUID] = [
        row["id"] for row in await conn.fetch("SELECT id FROM lead ORDER BY md5(id::text) LIMIT $1", 2 * size.looks, timeout=120)
    ]
    rows: list[Row] = []
    async with serve(stack, "lead_svc", stack.dsn("lead"), {"LTC_KAFKA_BOOTSTRAP": ""}) as alone:
        rows += await _looks(conn, alone.url, stack.token(), ids, size)
        rows += await _captures(conn, alone.url, stack, size)
        rows += await _many(conn, alone.url, stack, size, "without a relay")
    await conn.execute("TRUNCATE outbox")
    async with serve(stack, "lead_svc", stack.dsn("lead")) as relaying:
        rows += await _many(conn, relaying.url, stack, size, "with its relay")
    await conn.close()
    return rows


async def _fill(conn: DirectConnection, count: int) -> None:
    """Leads with their keys and scores; indexes are made when all are there, which takes a third of the time."""
    for statement in (*_WITHOUT_INDEXES, *_FILL, *_WITH_INDEXES):
        await conn.execute(statement, *([count] if "$1" in statement else []), timeout=600)


async def _looks(conn: DirectConnection, url: str, token: str, ids: Sequence[UUID], size: Size) -> list[Row]:
    """Duplicate checks and claims of leads drawn at random, one at a time; beside a look for one key by its index."""
    bare = []
    for lead_id in ids[: size.looks]:
        began = time.perf_counter()
        await conn.fetch(
            "SELECT lead_id FROM lead_key WHERE kind = 'email' AND value = $1", f"p{lead_id.int % size.leads}@x.example"
        )
        bare.append(time.perf_counter() - began)
    checks = [get(f"/v1/leads/{lead_id}/duplicates", token) for lead_id in ids[: size.looks]]
    checked = await each(url, checks, connections=1)
    claims = [
        post(f"/v1/leads/{lead_id}/claim", json.dumps({"rep": f"rep{number}"}).encode(), token)
        for number, lead_id in enumerate(ids[size.looks :])
    ]
    # A claim may meet a lead that an earlier one protects: that answer is as good a look.
    claimed = await each(url, claims, connections=1, allowed=(201, 409))
    return [
        _latency(f"duplicate check among {size.leads:,} leads", checked.seconds, bare, "a bare look for one key", 0.050),
        _latency(f"claim among {size.leads:,} leads", claimed.seconds, bare, "a bare look for one key", None),
    ]


async def _captures(conn: DirectConnection, url: str, stack: Stack, size: Size) -> list[Row]:
    """Single leads: how long one takes, how many a second; beside the same rows by bare asyncpg, a transaction per lead."""
    requests = [post("/v1/leads", json.dumps(_lead("s", number)).encode(), stack.token()) for number in range(size.captures)]
    few = size.captures // 10
    alone = await each(url, requests[:few], connections=1)
    busy = await each(url, requests[few:], connections=16)
    copied = await _written(conn, [f"s-{number}" for number in range(few, size.captures)])
    bare = await _copy(stack.dsn("lead"), copied, connections=10, leads_a_transaction=1)
    rate = len(busy.seconds) / busy.took
    p50, p99 = (percentile(alone.seconds, part) * 1000 for part in (0.5, 0.99))
    return [
        Row(
            f"HTTP capture of a lead among {size.leads:,}",
            f"{rate:,.0f}/s; p50 {p50:.1f} ms, p99 {p99:.1f} ms",
            f"{rate / bare:.0%} of the same rows by bare asyncpg ({bare:,.0f}/s)",
        )
    ]


async def _many(conn: DirectConnection, url: str, stack: Stack, size: Size, how: str) -> list[Row]:
    """Bulk requests on two connections and a file; beside the same rows by bare asyncpg, copied on two connections."""
    part = "a" if how.startswith("without") else "r"
    calls = [
        post(
            "/v1/leads/bulk",
            json.dumps({"leads": [_lead(part, number) for number in range(start, start + _ROWS_A_CALL)]}).encode(),
            stack.token(),
        )
        for start in range(0, size.rows, _ROWS_A_CALL)
    ]
    bulk = size.rows / (await each(url, calls, connections=2)).took
    bare = 0.0
    if part == "a":
        copied = await _written(conn, [f"{part}-{number}" for number in range(size.rows)])
        bare = await _copy(stack.dsn("lead"), copied, connections=2, leads_a_transaction=_ROWS_A_CALL)
    csv = await _import(url, stack.token(), f"{part}f", size.rows)
    return [
        Row(
            f"{what} of {size.rows:,} leads, {how}",
            f"{speed:,.0f}/s",
            f"{speed / bare:.0%} of the same rows copied by bare asyncpg ({bare:,.0f}/s)" if bare else "",
            ">= 5,000/s",
            speed >= 5_000,
        )
        for what, speed in (("bulk capture (JSON)", bulk), ("bulk capture (CSV)", csv))
    ]


def _word(draw: random.Random) -> str:
    """As in the vocabulary of those that are there: a few words very often, many rarely."""
    sounds = random.Random(int(50_000 ** draw.random()))
    return "".join(sounds.choice("nrstlmdkgbfhpvwcz") + sounds.choice("eaioouy") for _ in range(2 + sounds.randrange(3)))


def _lead(part: str, number: int) -> dict[str, Any]:
    draw = random.Random(f"{part}{number}")
    company, person = (f"{_word(draw)} {_word(draw)}".title() for _ in range(2))
    contact = {"name": person, "email": f"{part}{number}@b{part}{number // 4}.example", "phone": f"030 {2000000 + number}"}
    return {
        "external_ref": f"{part}-{number}",
        "channel": "web",
        "source": "bench",
        "company": company,
        "country": "DE",
        "contact": contact,
    }


async def _import(url: str, token: str, part: str, rows: int) -> float:
    """Rows a second from the upload to the last row's commit."""
    columns = ("external_ref", "channel", "source", "company", "country", "contact.name", "contact.email", "contact.phone")
    lines = [",".join(columns)]
    for number in range(rows):
        lead = _lead(part, number)
        lines.append(",".join([*(lead[name] for name in columns[:5]), *(lead["contact"][name[8:]] for name in columns[5:])]))
    file = "\n".join(lines).encode()
    async with httpx.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=60) as http:
        began = time.perf_counter()
        reply = await http.post(
            "/v1/imports",
            files={"file": ("leads.csv", file, "text/csv")},
            data={"mapping": json.dumps({name: name for name in columns})},
        )
        path = f"/v1/imports/{reply.raise_for_status().json()['id']}"
        while (job := (await http.get(path)).json())["state"] != "done":
            await asyncio.sleep(0.1)
        if job["imported"] != rows:
            raise RuntimeError(f"{job['imported']} of {rows} rows came in")
        return rows / (time.perf_counter() - began)


Written = list[dict[str, list[tuple[Any, ...]]]]


async def _written(conn: DirectConnection, references: Sequence[str]) -> Written:
    """What the service wrote for these leads, a table at a time, as it would be for others: other ids, references and addresses."""
    found: dict[UUID, dict[str, list[tuple[Any, ...]]]] = {}
    for row in await conn.fetch(_READ["lead"], list(references)):
        values = dict(row) | {"id": new_id(), "flow_id": new_id(), "external_ref": f"{row['external_ref']}-bare"}
        found[row["id"]] = {"lead": [tuple(values.values())], "lead_key": [], "lead_score": [], "outbox": []}
    for row in await conn.fetch(_READ["lead_key"], list(found)):
        mine = found[row["lead_id"]]
        mine["lead_key"].append((row["kind"], f"{row['value']}x", mine["lead"][0][0]))
    for row in await conn.fetch(_READ["lead_score"], list(found)):
        mine = found[row["lead_id"]]
        mine["lead_score"].append((mine["lead"][0][0], *tuple(row)[1:]))
    subjects = {str(lead_id): lead_id for lead_id in found}
    for row in await conn.fetch(_READ["outbox"], list(subjects)):
        found[subjects[row["subject"]]]["outbox"].append(tuple(row))
    return list(found.values())


async def _copy(dsn: str, written: Written, *, connections: int, leads_a_transaction: int) -> float:
    """Leads a second when nothing is parsed, checked or decided."""
    batches = []
    for start in range(0, len(written), leads_a_transaction):
        part = written[start : start + leads_a_transaction]
        batches.append({table: [row for one in part for row in one[table]] for table in _WRITE})
    opened = [await connect(dsn, application="bare") for _ in range(connections)]

    async def run(one: DirectConnection) -> None:
        while batches:
            batch = batches.pop()
            async with one.transaction():
                for table, statement in _WRITE.items():
                    if leads_a_transaction > 1:
                        await one.copy_records_to_table(table, records=batch[table], columns=_names(statement))
                    else:
                        await one.executemany(statement, batch[table])

    began = time.perf_counter()
    await asyncio.gather(*(run(one) for one in opened))
    speed = len(written) / (time.perf_counter() - began)
    for one in opened:
        await one.close()
    return speed


def _names(statement: str) -> list[str]:
    """The columns that an INSERT names."""
    return [name.strip() for name in statement.partition("(")[2].partition(")")[0].split(",")]


def _latency(path: str, took: Sequence[float], bare: Sequence[float], what: str, limit: float | None) -> Row:
    p50, p99, bare50, bare99 = (percentile(list(values), part) * 1000 for values in (took, bare) for part in (0.5, 0.99))
    return Row(
        path,
        f"p50 {p50:.1f} ms, p99 {p99:.1f} ms",
        f"{len(took)} over HTTP; {what}: p50 {bare50:.1f} ms, p99 {bare99:.1f} ms ({p50 / bare50:.1f}x)",
        "" if limit is None else f"p99 <= {limit * 1000:.0f} ms",
        None if limit is None else p99 <= limit * 1000,
    )
