"""The clause library: texts with placeholders, in versions that are approved and never edited."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from ltc_contracts.errors import DomainError, Invalid

# What a clause may name; filled from the priced version, the letterhead and the terms when a contract is drawn up.
PLACEHOLDERS = frozenset(
    {
        *("our.name", "our.address", "our.tax_id", "our.registration"),
        *("customer.name", "customer.country", "customer.vat_id", "contract.number", "quote.number"),
        *("total.net", "total.tax", "total.gross", "payment_days", "requested_on"),
        *("term.starts_on", "term.ends_on", "term.months", "term.renewal_months", "term.notice_days"),
    }
)
LONGEST_TEXT = 10_000
_PLACE = re.compile(r"\{\{\s*([a-z_.]+)\s*\}\}")


class PlaceholderEmpty(DomainError):
    """A clause names something that this contract does not have; it is not drawn up with a hole in it."""


class ClauseMissing(DomainError):
    """A template asks for a clause that has no approved version in its language (yet)."""


class ClauseApproved(DomainError):
    """A version is approved once."""


@dataclass(frozen=True, slots=True)
class Clause:
    """One version of one clause in one language. `text` has a blank line between paragraphs."""

    id: UUID
    code: str
    language: str
    version: int
    title: str
    text: str
    valid_from: datetime
    created_by: str
    created_at: datetime
    approved_by: str | None
    approved_at: datetime | None

    def usable(self, moment: datetime) -> bool:
        """Approved, and valid at a moment."""
        return self.approved_at is not None and self.valid_from <= moment


def require_fillable(text: str, *, field: str) -> None:
    """Every placeholder is a known one, and every brace pair is a placeholder. Raises `Invalid`."""
    for name in _PLACE.findall(text):
        if name not in PLACEHOLDERS:
            raise Invalid(f"no placeholder '{name}'; there are {', '.join(sorted(PLACEHOLDERS))}", field=field)
    if "{{" in _PLACE.sub("", text) or "}}" in _PLACE.sub("", text):
        raise Invalid("a placeholder looks like {{ customer.name }}", field=field)
    if not text.strip():
        raise Invalid("a clause has a text", field=field)


def fill(text: str, values: Mapping[str, str | None], *, code: str) -> str:
    """The text as it is agreed. Raises `PlaceholderEmpty` with the clause and the name."""

    def value(match: re.Match[str]) -> str:
        found = values.get(match[1])
        if not found:
            raise PlaceholderEmpty(f"the clause '{code}' needs {match[1]}, which this contract does not have", field=match[1])
        return found

    return _PLACE.sub(value, text)


def latest(clauses: Iterable[Clause], code: str, version: int | None, moment: datetime) -> Clause:
    """The named version, or the highest usable one. Raises `ClauseMissing`."""
    usable = [each for each in clauses if each.code == code and each.usable(moment) and version in (None, each.version)]
    if not usable:
        named = f"version {version} of " if version else ""
        raise ClauseMissing(f"there is no approved {named}clause '{code}' in the template's language", field=code)
    return max(usable, key=lambda each: each.version)
