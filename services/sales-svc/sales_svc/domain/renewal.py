"""Terms of signed contracts: when they end, until when notice can be given, when somebody is reminded, how they renew."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Literal
from uuid import UUID

from ltc_contracts.errors import DomainError, WrongTransition

from sales_svc.domain.contract_template import Terms
from sales_svc.domain.contract_text import end_of

TermState = Literal["running", "notice_given", "renewed", "ended"]
TERM_TRANSITIONS: dict[tuple[TermState, str], TermState] = {
    ("running", "give_notice"): "notice_given",
    ("running", "renew"): "renewed",
    ("running", "end"): "ended",
    ("notice_given", "end"): "ended",
}


class NoticeTooLate(DomainError):
    """The day until which notice can be given has passed; the term renews."""


@dataclass(frozen=True, slots=True)
class Term:
    """The n-th term of a contract, both days included; `notice_by` is the last day on which notice ends it."""

    contract_id: UUID
    number: int
    starts_on: date
    ends_on: date
    notice_by: date
    auto_renew: bool
    state: TermState = "running"


@dataclass(frozen=True, slots=True)
class Reminder:
    """Somebody is reminded on `due_on`, `days_before` the last day for notice."""

    contract_id: UUID
    term: int
    days_before: int
    due_on: date


@dataclass(frozen=True, slots=True)
class Policy:
    """One version: how many days before the last day for notice somebody is reminded, and which addresses get a mail."""

    version: int
    days_before: tuple[int, ...]
    mail_to: tuple[str, ...]
    created_by: str
    created_at: datetime


def first_term(contract_id: UUID, terms: Terms, starts_on: date) -> Term | None:
    """None for a contract that is fulfilled, not ended."""
    if terms.months is None:
        return None
    return _term(contract_id, 1, terms, starts_on, terms.months)


def renew(term: Term, terms: Terms) -> tuple[Term, Term]:
    """The old term, and the next one, that begins the day after."""
    months = terms.renewal_months or terms.months or 1
    return _turn(term, "renew"), _term(term.contract_id, term.number + 1, terms, term.ends_on + timedelta(days=1), months)


def end(term: Term) -> Term:
    return _turn(term, "end")


def give_notice(term: Term, today: date) -> Term:
    """Somebody does not want it to go on. Raises `NoticeTooLate`."""
    if today > term.notice_by:
        raise NoticeTooLate(f"notice could be given until {term.notice_by}; the term ends on {term.ends_on}")
    return _turn(term, "give_notice")


def reminders(term: Term, days_before: Sequence[int]) -> list[Reminder]:
    """When somebody is reminded of a term; not of what lay before it began."""
    made = [
        Reminder(term.contract_id, term.number, days, term.notice_by - timedelta(days=days)) for days in sorted(set(days_before))
    ]
    return [each for each in made if each.due_on >= term.starts_on]


def _term(contract_id: UUID, number: int, terms: Terms, starts_on: date, months: int) -> Term:
    ends_on = end_of(starts_on, months)
    notice_by = max(ends_on - timedelta(days=terms.notice_days or 0), starts_on)
    return Term(contract_id, number, starts_on, ends_on, notice_by, terms.auto_renew)


def _turn(term: Term, move: str) -> Term:
    state = TERM_TRANSITIONS.get((term.state, move))
    if state is None:
        raise WrongTransition(f"term {term.number}", term.state, move)
    return replace(term, state=state)
