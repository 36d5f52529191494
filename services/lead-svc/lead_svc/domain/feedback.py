"""What ad platforms are told of their leads, so that they look for better ones: qualified, junk, and the cash that was collected.

Each conversion is told once. Google and Microsoft take adjustments of what was told (restate an amount, retract a lead that turned out
junk); Meta and Baidu take none, so further cash is a further conversion, and money that went back waits for money that comes in.
"""

import csv
import hashlib
import io
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Literal
from urllib.parse import quote
from uuid import UUID

from ltc_contracts.errors import DomainError, Invalid
from ltc_contracts.events import Contact
from ltc_contracts.money import Money, minor_units
from ltc_rules.tables import FORMULA, inert

from lead_svc.domain.phone import normal_phone

Platform = Literal["google", "microsoft", "meta", "baidu"]
What = Literal["qualified", "collected", "junk"]
Kind = Literal["conversion", "restate", "retract"]
Part = Literal["conversions", "adjustments"]
CLICK_ID: Mapping[Platform, str] = {"google": "gclid", "microsoft": "msclkid", "meta": "fbclid", "baidu": "bd_vid"}
_ADJUSTABLE: frozenset[Platform] = frozenset({"google", "microsoft"})
# What a click id looks like; it came through a browser, and a cell may not begin as a formula does.
_CLICK = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,499}")


class SettingExists(DomainError):
    """Somebody added a version in the meantime; read the latest again."""


class ExportRuns(DomainError):
    """An export for this platform is not finished yet."""


class FileNotReady(DomainError):
    """The export is still being made."""

    kind = "not_yet"


@dataclass(frozen=True, slots=True)
class Setting:
    """One version of how a platform calls what it is told; None is not told. Baidu's names are its numbers of conversion types."""

    platform: Platform
    version: int
    qualified: str | None
    collected: str | None
    junk: str | None
    landing_url: str | None


@dataclass(frozen=True, slots=True)
class Export:
    """What a platform is told of a period: its first day, and the first day after it (UTC)."""

    id: UUID
    platform: Platform
    setting_version: int
    period_from: date
    period_until: date
    state: Literal["waiting", "running", "done"]
    created_by: str
    created_at: datetime
    examined: int = 0
    conversions: int = 0
    adjustments: int = 0
    left_out: int = 0
    last_lead_id: UUID | None = None
    complete: bool = True
    finished_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Cash:
    """Money of one movement; refunds are negative."""

    amount: Money
    occurred_at: datetime


@dataclass(frozen=True, slots=True)
class Facts:
    """What there is to tell of a lead until the end of a period; `person` is what the platform knows the person by."""

    lead_id: UUID
    person: Mapping[str, str]
    qualified_at: datetime | None
    junk_at: datetime | None
    cash: Sequence[Cash]


@dataclass(frozen=True, slots=True)
class Item:
    """One line. `original_id` is the conversion that an adjustment is of; `amount` is what it comes to from then on."""

    id: UUID
    lead_id: UUID
    what: What
    kind: Kind
    original_id: UUID
    name: str
    occurred_at: datetime
    told_at: datetime
    amount: Money | None
    person: Mapping[str, str]


def check(setting: Setting) -> None:
    """Raise `Invalid` for a setting that the platform would not understand."""
    for field in ("qualified", "collected", "junk"):
        name = getattr(setting, field)
        if name is None:
            continue
        if setting.platform == "baidu" and not re.fullmatch(r"[0-9]{1,4}", name):
            raise Invalid("Baidu's conversion types are numbers", field=field)
        if name.startswith(FORMULA) or not name.isprintable() or name != name.strip():
            raise Invalid("a name neither begins as a formula nor has spaces around it", field=field)
    if setting.platform == "baidu" and (setting.qualified or setting.collected or setting.junk) and not setting.landing_url:
        raise Invalid("Baidu knows a click by the address of the landing page", field="landing_url")


def person_of(
    platform: Platform, click: tuple[str, datetime] | None, contact: Contact | None, country: str | None
) -> dict[str, str]:
    """What the platform knows the person by; empty when by nothing. Never in clear: Meta takes SHA-256 of normalised values."""
    known: dict[str, str] = {}
    if click is not None and _CLICK.fullmatch(click[0]):
        known["click"] = click[0]
        if platform == "meta":
            known["fbc"] = f"fb.1.{int(click[1].timestamp() * 1000)}.{click[0]}"
    if platform == "meta" and contact is not None:
        if contact.email:
            known["em"] = _sha256(contact.email.strip().lower())
        phone = normal_phone(contact.phone, country) if contact.phone else None
        if phone:
            known["ph"] = _sha256(phone.lstrip("+"))
    return known


def decide(setting: Setting, facts: Facts, told: Sequence[Item], now: datetime, new_id: Callable[[], UUID]) -> list[Item]:
    """What is new to tell of a lead, given everything that was told of it before."""
    collected = [item for item in told if item.what == "collected"]
    return [*_of_status(setting, facts, told, now, new_id), *_of_cash(setting, facts, collected, now, new_id)]


def file_of(platform: Platform, part: Part, items: Iterable[Item], landing_url: str | None) -> str:
    """The file in the platform's shape. A line whose person was erased is not in it."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    shape = _SHAPES[platform]
    for head in shape.heads(part):
        writer.writerow(head)
    for item in items:
        if item.person and (item.kind == "conversion") == (part == "conversions"):
            writer.writerow([inert(value) for value in shape.line(item, landing_url)])
    return out.getvalue()


def _of_status(setting: Setting, facts: Facts, told: Sequence[Item], now: datetime, new_id: Callable[[], UUID]) -> Iterable[Item]:
    qualified = [item for item in told if item.what == "qualified"]
    if facts.junk_at is None:
        if facts.qualified_at is not None and setting.qualified and not qualified:
            yield _conversion(facts, "qualified", setting.qualified, facts.qualified_at, None, now, new_id())
        return
    if setting.platform in _ADJUSTABLE:
        retracted = {item.original_id for item in qualified if item.kind == "retract"}
        for item in qualified:
            if item.kind == "conversion" and item.id not in retracted:
                yield _adjustment(item, "retract", None, now, new_id())
    if setting.junk and not any(item.what == "junk" for item in told):
        yield _conversion(facts, "junk", setting.junk, facts.junk_at, None, now, new_id())


def _of_cash(setting: Setting, facts: Facts, told: Sequence[Item], now: datetime, new_id: Callable[[], UUID]) -> Iterable[Item]:
    if not setting.collected:
        return
    for currency in sorted({cash.amount.currency for cash in facts.cash}):
        moves = sorted((cash for cash in facts.cash if cash.amount.currency == currency), key=lambda cash: cash.occurred_at)
        total = Money.total((cash.amount for cash in moves), currency).amount
        present: dict[UUID, Item] = {}
        for item in sorted(told, key=lambda each: (each.told_at, each.id)):
            if item.amount is not None and item.amount.currency == currency:
                present[item.original_id] = item
        missing = total - sum((item.amount.amount for item in present.values() if item.amount), Decimal(0))
        if not missing:
            continue
        if present and setting.platform in _ADJUSTABLE:
            yield from _restated(list(present.values()), missing, now, new_id)
        elif missing > 0:
            at = moves[0].occurred_at if not present else moves[-1].occurred_at
            yield _conversion(facts, "collected", setting.collected, at, Money(missing, currency), now, new_id())


def _restated(present: Sequence[Item], missing: Decimal, now: datetime, new_id: Callable[[], UUID]) -> Iterable[Item]:
    """The latest conversion takes the difference; none goes below nothing (there are several of a lead only after a merge)."""
    for item in reversed(present):
        assert item.amount is not None
        amount = max(item.amount.amount + missing, Decimal(0))
        if amount != item.amount.amount:
            yield _adjustment(item, "restate", Money(amount, item.amount.currency), now, new_id())
        missing -= amount - item.amount.amount


def _conversion(facts: Facts, what: What, name: str, at: datetime, amount: Money | None, now: datetime, item_id: UUID) -> Item:
    return Item(item_id, facts.lead_id, what, "conversion", item_id, name, at, now, amount, facts.person)


def _adjustment(of: Item, kind: Kind, amount: Money | None, now: datetime, item_id: UUID) -> Item:
    return Item(item_id, of.lead_id, of.what, kind, of.original_id, of.name, of.occurred_at, now, amount, of.person)


class _Shape(ABC):
    """How a platform wants its file."""

    @abstractmethod
    def heads(self, part: Part) -> list[list[str]]:
        """The rows above the first line."""

    @abstractmethod
    def line(self, item: Item, landing_url: str | None) -> list[str]:
        """One conversion or adjustment."""


class _Google(_Shape):
    """Templates "conversions from clicks" and "adjustments"; the order id is ours, by which a conversion is adjusted."""

    def heads(self, part: Part) -> list[list[str]]:
        if part == "conversions":
            names = [
                "Google Click ID",
                "Conversion Name",
                "Conversion Time",
                "Conversion Value",
                "Conversion Currency",
                "Order ID",
            ]
        else:
            names = [
                "Order ID",
                "Conversion Name",
                "Adjustment Time",
                "Adjustment Type",
                "Adjusted Value",
                "Adjusted Value Currency",
            ]
        return [["Parameters:TimeZone=UTC"], names]

    def line(self, item: Item, landing_url: str | None) -> list[str]:  # noqa: ARG002 - the shape of all platforms
        value, currency = _money(item)
        if item.kind == "conversion":
            return [item.person["click"], item.name, _google_time(item.occurred_at), value, currency, str(item.id)]
        kind = "RETRACT" if item.kind == "retract" else "RESTATE"
        return [str(item.original_id), item.name, _google_time(item.told_at), kind, value, currency]


class _Microsoft(_Shape):
    """Rows "Offline Conversion" of the bulk file, format 6.0."""

    def heads(self, part: Part) -> list[list[str]]:
        names = [
            *("Type", "Status", "Id", "Parent Id", "Client Id", "Name", "Conversion Currency Code", "Conversion Name"),
            *("Conversion Time", "Conversion Value", "Microsoft Click Id"),
        ]
        if part == "adjustments":
            names += ["Adjustment Type", "Adjustment Time", "Adjustment Value", "Adjustment Currency Code"]
        return [names, ["Format Version", *[""] * 4, "6.0", *[""] * (len(names) - 6)]]

    def line(self, item: Item, landing_url: str | None) -> list[str]:  # noqa: ARG002 - the shape of all platforms
        value, currency = _money(item)
        told = (value, currency) if item.kind == "conversion" else ("", "")
        cells = [
            "Offline Conversion",
            "",
            "",
            "",
            str(item.original_id),
            "",
            told[1],
            item.name,
            _microsoft_time(item.occurred_at),
        ]
        cells += [told[0], item.person["click"]]
        if item.kind != "conversion":
            cells += ["Retract" if item.kind == "retract" else "Restate", _microsoft_time(item.told_at), value, currency]
        return cells


class _Meta(_Shape):
    """Offline events with the names of the Conversions API."""

    def heads(self, part: Part) -> list[list[str]]:  # noqa: ARG002 - it takes no adjustments
        return [["event_name", "event_time", "action_source", "event_id", "em", "ph", "fbc", "value", "currency"]]

    def line(self, item: Item, landing_url: str | None) -> list[str]:  # noqa: ARG002 - the shape of all platforms
        value, currency = _money(item)
        keys = [item.person.get(name, "") for name in ("em", "ph", "fbc")]
        return [item.name, str(int(item.occurred_at.timestamp())), "system_generated", str(item.id), *keys, value, currency]


class _Baidu(_Shape):
    """OCPC: the address of the landing page with the click, the type, the second, and the value in the currency's minor unit (fen)."""

    def heads(self, part: Part) -> list[list[str]]:  # noqa: ARG002 - it takes no adjustments
        return [["logidUrl", "newType", "convertTime", "convertValue"]]

    def line(self, item: Item, landing_url: str | None) -> list[str]:
        joint = "&" if "?" in (landing_url or "") else "?"
        url = f"{landing_url}{joint}bd_vid={quote(item.person['click'], safe='')}"
        value = "" if item.amount is None else str(int(item.amount.amount.scaleb(minor_units(item.amount.currency))))
        return [url, item.name, str(int(item.occurred_at.timestamp())), value]


_SHAPES: Mapping[Platform, _Shape] = {"google": _Google(), "microsoft": _Microsoft(), "meta": _Meta(), "baidu": _Baidu()}


def _money(item: Item) -> tuple[str, str]:
    return ("", "") if item.amount is None else (format(item.amount.amount, "f"), item.amount.currency)


def _google_time(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}+0000"


def _microsoft_time(moment: datetime) -> str:
    at = moment.astimezone(UTC)
    return f"{at.month}/{at.day}/{at.year} {at.hour % 12 or 12}:{at:%M:%S} {'AM' if at.hour < 12 else 'PM'}"


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
