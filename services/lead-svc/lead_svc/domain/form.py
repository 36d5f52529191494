"""Hosted forms: what one asks, in which languages, and what makes a form that can be published. Versions are never edited."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from urllib.parse import urlsplit

from ltc_contracts.errors import DomainError, Invalid
from ltc_rules.countries import country_code
from ltc_rules.custom_fields import FieldDef

from lead_svc.domain.consent import Purpose

Language = Literal["en", "zh"]
Texts = Mapping[str, str]
Action = Literal["created", "changed", "published", "retired"]
Outcome = Literal["captured", "merged", "known", "refused"]
Happening = Literal["view", "submission", "honeypot", "speed", "rate", "expired", "invalid"]
# Fields of a lead that a form may ask for, and how long an answer may be.
STANDARD: Mapping[str, int] = {
    "name": 200,
    "email": 254,
    "phone": 40,
    "company": 200,
    "website": 500,
    "country": 60,
    "industry": 64,
    "company_size": 9,
    "message": 2000,
}
_WITH_CHOICES = {"country", "industry", "company_size"}
OWN = "custom."
_ORIGIN = re.compile(
    r"https://(\*\.)?[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?(:[0-9]{1,5})?|http://(localhost|127\.0\.0\.1)(:[0-9]{1,5})?"
)
_LINK = re.compile(r"https://[^\s<>\"'，。；：！？（）、]+[^\s<>\"'，。；：！？（）、.,;:!?)]")


class FormExists(DomainError):
    """The key is taken, and stays taken: links to it are out in the world."""


class FormRetired(DomainError):
    """The form is over for good; a new one takes its place."""


class NotPublished(DomainError):
    """A form is shown only once a version of it was published."""


class FormClosed(DomainError):
    """The form takes no answers (any more)."""

    kind = "gone"


@dataclass(frozen=True, slots=True)
class Choice:
    """An answer to choose; without `label` it is shown as it is."""

    value: str
    label: Texts | None


@dataclass(frozen=True, slots=True)
class FormField:
    """A question. One that is `hidden` is not sent to the browser at all: its `value` is added when the form comes in."""

    name: str
    label: Texts | None
    help: Texts | None
    required: bool
    choices: tuple[Choice, ...]
    hidden: bool
    value: str | None

    @property
    def own(self) -> str | None:
        """The key of the company's own field."""
        return self.name.removeprefix(OWN) if self.name.startswith(OWN) else None


@dataclass(frozen=True, slots=True)
class ConsentText:
    """What somebody may agree to by ticking a box, which never is ticked beforehand."""

    key: str
    purpose: Purpose
    required: bool
    wording: Texts


@dataclass(frozen=True, slots=True)
class Plan:
    """What a version of a form is. Times are of the business clock."""

    languages: tuple[Language, ...]
    title: Texts
    intro: Texts | None
    submit: Texts | None
    fields: tuple[FormField, ...]
    consents: tuple[ConsentText, ...]
    channel: str
    source: str
    campaign: str | None
    activity: str
    success: Texts | None
    redirect_url: str | None
    origins: tuple[str, ...]
    site: str | None
    default_country: str | None
    min_seconds: int
    expires_minutes: int


@dataclass(frozen=True, slots=True)
class Form:
    """A form as it is administered. `draft` is a plan as JSON, see `plan_of`."""

    key: str
    name: str
    active: bool
    version: int
    published: int | None
    draft: Mapping[str, Any]
    created_by: str
    created_at: datetime
    updated_by: str
    updated_at: datetime
    retired_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class FormVersion:
    """A plan that was shown, as JSON."""

    form: str
    version: int
    body: Mapping[str, Any]
    published_by: str
    published_at: datetime

    @property
    def plan(self) -> Plan:
        return plan_of(self.body)


def plan_of(body: Mapping[str, Any]) -> Plan:
    """A plan from its JSON form."""
    fields = [FormField(**{**each, "choices": tuple(Choice(**choice) for choice in each["choices"])}) for each in body["fields"]]
    consents = tuple(ConsentText(**each) for each in body["consents"])
    lists = {name: tuple(body[name]) for name in ("languages", "origins")}
    return Plan(**{**body, **lists, "fields": tuple(fields), "consents": consents})


def check_plan(plan: Plan, own: Iterable[FieldDef]) -> None:
    """Raises `Invalid`, naming the place, for a plan that makes no form. `own` are the company's fields as they are now."""
    if not plan.languages or len(set(plan.languages)) < len(plan.languages):
        raise Invalid("one or both of en and zh, each once", field="languages")
    for name in ("title", "intro", "submit", "success"):
        _check_texts(getattr(plan, name), plan.languages, name)
    known = {definition.key: definition for definition in own if not definition.archived}
    names = [field.name for field in plan.fields]
    if len(set(names)) < len(names):
        raise Invalid("a form asks for a field once", field="fields")
    for number, field in enumerate(plan.fields):
        _check_field(field, plan.languages, known, f"fields.{number}")
    if not any(field.name in ("email", "phone") and not field.hidden for field in plan.fields):
        raise Invalid("ask for `email` or `phone`, so that somebody can be answered", field="fields")
    for definition in known.values():
        if definition.required and f"{OWN}{definition.key}" not in names:
            raise Invalid(f"the field '{definition.key}' is required of every lead; ask for it or set it", field="fields")
    if len({consent.key for consent in plan.consents}) < len(plan.consents):
        raise Invalid("two consents have one key", field="consents")
    for number, consent in enumerate(plan.consents):
        _check_texts(consent.wording, plan.languages, f"consents.{number}.wording")
    _check_targets(plan)


def links_in(text: str) -> list[tuple[str, bool]]:
    """A text in parts, each with whether it is an address to link to. Joined they are the text."""
    parts: list[tuple[str, bool]] = []
    at = 0
    for found in _LINK.finditer(text):
        parts += [(text[at : found.start()], False), (found[0], True)]
        at = found.end()
    return [part for part in [*parts, (text[at:], False)] if part[0]]


def _check_targets(plan: Plan) -> None:
    if (plan.success is None) == (plan.redirect_url is None):
        raise Invalid("give either a text (`success`) or a page (`redirect_url`) for afterwards", field="success")
    if plan.redirect_url is not None and not _is_https(plan.redirect_url):
        raise Invalid("must be an https address", field="redirect_url")
    for number, origin in enumerate(plan.origins):
        if _ORIGIN.fullmatch(origin) is None:
            raise Invalid("must be an origin like https://www.example.com, without path", field=f"origins.{number}")
    if plan.default_country is not None and country_code(plan.default_country) != plan.default_country:
        raise Invalid("is no country we know, by ISO code", field="default_country")


def _check_field(field: FormField, languages: Sequence[str], known: Mapping[str, FieldDef], at: str) -> None:
    definition = known.get(field.own) if field.own else None
    if field.name not in STANDARD and definition is None:
        raise Invalid(f"no such field; there are {', '.join(STANDARD)}, custom.<key>", field=f"{at}.name")
    if definition is not None and definition.type == "datetime" and not field.hidden:
        # A browser sends a time without its offset, and so nobody would know when it is.
        raise Invalid("a moment cannot be asked for in a form; use a date", field=f"{at}.name")
    for name in ("label", "help"):
        _check_texts(getattr(field, name), languages, f"{at}.{name}")
    if field.hidden != (field.value is not None):
        raise Invalid("a hidden field has a value, and no other has", field=f"{at}.value")
    if field.choices:
        if definition.type not in ("choice", "multi_choice") if definition else field.name not in _WITH_CHOICES:
            raise Invalid("this field has no choices", field=f"{at}.choices")
        values = [choice.value for choice in field.choices]
        if len(set(values)) < len(values):
            raise Invalid("a choice is there twice", field=f"{at}.choices")
        for number, choice in enumerate(field.choices):
            _check_texts(choice.label, languages, f"{at}.choices.{number}.label")
            if not _is_value(field.name, definition, choice.value):
                raise Invalid("is no value of this field", field=f"{at}.choices.{number}.value")


def _is_value(name: str, definition: FieldDef | None, value: str) -> bool:
    if definition is not None:
        return value in definition.choices
    if name == "country":
        return country_code(value) == value
    if name == "company_size":
        return value.isascii() and value.isdigit() and int(value) <= 100_000_000
    return 0 < len(value.strip()) <= STANDARD[name]


def _check_texts(texts: Texts | None, languages: Sequence[str], at: str) -> None:
    if texts is not None and (set(texts) != set(languages) or not all(text.strip() for text in texts.values())):
        raise Invalid(f"must be there in {' and '.join(languages)}", field=at)


def _is_https(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return (
            parts.scheme == "https"
            and bool(parts.hostname)
            and "@" not in parts.netloc
            and re.search(r"[\s\\\x00-\x1f]", url) is None
            and (parts.port is None or parts.port > 0)
        )
    except ValueError:
        return False
