"""Identifiers: UUIDv7, whose first 48 bits are the wall-clock millisecond at which the id was drawn."""

from datetime import UTC, datetime
from uuid import UUID

import uuid_utils.compat


def new_id() -> UUID:
    """A new UUIDv7: unique, and ordered by creation, so that it serves as a keyset cursor."""
    return uuid_utils.compat.uuid7()


def drawn_at(identifier: UUID) -> datetime | None:
    """The WALL time at which a UUIDv7 was drawn (millisecond precision); None for any other version."""
    if identifier.version != 7:
        return None
    return datetime.fromtimestamp((identifier.int >> 80) / 1000, UTC)
