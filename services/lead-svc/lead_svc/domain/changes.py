"""A person corrects or completes what is known of a lead."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from ltc_contracts.events import Contact, LeadChanged
from ltc_rules.custom_fields import FieldDef, merge, public, validate

from lead_svc.domain.lead import Lead

FACTS = (
    *("campaign", "company", "country", "industry", "company_size", "website", "region", "channel_group", "estimated_value"),
)
_CONTACT = ("name", "email", "phone")
Changes = dict[str, tuple[Any, Any]]


def change(lead: Lead, given: Mapping[str, Any], own: Sequence[FieldDef], now: datetime) -> tuple[Lead, Changes]:
    """The lead with these facts, and what changed: name to (before, after), the company's own fields as `custom.<key>`.

    `contact` and `custom` change what they name, a null clears. What a rule had set and a person now gives stays as given.
    Raises `Invalid`. Nothing is different: the lead as it is.
    """
    facts: dict[str, Any] = {name: given[name] for name in FACTS if name in given}
    if "contact" in given:
        facts["contact"] = _contact(lead.contact, given["contact"])
    if "custom" in given:
        facts["custom"] = merge(lead.custom, validate(own, given["custom"] or {}, partial=True))
    by_person = frozenset(name for name in facts if facts[name] is not None)
    changed = replace(lead, **facts, classified=lead.classified - by_person)
    what = difference(lead, changed)
    if not what and changed.classified == lead.classified:
        return lead, {}
    return replace(changed, version=lead.version + 1, updated_at=now), what


def difference(before: Lead, after: Lead) -> Changes:
    """What is different between two states of a lead, by name."""
    what: Changes = {
        name: (getattr(before, name), getattr(after, name))
        for name in (*FACTS, "segments")
        if getattr(before, name) != getattr(after, name)
    }
    old, new = before.contact or Contact(), after.contact or Contact()
    what |= {
        f"contact.{name}": (getattr(old, name), getattr(new, name))
        for name in _CONTACT
        if getattr(old, name) != getattr(new, name)
    }
    keys = sorted({*before.custom, *after.custom})
    what |= {
        f"custom.{key}": (before.custom.get(key), after.custom.get(key))
        for key in keys
        if before.custom.get(key) != after.custom.get(key)
    }
    return what


def loggable(what: Changes, own: Iterable[FieldDef]) -> dict[str, list[Any] | None]:
    """What a log may keep: before and after as JSON; of personal data only that it changed."""
    personal = {f"custom.{definition.key}" for definition in own if definition.personal}
    return {
        name: None if name in personal or name.startswith("contact.") else [_json(before), _json(after)]
        for name, (before, after) in what.items()
    }


def told(lead: Lead, names: Iterable[str], own: Iterable[FieldDef]) -> LeadChanged:
    """The event: how the lead is now; nothing personal is on it."""
    return LeadChanged(
        lead_id=lead.id,
        changed=tuple(sorted(names))[:300],
        company=lead.company,
        country=lead.country,
        industry=lead.industry,
        company_size=lead.company_size,
        region=lead.region,
        channel_group=lead.channel_group,
        segments=lead.segments,
        custom=public(own, lead.custom),
    )


def _contact(before: Contact | None, given: Mapping[str, Any] | None) -> Contact | None:
    if given is None:
        return None
    made = (before or Contact()).model_copy(update=dict(given))
    return made if any(getattr(made, name) for name in _CONTACT) else None


def _json(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    return value if value is None or isinstance(value, str | int | bool | list) else str(value)
