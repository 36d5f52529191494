"""What conditions may look at in a lead: its fields by name, the company's own as `custom.<key>`, what a file brought along as
`attributes.<column>`."""

from collections.abc import Iterable, Mapping
from typing import Any

from ltc_rules.conditions import Kind
from ltc_rules.custom_fields import FieldDef, kinds, typed

_OWN: dict[str, Kind] = {
    "captured_via": "text",
    "channel": "text",
    "source": "text",
    "campaign": "text",
    "company": "text",
    "country": "text",
    "industry": "text",
    "company_size": "number",
    "website": "text",
    "email_domain": "text",
    "external_ref": "text",
    "estimated_value": "number",
    "currency": "text",
    "region": "text",
    "channel_group": "text",
}
_ATTRIBUTES = "attributes."


class _Known(dict[str, Kind]):
    """Attributes are not declared anywhere: any name is known, as text."""

    def get(self, key: str, default: Any = None) -> Any:
        return "text" if key.startswith(_ATTRIBUTES) and len(key) <= 300 else super().get(key, default)


def fields(own: Iterable[FieldDef] = (), more: Mapping[str, Kind] | None = None) -> Mapping[str, Kind]:
    """The fields of a lead for `conditions.check`; `own` are the company's, `more` are what the caller adds."""
    return _Known({**_OWN, **kinds(own), **(more or {})})


def values_of(lead: Any, own: Iterable[FieldDef] | None = None) -> dict[str, Any]:
    """The values of a lead for `conditions.holds`; without the definitions of the company's fields these are as they are kept."""
    custom = {f"custom.{key}": value for key, value in lead.custom.items()} if own is None else typed(own, lead.custom)
    email = lead.contact.email if lead.contact else None
    money = lead.estimated_value
    return {
        "captured_via": lead.captured_via,
        "channel": lead.channel,
        "source": lead.source,
        "campaign": lead.campaign,
        "company": lead.company,
        "country": lead.country,
        "industry": lead.industry,
        "company_size": lead.company_size,
        "website": lead.website,
        "email_domain": email.rpartition("@")[2].lower() if email else None,
        "external_ref": lead.external_ref,
        "estimated_value": money.amount if money else None,
        "currency": money.currency if money else None,
        "region": lead.region,
        "channel_group": lead.channel_group,
        **custom,
        **{f"{_ATTRIBUTES}{name}": value for name, value in lead.attributes.items()},
    }
