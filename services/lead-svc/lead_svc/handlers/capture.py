"""A lead comes in: the one path of capture, whatever the way (API, bulk, CSV, form, webhook, trade show).

`capture_leads` is a table of contents. A step is a call by name, fills in its own field of `Arrival`, and takes the WHOLE batch: it costs
a statement or two per batch, never one per lead, since thousands of leads come in a second.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from ltc_chassis.db import Transaction
from ltc_contracts.errors import DomainError, Invalid
from ltc_contracts.events import LeadEngaged, Touch
from ltc_rules.custom_fields import validate

from lead_svc.domain import lead as rules
from lead_svc.domain import segments as places
from lead_svc.domain.duplicates import PossibleDuplicate, Verdict
from lead_svc.domain.identity import Key
from lead_svc.domain.lead import DuplicateLead, Lead, Outcome
from lead_svc.domain.partner import Introduced
from lead_svc.domain.score import Activity, Rule, Score, Scorer, qualifies
from lead_svc.domain.segments import Book
from lead_svc.domain.visit import told
from lead_svc.handlers import (
    assignment,
    duplicates,
    erased,
    first_response,
    history,
    merge,
    partners,
    predictive,
    protection,
    scores,
    segments,
    visits,
)
from lead_svc.store import duplicates as duplicates_store
from lead_svc.store import leads as store
from lead_svc.store import outcomes as outcomes_store
from lead_svc.store import segments as segments_store

_ASSIGNED_AT_ONCE = 10


@dataclass(slots=True)
class Arrival:
    """One lead on its way in, with what it did so far; `score` is there once it was scored, `verdict` when it is like a known one.

    `visitor_id` names the browser it came with, whose touches and pages become the lead's; `touches` are those the caller kept.
    `outcome` is of one that comes with its history: it is not worked on any more, but learnt from.
    `keys`, what it is recognised by, are given where they were found before.
    """

    lead: Lead
    activities: Sequence[Activity] = ()
    touches: Sequence[Touch] = ()
    visitor_id: UUID | None = None
    keys: frozenset[Key] | None = None
    score: Score | None = None
    verdict: Verdict | None = None
    outcome: Outcome | None = None
    # What it says of who sent it, and who that is.
    partner_code: str | None = None
    partner: Introduced | None = None
    # When it happened, where that was before it came in.
    occurred_at: datetime | None = None

    @property
    def facts(self) -> tuple[Lead, Sequence[Activity], Sequence[Touch], UUID | None]:
        """What the steps of capture may change, as it is now."""
        return self.lead, self.activities, self.touches, self.visitor_id

    def begin_again(self, facts: tuple[Lead, Sequence[Activity], Sequence[Touch], UUID | None]) -> None:
        """As it was when `facts` was asked; nothing was found out about it."""
        self.lead, self.activities, self.touches, self.visitor_id = facts
        self.score = self.verdict = None


async def capture_lead(tx: Transaction, arrival: Arrival) -> Lead:
    """A new lead is known, scored, and qualified if the rule says so. Raises `DuplicateLead` for a known external reference,
    `PossibleDuplicate` where the policy refuses, `Invalid` for a partner code that counts not (any more)."""
    for refusal in await partners.introduce(tx, [arrival]):
        if isinstance(refusal, DomainError):
            raise refusal
    book = await segments.open_book(tx)
    check(arrival, book, tx.now)
    if not await capture_leads(tx, [arrival], book):
        if arrival.verdict is not None:
            raise PossibleDuplicate("the policy for duplicates refuses this lead", found=[arrival.verdict.other_id])
        await erased.refuse(tx, arrival)
        existing = await store.find_lead_id(tx.conn, arrival.lead.external_ref or "")
        raise DuplicateLead(f"the lead {existing} has this external_ref already", field="external_ref")
    return arrival.lead


def check(arrival: Arrival, book: Book, now: datetime) -> None:
    """What a caller may get wrong in a lead that is well-formed; the own fields are then as they are kept. Raises `Invalid`."""
    if any(activity.occurred_at > now for activity in arrival.activities):
        raise Invalid("an activity cannot lie in the future", field="activities")
    visits.check_touches(arrival.touches, now)
    custom = validate(book.own, arrival.lead.custom)
    if custom != arrival.lead.custom:
        arrival.lead = replace(arrival.lead, custom=custom)


async def capture_leads(tx: Transaction, arrivals: Sequence[Arrival], book: Book | None = None) -> list[Arrival]:
    """Those of the leads that are new, captured. One whose external reference is known, or that the policy for duplicates refuses,
    is left out. `arrival.lead` is as it is now."""
    rule = await store.get_rule(tx.conn, tx.now)
    arrivals = await erased.keep_away(tx, arrivals)
    book = book or await segments.open_book(tx)
    for arrival in arrivals:
        arrival.lead = places.classify(arrival.lead, book)
    new = await _keep(tx, arrivals)
    known = {arrival.lead.id: arrival.keys for arrival in new if arrival.keys is not None}
    keys = await protection.recognise(tx, [arrival.lead for arrival in new], rule, known)
    new = await _compare(tx, new, keys)
    await partners.keep_referrals(tx, new)
    await store.insert_activities(
        tx.conn, [(arrival.lead.id, activity) for arrival in new for activity in arrival.activities], now=tx.now
    )
    await visits.stitch(tx, new)
    await _score(tx, new, rule)
    await _place(tx, new, book)
    _tell(tx, new, book)
    await history.settle(tx, new)
    given = await _assign(tx, new)
    await _qualify(tx, new, rule, book)
    await protection.settle_many(
        tx, [arrival.lead.id for arrival in new if arrival.lead.id in given and not arrival.lead.is_open]
    )
    await _join(tx, new)
    await _await_response(tx, new)
    return new


async def _keep(tx: Transaction, arrivals: Sequence[Arrival]) -> list[Arrival]:
    inserted = await store.insert_leads(tx.conn, [arrival.lead for arrival in arrivals])
    return [arrival for arrival in arrivals if arrival.lead.id in inserted]


async def _compare(tx: Transaction, new: Sequence[Arrival], keys: Mapping[UUID, frozenset[Key]]) -> list[Arrival]:
    """Those that the policy for duplicates does not refuse, each with the lead that it is like, if any."""
    verdicts = await duplicates.judge(tx, keys)
    if not verdicts:
        return list(new)
    refused: set[UUID] = set()
    taken: list[Arrival] = []
    for arrival in new:
        verdict = verdicts.get(arrival.lead.id)
        if verdict is not None and verdict.other_id not in refused:
            arrival.verdict = verdict
            if verdict.answer == "refuse":
                refused.add(arrival.lead.id)
                continue
            arrival.lead = replace(arrival.lead, duplicate_of=verdict.other_id)
        taken.append(arrival)
    if refused:
        await duplicates_store.delete_new(tx.conn, list(refused))
    await duplicates_store.link(tx.conn, {each.lead.id: each.lead.duplicate_of for each in taken if each.lead.duplicate_of})
    return taken


def _tell(tx: Transaction, new: Sequence[Arrival], book: Book) -> None:
    for arrival in new:
        lead = arrival.lead
        tx.emit(
            rules.captured(lead, told(arrival.touches), book.own, arrival.partner.name if arrival.partner else None),
            flow_id=lead.flow_id,
            sequence=lead.version,
            occurred_at=arrival.occurred_at,
        )
        for activity in arrival.activities:
            tx.emit(
                LeadEngaged(lead_id=lead.id, activity=activity.code),
                flow_id=lead.flow_id,
                sequence=lead.version,
                occurred_at=activity.occurred_at,
            )
        if arrival.score is not None:
            tx.emit(rules.scored(lead, arrival.score), flow_id=lead.flow_id, sequence=lead.version)


async def _place(tx: Transaction, new: Sequence[Arrival], book: Book) -> None:
    if not book.segments:
        return
    for arrival in new:
        assert arrival.score is not None
        arrival.lead = places.place(arrival.lead, arrival.score.band, book)
    placed = [arrival.lead for arrival in new if arrival.lead.segments]
    if placed:
        await segments_store.save_places(tx.conn, placed)


async def _score(tx: Transaction, new: Sequence[Arrival], rule: Rule) -> None:
    scorer = Scorer(rule, tx.now)
    for arrival in new:
        arrival.score = scorer.score(arrival.lead.facts, arrival.activities)
    scored = [(arrival.lead.id, arrival.activities, arrival.score) for arrival in new if arrival.score is not None]
    await scores.remember_new(tx, scored, rule)


async def _assign(tx: Transaction, new: Sequence[Arrival]) -> set[UUID]:
    """A few leads are given to reps at once, many by the timer; the ids of those that were. One that will be merged is the other's."""
    wanted = [arrival for arrival in new if arrival.verdict is None or arrival.verdict.answer != "merge"]
    if len(wanted) > _ASSIGNED_AT_ONCE:
        return set()
    given = await assignment.assign(tx, [arrival.lead for arrival in wanted if arrival.lead.is_open])
    for arrival in wanted:
        if arrival.lead.id in given:
            arrival.lead = await store.get_lead(tx.conn, arrival.lead.id)
    return set(given)


async def _qualify(tx: Transaction, new: Sequence[Arrival], rule: Rule, book: Book) -> None:
    ready = [
        (arrival, arrival.score, reason)
        for arrival in new
        if arrival.score is not None
        and arrival.lead.is_open
        and (reason := qualifies(arrival.score, arrival.activities, rule)) is not None
    ]
    if not ready:
        return
    holders = await protection.holders_of(tx, [arrival.lead.id for arrival, _, _ in ready])
    chances = await predictive.expected(tx.conn, [(arrival.lead, arrival.activities) for arrival, _, _ in ready], tx.now)
    for arrival, result, reason in ready:
        lead_id = arrival.lead.id
        holder, chance = holders.get(lead_id), chances.get(lead_id)
        arrival.lead, events = rules.qualify(arrival.lead, result, reason, holder, tx.now, book.own, chance)
        for event in events:
            tx.emit(event, flow_id=arrival.lead.flow_id, sequence=arrival.lead.version)
    await store.save_leads(tx.conn, [arrival.lead for arrival, _, _ in ready])
    await outcomes_store.mark_qualified(tx.conn, [arrival.lead.id for arrival, _, _ in ready], tx.now)


async def _await_response(tx: Transaction, new: Sequence[Arrival]) -> None:
    """Whoever came in waits for an answer. One that became part of a known lead, or comes with its history, does not."""
    waiting = [arrival.lead for arrival in new if arrival.lead.merged_into is None and arrival.outcome is None]
    bands = {arrival.lead.id: arrival.score.band for arrival in new if arrival.score is not None}
    await first_response.start(tx, waiting, bands)


async def _join(tx: Transaction, new: Sequence[Arrival]) -> None:
    for arrival in new:
        if arrival.verdict is not None and arrival.verdict.answer == "merge":
            arrival.lead = await merge.join_new(tx, arrival.lead.id, arrival.verdict.other_id)
