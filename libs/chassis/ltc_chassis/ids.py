"""Identifiers: UUIDv7, whose first 48 bits are the wall-clock millisecond at which the id was drawn."""

from datetime import UTC, datetime
from uuid import UUID

import uuid_utils.compat
from asyncpg.pgproto.pgproto import UUID as RowId


def new_id() -> UUID:
    """A new UUIDv7: unique, and ordered by creation, so that it serves as a keyset cursor."""
    return uuid_utils.compat.uuid7()


def new_row_id() -> UUID:
    """The same for ids that go into rows only, as asyncpg's own kind: made, printed and sent in a third of the time.

    orjson does not know it; elsewhere it is as good as any other.
    """
    made: UUID = RowId(uuid_utils.uuid7().bytes)
    return made


def drawn_at(identifier: UUID) -> datetime | None:
    """The WALL time at which a UUIDv7 was drawn (millisecond precision); None for any other version."""
    if identifier.version != 7:
        return None
    return datetime.fromtimestamp((identifier.int >> 80) / 1000, UTC)
