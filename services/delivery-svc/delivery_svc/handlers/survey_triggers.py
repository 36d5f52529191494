"""Who is to be asked, and when: after a delivery, after a ticket, by schedule, or because somebody wants it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from ltc_chassis.db import Transaction
from ltc_chassis.ids import new_id
from ltc_chassis.mailroom import check_address
from ltc_contracts.errors import DomainError, WrongTransition

from delivery_svc.domain import survey as rules
from delivery_svc.domain.delivery import Delivery
from delivery_svc.domain.notice import language_of
from delivery_svc.domain.survey import Language, Survey, Trigger
from delivery_svc.domain.survey_ask import Ask
from delivery_svc.domain.ticket import Ticket
from delivery_svc.handlers.surveys import survey_of
from delivery_svc.store import survey_asks
from delivery_svc.store import surveys as store
from delivery_svc.store.surveys import Candidate

_PAGE = 200


@dataclass(frozen=True, slots=True)
class Wish:
    """Somebody who shall be asked: by address or as a customer."""

    email: str | None = None
    customer_id: UUID | None = None
    name: str | None = None
    language: Language | None = None


Wished = Literal["accepted", "known", "stopped", "unknown"]


async def delivery_completed(tx: Transaction, delivery: Delivery) -> None:
    """The customer has everything: they are asked how it was, where a survey does so."""
    for survey in await _active(tx, "delivery_completed"):
        await _insert(
            tx,
            survey,
            delivery.customer.email,
            key=f"delivery/{delivery.id}",
            name=delivery.customer.name,
            language=language_of(delivery.customer.country),
            flow_id=delivery.flow_id,
            number=delivery.order_number,
            customer_id=delivery.customer.customer_id,
            order_id=delivery.order_id,
            delivery_id=delivery.id,
        )


async def ticket_ended(tx: Transaction, ticket: Ticket, trigger: Literal["ticket_resolved", "ticket_closed"]) -> None:
    """A ticket was resolved, or closed for good: who asked is asked how it was. A ticket that came back is another occasion."""
    for survey in await _active(tx, trigger):
        await _insert(
            tx,
            survey,
            ticket.requester_email,
            key=f"ticket/{ticket.id}/{ticket.reopened}",
            name=ticket.requester_name,
            language=ticket.language,
            flow_id=ticket.flow_id,
            number=ticket.number,
            customer_id=ticket.customer_id,
            order_id=ticket.order_id,
            ticket_id=ticket.id,
        )


async def ask_people(tx: Transaction, code: str, wishes: Sequence[Wish], occasion: str, by: str) -> list[Wished]:
    """What becomes of each wish, in their order: asked soon, asked for this occasion before, wants no surveys, or no address is known.

    Raises `SurveyNotFound`, `WrongTransition` for one that is not active or is asked otherwise.
    """
    survey = await survey_of(tx, code)
    if survey.trigger != "request" or not survey.active:
        raise WrongTransition(f"survey '{code}'", survey.trigger if survey.active else "inactive", "ask")
    # In one order for everybody, so that two lists with the same people do not wait for each other for ever.
    order = sorted(range(len(wishes)), key=lambda place: ((wishes[place].email or "").lower(), str(wishes[place].customer_id)))
    became = {place: await _ask_one(tx, survey, wishes[place], occasion, by) for place in order}
    return [became[place] for place in range(len(wishes))]


async def work_rounds(tx: Transaction) -> int:
    """Once a day the customers are gone through for surveys by schedule, some at a time; returns how many were looked at."""
    surveys = {survey.code: survey for survey in await _active(tx, "schedule")}
    if not surveys:
        return 0
    today = tx.now.astimezone(UTC).date()
    await store.start_rounds(tx.conn, sorted(surveys), today)
    turn = await store.claim_round(tx.conn, sorted(surveys))
    if turn is None:
        return 0
    survey = surveys[turn.survey]
    since = tx.now - timedelta(days=survey.customer_days)
    found = await store.list_candidates(tx.conn, after=turn.after, since=since, limit=_PAGE)
    for each in found:
        await _ask_in_turn(tx, survey, each)
    await store.save_round(tx.conn, survey.code, found[-1].customer_id if found else turn.after, done=len(found) < _PAGE)
    return len(found) or 1


async def _ask_in_turn(tx: Transaction, survey: Survey, customer: Candidate) -> None:
    assert survey.every_days is not None
    assert survey.active_since is not None
    today = tx.now.astimezone(UTC).date()
    number, begun, sampled = rules.turn_of(survey.code, customer.customer_id, survey.every_days, survey.sample_percent, today)
    # A turn that began before the customer had anything, or the survey was active, is nobody's: so turns are spread from the start.
    if not sampled or begun < max(customer.first_at, survey.active_since).astimezone(UTC).date():
        return
    ends = datetime.combine(begun + timedelta(days=survey.every_days), datetime.min.time(), UTC)
    await _insert(
        tx,
        survey,
        customer.email,
        key=f"schedule/{customer.customer_id}/{number}",
        wait_until=ends,
        **_about(customer),
    )


async def _ask_one(tx: Transaction, survey: Survey, wish: Wish, occasion: str, by: str) -> Wished:
    customer = await store.find_candidate(tx.conn, customer_id=wish.customer_id, email=wish.email)
    email = wish.email or (customer.email if customer else None)
    if email is None or not _is_address(email):
        return "unknown"
    person = await survey_asks.find_person(tx.conn, rules.address_hash(email))
    if person is not None and person["stopped_at"] is not None:
        return "stopped"
    about: dict[str, Any] = {"flow_id": new_id(), "language": "en"} if customer is None else _about(customer)
    # Which order was their last is nothing the survey is about.
    given = {**about, **{name: value for name, value in (("name", wish.name), ("language", wish.language)) if value}}
    key = f"request/{occasion}/{rules.address_hash(email).hex()}"
    return "accepted" if await _insert(tx, survey, email, key=key, by=by, **given) else "known"


async def _active(tx: Transaction, trigger: Trigger) -> list[Survey]:
    return [survey for survey in await store.list_surveys(tx.conn) if survey.active and survey.trigger == trigger]


async def _insert(
    tx: Transaction,
    survey: Survey,
    email: str | None,
    *,
    key: str,
    flow_id: UUID,
    language: Language,
    name: str | None = None,
    by: str = "survey",
    wait_until: datetime | None = None,
    number: str | None = None,
    customer_id: UUID | None = None,
    order_id: UUID | None = None,
    delivery_id: UUID | None = None,
    ticket_id: UUID | None = None,
) -> bool:
    """False where it is known already, or there is nobody to ask."""
    if email is None or not _is_address(email):
        return False
    due_at = tx.now + timedelta(hours=survey.delay_hours)
    ask = Ask(
        id=new_id(),
        flow_id=flow_id,
        version=1,
        survey=survey.code,
        survey_version=survey.version,
        kind=survey.kind,
        trigger=survey.trigger,
        state="waiting",
        reason=None,
        email=email,
        name=name,
        language=language,
        number=number,
        dedupe_key=f"{survey.code}/{key}",
        due_at=due_at,
        wait_until=wait_until,
        next_at=due_at,
        created_by=by,
        created_at=tx.now,
        updated_at=tx.now,
        customer_id=customer_id,
        order_id=order_id,
        delivery_id=delivery_id,
        ticket_id=ticket_id,
    )
    return await survey_asks.insert_ask(tx.conn, ask)


def _about(customer: Candidate) -> dict[str, Any]:
    """On the flow of their latest order, by which channel and campaign of the customer are known."""
    return {
        "name": customer.name,
        "language": language_of(customer.country),
        "flow_id": customer.flow_id,
        "customer_id": customer.customer_id,
    }


def _is_address(email: str) -> bool:
    try:
        check_address(email)
    except DomainError:
        return False
    return True
