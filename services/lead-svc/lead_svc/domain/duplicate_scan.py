"""A scan for duplicates: pairs that share a key or are alike in name become groups, as pairs are found."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Literal, NamedTuple
from uuid import UUID

from ltc_contracts.errors import DomainError, WrongTransition

from lead_svc.domain.identity import Kind

State = Literal["running", "done", "cancelled"]
KEEP = timedelta(days=90)
TRANSITIONS: dict[tuple[State, str], State] = {("running", "finish"): "done", ("running", "cancel"): "cancelled"}
# How sure two leads are one by what they share; by name it is the share of trigrams.
_SURE: dict[Kind, Decimal] = {"email": Decimal(1), "phone": Decimal("0.9"), "domain": Decimal("0.5")}


class ScanRuns(DomainError):
    """One scan at a time; cancel it, or wait."""


class Position(NamedTuple):
    """The last key that was looked at; keys are in the order of kind, value, lead."""

    kind: Kind
    value: str
    lead_id: UUID


@dataclass(frozen=True, slots=True)
class Scan:
    """How far a scan is; `total` and `processed` count keys."""

    id: UUID
    kinds: Sequence[Kind]
    likeness: Decimal
    state: State
    at: Position
    total: int
    processed: int
    created_by: str
    created_at: datetime
    finished_at: datetime | None = None


class Pair(NamedTuple):
    """Two leads that may be one. `likeness` is of names, None for keys that are equal."""

    lead_id: UUID
    other_id: UUID
    kind: Kind
    likeness: Decimal | None = None

    @property
    def sure(self) -> Decimal:
        return _SURE[self.kind] if self.likeness is None else self.likeness


@dataclass(frozen=True, slots=True)
class Member:
    """A lead in a group; `likeness` is the surest reason for which it is there."""

    lead_id: UUID
    group_id: UUID
    matched_on: frozenset[str]
    likeness: Decimal


class Grouped(NamedTuple):
    """New or changed members, and groups that became part of another one (old -> new)."""

    members: list[Member]
    joined: dict[UUID, UUID]


def next_kind(scan: Scan) -> Kind | None:
    """The kind after the present one; None when it was the last."""
    place = scan.kinds.index(scan.at.kind)
    return scan.kinds[place + 1] if place + 1 < len(scan.kinds) else None


def end(scan: Scan, move: Literal["finish", "cancel"], now: datetime) -> Scan:
    """Raises `WrongTransition` for a scan that is over."""
    state = TRANSITIONS.get((scan.state, move))
    if state is None:
        raise WrongTransition("the scan", scan.state, move)
    return replace(scan, state=state, finished_at=now)


def group(pairs: Iterable[Pair], known: Mapping[UUID, Member]) -> Grouped:
    """Groups with these pairs added; `known` are the members among them. The smallest lead of a group names it."""
    root: dict[UUID, UUID] = {}

    def find(name: UUID) -> UUID:
        while root.setdefault(name, name) != name:
            root[name] = root[root[name]]
            name = root[name]
        return name

    found: dict[UUID, Member] = dict(known)
    for pair in pairs:
        for lead_id in (pair.lead_id, pair.other_id):
            before = found.get(lead_id) or Member(lead_id, lead_id, frozenset(), Decimal(0))
            found[lead_id] = replace(before, matched_on=before.matched_on | {pair.kind}, likeness=max(before.likeness, pair.sure))
        one, other = (find(found[lead_id].group_id) for lead_id in (pair.lead_id, pair.other_id))
        root[max(one, other)] = min(one, other)
    members = [replace(member, group_id=find(member.group_id)) for member in found.values()]
    joined = {name: find(name) for name in root if find(name) != name}
    return Grouped([member for member in members if known.get(member.lead_id) != member], joined)
