"""A form as a page shows it in one language: what each question looks like, what stands in it, what is wrong with it."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ltc_rules.custom_fields import FieldDef

from lead_svc.domain.form import STANDARD, FormField, Plan, links_in
from lead_svc.domain.form_answers import Problem
from lead_svc.domain.form_words import HELP, LABELS, PROBLEMS, countries

# https://html.spec.whatwg.org/multipage/form-control-infrastructure.html#autofill
_AUTOCOMPLETE = {
    "name": "name",
    "email": "email",
    "phone": "tel",
    "company": "organization",
    "website": "url",
    "country": "country",
}
_KINDS = {"email": "email", "phone": "tel", "message": "area", "company_size": "whole"}
_OWN_KINDS = {
    "number": "number",
    "integer": "whole",
    "boolean": "tick",
    "date": "date",
    "choice": "select",
    "multi_choice": "ticks",
    "email": "email",
}
_LONG_TEXT = 500


def printable(
    plan: Plan, own: Iterable[FieldDef], language: str, given: Mapping[str, Sequence[str]], problems: Iterable[Problem]
) -> dict[str, Any]:
    """What the template needs. `given` are the answers so far, which stay in their places."""
    known = {definition.key: definition for definition in own if not definition.archived}
    wrong = {problem.field: PROBLEMS[language][problem.code].format(limit=problem.limit) for problem in problems}
    shown: list[dict[str, Any]] = []
    for each in plan.fields:
        definition = known.get(each.own) if each.own else None
        if not each.hidden and (definition is not None or not each.own):
            shown.append(_field(plan, each, definition, language, given, f"f{len(shown)}"))
    consents = [
        {
            "id": f"c{number}",
            "name": f"consent.{consent.key}",
            "required": consent.required,
            "parts": links_in(consent.wording[language]),
            "ticked": list(given.get(f"consent.{consent.key}", ()))[:1] == ["yes"],
        }
        for number, consent in enumerate(plan.consents)
    ]
    for question in (*shown, *consents):
        question["problem"] = wrong.get(question["name"])
    return {
        "title": plan.title[language],
        "intro": plan.intro[language] if plan.intro else None,
        "submit": plan.submit[language] if plan.submit else None,
        "fields": shown,
        "consents": consents,
    }


def _field(
    plan: Plan, asked: FormField, definition: FieldDef | None, language: str, given: Mapping[str, Sequence[str]], place: str
) -> dict[str, Any]:
    usual = definition.label if definition else LABELS[language][asked.name]
    help_text = asked.help[language] if asked.help else HELP[language].get(asked.name)
    if asked.name == "phone" and plan.default_country and not asked.help:
        help_text = None
    options = _options(asked, definition, language)
    kind = _KINDS.get(asked.name, "text") if definition is None else _OWN_KINDS.get(definition.type, "text")
    if definition is not None and definition.type == "text" and (definition.max_length or 0) > _LONG_TEXT:
        kind = "area"
    if options and kind != "ticks":
        kind = "select"
    values = list(given.get(asked.name, ()))
    if not values and asked.name == "country" and plan.default_country:
        values = [plan.default_country]
    return {
        "id": place,
        "name": asked.name,
        "kind": kind,
        "label": asked.label[language] if asked.label else usual,
        "help": help_text,
        "required": asked.required or (definition is not None and definition.required),
        "longest": STANDARD[asked.name] if definition is None else definition.max_length,
        "autocomplete": _AUTOCOMPLETE.get(asked.name),
        "options": options,
        "values": values,
        "value": values[0] if values else "",
    }


def _options(asked: FormField, definition: FieldDef | None, language: str) -> list[tuple[str, str]]:
    if asked.choices:
        return [(choice.value, choice.label[language] if choice.label else choice.value) for choice in asked.choices]
    if asked.name == "country":
        return list(countries(language))
    return [(choice, choice) for choice in definition.choices] if definition else []
