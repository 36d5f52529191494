"""Channels, campaigns, and what they cost per day."""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Literal
from uuid import UUID

from ltc_contracts.errors import DomainError, Invalid
from ltc_contracts.events import CampaignSpendRecorded
from ltc_contracts.money import Money

Kind = Literal["content", "social", "search", "search_ads", "display", "partner", "event", "referral", "email", "direct", "other"]
COLUMNS = ("campaign", "day", "amount", "currency", "source", "clicks", "impressions")
_NEEDED = frozenset(("campaign", "day", "amount", "currency"))
_DIGITS = re.compile(r"[0-9]{1,15}")


class CampaignExists(DomainError):
    """Another campaign has this code."""


class CampaignChanged(DomainError):
    """Somebody changed the campaign meanwhile."""


@dataclass(frozen=True, slots=True)
class Channel:
    """A way by which people come; `kind` groups channels in reports."""

    code: str
    label: str
    kind: Kind
    created_by: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Campaign:
    """Something that costs money to make people come. A lead names it by `code` (its utm_campaign)."""

    id: UUID
    code: str
    name: str
    channel: str
    starts_on: date | None
    ends_on: date | None
    budget: Money | None
    version: int
    created_by: str
    created_at: datetime
    updated_by: str
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Spend:
    """The cost of a campaign on a day, as `source` says; `revision` is 0 before it was kept."""

    campaign: str
    day: date
    source: str
    amount: Money
    clicks: int | None = None
    impressions: int | None = None
    revision: int = 0


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """A row of a spend file that cannot be taken: `line` counts from 1, the header's."""

    line: int
    field: str
    reason: str


def check(campaign: Campaign) -> None:
    """Raise `Invalid` for a campaign that ends before it begins, or with a budget below zero."""
    check_days(campaign.starts_on, campaign.ends_on)
    if campaign.budget is not None and campaign.budget.amount < 0:
        raise Invalid("a budget is not below zero", field="budget")


def check_days(starts_on: date | None, ends_on: date | None) -> None:
    """Raises `Invalid` for a campaign that ends before it begins."""
    if starts_on and ends_on and ends_on < starts_on:
        raise Invalid("a campaign cannot end before it begins", field="ends_on")


def record(known: Spend | None, told: Spend, campaign: Campaign) -> tuple[Spend, CampaignSpendRecorded] | None:
    """What is kept and told; None when the same was told before. Raises `Invalid` for another currency than before."""
    if known is not None:
        if known.amount.currency != told.amount.currency:
            raise Invalid(f"{told.source} told this day in {known.amount.currency} before", field="currency")
        if replace(told, revision=known.revision) == known:
            return None
    kept = replace(told, revision=known.revision + 1 if known else 1)
    event = CampaignSpendRecorded(
        campaign_id=campaign.id,
        campaign=campaign.code,
        channel=campaign.channel,
        day=kept.day,
        spend_source=kept.source,
        amount=kept.amount,
        change=kept.amount - known.amount if known else kept.amount,
        clicks=kept.clicks,
        impressions=kept.impressions,
        revision=kept.revision,
    )
    return kept, event


def read_spend(text: str, *, most_rows: int) -> Iterator[tuple[int, Spend | RefusedRow]]:
    """Rows of a CSV with the columns campaign, day, amount, currency and, where known, source, clicks, impressions.

    Yields the line with what it says or why it cannot be taken. Raises `Invalid` for a file that is no such table.
    """
    separator = max((",", ";", "\t"), key=text.partition("\n")[0].count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    try:
        header = [name.strip().lower() for name in next(reader)]
    except (StopIteration, csv.Error) as error:
        raise Invalid("the file has no header line", field="file") from error
    missing = sorted(_NEEDED - set(header))
    if missing:
        raise Invalid(f"the file lacks the columns {', '.join(missing)}", field="file")
    for number in range(most_rows + 1):
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise Invalid(f"line {line}: {error}", field="file") from error
        if number == most_rows:
            raise Invalid(f"a file may have {most_rows} rows", field="file")
        if cells:
            yield line, _row(line, header, cells)


def _row(line: int, header: Sequence[str], cells: Sequence[str]) -> Spend | RefusedRow:
    if len(cells) != len(header):
        return RefusedRow(line, "row", f"{len(cells)} cells where the header has {len(header)}")
    values = {name: cell.strip() for name, cell in zip(header, cells, strict=True)}
    if not 0 < len(values["campaign"]) <= 64:
        return RefusedRow(line, "campaign", "is empty or longer than 64 characters")
    source = values.get("source") or "file"
    if len(source) > 64:
        return RefusedRow(line, "source", "is longer than 64 characters")
    try:
        day = date.fromisoformat(values["day"])
    except ValueError:
        return RefusedRow(line, "day", "is no day; write YYYY-MM-DD")
    try:
        amount = Money.of(values["amount"], values["currency"])
    except Invalid as error:
        return RefusedRow(line, error.field or "amount", error.reason)
    if amount.amount < 0:
        return RefusedRow(line, "amount", "is negative")
    counts: dict[str, int | None] = {}
    for name in ("clicks", "impressions"):
        text = values.get(name, "")
        if text and not _DIGITS.fullmatch(text):
            return RefusedRow(line, name, "is not a whole number")
        counts[name] = int(text) if text else None
    return Spend(values["campaign"], day, source, amount, counts["clicks"], counts["impressions"])
