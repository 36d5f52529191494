"""One fact of a journey, and how amounts are read from what events carry. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from ltc_contracts.money import minor_units, round_half_up

Data = Mapping[str, Any]
Maker = Callable[[Data], "Milestone | None"]


@dataclass(frozen=True, slots=True)
class Milestone:
    """One fact. `stated` is the same amount as the event says it another way, so that the two can be checked against each other.

    `cause_id` is what a document and the fact that it is made of share: a hand-over, a return, a change, or the order as a whole.
    `handovers` counts them, as of this one (`last`: there is none after it) or all; of the end of a delivery `handed` is what they were
    worth, which is `ordered` less what was `short` and with what went `beyond` it after so many `changes`.
    """

    kind: str
    currency: str | None = None
    net: Decimal | None = None
    gross: Decimal | None = None
    open_after: Decimal | None = None
    due_on: date | None = None
    settled_on: date | None = None
    on_time: bool | None = None
    begun_at: datetime | None = None
    channel: str | None = None
    source: str | None = None
    owner: str | None = None
    country: str | None = None
    team: str | None = None
    region: str | None = None
    product: str | None = None
    segment: str | None = None
    campaign: str | None = None
    minutes: int | None = None
    score: int | None = None
    cause: str | None = None
    cause_id: str | None = None
    invoice_id: str | None = None
    stated: Decimal | None = None
    prepaid: bool | None = None
    handovers: int | None = None
    last: bool | None = None
    handed: Decimal | None = None
    ordered: Decimal | None = None
    short: Decimal | None = None
    beyond: Decimal | None = None
    changes: int | None = None
    customer_id: str | None = None


def money(data: Data, name: str) -> tuple[str, Decimal]:
    value = data[name]
    return value["currency"], Decimal(value["amount"])


def net(kind: str, name: str = "net") -> Callable[[Data], Milestone]:
    def make(data: Data) -> Milestone:
        currency, amount = money(data, name)
        return Milestone(kind, currency, net=amount)

    return make


def plain(kind: str) -> Callable[[Data], Milestone]:
    return lambda _: Milestone(kind)


def in_minor_units(value: Decimal, currency: str) -> str:
    """An amount as it is shown: rounded half up to the minor units of its currency."""
    return str(round_half_up(Decimal(value), minor_units(currency)))
