"""A proposed rule is tried over the past, a chunk of leads per transaction; nothing else changes, and nothing is emitted."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from ltc_chassis import custom_fields
from ltc_chassis.db import Transaction
from ltc_chassis.ids import new_id
from ltc_contracts.errors import Invalid
from ltc_rules import conditions

from lead_svc.domain import score_rules
from lead_svc.domain.fields import fields
from lead_svc.domain.score import Rule
from lead_svc.domain.what_if import TooManyJobs, WhatIf, compare
from lead_svc.store import leads, scores
from lead_svc.store import what_if as store

MOST_LISTED = 100_000
_MOST_WAITING = 20
_KEPT = timedelta(days=90)


async def propose(tx: Transaction, rule: Rule, population: Mapping[str, Any], as_of: datetime, by: str) -> WhatIf:
    """Keep a run to be done. Raises `Invalid`, `TooManyJobs`."""
    known = fields(await custom_fields.load(tx.conn, "lead"))
    score_rules.check(rule.body, known)
    if "when" in population:
        conditions.check(population["when"], known, at="population.when")
    if as_of > tx.now:
        raise Invalid("the future is not known", field="as_of")
    if await store.count_unfinished(tx.conn) >= _MOST_WAITING:
        raise TooManyJobs(f"{_MOST_WAITING} runs are not finished yet; wait for one of them")
    base = await leads.get_rule(tx.conn, as_of)
    total = await store.count_population(tx.conn, population, as_of)
    made = WhatIf(new_id(), rule, base.version, population, as_of, "waiting", total, by, tx.now)
    await store.insert_run(tx.conn, made)
    return made


async def run_chunk(tx: Transaction, *, limit: int) -> int:
    """The next leads of the oldest unfinished run; a kill repeats at most this chunk. Returns the number handled, 0 at rest."""
    run = await store.claim_run(tx.conn)
    if run is None:
        return await store.forget_before(tx.conn, tx.now - _KEPT, 10)
    base = Rule(run.base_version, (await scores.get_rule_version(tx.conn, run.base_version))["rule"])
    chunk = await store.next_of_population(tx.conn, run.population, run.as_of, after=run.last_lead_id, limit=limit)
    when = run.population.get("when")
    wanted = [(lead, was) for lead, was in chunk if when is None or conditions.holds(when, lead.facts.values)]
    done = await leads.activities_of(tx.conn, [lead.id for lead, _ in wanted])
    changes = [
        compare(
            lead.id,
            lead.facts,
            lead.created_at,
            done[lead.id],
            base=base,
            proposed=run.rule,
            was_qualified=was,
            as_of=run.as_of,
        )
        for lead, was in wanted
    ]
    for change in changes:
        run.matrix[change.from_band][change.to_band] += 1
    listed = [change for change in changes if change.is_one][: MOST_LISTED - run.listed]
    await store.insert_changes(tx.conn, run.id, listed)
    over = len(chunk) < limit
    await store.save_run(
        tx.conn,
        replace(
            run,
            state="done" if over else "running",
            processed=run.processed + len(chunk),
            matched=run.matched + len(wanted),
            listed=run.listed + len(listed),
            last_lead_id=chunk[-1][0].id if chunk else run.last_lead_id,
            newly=run.newly + sum(change.newly for change in changes),
            no_longer=run.no_longer + sum(change.no_longer for change in changes),
            finished_at=tx.now if over else None,
        ),
    )
    return max(len(chunk), 1)
