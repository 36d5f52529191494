"""The rules of accounts: when two mentions are one company, hierarchy, merge."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from ltc_contracts.errors import DomainError, Invalid

MAX_DEPTH = 20  # levels of a hierarchy; deeper ones are mistakes, and every roll-up walks them


class AccountExists(DomainError):
    """Another account has this name in this country, or this VAT id."""

    def __init__(self, account_id: UUID, field: str) -> None:
        super().__init__(f"the account {account_id} has this {field} already", field=field)
        self.account_id = account_id

    def members(self) -> dict[str, Any]:
        return {"account_id": str(self.account_id)}


class AccountMerged(DomainError):
    """The account was merged into another one, which took over everything."""

    def __init__(self, account_id: UUID, into: UUID) -> None:
        super().__init__(f"the account {account_id} was merged into {into}; use that one")
        self.into = into

    def members(self) -> dict[str, Any]:
        return {"account_id": str(self.into)}


@dataclass(frozen=True, slots=True)
class Account:
    """A company. `size` in employees; `merged_into` is the account that took over."""

    id: UUID
    name: str
    country: str | None
    website: str | None
    domain: str | None
    vat_id: str | None
    industry: str | None
    segment: str | None
    region: str | None
    size: int | None
    owner: str | None
    parent_id: UUID | None
    merged_into: UUID | None
    custom: Mapping[str, Any]
    version: int
    created_at: datetime
    updated_at: datetime

    @property
    def identities(self) -> dict[str, str]:
        """By what the account is recognised exactly: kind to value."""
        name = {"name": f"{self.country or ''}|{account_key(self.name)}"}
        return name | ({"vat": self.vat_id} if self.vat_id else {})


@dataclass(frozen=True, slots=True)
class Member:
    """One of the account team; `role` as the company names it."""

    member: str
    role: str


def account_key(name: str) -> str:
    """The form in which two spellings of a company are the same: case, spaces and full stops do not count."""
    return " ".join(name.casefold().replace(".", "").split())


def vat_key(text: str) -> str:
    """A VAT id without signs, in upper case. Raises `Invalid` when there is none in it."""
    key = re.sub(r"[^0-9A-Za-z]", "", text).upper()
    if not 4 <= len(key) <= 20 or not any(sign.isdigit() for sign in key):
        raise Invalid("a VAT id has 4 to 20 letters and digits", field="vat_id")
    return key


def site_domain(website: str) -> str:
    """The host of an address without `www.`. Raises `Invalid` when there is none."""
    text = website.strip().casefold()
    try:
        parts = urlsplit(text if "//" in text else f"https://{text}")
        host = (parts.hostname or "").removeprefix("www.").rstrip(".").encode("idna").decode()
        if parts.scheme not in ("http", "https"):
            host = ""
    except (ValueError, UnicodeError):
        host = ""
    if "." not in host or not re.fullmatch(r"[a-z0-9.-]+", host):
        raise Invalid("this is not the address of a web site", field="website")
    return host


def known_domain(website: str | None) -> str | None:
    """The host of an address that nobody checked; None when there is none in it."""
    try:
        return site_domain(website) if website else None
    except Invalid:
        return None


def new(account_id: UUID, given: Mapping[str, Any], now: datetime) -> Account:
    """A company as it is first told; `given` names at least `name`."""
    blank: dict[str, Any] = dict.fromkeys(("country", "website", "domain", "vat_id", "industry", "segment", "region", "size"))
    blank |= {"owner": None, "parent_id": None, "merged_into": None, "custom": {}}
    return Account(**{**blank, **_normal(given)}, id=account_id, version=1, created_at=now, updated_at=now)


def change(account: Account, given: Mapping[str, Any], now: datetime) -> tuple[Account, dict[str, Any]]:
    """The account with the given fields, and what changed: field to [before, after]. Nothing changed: the same account."""
    require_live(account)
    if given.get("parent_id") == account.id:
        raise Invalid("an account is not its own parent", field="parent_id")
    changes = {name: [getattr(account, name), value] for name, value in _normal(given).items() if getattr(account, name) != value}
    if not changes:
        return account, {}
    return replace(touched(account, now), **{name: after for name, (_, after) in changes.items()}), changes


def touched(account: Account, now: datetime) -> Account:
    """The next version."""
    return replace(account, version=account.version + 1, updated_at=now)


def require_live(account: Account) -> None:
    """Raises `AccountMerged` for a tombstone."""
    if account.merged_into is not None:
        raise AccountMerged(account.id, account.merged_into)


def require_no_cycle(account_id: UUID, ancestors: Sequence[UUID], height: int) -> None:
    """A parent (the first of `ancestors`, then its own) may not be below the account, whose subtree has `height` levels."""
    if account_id in ancestors:
        raise Invalid("the parent is below this account already", field="parent_id")
    if len(ancestors) + height > MAX_DEPTH:
        raise Invalid(f"a hierarchy has at most {MAX_DEPTH} levels", field="parent_id")


def merge(winner: Account, loser: Account, *, loser_is_above: bool, now: datetime) -> tuple[Account, Account]:
    """The winner keeps what it has and takes what it lacks; the loser becomes a tombstone that names the winner.

    `loser_is_above`: the winner is somewhere below the loser, so it takes the loser's place in the hierarchy.
    """
    if winner.id == loser.id:
        raise Invalid("an account cannot be merged into itself", field="account_id")
    require_live(winner)
    require_live(loser)
    names = ("country", "website", "domain", "vat_id", "industry", "segment", "region", "size", "owner", "parent_id")
    taken: dict[str, Any] = {name: getattr(loser, name) for name in names if getattr(winner, name) is None}
    if loser_is_above:
        taken["parent_id"] = loser.parent_id
    elif taken.get("parent_id") == winner.id:
        taken["parent_id"] = None
    took = replace(touched(winner, now), **taken, custom={**loser.custom, **winner.custom})
    return took, replace(touched(loser, now), parent_id=None, merged_into=winner.id)


def _normal(given: Mapping[str, Any]) -> dict[str, Any]:
    wanted = dict(given)
    if wanted.get("vat_id"):
        wanted["vat_id"] = vat_key(wanted["vat_id"])
    if "website" in wanted:
        wanted["domain"] = site_domain(wanted["website"]) if wanted["website"] else None
    return wanted
