"""Ids of what lies in another system and is only named here: the order of an imported invoice, its delivery, its customer.

Ids of the suite's own things are UUIDv7. One drawn here is a UUIDv5 of its name in the other system: the same each time it is named, and
known by everybody as one of which no service of the suite will ever tell anything, so that nobody waits for it.
"""

from uuid import UUID, uuid5

_SPACE = UUID("019b0000-0000-7000-8000-0000656c7365")
_VERSION = 5


def id_elsewhere(*names: str) -> UUID:
    """The id of a thing by its names there, the widest first (kind, system, number)."""
    return uuid5(_SPACE, "\x1f".join(names))


def lies_elsewhere(id_: UUID) -> bool:
    """Whether an id was drawn for what lies in another system."""
    return id_.version == _VERSION
