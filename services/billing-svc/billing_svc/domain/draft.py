"""Invoices by hand: a draft is written and changed, then finalised once or thrown away. A draft has no number and claims nothing."""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Literal
from uuid import UUID

from ltc_contracts.elsewhere import id_elsewhere
from ltc_contracts.errors import DomainError, VersionConflict, WrongTransition
from ltc_contracts.events import Customer, TaxSubtotal
from ltc_contracts.money import Money

from billing_svc.domain.amounts import tax_subtotals
from billing_svc.domain.occasion import InvoiceLine, Occasion, without_order

State = Literal["open", "final", "discarded"]
TRANSITIONS: dict[State, dict[str, State]] = {
    "open": {"revise": "open", "finalise": "final", "discard": "discarded"},
    "final": {},
    "discarded": {},
}


class DueDayPassed(DomainError):
    """The draft is due on a day that is over: it would be overdue as it is issued."""


@dataclass(frozen=True, slots=True)
class Content:
    """What the document will say. Either it is due on a day, or so many days after it is issued."""

    customer: Customer
    lines: tuple[InvoiceLine, ...]
    due_on: date | None
    payment_terms_days: int

    @property
    def currency(self) -> str:
        return self.lines[0].net.currency


@dataclass(frozen=True, slots=True)
class Draft:
    """`parent_flow_id` is the journey that the invoice belongs beside; it has one of its own. `invoice_id` once it is final."""

    id: UUID
    state: State
    content: Content
    parent_flow_id: UUID | None
    invoice_id: UUID | None
    created_by: str
    changed_by: str
    version: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Figures:
    """The arithmetic of EN 16931 on what the draft says now; on the invoice it is the same."""

    net: Money
    taxes: tuple[TaxSubtotal, ...]
    tax: Money
    gross: Money


def write(content: Content, *, draft_id: UUID, parent_flow_id: UUID | None, by: str, now: datetime) -> Draft:
    """A new draft. Raises `Invalid` with the field for what could not be invoiced."""
    draft = Draft(draft_id, "open", content, parent_flow_id, None, by, by, 1, now, now)
    figures(draft)
    return draft


def revise(draft: Draft, content: Content, *, version: int, parent_flow_id: UUID | None, by: str, now: datetime) -> Draft:
    """The draft says this instead. Raises `Invalid`, `VersionConflict`, `WrongTransition`."""
    revised = replace(_moved(draft, "revise", version, by, now), content=content, parent_flow_id=parent_flow_id)
    figures(revised)
    return revised


def finalise(draft: Draft, *, version: int, by: str, now: datetime) -> Draft:
    """It is final, its invoice still to be made. `version` is the one that was read: nobody finalises what they have not seen."""
    return _moved(draft, "finalise", version, by, now)


def discard(draft: Draft, *, by: str, now: datetime) -> Draft:
    """It will never be an invoice; kept, so that a look at it says so."""
    return _moved(draft, "discard", draft.version, by, now)


def occasion_of(draft: Draft, today: date) -> Occasion:
    """What is invoiced if it is issued today. Nothing of it was ordered or delivered here, so no service waits for those ids.

    Raises `DueDayPassed`.
    """
    content = draft.content
    due_on = content.due_on or today + timedelta(days=content.payment_terms_days)
    if due_on < today:
        raise DueDayPassed(f"due on {due_on}, which is over")
    return _occasion(draft, (due_on - today).days)


def figures(draft: Draft) -> Figures:
    """What it comes to. Raises `Invalid` with the field."""
    occasion = _occasion(draft, 0)
    taxes = tax_subtotals(occasion.lines)
    tax = Money.total((each.tax for each in taxes), occasion.net.currency)
    return Figures(occasion.net, taxes, tax, Money.of((occasion.net + tax).amount, tax.currency))


def _occasion(draft: Draft, terms: int) -> Occasion:
    content, name = draft.content, str(draft.id)
    ids = {"order_id": id_elsewhere("order", "draft", name), "delivery_id": id_elsewhere("delivery", "draft", name)}
    return without_order("manual", content.customer, content.lines, cause_id=draft.id, payment_terms_days=terms, **ids)


def _moved(draft: Draft, move: str, version: int, by: str, now: datetime) -> Draft:
    allowed: dict[str, State] = TRANSITIONS[draft.state]
    if move not in allowed:
        raise WrongTransition(f"draft {draft.id}", draft.state, move)
    if version != draft.version:
        raise VersionConflict(f"draft {draft.id}", draft.version)
    return replace(draft, state=allowed[move], changed_by=by, version=draft.version + 1, updated_at=now)
