"""The rules of contacts: persons at an account."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from ltc_contracts.errors import DomainError, Invalid

ERASED = "erased"


class ContactErased(DomainError):
    """The person's data was erased; nothing can be added any more."""


class ContactExists(DomainError):
    """The account has a contact with this e-mail address."""


@dataclass(frozen=True, slots=True)
class Contact:
    """A person. Personal data: never in logs; in an event only where its reader needs it."""

    id: UUID
    account_id: UUID | None
    name: str
    email: str | None
    phone: str | None
    role: str | None
    is_primary: bool
    erased_at: datetime | None
    version: int
    created_at: datetime
    updated_at: datetime


def email_key(email: str | None) -> str | None:
    """The form in which two spellings of an address are the same. Raises `Invalid` when it is none."""
    if email is None:
        return None
    key = email.strip().casefold()
    if not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", key):
        raise Invalid("this is not an e-mail address", field="email")
    return key


def change(contact: Contact, given: Mapping[str, Any], now: datetime) -> tuple[Contact, list[str]]:
    """The contact with the given fields, and the names of those that changed."""
    if contact.erased_at is not None:
        raise ContactErased("this person's data was erased")
    changed = {name: value for name, value in given.items() if getattr(contact, name) != value}
    if changed.get("is_primary") and contact.account_id is None:
        raise Invalid("only a contact of an account can be its primary one", field="is_primary")
    if not changed:
        return contact, []
    return replace(contact, **changed, version=contact.version + 1, updated_at=now), sorted(changed)


def erase(contact: Contact, now: datetime) -> Contact:
    """Without the person; the row stays, so that deals and activities still hang together. Asked again, nothing changes."""
    if contact.erased_at is not None:
        return contact
    nobody: dict[str, Any] = {"name": ERASED, "email": None, "phone": None, "role": None, "is_primary": False}
    return replace(contact, **nobody, erased_at=now, version=contact.version + 1, updated_at=now)
