"""Two leads are one person or company (RULES 1): they become one lead, and for a day they can become two again.

A merged lost and active lead is active. The survivor keeps what it knows and takes what it lacks; per field the other way round.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple
from uuid import UUID

from ltc_contracts.errors import DomainError, WrongTransition
from ltc_contracts.events import Contact, LeadMerged, LeadUnmerged, MergedLead
from ltc_contracts.money import Money

from lead_svc.domain.lead import TRANSITIONS, Lead, Status, require_known
from lead_svc.domain.protection import Lease, end
from lead_svc.domain.segments import as_given

UNDO_WITHIN = timedelta(hours=24)
_PERSONAL = ("company", "website")
Field = Literal[
    "campaign",
    "channel",
    "channel_group",
    "company",
    "company_size",
    "contact.email",
    "contact.name",
    "contact.phone",
    "country",
    "estimated_value",
    "industry",
    "region",
    "source",
    "website",
]
# The further a lead is, the more is lost by forgetting it: the survivor is as far as the further one.
_FAR: dict[Status, int] = {
    "merged": -1,
    "junk": 0,
    "disqualified": 1,
    "new": 2,
    "contacted": 3,
    "nurturing": 4,
    "qualified": 5,
    "converted": 6,
}
_SINGLE = (
    *("campaign", "channel", "channel_group", "company", "company_size", "country", "estimated_value", "industry", "region"),
    *("source", "website"),
)
_WITH_SALES = {"qualified", "converted"}
# What a merge changes of a lead, and an undo gives back. `version` and `updated_at` only ever go on.
_PLACE = ("status", "disqualified_reason")
CHANGED = (*_SINGLE, "contact", "attributes", "custom", "classified", "status", "owner", "disqualified_reason", "merged_into")


class LeadMergedAway(DomainError):
    """The lead is part of another one now; ask for that one."""


class SameLead(DomainError):
    """A lead cannot be merged into itself."""

    kind = "invalid"


class TwoRepsWork(DomainError):
    """Each lead has a rep of its own; one hands his back first, since nobody loses his work by a merge."""


class UndoTooLate(DomainError):
    """A merge can be undone within a day."""


class UndoPrevented(DomainError):
    """Something that came after the merge would be torn apart."""


@dataclass(frozen=True, slots=True)
class Merge:
    """A merge as it was done. `before` and `after` hold both leads and the leases around them as they were and as they became."""

    id: UUID
    survivor_id: UUID
    merged_id: UUID
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    moved: Mapping[str, Any]
    dropped: Mapping[str, Any]
    merged_by: str
    merged_at: datetime
    undone_by: str | None = None
    undone_at: datetime | None = None
    erased: bool = False


class Leases(NamedTuple):
    """What protects the two leads when they are merged: those on the survivor and on the merged one, if any (perhaps the same)."""

    survivor: Lease | None
    merged: Lease | None


def combine(survivor: Lead, merged: Lead, take: Collection[Field], leases: Leases, now: datetime) -> tuple[Lead, Lead]:
    """Both leads after the merge; what a rule had set of them is to be classified anew. Raises `SameLead`, `LeadMergedAway`, `TwoRepsWork`."""
    if survivor.id == merged.id:
        raise SameLead("a lead cannot be merged into itself", field="into")
    for lead, name in ((survivor, "into"), (merged, None)):
        require_own(lead, field=name)
        require_known(lead)
    _require_one_rep(survivor, merged, leases)
    further = max((survivor, merged), key=lambda lead: (_FAR[lead.status], lead is survivor))
    mine, other = as_given(survivor), as_given(merged)
    facts = {name: _chosen(getattr(mine, name), getattr(other, name), taken=name in take) for name in _SINGLE}
    one = replace(
        survivor,
        **facts,
        contact=_contact(survivor.contact, merged.contact, take),
        attributes={**merged.attributes, **survivor.attributes},
        custom={**merged.custom, **survivor.custom},
        classified=frozenset(),
        status=further.status,
        disqualified_reason=further.disqualified_reason,
        owner=_owner(survivor, merged, leases, further),
        version=survivor.version + 1,
        updated_at=now,
    )
    away = TRANSITIONS.get((merged.status, "merge"))
    if away is None:
        raise WrongTransition("the lead", merged.status, "merge")
    gone = replace(
        merged,
        status=away,
        merged_into=survivor.id,
        owner=None,
        disqualified_reason=None,
        version=merged.version + 1,
        updated_at=now,
    )
    return one, gone


def require_own(lead: Lead, *, field: str | None = None) -> None:
    """Raise `LeadMergedAway` for a lead that is part of another one."""
    if lead.merged_into is not None:
        raise LeadMergedAway(f"the lead {lead.id} was merged into {lead.merged_into}", field=field)


def joined(survivor: Lease, merged: Lease) -> Lease:
    """One rep protected both: the survivor's lease goes on for as long as the longer one, within its own limit."""
    return replace(survivor, until=min(max(survivor.until, merged.until), survivor.limit_at))


def may_undo(
    merge: Merge, survivor: Lead, now: datetime, *, later_merge: bool, protection_changed: bool, outcome_changed: bool
) -> None:
    """Raise `UndoTooLate` or `UndoPrevented` with the reason."""
    if merge.undone_at is not None:
        raise UndoPrevented("this merge was undone already")
    if merge.erased:
        raise UndoPrevented("the person was erased since; what one of the leads was is not known any more")
    if now - merge.merged_at > UNDO_WITHIN:
        raise UndoTooLate(f"a merge can be undone within 24 hours; this one is of {merge.merged_at:%Y-%m-%d %H:%M} UTC")
    if survivor.merged_into is not None:
        raise UndoPrevented(f"the lead was merged into {survivor.merged_into} since; undo that first")
    if later_merge:
        raise UndoPrevented("another lead was merged into it since; undo that first")
    was = merge.after["survivor"]["status"]
    if survivor.status != was and not (_is_open(was) and _is_open(survivor.status)):
        raise UndoPrevented(f"the lead was {was} after the merge and is {survivor.status} now")
    if protection_changed:
        raise UndoPrevented("who protects the leads changed since the merge")
    if outcome_changed:
        raise UndoPrevented("sales got further with the lead since the merge")


def ended_by_merge(lease: Lease, now: datetime) -> Lease:
    """Over, since the survivor's lease goes on instead."""
    return end(lease, "merged", now)


def protection_changed(merge: Merge, then: Sequence[Mapping[str, Any]], running: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a lease of the merge began to protect something else or ended since, or a new one took its place.

    `then` are those leases as they are now, `running` the ones on the two leads now. Mere extension is no change.
    """
    if not merge.before.get("leases"):
        return False
    was = {lease["id"]: (lease["lead_id"], lease["ended_at"]) for lease in merge.after["leases"]}
    is_now = {lease["id"]: (lease["lead_id"], lease["ended_at"]) for lease in then}
    return was != is_now or any(lease["id"] not in was for lease in running)


def lease_before(before: Mapping[str, Any], after: Sequence[Mapping[str, Any]], now_is: Mapping[str, Any]) -> dict[str, Any]:
    """The lease as it was before the merge; what activity added to it since stays."""
    [was] = [lease for lease in after if lease["id"] == before["id"]]
    return {**before, "until": before["until"] if now_is["until"] == was["until"] else now_is["until"]}


def part(now_is: Mapping[str, Any], before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """The survivor's values as they were before the merge, but for those that were changed since: they stay as they are.

    Of contact, attributes and own fields each key is a value. Where it is and why are one: see `went_on`.
    """
    values = {name: _back(now_is[name], before[name], after[name]) for name in before}
    if went_on(now_is, after):
        values |= {name: now_is[name] for name in _PLACE}
    else:
        values |= {name: before[name] for name in _PLACE}
    return values


def went_on(now_is: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Whether the survivor is elsewhere by now than the merge put it, or for another reason: then it stays there."""
    return any(now_is[name] != after[name] for name in _PLACE)


def _back(now_is: Any, before: Any, after: Any) -> Any:
    if not (isinstance(now_is, Mapping) and isinstance(after, Mapping)):
        return before if now_is == after else now_is
    was = before or {}
    kept = {key: now_is[key] for key in now_is if key not in after or now_is[key] != after[key]}
    kept |= {key: was[key] for key in was if key in now_is and key not in kept and key in after}
    # Nothing of a contact is no contact; of the others nothing is an empty one.
    return kept if before is not None or any(value is not None for value in kept.values()) else None


def without(survivor: Lead, merge: Merge, now: datetime) -> Lead:
    """The survivor without what it took from the merged lead of a person who is erased; what was changed since stays."""
    is_now, before, after = columns(survivor), merge.before["survivor"], merge.after["survivor"]
    values = {**is_now, **{name: _back(is_now[name], before[name], after[name]) for name in _PERSONAL}}
    for name in ("attributes", "custom", "contact"):
        was, became, has = before[name] or {}, after[name] or {}, is_now[name] or {}
        taken = {key for key, value in became.items() if was.get(key) != value and has.get(key) == value}
        left = {key: was.get(key) if key in taken else value for key, value in has.items()}
        values[name] = (
            left if name == "contact" else {key: value for key, value in left.items() if key not in taken or key in was}
        )
    if is_now["contact"] is None:
        values["contact"] = None
    return restored(survivor, values, now)


def merged_event(merge_id: UUID, survivor: Lead, merged: Lead) -> LeadMerged:
    one = MergedLead(lead_id=merged.id, flow_id=merged.flow_id)
    return LeadMerged(merge_id=merge_id, lead_id=survivor.id, merged=(one,), status=survivor.status, owner=survivor.owner)


def unmerged_event(merge_id: UUID, survivor: Lead, restored: Lead) -> LeadUnmerged:
    one = MergedLead(lead_id=restored.id, flow_id=restored.flow_id)
    return LeadUnmerged(merge_id=merge_id, lead_id=survivor.id, restored=(one,), status=survivor.status, owner=survivor.owner)


def _is_open(status: Status) -> bool:
    return (status, "qualify") in TRANSITIONS


def _require_one_rep(survivor: Lead, merged: Lead, leases: Leases) -> None:
    """A lease and somebody else's lease, or somebody else's deal, do not become one. Two deals do: sales links and flags them."""
    holders = {lease.owner for lease in leases if lease is not None}
    deals: Sequence[Lead] = [lead for lead in (survivor, merged) if lead.status in _WITH_SALES and lead.owner is not None]
    if len(holders) > 1 or (holders and any(lead.owner not in holders for lead in deals)):
        raise TwoRepsWork("each of the leads has a rep who works on it; one of them hands his back first")


def _owner(survivor: Lead, merged: Lead, leases: Leases, further: Lead) -> str | None:
    for lease in leases:
        if lease is not None:
            return lease.owner
    return further.owner or survivor.owner or merged.owner


def _contact(survivor: Contact | None, merged: Contact | None, take: Collection[str]) -> Contact | None:
    if survivor is None or merged is None:
        return survivor or merged
    return Contact(
        **{
            name: _chosen(getattr(survivor, name), getattr(merged, name), taken=f"contact.{name}" in take)
            for name in ("name", "email", "phone")
        }
    )


def _chosen(survivor: Any, merged: Any, *, taken: bool) -> Any:
    first, second = (merged, survivor) if taken else (survivor, merged)
    return second if first is None or first == "" else first


def columns(lead: Lead) -> dict[str, Any]:
    """What `CHANGED` names, as JSON."""
    values: dict[str, Any] = {name: getattr(lead, name) for name in CHANGED}
    money: Money | None = values["estimated_value"]
    return {
        **values,
        "estimated_value": None if money is None else {"amount": str(money.amount), "currency": money.currency},
        "contact": None if lead.contact is None else lead.contact.model_dump(),
        "merged_into": None if lead.merged_into is None else str(lead.merged_into),
        "classified": sorted(lead.classified),
    }


def restored(lead: Lead, values: Mapping[str, Any], now: datetime) -> Lead:
    """The lead with these values (the inverse of `columns`)."""
    money, contact, into = values["estimated_value"], values["contact"], values["merged_into"]
    return replace(
        lead,
        **{
            **values,
            "estimated_value": None if money is None else Money.of(money["amount"], money["currency"]),
            "contact": None if contact is None else Contact.model_validate(contact),
            "merged_into": None if into is None else UUID(into),
            "classified": frozenset(values["classified"]),
        },
        version=lead.version + 1,
        updated_at=now,
    )
