"""The verbs of imports: take a file, then work through it a chunk per transaction, so that a kill costs no row and doubles none."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import replace
from uuid import UUID

from ltc_chassis import custom_fields
from ltc_chassis.db import Transaction, is_refused
from ltc_chassis.ids import new_id
from ltc_contracts.errors import DomainError
from ltc_rules import custom_fields as fields
from ltc_rules.tables import Record, read_table

from sales_svc.domain.account import AccountExists
from sales_svc.domain.past_deal import Ids, PastDeal, past_deal
from sales_svc.domain.pipeline import Pipeline
from sales_svc.domain.rows import CUSTOM, Kind, Layout, Reader, Refusal, Row
from sales_svc.handlers import accounts as account_verbs
from sales_svc.handlers.opportunities import usable_pipeline
from sales_svc.store import accounts, imports, opportunities, reps
from sales_svc.store.imports import Import
from sales_svc.store.reps import Rep

CHUNK = 500


async def take_file(
    tx: Transaction, kind: Kind, *, file_name: str, file: bytes, encoding: str | None, layout: Layout, by: str
) -> Import:
    """Keep a file to import, in chunks; raises `Invalid` when nothing in it could be imported."""
    table = await asyncio.to_thread(read_table, file, encoding)
    Reader(kind, table.header, layout, await _fields(tx, kind))
    job = Import(new_id(), kind, file_name, table.header, layout, "waiting", 0, 0, 0, 0, 0, by, tx.now, None)
    await imports.insert_import(tx.conn, job)
    for number in itertools.count():
        # In a thread, a chunk at a time: other requests go on while a large file is read.
        records = await asyncio.to_thread(_next, table.records)
        if not records:
            break
        await imports.insert_chunk(tx.conn, job.id, number, records)
    return await imports.get_import(tx.conn, job.id)


async def import_chunk(tx: Transaction) -> int:
    """The next rows of the oldest unfinished file; the number handled, 0 when there is none."""
    job = await imports.claim_import(tx.conn)
    if job is None:
        return 0
    records = await imports.take_chunk(tx.conn, job.id)
    reader = Reader(job.kind, job.header, job.layout, await _fields(tx, job.kind))
    read = [reader.read(record.line, record.cells) for record in records]
    rows = [row for row in read if isinstance(row, Row)]
    refused = [row for row in read if isinstance(row, Refusal)]
    imported, spoiled = await _take(tx, _TAKERS[job.kind], rows, job)
    await imports.insert_refusals(tx.conn, job.id, sorted([*refused, *spoiled], key=lambda refusal: refusal.line))
    await imports.advance_import(
        tx.conn,
        job.id,
        imported=imported,
        duplicates=len(rows) - imported - len(spoiled),
        refused=len(refused) + len(spoiled),
        now=tx.now,
    )
    return max(len(records), 1)


async def _fields(tx: Transaction, kind: Kind) -> list[fields.FieldDef]:
    entity = CUSTOM[kind]
    return await custom_fields.load(tx.conn, entity) if entity else []


def _next(records: Iterator[Record]) -> list[Record]:
    return list(itertools.islice(records, CHUNK))


Taker = Callable[[Transaction, Sequence[Row], Import], Awaitable[int]]


async def _take(tx: Transaction, taker: Taker, rows: Sequence[Row], job: Import) -> tuple[int, list[Refusal]]:
    """How many of the rows are new. A row that the database or a rule refuses is found by halving; it stops no other."""
    if not rows:
        return 0, []
    try:
        async with tx.savepoint():
            return await taker(tx, rows, job), []
    except Exception as error:
        if not isinstance(error, DomainError) and not is_refused(error):
            raise
        if len(rows) > 1:
            half = len(rows) // 2
            first, second = await _take(tx, taker, rows[:half], job), await _take(tx, taker, rows[half:], job)
            return first[0] + second[0], [*first[1], *second[1]]
        field, reason = (
            (error.field, error.reason) if isinstance(error, DomainError) else (None, "holds a value that cannot be kept")
        )
        return 0, [Refusal(rows[0].line, field or "row", reason)]


async def _take_accounts(tx: Transaction, rows: Sequence[Row], job: Import) -> int:
    """A known account takes what it lacks; one that lacked nothing counts as known."""
    return sum([await _take_account(tx, row, job.created_by) for row in rows])


async def _take_account(tx: Transaction, row: Row, by: str) -> bool:
    given = {**row.facts, "custom": row.custom}
    if (parent := given.pop("parent", None)) is not None:
        given["parent_id"] = await account_verbs.account_of(tx, parent, None)
    known = await accounts.find_account_id(tx.conn, given["name"], given.get("country"), None)
    if known is None:
        try:
            await account_verbs.create_account(tx, given, by)
        except AccountExists as error:
            known = error.account_id
        else:
            return True
    account = await accounts.get_account(tx.conn, await accounts.live_account_id(tx.conn, known))
    lacking = {name: value for name, value in given.items() if name != "custom" and getattr(account, name) is None}
    custom = {key: value for key, value in row.custom.items() if account.custom.get(key) is None}
    if custom:
        lacking["custom"] = custom
    if not lacking:
        return False
    changed = await account_verbs.change_account(tx, account.id, lacking, by, expected=account.version)
    return changed.version != account.version


async def _take_reps(tx: Transaction, rows: Sequence[Row], job: Import) -> int:  # noqa: ARG001 - one shape for all kinds
    """The file says in which team a rep is now; one that is as it says counts as known."""
    changed = 0
    for row in rows:
        told = {name: row.facts.get(name) for name in ("team", "manager", "region")}
        known = await reps.find_rep_for_update(tx.conn, row.facts["name"])
        if known is None:
            made = Rep(id=new_id(), name=row.facts["name"], **told, active=True, version=1)
            changed += await reps.insert_rep(tx.conn, made)
            continue
        now = replace(known, **{name: value for name, value in told.items() if value is not None})
        if now != known:
            await reps.save_rep(tx.conn, replace(now, version=known.version + 1))
            changed += 1
    return changed


async def _take_deals(tx: Transaction, rows: Sequence[Row], job: Import) -> int:  # noqa: ARG001 - one shape for all kinds
    """Deals with their past; told again (same external reference), nothing happens. A few statements per chunk."""
    defs = await custom_fields.load(tx.conn, "opportunity")
    owners = await reps.reps_of(tx.conn, sorted({row.facts["owner"] for row in rows if "owner" in row.facts}))
    companies = await _companies(tx, rows)
    pipelines: dict[str | None, Pipeline] = {}
    made: list[PastDeal] = []
    for row in rows:
        code = row.facts.get("pipeline")
        if code not in pipelines:
            pipelines[code] = await usable_pipeline(tx, code)
        owner = owners.get(row.facts.get("owner", ""))
        custom = fields.merge({}, fields.validate(defs, row.custom))
        deal = past_deal(
            replace(row, custom=custom),
            ids=Ids(new_id(), new_id(), new_id()),
            pipeline=pipelines[code],
            account_id=companies.get((row.facts.get("company"), row.facts.get("country"))),
            team=owner.team if owner else None,
            region=owner.region if owner else None,
            public=fields.public(defs, custom),
            now=tx.now,
        )
        made.append(deal)
    inserted = await opportunities.insert_opportunities(tx.conn, [each.deal for each in made])
    new = [each for each in made if each.deal.id in inserted]
    await opportunities.insert_stage_changes(
        tx.conn, [(new_id(), each.deal.id, each.closing) for each in new if each.closing is not None]
    )
    for each in new:
        for event, version, moment in each.events:
            tx.emit(event, flow_id=each.deal.flow_id, sequence=version, occurred_at=moment)
    return len(new)


async def _companies(tx: Transaction, rows: Sequence[Row]) -> dict[tuple[str | None, str | None], UUID]:
    """The account of each company that these rows name; in one order, since two imports at once may make the same ones."""
    named = {(row.facts["company"], row.facts.get("country")) for row in rows if "company" in row.facts}
    found: dict[tuple[str | None, str | None], UUID] = {}
    for company, country in sorted(named, key=lambda pair: (pair[0], pair[1] or "")):
        found[company, country] = await account_verbs.account_of(tx, company, country)
    return found


_TAKERS: dict[Kind, Taker] = {"accounts": _take_accounts, "reps": _take_reps, "opportunities": _take_deals}
