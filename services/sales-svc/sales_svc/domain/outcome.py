"""Why deals are won or lost, and against whom: lists that the company keeps."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from ltc_contracts.errors import Invalid

Outcome = Literal["won", "lost"]


@dataclass(frozen=True, slots=True)
class Reason:
    """One of the configured reasons."""

    outcome: Outcome
    code: str
    label: str
    position: int
    active: bool
    version: int


@dataclass(frozen=True, slots=True)
class Competitor:
    """A company that sells against us."""

    id: UUID
    name: str
    active: bool
    version: int


def settle(reasons: Iterable[Reason], code: str | None, text: str | None) -> tuple[str | None, str | None]:
    """The reason's code and its text. A text that says just what a reason is called has its code; one of its own has none.

    Raises `Invalid` for a code that is not in the list (any more).
    """
    active = [reason for reason in reasons if reason.active]
    if code is not None:
        for reason in active:
            if reason.code == code:
                return code, text or reason.label
        raise Invalid(f"no such reason; there are {', '.join(reason.code for reason in active)}", field="reason_code")
    said = (text or "").strip().casefold()
    for reason in active:
        if said in (reason.code.casefold(), reason.label.casefold()):
            return reason.code, text
    return None, text


def competitor_key(name: str) -> str:
    """The form in which two spellings of a name are the same."""
    return " ".join(name.casefold().split())


def known_competitors(listed: Iterable[Competitor], names: Sequence[str]) -> tuple[str, ...]:
    """The names as the list has them, each once. Raises `Invalid` for one that is not in it (any more)."""
    known = {competitor_key(each.name): each.name for each in listed if each.active}
    for name in names:
        if competitor_key(name) not in known:
            raise Invalid(f"'{name[:200]}' is not in the list of competitors", field="competitors")
    return tuple(dict.fromkeys(known[competitor_key(name)] for name in names))
