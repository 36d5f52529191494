"""Where a visit came from, when it is a touch of its own, and what a page means. All that a browser says is untrusted (RULES 1)."""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

from ltc_contracts.errors import DomainError, Invalid
from ltc_contracts.events import Touch

Kind = Literal["page", "form"]
# Allow-listed click ids (RULES 1) and the channel of who sets them.
CLICK_IDS = {"gclid": "search_ads", "msclkid": "search_ads", "bd_vid": "search_ads", "fbclid": "social"}
SESSION = timedelta(minutes=30)
MOST_TOUCHES_TOLD = 100
_SEARCH = ("google", "bing", "baidu", "duckduckgo", "yahoo", "yandex", "sogou", "so", "ecosia")
_SOCIAL = (
    "facebook",
    "instagram",
    "linkedin",
    "lnkd",
    "twitter",
    "t",
    "x",
    "youtube",
    "tiktok",
    "douyin",
    "weibo",
    "zhihu",
    "xing",
)
_PAID = {"cpc", "ppc", "paid", "paidsearch", "paid_search", "sem"}
_DISPLAY = {"display", "banner", "cpm"}
_BOTS = re.compile(r"bot\b|bot/|crawl|spider|slurp|headlesschecker|preview|monitor|curl/|wget/|python-", re.IGNORECASE)
_TEXT = 200
_PLACE = 500


class SiteUnknown(DomainError):
    """No active site has this key, or it is not served under this name."""

    kind = "not_found"


class SiteExists(DomainError):
    """Another site has this key."""


class SiteChanged(DomainError):
    """Somebody changed the site meanwhile."""


class RuleExists(DomainError):
    """A rule for these pages is in force already."""


@dataclass(frozen=True, slots=True)
class Site:
    """A web site of ours. `hosts` are in lower case."""

    key: str
    name: str
    hosts: Sequence[str]
    active: bool
    version: int
    created_by: str
    created_at: datetime
    updated_by: str
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class PageRule:
    """Pages whose path begins with `path_prefix` mean `activity` when a lead sees them."""

    id: UUID
    site: str
    path_prefix: str
    activity: str
    created_by: str
    created_at: datetime
    retired_by: str | None = None
    retired_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Visitor:
    """A browser that agreed to be recognised."""

    id: UUID
    lead_id: UUID | None
    first_seen_at: datetime
    last_seen_at: datetime


def place_of(url: str, site: Site) -> str:
    """The path of a page of the site. Raises `SiteUnknown` for a page that the site does not serve, `Invalid` for no URL."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError as error:
        raise Invalid("is no address of a page", field="url") from error
    if parts.scheme not in ("http", "https") or not host:
        raise Invalid("is no address of a page", field="url")
    if host not in site.hosts:
        raise SiteUnknown("this site is not served under that name", field="url")
    return clean(parts.path, _PLACE) or "/"


def touch_of(url: str, referrer: str, site: Site, now: datetime) -> Touch:
    """How somebody came to this page: by utm_* first, then click ids, then the referrer; a page of ours before is no origin."""
    page = place_of(url, site)
    asked = {name: values[-1] for name, values in parse_qs(urlsplit(url).query[:4000], max_num_fields=100).items()}
    return touch_by(asked, referrer, site.hosts, page, now)


def touch_by(asked: Mapping[str, str], referrer: str, hosts: Sequence[str], page: str, now: datetime) -> Touch:
    """The same by what a query asked; `hosts` are ours."""
    utm = {name: clean(asked.get(f"utm_{name}", ""), _TEXT) for name in ("source", "medium", "campaign", "term", "content")}
    clicks = {name: value for name in CLICK_IDS if (value := clean(asked.get(name, ""), _PLACE))}
    host, path = _referring(referrer, hosts)
    channel = _channel(utm["medium"], clicks, host)
    source = utm["source"] or _engine(host) or host or ("direct" if not clicks else next(iter(clicks)))
    return Touch(
        occurred_at=now,
        channel=channel,
        source=source,
        medium=utm["medium"],
        campaign=utm["campaign"],
        term=utm["term"],
        content=utm["content"],
        page=page,
        referrer=clean(f"{host}{path}", _PLACE) if host else None,
        click_ids=clicks,
    )


def is_new(touch: Touch, latest: Touch | None, last_seen_at: datetime | None) -> bool:
    """A touch begins when somebody comes after half an hour of silence, or by another campaign, click or site than before."""
    if latest is None or last_seen_at is None or touch.occurred_at - last_seen_at > SESSION:
        return True
    if touch.channel == "direct":
        return False
    names = ("channel", "source", "campaign", "click_ids")
    return any(getattr(touch, name) != getattr(latest, name) for name in names)


def activity_of(path: str, rules: Iterable[PageRule]) -> str | None:
    """What seeing a page means: the rule with the longest fitting prefix."""
    fitting = [rule for rule in rules if path.startswith(rule.path_prefix)]
    return max(fitting, key=lambda rule: len(rule.path_prefix)).activity if fitting else None


def told(touches: Sequence[Touch]) -> tuple[Touch, ...]:
    """What an event carries, oldest first: all, or the first and the latest 99."""
    ordered = sorted(touches, key=lambda touch: touch.occurred_at)
    return tuple(ordered if len(ordered) <= MOST_TOUCHES_TOLD else [ordered[0], *ordered[1 - MOST_TOUCHES_TOLD :]])


def allowed_clicks(given: Mapping[str, str]) -> dict[str, str]:
    """Only click ids that we know, without control signs."""
    return {name: value for name in CLICK_IDS if (value := clean(given.get(name, ""), _PLACE))}


def clean(text: str, limit: int) -> str | None:
    """Text of a stranger: no control signs, one normal form, cut to the limit; None when nothing is left."""
    plain = "".join(sign for sign in unicodedata.normalize("NFC", text[: 4 * limit]) if unicodedata.category(sign)[0] != "C")
    return plain.strip()[:limit] or None


def is_bot(user_agent: str) -> bool:
    """A program that says so; it is not counted."""
    return not user_agent or _BOTS.search(user_agent[:1000]) is not None


def host_names(hosts: Iterable[str]) -> list[str]:
    """In lower case, each once. Raises `Invalid` for what is no host name."""
    names = list(dict.fromkeys(host.strip().lower() for host in hosts))
    for name in names:
        if not re.fullmatch(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?", name):
            raise Invalid(f"'{name[:60]}' is no host name; write it without scheme, port and path", field="hosts")
    return names


def _referring(referrer: str, own: Sequence[str]) -> tuple[str, str]:
    try:
        parts = urlsplit(referrer)
        host = (parts.hostname or "").removeprefix("www.")
    except ValueError:
        return "", ""
    if parts.scheme not in ("http", "https") or not host or host in own or f"www.{host}" in own:
        return "", ""
    # The query of another site may hold what is not ours to know.
    return clean(host, _TEXT) or "", clean(parts.path, _PLACE) or ""


def _channel(medium: str | None, clicks: Mapping[str, str], host: str) -> str:
    name = (medium or "").lower()
    if name in _PAID:
        return "search_ads" if not _social(host) else "social"
    if name in _DISPLAY:
        return "display"
    if name in ("email", "e-mail", "newsletter"):
        return "email"
    if name in ("social", "social-media", "sm"):
        return "social"
    if name in ("affiliate", "partner"):
        return "partner"
    if clicks:
        return CLICK_IDS[next(iter(clicks))]
    if _engine(host):
        return "organic_search"
    if _social(host):
        return "social"
    return "referral" if host or name else "direct"


def _engine(host: str) -> str | None:
    labels = host.split(".")
    return next((name for name in _SEARCH if len(labels) > 1 and name in labels[:-1]), None)


def _social(host: str) -> bool:
    labels = host.split(".")
    return len(labels) > 1 and labels[-2] in _SOCIAL
