"""The one error family a domain raises; the chassis maps its kind to problem+json or to parking, in one place."""

import re
from typing import Any, ClassVar, Literal

Kind = Literal[
    "invalid", "unauthenticated", "forbidden", "not_found", "conflict", "not_yet", "too_large", "gone", "too_many", "unavailable"
]


class DomainError(Exception):
    """A business rule said no. `kind` tells the edge what to answer, `field` which input to mend.

    Subclasses are named after the rule (`QuoteExpired`); the name, in kebab case, is the stable problem type.
    """

    kind: ClassVar[Kind] = "conflict"

    def __init__(self, reason: str, *, field: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.field = field

    def members(self) -> dict[str, Any]:
        """What a program needs to know beside the reason; further members of the answer (RFC 9457, 3.2), JSON."""
        return {}

    @classmethod
    def slug(cls) -> str:
        return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", cls.__name__).lower()


class Invalid(DomainError):
    """A value breaks a rule that does not depend on any state."""

    kind = "invalid"


class NotFound(DomainError):
    """The object named by the caller does not exist (or not for this caller)."""

    kind = "not_found"


class NotYet(DomainError):
    """The event came before one it builds on; it is tried again soon and becomes an error only after a deadline."""

    kind = "not_yet"


class WrongTransition(DomainError):
    """The object is in a state from which this move is not allowed."""

    def __init__(self, what: str, state: str, move: str) -> None:
        super().__init__(f"{what} is {state}; '{move}' is not possible from there")
        self.state = state
        self.move = move


class VersionConflict(DomainError):
    """The object was changed since the caller read it; read it again and decide anew."""

    def __init__(self, what: str, version: int) -> None:
        super().__init__(f"{what} is at version {version} by now; read it again", field="version")
        self.version = version

    def members(self) -> dict[str, Any]:
        return {"current_version": self.version}
