"""The verbs of contacts. Lock order: the account, then the contact."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from ltc_chassis.db import Transaction
from ltc_chassis.ids import new_id
from ltc_contracts.errors import Invalid, NotFound
from ltc_contracts.events import Contact as Person

from sales_svc.domain import contact as rules
from sales_svc.domain.contact import Contact, ContactExists
from sales_svc.domain.versions import require_version
from sales_svc.handlers.accounts import locked_account
from sales_svc.store import activities, changes, contacts


async def add_contact(
    tx: Transaction,
    account_id: UUID | None,
    *,
    name: str,
    email: str | None,
    phone: str | None,
    role: str | None,
    is_primary: bool,
    by: str,
) -> Contact:
    """A person at an account, or of none. The first primary one steps back for another. Raises `ContactExists`."""
    if account_id is None and is_primary:
        raise Invalid("only a contact of an account can be its primary one", field="is_primary")
    contact_id = new_id()
    if account_id is not None:
        await locked_account(tx, account_id)
        if is_primary:
            await contacts.unset_primary(tx.conn, account_id, but=contact_id)
    contact = Contact(
        id=contact_id,
        account_id=account_id,
        name=name,
        email=email,
        phone=phone,
        role=role,
        is_primary=is_primary,
        erased_at=None,
        version=1,
        created_at=tx.now,
        updated_at=tx.now,
    )
    if not await contacts.insert_contact(tx.conn, contact):
        raise ContactExists("the account has a contact with this e-mail address", field="email")
    await _log(tx, contact, by, {"created": True})
    return contact


async def person_of(tx: Transaction, account_id: UUID | None, person: Person) -> UUID | None:
    """The contact that an event tells of; one with the same address at the account is the same person. None for nobody."""
    try:
        email = person.email if rules.email_key(person.email) else None
    except Invalid:  # an address that is none was not checked by its sender
        email = None
    if not (person.name or email or person.phone):
        return None
    if account_id is not None and email is not None:
        known = await contacts.find_by_email(tx.conn, account_id, email)
        if known is not None:
            return known
    contact = Contact(
        id=new_id(),
        account_id=account_id,
        name=person.name or email or person.phone or "",
        email=email,
        phone=person.phone,
        role=None,
        is_primary=False,
        erased_at=None,
        version=1,
        created_at=tx.now,
        updated_at=tx.now,
    )
    if await contacts.insert_contact(tx.conn, contact):
        return contact.id
    assert account_id is not None
    assert email is not None
    return await contacts.find_by_email(tx.conn, account_id, email)


async def named_contact(tx: Transaction, contact_id: UUID) -> Contact:
    """The contact that a caller names for something else. Raises `Invalid` for an unknown one."""
    try:
        return await contacts.get_contact(tx.conn, contact_id)
    except NotFound as error:
        raise Invalid(error.reason, field="contact_id") from error


async def change_contact(
    tx: Transaction, contact_id: UUID, given: Mapping[str, Any], by: str, *, expected: int | None
) -> Contact:
    """Change some fields of the version that was read."""
    known = await contacts.get_contact(tx.conn, contact_id)
    if known.account_id is not None:
        await locked_account(tx, known.account_id)
    contact = await contacts.get_contact_for_update(tx.conn, contact_id)
    require_version("the contact", contact.version, expected)
    changed, names = rules.change(contact, given, tx.now)
    if not names:
        return contact
    if "email" in names and await contacts.has_other_with_email(tx.conn, changed):
        raise ContactExists("the account has a contact with this e-mail address", field="email")
    if changed.is_primary and changed.account_id is not None:
        await contacts.unset_primary(tx.conn, changed.account_id, but=contact_id)
    await contacts.save_contact(tx.conn, changed)
    await _log(tx, changed, by, dict.fromkeys(names, True))
    return changed


async def erase_contact(tx: Transaction, contact_id: UUID, by: str) -> Contact:
    """The person is forgotten; what hangs on the contact stays."""
    contact = await contacts.get_contact_for_update(tx.conn, contact_id)
    erased = rules.erase(contact, tx.now)
    if erased != contact:
        await contacts.save_contact(tx.conn, erased)
        await activities.erase_of_persons(tx.conn, [contact_id], [], tx.now)
        await _log(tx, erased, by, {"erased": True})
    return erased


async def _log(tx: Transaction, contact: Contact, by: str, what: Mapping[str, Any]) -> None:
    await changes.insert_change(
        tx.conn, "contact", contact.id, change_id=new_id(), version=contact.version, by=by, at=tx.now, changes=what
    )
