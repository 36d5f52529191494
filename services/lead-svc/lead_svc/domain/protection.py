"""The protection lease (RULES 1): for a while a claimed lead and its duplicates belong to one rep, then it returns to the pool."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from ltc_contracts.errors import DomainError, WrongTransition
from ltc_contracts.events import LeadAssigned, LeadReleased

Ending = Literal["expired", "released", "qualified", "disqualified", "merged"]
# Who decides that a protection begins: the rep who takes a lead, somebody who gives it to him, or the rule.
By = Literal["rep", "manager", "rule"]


class LeadProtected(DomainError):
    """Somebody else works on the lead, or on a duplicate of it."""


class CoolingOff(DomainError):
    """A former owner waits before claiming again."""


class TooManyHeld(DomainError):
    """The rep holds as many leads as the policy allows."""


class NotTheOwner(DomainError):
    """Only the owner hands a lead back."""

    kind = "forbidden"


@dataclass(frozen=True, slots=True)
class Policy:
    """One version of the rule. Days are of 24 hours from the moment of the claim."""

    version: str
    protection_days: int
    extension_days: int
    limit_days: int
    cooling_off_days: int
    max_held: int
    qualifying: Collection[str]


@dataclass(frozen=True, slots=True)
class Lease:
    """`until` moves with activity, never beyond `limit_at`. `ended_at` is None while it protects."""

    id: UUID
    lead_id: UUID
    owner: str
    policy: str
    claimed_at: datetime
    until: datetime
    limit_at: datetime
    ended_at: datetime | None = None
    ended_by: Ending | None = None

    def is_due(self, now: datetime) -> bool:
        """Whether it returns to the pool; the last instant still protects."""
        return self.ended_at is None and now > self.until


@dataclass(frozen=True, slots=True)
class Situation:
    """What stands around a lead at the moment of a claim: `holders` and `busy` are of the lead and all its duplicates.

    `holders` own running leases, `busy` are owners of those that sales works on; `left_at` is when the rep last lost one of them.
    """

    holders: Collection[str]
    busy: Collection[str]
    held: int
    left_at: datetime | None


def claim(*, lease_id: UUID, lead_id: UUID, rep: str, situation: Situation, policy: Policy, now: datetime) -> Lease:
    """The rep's lease. Raises `LeadProtected`, `CoolingOff` or `TooManyHeld`; none of them tells who or which duplicate."""
    if any(holder != rep for holder in (*situation.holders, *situation.busy)):
        raise LeadProtected("somebody works on this lead or on a duplicate of it")
    if situation.left_at is not None:
        again = situation.left_at + timedelta(days=policy.cooling_off_days)
        if now < again:
            raise CoolingOff(f"you had this lead before; you may claim it again from {again:%Y-%m-%d %H:%M} UTC")
    if situation.held >= policy.max_held:
        raise TooManyHeld(f"a rep holds at most {policy.max_held} leads; hand one back or qualify one")
    return Lease(
        id=lease_id,
        lead_id=lead_id,
        owner=rep,
        policy=policy.version,
        claimed_at=now,
        until=now + timedelta(days=policy.protection_days),
        limit_at=now + timedelta(days=policy.limit_days),
    )


def extend(lease: Lease, activity: str, policy: Policy, now: datetime) -> Lease:
    """A qualifying activity protects for U more days from now, if that is later; never beyond the limit, never after the end."""
    if activity not in policy.qualifying or lease.ended_at is not None or lease.is_due(now):
        return lease
    return replace(lease, until=min(max(lease.until, now + timedelta(days=policy.extension_days)), lease.limit_at))


def end(lease: Lease, by: Ending, now: datetime) -> Lease:
    """Over. One that expired ended when its time was up, however late that is noticed."""
    if lease.ended_at is not None:
        raise WrongTransition("the protection", lease.ended_by or "over", by)
    return replace(lease, ended_at=lease.until if by == "expired" else now, ended_by=by)


def may_hand_back(lease: Lease, rep: str, *, for_others: bool) -> None:
    """The owner, or one who may assign for others, returns it to the pool early. Raises `NotTheOwner`."""
    if lease.owner != rep and not for_others:
        raise NotTheOwner("only its owner, or one with the scope leads:assign, hands a lead back")


def assigned(
    lease: Lease, how: Literal["claimed", "extended"], *, by: By | None = None, territory: str | None = None
) -> LeadAssigned:
    """`by` is who decided that a protection began."""
    return LeadAssigned(
        lead_id=lease.lead_id,
        owner=lease.owner,
        how=how,
        protected_until=lease.until,
        limit_at=lease.limit_at,
        by=by,
        territory=territory,
    )


def released(lease: Lease, reason: Literal["expired", "released"]) -> LeadReleased:
    return LeadReleased(lead_id=lease.lead_id, owner=lease.owner, reason=reason)


def running(leases: Sequence[Lease], now: datetime) -> list[Lease]:
    """Those that protect at this moment; one that is due protects nobody, even before the timer saw it."""
    return [lease for lease in leases if lease.ended_at is None and not lease.is_due(now)]
