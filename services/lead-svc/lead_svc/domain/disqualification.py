"""Why a lead is not pursued (RULES 1): for good, as junk, or for a while; sales' reasons may send a lead back as well."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from ltc_contracts.errors import DomainError, Invalid

Kind = Literal["disqualified", "junk", "recycle"]
OTHER = "other"


class ReasonExists(DomainError):
    """The code is taken; change the reason instead."""


class ReasonArchived(DomainError):
    """The reason is no longer used for new decisions."""


class StaleVersion(DomainError):
    """Somebody changed it in the meantime; read it again."""


class OpportunityOpen(DomainError):
    """Sales still works on the lead; the opportunity is lost first."""


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason of the company's list. `wait_days` and `sales_reasons` (in lower case) are of reasons that recycle."""

    code: str
    kind: Kind
    label: str
    wait_days: int | None
    sales_reasons: tuple[str, ...]
    active: bool
    version: int


@dataclass(frozen=True, slots=True)
class Disqualification:
    """One decision; it is over (`ended_at`) when the lead is nurtured again, or when sales took it up after all."""

    id: UUID
    lead_id: UUID
    code: str
    kind: Kind
    reason: str
    from_status: str
    opportunity_id: UUID | None
    decided_by: str
    decided_at: datetime
    returns_at: datetime | None
    ended_at: datetime | None


def check(reason: Reason) -> None:
    """Raise `Invalid` for a reason that contradicts itself."""
    if (reason.kind == "recycle") != (reason.wait_days is not None):
        raise Invalid("is of reasons that recycle, and they need it", field="wait_days")
    if reason.sales_reasons and reason.kind != "recycle":
        raise Invalid("only a reason that recycles is met by a lost opportunity", field="sales_reasons")


def require_usable(reason: Reason, kinds: Iterable[Kind] = ("disqualified", "junk", "recycle")) -> None:
    """Raise `ReasonArchived`, or `Invalid` for a reason of another kind."""
    if not reason.active:
        raise ReasonArchived(f"the reason '{reason.code}' is archived", field="code")
    if reason.kind not in kinds:
        raise Invalid(f"'{reason.code}' is a reason of kind {reason.kind}", field="code")


def meaning(reasons: Iterable[Reason], text: str) -> Reason | None:
    """The active reason that a text is the code or label of."""
    wanted = _fold(text)
    return next((reason for reason in reasons if reason.active and wanted in (_fold(reason.code), _fold(reason.label))), None)


def recycling(reasons: Iterable[Reason], sales_reason: str) -> Reason | None:
    """The active reason by which a lost opportunity sends its lead back, if there is one."""
    wanted = _fold(sales_reason)
    return next(
        (
            reason
            for reason in reasons
            if reason.active
            and reason.kind == "recycle"
            and wanted in {_fold(reason.code), _fold(reason.label), *reason.sales_reasons}
        ),
        None,
    )


def return_of(reason: Reason, now: datetime, wait_days: int | None = None) -> datetime | None:
    """When a recycled lead is nurtured again; None when never."""
    if reason.kind != "recycle":
        return None
    days = reason.wait_days if wait_days is None else wait_days
    return now + timedelta(days=days or 0)


def folded(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted({_fold(text) for text in texts if text.strip()}))


def _fold(text: str) -> str:
    return " ".join(text.split()).casefold()
