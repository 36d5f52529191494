"""HTTP in: contacts."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Response
from ltc_chassis.api import Conn, Page, PageArgs, Principal, Tx, scope
from ltc_chassis.api import router as make_router
from ltc_contracts.events.model import Code, Name
from pydantic import BaseModel, Field

from sales_svc.api.shapes import Body, ChangeView, Edit, IfMatch, Search
from sales_svc.domain.contact import Contact
from sales_svc.handlers import contacts as handlers
from sales_svc.store import accounts, changes, contacts

router = make_router(prefix="/v1", tags=["contacts"])
Writer = Annotated[Principal, scope("contacts:write")]
Email = Annotated[str, Field(max_length=254)]
Phone = Annotated[str, Field(min_length=3, max_length=40)]


class NewContact(Body):
    name: Name
    email: Email | None = None
    phone: Phone | None = None
    role: Code | None = None
    is_primary: bool = False


class ContactEdit(Edit):
    name: Name | None = None
    email: Email | None = None
    phone: Phone | None = None
    role: Code | None = None
    is_primary: bool = False


class ContactView(BaseModel):
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

    @classmethod
    def of(cls, contact: Contact) -> "ContactView":
        return cls(**{name: getattr(contact, name) for name in cls.model_fields})


@router.post("/accounts/{account_id}/contacts", status_code=201)
async def add_contact(account_id: UUID, body: NewContact, tx: Tx, caller: Writer) -> ContactView:
    """A person at the account; a new primary one takes the place of the one before."""
    return ContactView.of(await handlers.add_contact(tx, account_id, **body.model_dump(), by=caller.subject))


@router.post("/contacts", status_code=201)
async def add_person(body: NewContact, tx: Tx, caller: Writer) -> ContactView:
    """A person without a company."""
    return ContactView.of(await handlers.add_contact(tx, None, **body.model_dump(), by=caller.subject))


@router.get("/accounts/{account_id}/contacts", dependencies=[scope("contacts:read")])
async def list_contacts_of(account_id: UUID, conn: Conn, page: PageArgs) -> Page[ContactView]:
    """The persons at an account."""
    await accounts.get_account(conn, account_id)
    return await _page(conn, page, account_id=account_id)


@router.get("/contacts", dependencies=[scope("contacts:read")])
async def list_contacts(conn: Conn, page: PageArgs, q: Search | None = None, email: Email | None = None) -> Page[ContactView]:
    """Persons, by a name that contains `q` or is like it, or by their address."""
    return await _page(conn, page, text=q, email=email)


@router.get("/contacts/{contact_id}", dependencies=[scope("contacts:read")])
async def get_contact(contact_id: UUID, conn: Conn, response: Response) -> ContactView:
    """One person."""
    contact = await contacts.get_contact(conn, contact_id)
    response.headers["ETag"] = f'"{contact.version}"'
    return ContactView.of(contact)


@router.patch("/contacts/{contact_id}")
async def change_contact(contact_id: UUID, body: ContactEdit, tx: Tx, caller: Writer, if_match: IfMatch) -> ContactView:
    """Change some fields; null empties one. Needs the version that was read."""
    expected = body.version if body.version is not None else if_match
    return ContactView.of(await handlers.change_contact(tx, contact_id, body.given(), caller.subject, expected=expected))


@router.delete("/contacts/{contact_id}")
async def erase_contact(contact_id: UUID, tx: Tx, caller: Writer) -> ContactView:
    """Forget the person; deals and activities stay, without them. Asked again, nothing changes."""
    return ContactView.of(await handlers.erase_contact(tx, contact_id, caller.subject))


@router.get("/contacts/{contact_id}/changes", dependencies=[scope("contacts:read")])
async def list_changes(contact_id: UUID, conn: Conn, page: PageArgs) -> Page[ChangeView]:
    """Who changed which field, and when; not from what to what, since that is personal data."""
    await contacts.get_contact(conn, contact_id)
    rows = await changes.list_changes(conn, "contact", contact_id, after=page.after, limit=page.limit + 1)
    return page.of([ChangeView.of(row) for row in rows], key=lambda view: view.id)


async def _page(
    conn: Conn, page: PageArgs, *, account_id: UUID | None = None, text: str | None = None, email: str | None = None
) -> Page[ContactView]:
    rows = await contacts.list_contacts(
        conn, account_id=account_id, text=text, email=email, after=page.after, limit=page.limit + 1
    )
    return page.of([ContactView.of(row) for row in rows], key=lambda view: view.id)
