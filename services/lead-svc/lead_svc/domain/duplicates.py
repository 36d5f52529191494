"""What happens to a new lead that is like a known one (RULES 1). The strongest answer among the kinds that match counts."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Literal, NamedTuple
from uuid import UUID

from ltc_contracts.errors import DomainError

from lead_svc.domain.identity import Kind
from lead_svc.domain.lead import Lead

Answer = Literal["allow", "link", "refuse", "merge"]
# From the weakest to the strongest.
_ANSWERS: tuple[Answer, ...] = ("allow", "link", "merge", "refuse")
# The likelier one shares it by being the same, the earlier it decides which lead is meant.
_KINDS: tuple[Kind, ...] = ("email", "phone", "name", "domain")


class PossibleDuplicate(DomainError):
    """The policy refuses a lead that is like a known one. Which one is told to those only who may read leads."""

    def __init__(self, reason: str, *, found: Iterable[UUID], told: bool = False) -> None:
        super().__init__(reason)
        self.found = tuple(found)
        self._told = told

    def told(self) -> "PossibleDuplicate":
        """The refusal for a caller who may read leads: it names them."""
        return PossibleDuplicate(self.reason, found=self.found, told=True)

    def members(self) -> dict[str, Any]:
        return {"possible_duplicates": [str(lead_id) for lead_id in self.found]} if self._told else {}


class DuplicatePolicyExists(DomainError):
    """A version is never edited; a change is a new version with a beginning of its own."""


@dataclass(frozen=True, slots=True)
class DuplicatePolicy:
    """One version: the answer per kind of match. `likeness` is the share of trigrams from which names are alike."""

    version: str
    email: Answer
    phone: Answer
    domain: Answer
    name: Answer
    likeness: Decimal

    def answer(self, kind: Kind) -> Answer:
        return {"email": self.email, "phone": self.phone, "domain": self.domain, "name": self.name}[kind]

    @property
    def asked(self) -> tuple[Kind, ...]:
        """The kinds that have a consequence."""
        return tuple(kind for kind in _KINDS if self.answer(kind) != "allow")


class Match(NamedTuple):
    """A new lead shares a key of this kind with another one."""

    lead_id: UUID
    kind: Kind
    other_id: UUID


class Verdict(NamedTuple):
    """What to do with a new lead, and the lead it is like."""

    answer: Answer
    other_id: UUID


def as_given(lead: Lead) -> Lead:
    """The new lead as its sender knows it: without what it was found to be like, or that it was merged."""
    return replace(lead, status="new" if lead.status == "merged" else lead.status, merged_into=None, duplicate_of=None)


def judge(matches: Iterable[Match], policy: DuplicatePolicy) -> Verdict | None:
    """The verdict on one new lead; None where nothing has a consequence. Of several others the best match counts, then the oldest."""
    asked = [match for match in matches if policy.answer(match.kind) != "allow"]
    if not asked:
        return None
    answer = max((policy.answer(match.kind) for match in asked), key=_ANSWERS.index)
    best = min(
        (match for match in asked if policy.answer(match.kind) == answer),
        key=lambda match: (_KINDS.index(match.kind), match.other_id),
    )
    return Verdict(answer, best.other_id)
