"""What somebody wrote into a form, as facts of a lead, or what has to be mended. All of it is said by a stranger."""

import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ltc_contracts.errors import Invalid
from ltc_rules.countries import country_code
from ltc_rules.custom_fields import JSON, FieldDef, validate

from lead_svc.domain.form import STANDARD, ConsentText, FormField, Plan
from lead_svc.domain.identity import site_domain
from lead_svc.domain.phone import normal_phone

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
# Signs that turn the direction of what is written around them: they make a text look like another one.
_TURNS = dict.fromkeys((*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0xFEFF))
_CONTACT = ("name", "email", "phone")
_LONGEST_OWN = 10_000


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with an answer: `required`, `long`, `signs`, `unreadable`, `choice`, `email`, `phone`, `website`, `size`, `agree`,
    or `own_<type>` of a field of the company's own. `limit` is the number that a text about it needs."""

    field: str
    code: str
    limit: int = 0


@dataclass(slots=True)
class Answers:
    """`problems` is empty when it can be taken."""

    facts: dict[str, Any] = field(default_factory=dict)
    contact: dict[str, str] = field(default_factory=dict)
    message: str | None = None
    custom: dict[str, JSON] = field(default_factory=dict)
    agreed: list[ConsentText] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


class _Wrong(Exception):
    def __init__(self, code: str, limit: int = 0) -> None:
        super().__init__(code)
        self.code = code
        self.limit = limit


def read(plan: Plan, own: Iterable[FieldDef], given: Mapping[str, Sequence[str]], unreadable: Collection[str] = ()) -> Answers:
    """Answers by the names of the plan's fields, consents as `consent.<key>`. `unreadable` names those that are no text in UTF-8.

    A field of the company's own that was archived meanwhile is not asked for any more.
    """
    known = {definition.key: definition for definition in own if not definition.archived}
    answers = Answers()
    # A national number needs its country, wherever that stands in the form.
    for each in sorted(plan.fields, key=lambda asked: asked.name != "country"):
        definition = known.get(each.own) if each.own else None
        if each.own and definition is None:
            continue
        try:
            if each.name in unreadable and not each.hidden:
                raise _Wrong("unreadable")
            values = [each.value or ""] if each.hidden else given.get(each.name, ())
            if definition is not None:
                _own(each, definition, values, answers)
            else:
                _standard(plan, each, values[0] if values else "", answers)
        except _Wrong as wrong:
            answers.problems.append(Problem(each.name, wrong.code, wrong.limit))
    for consent in plan.consents:
        name = f"consent.{consent.key}"
        if given.get(name, ()) and given[name][0] == "yes":
            answers.agreed.append(consent)
        elif consent.required:
            answers.problems.append(Problem(name, "agree"))
    order = [each.name for each in plan.fields] + [f"consent.{consent.key}" for consent in plan.consents]
    answers.problems.sort(key=lambda problem: order.index(problem.field))
    return answers


def check_hidden(plan: Plan, own: Iterable[FieldDef]) -> None:
    """Raises `Invalid`, naming the place, for a hidden value that could not be taken when the form comes in."""
    names = [each.name for each in plan.fields]
    hidden = {each.name for each in plan.fields if each.hidden}
    for problem in read(plan, own, {}).problems:
        if problem.field in hidden:
            raise Invalid("is no value of this field", field=f"fields.{names.index(problem.field)}.value")


def _standard(plan: Plan, asked: FormField, given: str, answers: Answers) -> None:
    value: Any = _text(given, STANDARD[asked.name]) if asked.name == "message" else _line(given, STANDARD[asked.name])
    if not value:
        if asked.required:
            raise _Wrong("required")
        return
    if asked.choices and value not in {choice.value for choice in asked.choices}:
        raise _Wrong("choice")
    if asked.name == "email" and not _EMAIL.fullmatch(value):
        raise _Wrong("email")
    if asked.name == "phone":
        value = normal_phone(value, answers.facts.get("country") or plan.default_country)
        if value is None:
            raise _Wrong("phone")
    if asked.name == "website" and (site_domain(value) is None or re.match(r"(?!https?:)[a-z0-9+.-]+:/", value, re.IGNORECASE)):
        raise _Wrong("website")
    if asked.name == "country":
        value = country_code(value)
        if value is None:
            raise _Wrong("choice")
    if asked.name == "company_size":
        if not (value.isascii() and value.isdigit()) or int(value) > 100_000_000:
            raise _Wrong("size")
        value = int(value)
    if asked.name in _CONTACT:
        answers.contact[asked.name] = value
    elif asked.name == "message":
        answers.message = value
    else:
        answers.facts[asked.name] = value


def _own(asked: FormField, definition: FieldDef, given: Sequence[str], answers: Answers) -> None:
    required = asked.required or definition.required
    if definition.type == "boolean":
        value: Any = bool(given) and given[0] in ("yes", "true")
        if not value and required and not asked.hidden:
            raise _Wrong("required")
    elif definition.type == "multi_choice":
        value = [each for part in given for each in (part.split(";") if asked.hidden else [part]) if each] or None
    else:
        value = _text(given[0], _LONGEST_OWN) if given else None
        if value and definition.type != "text" and "\n" in value:
            raise _Wrong("signs")
    if value in (None, ""):
        if required:
            raise _Wrong("required")
        return
    if asked.choices and not set(value if isinstance(value, list) else [value]) <= {choice.value for choice in asked.choices}:
        raise _Wrong("choice")
    try:
        answers.custom |= validate([definition], {definition.key: value}, partial=True)
    except Invalid as error:
        if definition.type == "text":
            raise _Wrong("long", definition.max_length or 500) from error
        raise _Wrong(f"own_{definition.type}") from error


def _line(text: str, longest: int) -> str:
    """One line, as it is kept. A line break has no place in it: in a mail's header it would begin another header."""
    made = unicodedata.normalize("NFC", text.translate(_TURNS))
    if any(unicodedata.category(sign) in ("Cc", "Cs", "Zl", "Zp") for sign in made):
        raise _Wrong("signs")
    made = made.strip()
    if len(made) > longest:
        raise _Wrong("long", longest)
    return made


def _text(text: str, longest: int) -> str:
    """Several lines, with \\n between them."""
    made = unicodedata.normalize("NFC", text.translate(_TURNS)).replace("\r\n", "\n").replace("\r", "\n")
    if any(unicodedata.category(sign) in ("Cc", "Cs") and sign not in "\n\t" for sign in made):
        raise _Wrong("signs")
    made = made.strip()
    if len(made) > longest:
        raise _Wrong("long", longest)
    return made
