"""Entries by accountants: balanced, with a reason, never on what documents keep; corrected by reversal only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal
from uuid import UUID

from ltc_contracts.errors import DomainError, Invalid
from ltc_contracts.money import Money

from billing_svc.domain.ledger import Entry, Kind, Posting

AccountType = Literal["asset", "liability", "equity", "income", "expense"]


class EntryNotBalanced(Invalid):
    """Debit and credit differ in a currency."""


class UnknownAccount(Invalid):
    """The chart has no such account."""


class ControlAccount(Invalid):
    """The account is kept by documents and payments; nobody books on it by hand."""


class NotByHand(DomainError):
    """Only an entry that was made by hand is reversed by hand; what a document booked is corrected by a document."""


class AlreadyReversed(DomainError):
    """The entry is reversed."""


class AccountExists(DomainError):
    """The chart has an account of this code."""


@dataclass(frozen=True, slots=True)
class Booked:
    """An entry as it is read back, with what a reversal needs to know of it."""

    id: UUID
    kind: Kind
    booked_on: date
    postings: tuple[Posting, ...]
    reversed_by: UUID | None


def draw_up(booked_on: date, postings: Sequence[Posting], controls: Mapping[str, bool], today: date) -> Entry:
    """An entry by hand. `controls` are the accounts of the chart, and whether documents keep them.

    Raises `UnknownAccount`, `ControlAccount`, `EntryNotBalanced` and `Invalid`, each with the field.
    """
    if booked_on > today:
        raise Invalid(f"today is {today}; nothing is booked ahead", field="booked_on")
    sums: dict[str, Money] = {}
    for place, each in enumerate(postings):
        if each.account not in controls:
            raise UnknownAccount(f"the chart has no account '{each.account}'", field=f"lines.{place}.account")
        if controls[each.account]:
            reason = f"'{each.account}' is kept by documents and payments; correct those"
            raise ControlAccount(reason, field=f"lines.{place}.account")
        currency = each.debit.currency
        sums[currency] = sums.get(currency, Money.zero(currency)) + each.debit - each.credit
    for difference in sums.values():
        if difference.amount:
            raise EntryNotBalanced(f"debit less credit is {difference}, not nothing", field="lines")
    return Entry("manual", booked_on, tuple(postings))


def reverse(booked: Booked, on: date, today: date) -> Entry:
    """The opposite of an entry by hand, on its day or later. Raises `NotByHand`, `AlreadyReversed`, `Invalid`."""
    if booked.kind != "manual":
        raise NotByHand(f"entry {booked.id} is of kind '{booked.kind}'; correct it by a document")
    if booked.reversed_by is not None:
        raise AlreadyReversed(f"entry {booked.id} is reversed by {booked.reversed_by}")
    if on > today:
        raise Invalid(f"today is {today}; nothing is booked ahead", field="booked_on")
    if on < booked.booked_on:
        raise Invalid(f"not before {booked.booked_on}, the day of the entry", field="booked_on")
    return Entry("reversal", on, tuple(Posting(each.account, each.credit, each.debit) for each in booked.postings))
