"""What a lead is recognised by (RULES 1): two leads that share a key are duplicates, and so are those of nearly one name."""

import re
import unicodedata
from collections.abc import Collection
from itertools import combinations
from typing import Literal, NamedTuple
from urllib.parse import urlsplit

from ltc_contracts.events import Contact

from lead_svc.domain.phone import normal_phone

Kind = Literal["email", "phone", "domain", "name"]
_GMAIL = {"gmail.com", "googlemail.com"}
# Legal forms tell nothing apart: "Rossi S.p.A." is "Rossi".
_LEGAL_FORMS = frozenset(
    (
        *(
            "ab",
            "ag",
            "aps",
            "as",
            "bv",
            "co",
            "corp",
            "corporation",
            "gmbh",
            "inc",
            "incorporated",
            "kg",
            "limited",
            "llc",
            "llp",
        ),
        *("ltd", "nv", "ohg", "oy", "plc", "pty", "sa", "sarl", "sas", "se", "sl", "spa", "srl"),
    )
)
_SHORTEST_NAME = 5
_WORD = re.compile(r"\w+")
_DOTS = re.compile(r"(?<=\b\w)\.(?=\w\b)|(?<=\b\w)\.(?=\s|$)")
# Providers of addresses for anybody: that two people are there says nothing. The scoring rule may name more.
FREE_MAIL = frozenset(
    (
        *("126.com", "163.com", "aim.com", "alice.it", "aol.com", "arcor.de", "bluewin.ch", "btinternet.com", "comcast.net"),
        *(
            "fastmail.com",
            "foxmail.com",
            "free.fr",
            "freenet.de",
            "gmail.com",
            "gmx.at",
            "gmx.ch",
            "gmx.com",
            "gmx.de",
            "gmx.net",
        ),
        *("googlemail.com", "hey.com", "hotmail.co.uk", "hotmail.com", "hotmail.de", "hotmail.fr", "hotmail.it", "icloud.com"),
        *(
            "inbox.ru",
            "interia.pl",
            "laposte.net",
            "libero.it",
            "live.com",
            "mac.com",
            "mail.com",
            "mail.ru",
            "me.com",
            "msn.com",
        ),
        *("naver.com", "o2.pl", "online.de", "orange.fr", "outlook.com", "outlook.de", "pm.me", "posteo.de", "proton.me"),
        *("protonmail.com", "qq.com", "rediffmail.com", "seznam.cz", "sfr.fr", "sina.com", "sohu.com", "t-online.de"),
        *("tiscali.it", "tutanota.com", "virgilio.it", "wanadoo.fr", "web.de", "wp.pl", "yahoo.co.in", "yahoo.co.jp"),
        *("yahoo.co.uk", "yahoo.com", "yahoo.de", "yahoo.fr", "yahoo.it", "yandex.com", "yandex.ru", "yeah.net", "ymail.com"),
        *("zoho.com",),
    )
)


class Key(NamedTuple):
    """`value` is normalised; equal keys mean the same person or company, but for `name`, which is compared by likeness."""

    kind: Kind
    value: str


def keys_of(
    *, company: str | None, website: str | None, country: str | None, contact: Contact | None, shared_domains: Collection[str]
) -> frozenset[Key]:
    """The keys of a lead. `shared_domains` are those of free mail, which say nothing about a company."""
    email = normal_email(contact.email) if contact and contact.email else None
    phone = normal_phone(contact.phone, country) if contact and contact.phone else None
    domains = {site_domain(website) if website else None, email.rpartition("@")[2] if email else None}
    name = normal_name(company, contact.name if contact else None)
    found = [
        Key("email", email) if email else None,
        Key("phone", phone) if phone else None,
        *(Key("domain", domain) for domain in sorted(filter(None, domains)) if domain not in shared_domains),
        Key("name", name) if name else None,
    ]
    return frozenset(key for key in found if key is not None)


def normal_email(text: str) -> str | None:
    """In lower case, without a `+tag`; Gmail ignores dots, so they are dropped. None when there is no address in it."""
    local, at, domain = unicodedata.normalize("NFKC", text).strip().casefold().rpartition("@")
    local = local.partition("+")[0]
    domain = _ascii(domain)
    if domain in _GMAIL:
        local, domain = local.replace(".", ""), "gmail.com"
    return f"{local}@{domain}" if at and local and "." in domain else None


def site_domain(website: str) -> str | None:
    """The host of an address without `www.`; None when there is none."""
    text = website.strip().casefold()
    try:
        host = urlsplit(text if "//" in text else f"//{text}").hostname or ""
    except ValueError:
        return None
    host = _ascii(host.removeprefix("www.").rstrip("."))
    return host if "." in host else None


def normal_name(company: str | None, person: str | None) -> str | None:
    """Company and person without accents, signs and legal forms, for comparing by trigrams; None when too short to tell."""
    words = [word for word in _words(company or "") if word not in _LEGAL_FORMS]
    if not words:
        return None
    text = " ".join([*words, *_words(person or "")])[:200]
    return text if len(text) >= _SHORTEST_NAME else None


def probes(name: str) -> list[tuple[str, ...]]:
    """What to look for to find every name that has 0.7 of its trigrams in common with this one (or nearly every one).

    Each probe is words, or beginnings (`^abc`) and ends (`xyz$`) of words, that a candidate has all of. A name of k words that
    are about as long as words are keeps that likeness when one of its words is changed (two of them from five on), so it shares
    the others with its like; in a shorter name the changed word still begins or ends as it did. More than seven words add nothing.
    """
    words = list(dict.fromkeys(name.split()))
    if len(words) == 1:
        return [_ends(words[0]), (f"^{words[0][:5]}",)]
    if len(words) == 2:
        first, second = words
        return [(first, second), *((first, end) for end in _ends(second)), *((second, end) for end in _ends(first))]
    if len(words) == 3:
        return list(combinations(words, 2))
    words.sort(key=len, reverse=True)
    if len(words) < 7:
        return list(combinations(words[:5], 3))
    # Of seven at least five are the same, so three of these four are, or all of those three.
    return [*combinations(words[:4], 3), tuple(words[4:7])]


def _ends(word: str) -> tuple[str, str]:
    return f"^{word[:3]}", f"{word[-3:]}$"


def _words(text: str) -> list[str]:
    if text.isascii():
        plain = text.lower()
    else:
        plain = "".join(sign for sign in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(sign))
    if "." in plain:
        # "S.p.A." is one word.
        plain = _DOTS.sub("", plain)
    return _WORD.findall(plain)


def _ascii(domain: str) -> str:
    if domain.isascii():
        return domain
    try:
        return domain.encode("idna").decode()
    except UnicodeError:
        return domain
