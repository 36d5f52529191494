"""The verbs of scoring: a new version of the rule, and what is remembered of a score."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from ltc_chassis import custom_fields
from ltc_chassis.db import Transaction
from ltc_contracts.errors import Invalid

from lead_svc.domain import score_rules
from lead_svc.domain.fields import fields
from lead_svc.domain.score import Activity, Rule, Score
from lead_svc.domain.score_rules import RuleExists
from lead_svc.store import activity_log
from lead_svc.store import scores as store
from lead_svc.store.scores import Told

Scored = tuple[UUID, Sequence[Activity], Score]


async def add_rule(tx: Transaction, rule: Rule, valid_from: datetime, by: str) -> None:
    """A new version from a moment on; every lead is scored by it then. Raises `Invalid`, `RuleExists`."""
    if valid_from < tx.now:
        raise Invalid("a rule cannot begin in the past", field="valid_from")
    score_rules.check(rule.body, fields(await custom_fields.load(tx.conn, "lead")))
    if not await store.insert_rule(tx.conn, rule, valid_from=valid_from, created_by=by, now=tx.now):
        raise RuleExists("this version, or one that begins at that moment, exists", field="version")


async def remember(tx: Transaction, scored: Iterable[Scored], rule: Rule) -> None:
    """Keep the band that was told of (locked) leads, and when to look at them again."""
    told = _ahead(scored, rule, tx.now)
    if told:
        await activity_log.insert_bands(tx.conn, {each.lead_id: each.band for each in told}, tx.now)
        await store.save_told(tx.conn, told)


async def remember_new(tx: Transaction, scored: Iterable[Scored], rule: Rule) -> None:
    """The same of leads that were just inserted; a first band is no change."""
    told = _ahead(scored, rule, tx.now)
    if told:
        await store.insert_told(tx.conn, told)


def _ahead(scored: Iterable[Scored], rule: Rule, now: datetime) -> list[Told]:
    # Of a bulk most did the same at the same moment: what follows from it is found out once.
    ahead: dict[tuple[tuple[Activity, ...], Decimal], tuple[Decimal, datetime | None]] = {}
    told = []
    for lead_id, done, result in scored:
        same = (tuple(done), result.fit)
        known = ahead.get(same)
        if known is None:
            known = ahead[same] = (score_rules.ceiling(rule, result), score_rules.next_look(done, rule, result, now))
        told.append(Told(lead_id, result.band, known[0], rule.version, known[1]))
    return told
