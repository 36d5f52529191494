"""People are asked, reminded once, and answer; or say that they want no surveys. Lock order: asks, then persons by their hashes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID

from ltc_chassis import mailroom
from ltc_chassis.db import Transaction

from delivery_svc.domain import survey as rules
from delivery_svc.domain import survey_answer
from delivery_svc.domain import survey_ask as asks
from delivery_svc.domain.survey import Question, Survey
from delivery_svc.domain.survey_answer import Reading
from delivery_svc.domain.survey_ask import Ask, Decision, Reason, SurveyOver
from delivery_svc.handlers import survey_mails
from delivery_svc.store import survey_asks as store
from delivery_svc.store import surveys as survey_store
from delivery_svc.store import tickets

_OVER = ("resolved", "closed")


@dataclass(frozen=True, slots=True)
class Shown:
    """What the page shows: the version of the survey that the person was asked by."""

    ask: Ask
    survey: Survey
    questions: list[Question]


async def work_due(tx: Transaction, *, limit: int) -> int:
    """Whatever is due: to ask, to remind, to expire; returns how many. Nobody is asked while we have no address to answer at."""
    due = await store.claim_due(tx.conn, tx.now, asking=bool(tx.settings.public_url), limit=limit)
    if not due:
        return 0
    quiet = timedelta(days=(await survey_store.get_rule(tx.conn)).quiet_days)
    surveys = {survey.code: survey for survey in await survey_store.list_surveys(tx.conn)}
    # Persons are locked in one order by everybody who asks several at once.
    for ask in sorted(due, key=lambda each: rules.address_hash(each.email or "")):
        if ask.state == "waiting":
            await _ask(tx, ask, surveys[ask.survey], quiet)
        elif ask.expires_at is not None and tx.now >= ask.expires_at:
            await _save(tx, asks.expire(ask, tx.now))
        else:
            await _remind(tx, ask)
    return len(due)


async def look(tx: Transaction, ask_id: UUID) -> Shown:
    """For the page. Raises `SurveyOver` for one that was declined, expired or erased."""
    return await _shown(tx, await store.get_ask(tx.conn, ask_id))


async def answer(
    tx: Transaction, ask_id: UUID, given: Mapping[str, Sequence[str]], seen: Sequence[str]
) -> tuple[Shown, Reading | None]:
    """The person answers; what was not seen yet or does not fit is asked for, and nothing is kept.

    Without a `Reading` it is answered, now or before: an answer is for good. Raises `SurveyOver`.
    """
    ask = await store.get_ask_for_update(tx.conn, ask_id)
    shown = await _shown(tx, ask)
    if ask.state == "answered":
        return shown, None
    reading = survey_answer.read(shown.questions, given, seen)
    if reading.open or reading.problems:
        return shown, reading
    answers = list(reading.answers.values())
    done = await _save(tx, asks.answer(ask, answers, tx.now))
    await store.insert_answers(tx.conn, ask.id, answers)
    await mailroom.withdraw(tx, about=[survey_mails.about(ask)], reason="the survey was answered")
    return replace(shown, ask=done), None


async def stop(tx: Transaction, ask_id: UUID) -> None:
    """The person wants no surveys any more; once more changes nothing, and one whose address is gone is not asked anyway."""
    ask = await store.get_ask_for_update(tx.conn, ask_id)
    if ask.email is not None:
        await store.stop_person(tx.conn, rules.address_hash(ask.email), "link", tx.now)
    if ask.state == "asked":
        await _decline(tx, ask)


async def stop_address(tx: Transaction, email: str) -> None:
    """The person told us that they want no surveys; what waits for them will not be asked, what was asked is declined."""
    for ask in await store.lock_of_address(tx.conn, email.strip().lower()):
        if ask.state == "asked":
            await _decline(tx, ask)
    await store.stop_person(tx.conn, rules.address_hash(email), "told", tx.now)


async def erase(tx: Transaction, email: str) -> list[Ask]:
    """The person is never asked again; what they were asked is over. Names, addresses and words are emptied by the registry."""
    found = await store.lock_of_address(tx.conn, email.strip().lower())
    await store.stop_person(tx.conn, rules.address_hash(email), "erased", tx.now)
    for ask in found:
        if ask.state == "waiting":
            await store.save_ask(tx.conn, asks.skip(ask, "erased", tx.now))
        elif ask.state == "asked":
            await _decline(tx, ask)
    return found


async def _ask(tx: Transaction, ask: Ask, survey: Survey, quiet: timedelta) -> None:
    assert ask.email is not None
    reason = await _reason_not_to(tx, ask, survey)
    person = rules.address_hash(ask.email)
    if reason is None and not await store.take_turn(tx.conn, person, tx.now, quiet):
        known = await store.find_person(tx.conn, person)
        assert known is not None
        reason = "quiet" if known["stopped_at"] is None else "stopped"
        if reason == "quiet" and ask.wait_until is not None and known["asked_at"] + quiet < ask.wait_until:
            await store.save_ask(tx.conn, asks.postpone(ask, known["asked_at"] + quiet, tx.now))
            return
    if reason is not None:
        # Who is not asked is not kept on record for it either.
        await store.save_ask(tx.conn, replace(asks.skip(ask, reason, tx.now), email=None, name=None))
        return
    asked = await _save(tx, asks.ask(ask, survey, tx.now))
    await survey_mails.send(tx, asked, survey)


async def _reason_not_to(tx: Transaction, ask: Ask, survey: Survey) -> Reason | None:
    if not survey.active:
        return "inactive"
    if asks.is_late(ask, survey, tx.now):
        return "late"
    if ask.ticket_id is not None and (await tickets.get_ticket(tx.conn, ask.ticket_id)).state not in _OVER:
        return "reopened"
    return None


async def _remind(tx: Transaction, ask: Ask) -> None:
    assert ask.email is not None
    person = await store.find_person(tx.conn, rules.address_hash(ask.email))
    if person is not None and person["stopped_at"] is not None:
        await _decline(tx, ask)
        return
    reminded = asks.remind(ask, tx.now)
    await store.save_ask(tx.conn, reminded)
    # Without an address of ours there is no link to remind of.
    if tx.settings.public_url:
        await survey_mails.send(tx, reminded, (await _shown(tx, reminded)).survey)


async def _decline(tx: Transaction, ask: Ask) -> None:
    await _save(tx, asks.decline(ask, tx.now))
    await mailroom.withdraw(tx, about=[survey_mails.about(ask)], reason="the person wants no surveys")


async def _shown(tx: Transaction, ask: Ask) -> Shown:
    if ask.state not in ("asked", "answered"):
        raise SurveyOver("this survey cannot be answered any more")
    survey = await survey_store.find_survey(tx.conn, ask.survey, ask.survey_version)
    assert survey is not None, "versions are never deleted"
    return Shown(ask, survey, rules.questions_of(survey))


async def _save(tx: Transaction, decision: Decision) -> Ask:
    ask, events = decision
    await store.save_ask(tx.conn, ask)
    for event in events:
        tx.emit(event, flow_id=ask.flow_id, sequence=ask.version)
    return ask
