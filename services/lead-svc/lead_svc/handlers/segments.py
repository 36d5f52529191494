"""The verbs of segments: a new version of a rule, a lead placed by the rules in force, every lead looked at again."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from uuid import UUID

from ltc_chassis import custom_fields
from ltc_chassis.db import Transaction
from ltc_chassis.ids import new_id
from ltc_contracts.errors import Invalid, NotFound, VersionConflict

from lead_svc.domain import changes
from lead_svc.domain import segments as rules
from lead_svc.domain.lead import Lead
from lead_svc.domain.score import Band
from lead_svc.domain.segments import Book, SegmentExists, SegmentRule, TooManySegments
from lead_svc.store import leads as lead_store
from lead_svc.store import segments as store


async def open_book(tx: Transaction) -> Book:
    """The rules and the company's fields as of now."""
    own = await custom_fields.load(tx.conn, "lead")
    return rules.book_of(await store.list_rules_in_force(tx.conn, tx.now), own)


async def add_rule(tx: Transaction, rule: SegmentRule, *, replaces: int | None, by: str) -> SegmentRule:
    """A new version of a rule from a moment on, when every lead is looked at again; `rule.version` is not read.

    `replaces` is the version the caller has seen. Raises `Invalid`, `SegmentExists`, `VersionConflict`, `TooManySegments`.
    """
    if rule.valid_from < tx.now:
        raise Invalid("a rule cannot begin in the past", field="valid_from")
    rules.check(rule, await custom_fields.load(tx.conn, "lead"))
    await store.lock_rules(tx.conn)
    latest = await store.find_latest(tx.conn, rule.kind, rule.code)
    if latest is None and replaces is not None:
        raise NotFound(f"there is no '{rule.code}' to replace")
    if latest is not None and replaces is None:
        raise SegmentExists("the code is taken; name the version that this one replaces", field="replaces")
    if latest is not None and replaces != latest.version:
        raise VersionConflict(f"'{rule.code}'", latest.version)
    if latest is not None and rule.valid_from < latest.valid_from:
        raise Invalid("a version cannot begin before the one it replaces", field="valid_from")
    made = replace(rule, version=1 if latest is None else latest.version + 1)
    await store.insert_rule(tx.conn, made, created_by=by, now=tx.now)
    most = rules.MOST_SEGMENTS if rule.kind == "segment" else rules.MOST_CLASSIFICATIONS
    if await store.count_codes(tx.conn, rule.kind) > most:
        raise TooManySegments(f"at most {most} are active at a time", field="code")
    await store.insert_run(tx.conn, new_id(), rule.valid_from)
    return made


async def place(tx: Transaction, lead: Lead, band: Band, book: Book) -> Lead:
    """Where a (locked) lead belongs by the rules; saved and told when that is new."""
    placed = await place_all(tx, [(lead, band)], book)
    return placed[0] if placed else lead


async def place_all(tx: Transaction, found: Iterable[tuple[Lead, Band]], book: Book) -> list[Lead]:
    """Where (locked) leads belong by the rules; those that moved, saved and told."""
    moved: list[Lead] = []
    for lead, band in found:
        if lead.erased_at is not None:
            continue  # it belongs where it belonged when its person was erased, lest numbers change
        placed = rules.place(rules.classify(lead, book), band, book)
        if placed != lead:
            moved.append(replace(placed, version=lead.version + 1, updated_at=tx.now))
            names = [*changes.difference(lead, placed)]
            if names:
                tx.emit(changes.told(moved[-1], names, book.own), flow_id=lead.flow_id, sequence=moved[-1].version)
    if moved:
        await store.save_places(tx.conn, moved)
    return moved


async def refresh(tx: Transaction, leads: Sequence[tuple[Lead, Band]]) -> dict[UUID, Lead]:
    """(Locked) leads whose band is new, placed anew; those that moved, by id."""
    return {lead.id: lead for lead in await place_all(tx, leads, await open_book(tx))} if leads else {}


async def run_chunk(tx: Transaction, *, limit: int) -> int:
    """The next leads of a run that is due; the number looked at, 0 when none is due. A stop loses and doubles nothing."""
    run = await store.claim_run(tx.conn, tx.now)
    if run is None:
        return 0
    ids = await store.lock_next_leads(tx.conn, run.after, limit)
    book, bands = await open_book(tx), await store.bands_of(tx.conn, ids)
    moved = await place_all(tx, [(lead, bands.get(lead.id, "cold")) for lead in await lead_store.get_leads(tx.conn, ids)], book)
    await store.save_run(
        tx.conn,
        replace(
            run,
            after=ids[-1] if ids else run.after,
            looked_at=run.looked_at + len(ids),
            changed=run.changed + len(moved),
            done_at=tx.now if len(ids) < limit else None,
        ),
    )
    return max(len(ids), 1)
