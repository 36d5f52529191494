"""What the answers of a form mean: the facts of a lead, by the mapping of its endpoint; and what the person agreed to."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from ltc_contracts.errors import Invalid
from ltc_contracts.events import Touch
from ltc_rules.custom_fields import FieldDef

from lead_svc.domain.hook import Answer, ConsentRule, Endpoint, Notice
from lead_svc.domain.hook_platforms import PLATFORMS
from lead_svc.domain.rows import FIELDS, Layout, Reader, Refusal, Row
from lead_svc.domain.visit import allowed_clicks, clean

# A stranger says neither who owns a lead nor what became of it; how it came is the endpoint's to say.
MAPPED = FIELDS - {"owner", "outcome", "external_ref", "channel", "source", "campaign"}
_ONE_LINE = {"contact.name", "contact.email", "contact.phone", "company", "website", "industry", "region"}
_TAG = re.compile(r"<\s*[/!?a-zA-Z]")
_UTM = ("source", "medium", "campaign", "term", "content")
_LONGEST_NAME = 200
_MOST_ATTRIBUTES = 100


@dataclass(frozen=True, slots=True)
class Facts:
    """A lead as it comes of a form. `agreed` is a consent that was given; a box that was left empty takes none back."""

    row: Row
    touch: Touch
    agreed: bool


def check_mapping(mapping: Mapping[str, Sequence[Sequence[str]]], own: Iterable[FieldDef]) -> None:
    """Raise `Invalid` for a field that there is not, or a question without a name."""
    known = MAPPED | {f"custom.{field.key}" for field in own if not field.archived}
    for name, ways in mapping.items():
        if name not in known:
            raise Invalid(
                f"'{name[:80]}' is no field that a form may fill; there are {', '.join(sorted(MAPPED))}, custom.<key>",
                field="mapping",
            )
        if any(not keys or not all(keys) for keys in ways):
            raise Invalid(f"'{name}': a question has a name", field="mapping")


def facts_of(notice: Notice, endpoint: Endpoint, own: Sequence[FieldDef], campaigns: Iterable[str], now: datetime) -> Facts:
    """The facts of a lead. `campaigns` are the codes of ours that the ids of the notice may name. Raises `Invalid` with the field.

    An answer that no field is mapped to is kept as an attribute under the name of its question, the platform's ids likewise.
    """
    answers = list(notice.answers or ())
    mapping = {**PLATFORMS[endpoint.kind].fields, **endpoint.mapping}
    cells: dict[str, str] = {}
    columns: dict[str, str] = {}
    used: set[int] = set()
    for name, ways in mapping.items():
        found = _first(answers, ways)
        if found is not None:
            value, numbers = found
            if name in _ONE_LINE:
                _check_line(name, value)
            columns[name] = f"\x00{name}"  # no question has such a name
            cells[columns[name]] = value
            used |= numbers
    rest = [(answer.keys[0], answer.value) for number, answer in enumerate(answers) if number not in used]
    facts = [(f"{endpoint.kind}.{name}", value) for name, value in notice.facts.items()]
    for name, value in (*rest, *facts):
        cells.setdefault(name[:_LONGEST_NAME], value)
    if len(cells) > _MOST_ATTRIBUTES + len(columns):
        raise Invalid(f"has more than {_MOST_ATTRIBUTES} answers", field="answers")
    campaign = _campaign(notice, endpoint, set(campaigns))
    constants = {"channel": endpoint.channel, "source": endpoint.source, **({"campaign": campaign} if campaign else {})}
    row = Reader(list(cells), Layout(columns, frozenset(), constants), own).read(1, list(cells.values()))
    if isinstance(row, Refusal):
        raise Invalid(row.reason, field=row.field)
    return Facts(row, _touch(notice, endpoint, campaign, now), agreed(answers, endpoint.consent))


def agreed(answers: Sequence[Answer], rule: ConsentRule | None) -> bool:
    """Whether the person said yes to what the rule is about."""
    found = _first(answers, [[rule.question]]) if rule is not None else None
    return rule is not None and found is not None and found[0].strip().casefold() in {yes.strip().casefold() for yes in rule.yes}


def without_starred(body: bytes, starred: Iterable[bytes]) -> bytes:
    """The bytes without the keys that the platform sends along, as long as before."""
    for key in starred:
        if key:
            body = body.replace(key, b"*" * len(key))
    return body


def _first(answers: Sequence[Answer], ways: Sequence[Sequence[str]]) -> tuple[str, set[int]] | None:
    """The answers to the first alternative to which there is one, joined, and which they are."""
    for keys in ways:
        parts: list[str] = []
        numbers: set[int] = set()
        for key in keys:
            number = next((number for number, answer in enumerate(answers) if key in answer.keys), None)
            if number is not None:
                parts.append(answers[number].value)
                numbers.add(number)
        if parts:
            return " ".join(parts), numbers
    return None


def _check_line(name: str, value: str) -> None:
    if "\n" in value or "\r" in value:
        raise Invalid("holds a line break", field=name)
    if _TAG.search(value):
        raise Invalid("holds a tag of HTML", field=name)


def _campaign(notice: Notice, endpoint: Endpoint, campaigns: set[str]) -> str | None:
    for place in notice.places:
        if place in endpoint.campaigns:
            return endpoint.campaigns[place]
    return next((place for place in notice.places if place in campaigns), endpoint.campaign)


def _touch(notice: Notice, endpoint: Endpoint, campaign: str | None, now: datetime) -> Touch:
    """How the person came: what the endpoint says, and of what the platform says the utm parameters and click ids that we know."""
    said = {name: notice.utm.get(name) or _hidden(notice, f"utm_{name}") for name in _UTM}
    utm = {name: clean(value, 200) for name, value in said.items() if value}
    clicks = {
        **{name: value for name in ("gclid", "msclkid", "fbclid", "bd_vid") if (value := _hidden(notice, name))},
        **notice.click_ids,
    }
    return Touch(
        occurred_at=min(notice.submitted_at or now, now),
        channel=endpoint.channel,
        source=utm.get("source") or endpoint.source,
        medium=utm.get("medium"),
        campaign=utm.get("campaign") or campaign,
        term=utm.get("term"),
        content=utm.get("content"),
        page=_path(notice.page),
        click_ids=allowed_clicks(clicks),
    )


def _hidden(notice: Notice, name: str) -> str | None:
    return next((answer.value for answer in notice.answers or () if name in answer.keys), None)


def _path(page: str | None) -> str | None:
    """The page without its parameters, which may name the person."""
    if page is None:
        return None
    try:
        parts = urlsplit(page)
    except ValueError:
        return None
    return clean(f"{parts.hostname or ''}{parts.path}", 500)
