"""What customers are told of their delivery by mail: each fact once, in words that a company may make its own."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from ltc_contracts.errors import Invalid
from ltc_contracts.events import DeliveryCompleted, DeliveryFailed, DeliveryHandedOver, DeliveryPromised, Event, Line

Kind = Literal["promised", "promise_changed", "handed_over", "failed_attempt", "completed"]
Language = Literal["en", "zh"]
State = Literal["waiting", "sent", "skipped"]
KINDS: tuple[Kind, ...] = ("promised", "promise_changed", "handed_over", "failed_attempt", "completed")
LANGUAGES: tuple[Language, ...] = ("en", "zh")
# Of no use to anybody who reads it so late.
STALE = timedelta(days=7)
_AHEAD: frozenset[Kind] = frozenset({"promised", "promise_changed", "failed_attempt"})
MOST_VERSIONS = 200
_PLACEHOLDER = re.compile(r"\{([a-z_]*)\}")
# What a template may say; what a fact does not know is left out.
PLACEHOLDERS = frozenset({"order", "customer", "day", "was", "reason", "items", "next_day", "link"})
_MOST_ITEMS = 30
# Where customers of these countries say nothing else, they are written to in Chinese.
_CHINESE = frozenset({"CN", "HK", "MO", "TW"})


@dataclass(frozen=True, slots=True)
class Template:
    """One version of what is said of a kind of fact in a language; version 0 is ours."""

    kind: Kind
    language: Language
    version: int
    subject: str
    text: str
    active: bool


@dataclass(frozen=True, slots=True)
class Fact:
    """Something to tell. `key` says which promise, hand-over or attempt it is; `data` is what was known of it then."""

    kind: Kind
    key: str
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Notice:
    """A fact that is told, was, or will not be."""

    id: UUID
    delivery_id: UUID
    kind: Kind
    key: str
    data: Mapping[str, Any]
    state: State
    reason: str | None
    language: Language | None
    template_version: int | None
    created_at: datetime
    settled_at: datetime | None


def language_of(country: str) -> Language:
    """In which a customer of this country is written to."""
    return "zh" if country in _CHINESE else "en"


def facts_of(events: Sequence[Event]) -> list[Fact]:
    """What a customer is told of these events, which happened together. The last hand-over is told by the completion."""
    facts: list[Fact] = []
    items: list[list[str]] = []
    data: dict[str, Any]
    # A promise that follows from a failed attempt has its reason, which we know in both languages.
    failed = next((event.code for event in events if isinstance(event, DeliveryFailed)), None)
    for event in events:
        match event:
            case DeliveryPromised():
                kind: Kind = "promised" if event.promise_version == 1 else "promise_changed"
                data = {"day": _day(event.promised_on), "was": _day(event.was), "reason": failed or event.reason}
                facts.append(Fact(kind, str(event.promise_version), data))
            case DeliveryHandedOver():
                items = _items(event.lines)
                if not event.last:
                    facts.append(Fact("handed_over", str(event.handover_id), {"items": items, "day": _day(event.handed_over_at)}))
            case DeliveryFailed():
                data = {"day": _day(event.failed_at), "reason": event.code, "next_day": _day(event.next_attempt_on)}
                facts.append(Fact("failed_attempt", str(event.attempt_id), data))
            case DeliveryCompleted():
                data = {"items": items or _items(event.lines), "day": _day(event.completed_at)}
                facts.append(Fact("completed", str(event.delivery_id), data))
    return facts


def why_not(notice: Notice, template: Template, state: str, now: datetime) -> str | None:
    """Why a fact is not told any more: nobody wants it told, it is too late, or what it looks forward to does not come."""
    if not template.active:
        return "inactive"
    if now - notice.created_at > STALE:
        return "late"
    return "cancelled" if state == "cancelled" and notice.kind in _AHEAD else None


def check(template: Template) -> None:
    """Raises `Invalid` for a placeholder that there is not."""
    for field, text in (("subject", template.subject), ("text", template.text)):
        for name in _PLACEHOLDER.findall(text):
            if name not in PLACEHOLDERS:
                raise Invalid(f"there is no {{{name}}}; there are {', '.join(sorted(PLACEHOLDERS))}", field=field)
    if "{link}" in template.subject or "{items}" in template.subject:
        raise Invalid("a subject is one short line, without {link} and {items}", field="subject")


def ours(kind: Kind, language: Language) -> Template:
    """Our own words."""
    subject, text = _OURS[(kind, language)]
    return Template(kind, language, 0, subject, text, True)


def fill(template: Template, fact: Mapping[str, Any], *, order: str, customer: str, link: str | None) -> tuple[str, str]:
    """Subject and text. A line of the text whose placeholders are all unknown is left out; the link stands below unless it is in it."""
    values = {
        "order": order,
        "customer": customer,
        "link": link or "",
        "day": fact.get("day") or "",
        "was": fact.get("was") or "",
        "next_day": fact.get("next_day") or "",
        "reason": _reason(template, fact.get("reason")),
        "items": "\n".join(f"- {quantity} x {what}" for quantity, what in fact.get("items") or ()),
    }

    def put(text: str) -> str:
        # In one pass, so that what a value says is never taken for a placeholder.
        return _PLACEHOLDER.sub(lambda found: str(values.get(found[1], found[0])), text)

    lines = [
        line for line in template.text.split("\n") if (names := _PLACEHOLDER.findall(line)) == [] or any(map(values.get, names))
    ]
    text = put("\n".join(lines)).strip()
    if link and "{link}" not in template.text:
        text += f"\n\n{_TRACK[template.language]}: {link}"
    return put(template.subject).strip(), text + "\n"


def _reason(template: Template, reason: str | None) -> str:
    return WHY[template.language].get(reason or "", reason or "")


def _items(lines: Sequence[Line]) -> list[list[str]]:
    shown = [[format(line.quantity.normalize(), "f"), line.description] for line in lines[:_MOST_ITEMS]]
    return shown if len(lines) <= _MOST_ITEMS else [*shown, ["…", "…"]]


def _day(moment: date | datetime | None) -> str | None:
    if isinstance(moment, datetime):
        moment = moment.astimezone(UTC).date()
    return None if moment is None else moment.isoformat()


_TRACK = {"en": "Where it is", "zh": "查看进度"}
WHY: dict[Language, dict[str, str]] = {
    "en": {
        "absent": "Nobody was there.",
        "refused": "It was not accepted.",
        "address": "We could not find the address.",
        "damaged": "It was damaged on the way.",
        "not_ready": "The place was not ready.",
        "other": "It was not possible.",
        "the order was changed": "The order was changed.",
    },
    "zh": {
        "absent": "送达时无人接收。",
        "refused": "货物被拒收。",
        "address": "未能找到地址。",
        "damaged": "货物在途中受损。",
        "not_ready": "现场尚未准备就绪。",
        "other": "未能完成交付。",
        "the order was changed": "订单内容已变更。",
    },
}
_OURS: dict[tuple[Kind, Language], tuple[str, str]] = {
    ("promised", "en"): ("Your order {order}: delivery by {day}", "Dear {customer},\n\nwe deliver your order {order} by {day}."),
    ("promised", "zh"): ("您的订单 {order}：预计 {day} 前交付", "{customer}，您好：\n\n您的订单 {order} 将于 {day} 前交付。"),
    ("promise_changed", "en"): (
        "Your order {order}: another day, {day}",
        "Dear {customer},\n\nyour order {order} comes by {day}.\nBefore, it was promised for {was}.\nThe reason: {reason}",
    ),
    ("promise_changed", "zh"): (
        "您的订单 {order}：交付日期变更为 {day}",
        "{customer}，您好：\n\n您的订单 {order} 将改于 {day} 前交付。\n原定日期：{was}\n原因：{reason}",
    ),
    ("handed_over", "en"): (
        "Your order {order}: a part was delivered",
        "Dear {customer},\n\nof your order {order} these were delivered on {day}:\n\n{items}\n\nThe rest follows.",
    ),
    ("handed_over", "zh"): (
        "您的订单 {order}：部分已交付",
        "{customer}，您好：\n\n您的订单 {order} 的以下内容已于 {day} 交付：\n\n{items}\n\n其余部分将随后交付。",
    ),
    ("failed_attempt", "en"): (
        "Your order {order}: we could not deliver",
        "Dear {customer},\n\non {day} we tried to deliver your order {order}. {reason}\nWe try again on {next_day}.",
    ),
    ("failed_attempt", "zh"): (
        "您的订单 {order}：未能交付",
        "{customer}，您好：\n\n我们于 {day} 尝试交付您的订单 {order}。{reason}\n我们将于 {next_day} 再次尝试。",
    ),
    ("completed", "en"): (
        "Your order {order} is complete",
        "Dear {customer},\n\nyour order {order} is complete since {day}. Delivered last:\n\n{items}",
    ),
    ("completed", "zh"): (
        "您的订单 {order} 已全部交付",
        "{customer}，您好：\n\n您的订单 {order} 已于 {day} 全部交付。最后交付的内容：\n\n{items}",
    ),
}
