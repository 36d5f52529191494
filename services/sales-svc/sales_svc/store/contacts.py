"""Contacts. Their row is locked after their account's."""

from typing import Any
from uuid import UUID

from ltc_chassis.connection import Connection
from ltc_contracts.errors import NotFound

from sales_svc.domain.contact import Contact, email_key
from sales_svc.store.patterns import containing


async def insert_contact(conn: Connection, c: Contact) -> bool:
    """False when the account has a contact with this address."""
    row = await conn.fetchrow(
        """
        INSERT INTO contact (id, account_id, name, email, email_key, phone, role, is_primary, version, created_at, updated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (account_id, email_key) DO NOTHING RETURNING id
        """,
        *(c.id, c.account_id, c.name, c.email, email_key(c.email), c.phone, c.role, c.is_primary, c.version),
        *(c.created_at, c.updated_at),
    )
    return row is not None


async def save_contact(conn: Connection, c: Contact) -> None:
    await conn.execute(
        """
        UPDATE contact SET name = $2, email = $3, email_key = $4, phone = $5, role = $6, is_primary = $7, erased_at = $8,
               version = $9, updated_at = $10
        WHERE id = $1
        """,
        *(c.id, c.name, c.email, email_key(c.email), c.phone, c.role, c.is_primary, c.erased_at, c.version, c.updated_at),
    )


async def has_other_with_email(conn: Connection, c: Contact) -> bool:
    found: bool = await conn.fetchval(
        "SELECT EXISTS (SELECT 1 FROM contact WHERE account_id = $1 AND email_key = $2 AND id <> $3)",
        *(c.account_id, email_key(c.email), c.id),
    )
    return found


async def unset_primary(conn: Connection, account_id: UUID, *, but: UUID) -> None:
    """Under the account's lock."""
    await conn.execute(
        "UPDATE contact SET is_primary = false, version = version + 1 WHERE account_id = $1 AND is_primary AND id <> $2",
        *(account_id, but),
    )


async def find_by_email(conn: Connection, account_id: UUID, email: str) -> UUID | None:
    found: UUID | None = await conn.fetchval(
        "SELECT id FROM contact WHERE account_id = $1 AND email_key = $2", account_id, email_key(email)
    )
    return found


async def get_contact(conn: Connection, contact_id: UUID) -> Contact:
    row = await conn.fetchrow(
        """
        SELECT id, account_id, name, email, phone, role, is_primary, erased_at, version, created_at, updated_at
        FROM contact WHERE id = $1
        """,
        contact_id,
    )
    return _contact(row, contact_id)


async def get_contact_for_update(conn: Connection, contact_id: UUID) -> Contact:
    row = await conn.fetchrow(
        """
        SELECT id, account_id, name, email, phone, role, is_primary, erased_at, version, created_at, updated_at
        FROM contact WHERE id = $1 FOR UPDATE
        """,
        contact_id,
    )
    return _contact(row, contact_id)


async def list_contacts(
    conn: Connection, *, account_id: UUID | None, text: str | None, email: str | None, after: UUID | None, limit: int
) -> list[Contact]:
    """In the order of their ids, those erased left out; `text` is contained in the name, or the name is like it."""
    rows = await conn.fetch(
        """
        SELECT id, account_id, name, email, phone, role, is_primary, erased_at, version, created_at, updated_at
        FROM contact
        WHERE erased_at IS NULL AND ($1::uuid IS NULL OR account_id = $1)
          AND ($2::text IS NULL OR lower(name) LIKE $2 OR lower(name) % $6)
          AND ($3::text IS NULL OR email_key = $3) AND ($4::uuid IS NULL OR id > $4)
        ORDER BY id LIMIT $5
        """,
        *(
            account_id,
            None if text is None else containing(text.casefold()),
            email_key(email),
            after,
            limit,
            text and text.casefold(),
        ),
    )
    return [_contact(row) for row in rows]


async def move_contacts(conn: Connection, loser: UUID, winner: UUID) -> None:
    """A person whom both accounts know is one contact afterwards: the winner's."""
    for statement in _MOVES:
        await conn.execute(statement, loser, winner)


_MOVES = (
    """
    UPDATE opportunity o SET contact_id = kept.id FROM contact gone JOIN contact kept ON kept.email_key = gone.email_key
    WHERE gone.account_id = $1 AND kept.account_id = $2 AND o.contact_id = gone.id
    """,
    """
    UPDATE activity a SET contact_id = kept.id FROM contact gone JOIN contact kept ON kept.email_key = gone.email_key
    WHERE gone.account_id = $1 AND kept.account_id = $2 AND a.contact_id = gone.id
    """,
    """
    UPDATE held_lead h SET contact_id = kept.id FROM contact gone JOIN contact kept ON kept.email_key = gone.email_key
    WHERE gone.account_id = $1 AND kept.account_id = $2 AND h.contact_id = gone.id
    """,
    """
    DELETE FROM contact gone USING contact kept
    WHERE gone.account_id = $1 AND kept.account_id = $2 AND kept.email_key = gone.email_key
    """,
    """
    UPDATE contact SET account_id = $2, version = version + 1,
           is_primary = is_primary AND NOT EXISTS (SELECT 1 FROM contact WHERE account_id = $2 AND is_primary)
    WHERE account_id = $1
    """,
)


def _contact(row: Any, wanted: UUID | None = None) -> Contact:
    if row is None:
        raise NotFound(f"no contact {wanted}")
    return Contact(**dict(row))
