"""What persons may ask for: a copy of what is known of them, and to be forgotten (GDPR 12, 15, 17, 20; PIPL 45, 47)."""

import calendar
import hashlib
import hmac
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, Literal, NamedTuple
from uuid import UUID

from ltc_contracts.errors import DomainError, WrongTransition

from lead_svc.domain.identity import normal_email
from lead_svc.domain.lead import Lead
from lead_svc.domain.phone import normal_phone

Kind = Literal["export", "erase"]
State = Literal["received", "previewed", "confirmed", "done", "refused"]
Move = Literal["preview", "confirm_export", "confirm_erasure", "extend", "refuse", "finish"]
# An erasure is confirmed by what its preview showed; an export need not be looked at before.
TRANSITIONS: dict[tuple[State, Move], State] = {
    ("received", "preview"): "previewed",
    ("previewed", "preview"): "previewed",
    ("received", "confirm_export"): "confirmed",
    ("previewed", "confirm_export"): "confirmed",
    ("previewed", "confirm_erasure"): "confirmed",
    ("received", "extend"): "received",
    ("previewed", "extend"): "previewed",
    ("received", "refuse"): "refused",
    ("previewed", "refuse"): "refused",
    ("confirmed", "finish"): "done",
}
# GDPR 12 (3): without undue delay and in any event within one month; two further months where necessary, with the reason.
MONTHS = 1
MOST_MONTHS = 3
# More leads than this are no person.
MOST_LEADS = 1000


class RequestOpen(DomainError):
    """The person asked for the same already, and it is not done yet."""


class DataChanged(DomainError):
    """What is known of the person is not what the preview showed; look at it again."""


class AlreadyExtended(DomainError):
    """A request is extended once, by two months."""


class TooManyLeads(DomainError):
    """These identifiers are not one person's."""

    kind = "invalid"


class NobodyKnown(DomainError):
    """Nobody is known by these identifiers."""

    kind = "not_found"


class FileGone(DomainError):
    """The export was deleted at its time; the person may ask for a new one."""

    kind = "gone"


class FileNotReady(DomainError):
    """The export is not made yet."""

    kind = "not_yet"


@dataclass(frozen=True, slots=True)
class Request:
    """What a person asked for. `emails` and `phones` are in their normal form, and gone once it is over; `subject` stays."""

    id: UUID
    kind: Kind
    state: State
    emails: Sequence[str]
    phones: Sequence[str]
    lead_ids: Sequence[UUID]
    subject: Sequence[bytes]
    reason: str
    channel: str
    reference: str | None
    received_by: str
    received_at: datetime
    due_on: date
    preview: Mapping[str, Any] | None = None
    digest: str | None = None
    identity: str | None = None
    confirmed_by: str | None = None
    next_at: datetime | None = None
    outcome: Mapping[str, Any] | None = None
    refusal: str | None = None
    closed_at: datetime | None = None


class Person(NamedTuple):
    """The leads that are this person's; `doubtful` ones share a phone or a merge with it and have somebody else's address.

    `emails` are those of the leads and of the request, normal and as they were written.
    """

    leads: Sequence[Lead]
    doubtful: Sequence[UUID]
    emails: frozenset[str]
    phones: frozenset[str]


def due_on(received: date, months: int = MONTHS) -> date:
    """The day of the same number so many months later, or the last of that month."""
    count = received.month - 1 + months
    year, month = received.year + count // 12, count % 12 + 1
    return date(year, month, min(received.day, calendar.monthrange(year, month)[1]))


def turn(request: Request, move: Move) -> State:
    """The state after a move. Raises `WrongTransition`."""
    state = TRANSITIONS.get((request.state, move))
    if state is None:
        raise WrongTransition("the request", request.state, move)
    return state


def previewed(request: Request, preview: Mapping[str, Any], digest: str) -> Request:
    return replace(request, state=turn(request, "preview"), preview=preview, digest=digest)


def confirmed(request: Request, *, digest: str | None, present: str, identity: str, by: str, now: datetime) -> Request:
    """Somebody who checked who asks says that it shall be done. `present` is the digest of what is there now. Raises `DataChanged`."""
    state = turn(request, "confirm_erasure" if request.kind == "erase" else "confirm_export")
    if request.kind == "erase" and not request.digest == digest == present:
        raise DataChanged("what is known of the person is not what this preview showed; ask for a new one", field="digest")
    return replace(request, state=state, identity=identity, confirmed_by=by, next_at=now)


def extended(request: Request) -> Request:
    """Two further months, once. Raises `AlreadyExtended`."""
    state = turn(request, "extend")
    latest = due_on(request.received_at.date(), MOST_MONTHS)
    if request.due_on >= latest:
        raise AlreadyExtended(f"it is due on {request.due_on}, which is as late as the law allows")
    return replace(request, state=state, due_on=latest)


def closed(request: Request, move: Literal["finish", "refuse"], now: datetime, **told: Any) -> Request:
    """It is over: what the person is known by goes."""
    return replace(request, state=turn(request, move), emails=(), phones=(), preview=None, next_at=None, closed_at=now, **told)


def sort_out(leads: Sequence[Lead], *, named: Collection[UUID], emails: Collection[str], phones: Collection[str]) -> Person:
    """Which of the leads that were found are the person's: those that were named, those with the address, and those without any
    address that have the phone or nothing. Everything else might be a colleague behind the same switchboard."""
    mine: list[Lead] = []
    doubtful: list[Lead] = []
    for lead in leads:
        email, phone = email_of(lead), phone_of(lead)
        sure = lead.id in named or email in emails or (email is None and (phone is None or phone in phones))
        (mine if sure else doubtful).append(lead)
    contacts = [lead.contact for lead in mine if lead.contact is not None]
    written = {each.email.strip().lower() for each in contacts if each.email}
    numbers = {each.phone.strip().lower() for each in contacts if each.phone} | {
        found for lead in mine if (found := phone_of(lead)) is not None
    }
    normal = {found for lead in mine if (found := email_of(lead)) is not None}
    return Person(mine, [lead.id for lead in doubtful], frozenset({*emails, *normal, *written}), frozenset({*phones, *numbers}))


def email_of(lead: Lead) -> str | None:
    """The address of a lead in its normal form."""
    return normal_email(lead.contact.email) if lead.contact and lead.contact.email else None


def phone_of(lead: Lead) -> str | None:
    """The phone of a lead in its normal form."""
    return normal_phone(lead.contact.phone, lead.country) if lead.contact and lead.contact.phone else None


def hash_of(key: bytes, kind: Literal["email", "phone", "lead"], value: str) -> bytes:
    """By which a closed request still shows whom it was for, to whoever has the key and asks about a certain person."""
    return hmac.new(key, f"{kind}:{value}".encode(), hashlib.sha256).digest()


def ref_hash(value: str) -> bytes:
    """By which a reference or a browser of an erased person is known again."""
    return hashlib.sha256(value.encode()).digest()


def digest_of(leads: Sequence[UUID], doubtful: Sequence[UUID], found: Sequence[tuple[str, int, str]]) -> str:
    """Changes with whatever is known of the person."""
    text = json.dumps([[str(each) for each in leads], [str(each) for each in doubtful], sorted(found)])
    return hashlib.sha256(text.encode()).hexdigest()
