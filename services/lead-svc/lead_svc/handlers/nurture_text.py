"""Personalised text: templates that a company writes, filled in with what is known of a lead, which a stranger may have typed.

A template knows values, `if`, comparisons and a handful of filters; no loops, calls or attributes of objects, so it is bounded in time
and size by its own length. What it may name is checked when it is kept; what is empty for a lead is empty text, or a default:
`Hello {{ first_name | default("there") }}`.
"""

import functools
import html as entities
import re
from collections.abc import Iterable, Mapping
from typing import Any

from jinja2 import TemplateError, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment
from ltc_contracts.errors import DomainError, Invalid

from lead_svc.domain.lead import Lead
from lead_svc.domain.nurture import Plan, Template

VARIABLES = ("name", "first_name", "company", "country", "industry", "campaign", "source", "owner", "attributes", "custom")
_FILTERS = ("default", "d", "upper", "lower", "title", "capitalize", "trim", "truncate", "e", "escape", "length")
_NODES = (
    *(nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Const, nodes.Filter, nodes.If, nodes.CondExpr),
    *(nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not, nodes.Getattr, nodes.Getitem, nodes.Keyword, nodes.Test),
)
_LIMITS = {"subject": 500, "text": 20_000, "html": 100_000}
_LONGEST_VALUE = 200
_CONTROL = re.compile(r"[\x00-\x1f\x7f\u0085\u2028\u2029]+")
_LINK_LIKE = re.compile(r"://|\bwww\.|\.(com|net|org|info|ru|cn|xyz|top)/", re.IGNORECASE)
_HREF = re.compile(r"(<a\b[^>]*?\bhref\s*=\s*)(\"[^\"]*\"|'[^']*'|[^\s\"'>]+)", re.IGNORECASE)
_ACTIVE = re.compile(r"<\s*(script|iframe|object|embed|form|base|meta|link)\b|\bon[a-z]+\s*=|<a\b[^>]*javascript:", re.IGNORECASE)
_EMPTY: dict[str, Any] = {**dict.fromkeys(VARIABLES, ""), "attributes": {}, "custom": {}}
_FULL: dict[str, Any] = {**dict.fromkeys(VARIABLES, "x"), "attributes": {}, "custom": {}}
_WORDS = {
    "en": ("You get this mail because you agreed to it.", "Unsubscribe"),
    "zh": ("您收到此邮件是因为您曾同意接收。", "退订"),
}


class Unwritable(DomainError):
    """The template cannot be filled in for this lead."""


class _Plain(ImmutableSandboxedEnvironment):
    """A dot names an entry, never a method: `attributes.items` is the column of that name."""

    def getattr(self, obj: Any, attribute: str) -> Any:
        return self.getitem(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        return obj.get(argument, "") if isinstance(obj, dict) else ""


def _default(value: Any, other: Any = "", _: bool = True) -> Any:
    """Empty counts as missing: a lead without a name is one with an empty name."""
    return value or other


def _environment(*, autoescape: bool) -> _Plain:
    made = _Plain(autoescape=autoescape)
    made.filters = {name: made.filters[name] for name in _FILTERS} | {"default": _default, "d": _default}
    return made


_TEXT, _HTML = _environment(autoescape=False), _environment(autoescape=True)


def check(template: Template, *, at: str) -> None:
    """Raise `Invalid`, naming the place, for a template that is too long, not understood, or names what is not there."""
    for part, source in (("subject", template.subject), ("text", template.text), ("html", template.html)):
        if source is None:
            continue
        place = f"{at}.{part}"
        if len(source) > _LIMITS[part] or "\x00" in source:
            raise Invalid(f"at most {_LIMITS[part]} characters", field=place)
        if not source.strip():
            raise Invalid("must not be empty", field=place)
        if part == "subject" and _CONTROL.search(source):
            raise Invalid("a subject is one line", field=place)
        if part == "html" and _ACTIVE.search(source):
            raise Invalid("a mail carries no scripts, frames or forms", field=place)
        _check_source(source, place)
        for known in (_EMPTY, _FULL):
            try:
                _render(_TEXT, source, known)
            except Unwritable as error:
                raise Invalid(error.reason, field=place) from error


def fill(template: Template, lead: Lead, custom: Mapping[str, Any]) -> Template:
    """The mail's parts for a lead, without links of ours."""
    known = _values(lead, custom)
    text = _render(_TEXT, template.text, known)
    html = None if template.html is None else _render(_HTML, template.html, known)
    subject = " ".join(_render(_TEXT, template.subject, known).split())[:500]
    # A subject of nothing but what the lead lacks is no subject; the template's plain words are better than none.
    return Template(subject or template.subject.split("{", 1)[0].strip() or "-", text, html)


def links_of(html: str) -> list[str]:
    """The pages that a mail's HTML links to, each once, in order."""
    found = (entities.unescape(match[2].strip("\"'")).strip() for match in _HREF.finditer(html))
    return list(dict.fromkeys(url for url in found if url.lower().startswith(("http://", "https://"))))


def finish(filled: Template, plan: Plan, *, unsubscribe: str, pixel: str, clicks: Mapping[str, str]) -> tuple[str, str | None]:
    """Text and HTML as they leave: with the footer, the way to unsubscribe, and in HTML counted links and the pixel."""
    why, word = _WORDS[plan.language]
    text = "\n".join((filled.text.rstrip(), "", "-- ", *filter(None, (plan.footer, why, f"{word}: {unsubscribe}")))) + "\n"
    if filled.html is None:
        return text, None

    def counted(match: re.Match[str]) -> str:
        url = entities.unescape(match[2].strip("\"'")).strip()
        if url.lower().startswith(("mailto:", "tel:")):
            return match[0]
        # What leads nowhere that we know is taken out: a lead's own words may stand where a link was meant.
        return f'{match[1]}"{entities.escape(clicks.get(url, "#"))}"'

    footer = "<br>".join(entities.escape(part) for part in (*plan.footer.splitlines(), why) if part)
    end = f'<hr><p style="font-size:12px;color:#666">{footer}<br><a href="{entities.escape(unsubscribe)}">{word}</a></p>' + (
        f'<img src="{entities.escape(pixel)}" width="1" height="1" alt="">' if pixel else ""
    )
    body = _HREF.sub(counted, filled.html)
    before, tag, after = body.rpartition("</body>")
    return text, f"{before}{end}{tag}{after}" if tag else body + end


def _check_source(source: str, at: str) -> None:
    try:
        tree = _TEXT.parse(source)
    except (TemplateError, RecursionError) as error:
        raise Invalid(f"the template is not understood: {getattr(error, 'message', 'too deep')}"[:300], field=at) from error
    for node in _all(tree):
        if not isinstance(node, _NODES):
            raise Invalid(f"a template has no {type(node).__name__.lower()}", field=at)
        if isinstance(node, nodes.Name) and node.name not in VARIABLES:
            raise Invalid(f"there is no '{node.name[:40]}'; there are {', '.join(VARIABLES)}", field=at)
        if isinstance(node, nodes.Filter) and node.name not in _FILTERS:
            raise Invalid(f"there is no filter '{node.name[:40]}'; there are {', '.join(_FILTERS)}", field=at)
        if isinstance(node, nodes.Test) and node.name not in ("defined", "undefined", "none"):
            raise Invalid("the only tests are defined, undefined and none", field=at)
        if isinstance(node, nodes.Getattr | nodes.Getitem):
            owner = node.node
            if not isinstance(owner, nodes.Name) or owner.name not in ("attributes", "custom"):
                raise Invalid("only attributes and custom have parts", field=at)
            if isinstance(node, nodes.Getitem) and not isinstance(node.arg, nodes.Const):
                raise Invalid("a part is named by a text", field=at)


def _all(tree: nodes.Node) -> Iterable[nodes.Node]:
    yield tree
    for child in tree.iter_child_nodes():
        yield from _all(child)


def _render(environment: _Plain, source: str, known: Mapping[str, Any]) -> str:
    try:
        text: str = _compiled(environment, source).render(known)
    except (TemplateError, TypeError, ValueError) as error:
        raise Unwritable(f"the template cannot be filled in ({type(error).__name__})") from error
    return text


@functools.lru_cache(maxsize=500)
def _compiled(environment: _Plain, source: str) -> Any:
    return environment.from_string(source)


def _values(lead: Lead, custom: Mapping[str, Any]) -> dict[str, Any]:
    name = _plain(lead.contact.name if lead.contact else None)
    plain = {
        "company": lead.company,
        "country": lead.country,
        "industry": lead.industry,
        "campaign": lead.campaign,
        "source": lead.source,
        "owner": lead.owner,
    }
    return {
        "name": name,
        # A name that is written without spaces (Chinese, Japanese) is used whole.
        "first_name": name.split(" ", 1)[0],
        **{key: _plain(value) for key, value in plain.items()},
        "attributes": {key: _plain(value) for key, value in lead.attributes.items()},
        "custom": {key: _plain(value) for key, value in custom.items()},
    }


def _plain(value: Any) -> str:
    """One line, not long; a "name" that is an advertisement with a link is nobody's name, and our mail does not carry it."""
    if value is None:
        return ""
    text = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    text = " ".join(_CONTROL.sub(" ", text).split())[:_LONGEST_VALUE]
    return "" if _LINK_LIKE.search(text) else text
