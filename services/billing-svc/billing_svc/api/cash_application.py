"""HTTP in: the queue of payments that a person decides on, and when that is not needed."""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

from ltc_chassis.api import Conn, Page, PageArgs, Principal, Tx, scope
from ltc_chassis.api import router as make_router
from ltc_contracts.money import Money
from pydantic import AfterValidator, BaseModel, Field, StringConstraints

from billing_svc.api.payments import Body, NewAllocation, wanted_of
from billing_svc.domain.allocation import Policy
from billing_svc.domain.review import Review, State
from billing_svc.handlers import cash_application as handlers
from billing_svc.store import cash_application as store
from billing_svc.store.cash_application import CashSetting

router = make_router(prefix="/v1", tags=["cash application"])
Writer = Annotated[Principal, scope("payments:write")]
Why = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500, pattern=r"^[^\x00]*$")]


def one_per_currency(tolerances: tuple[Money, ...]) -> tuple[Money, ...]:
    """Raises `ValueError` for two of a currency, or one that is not above zero."""
    if len({each.currency for each in tolerances}) < len(tolerances) or any(each.amount <= 0 for each in tolerances):
        raise ValueError("one tolerance per currency, above zero")
    return tolerances


class ReasonView(BaseModel):
    code: str
    text: str


class PartView(BaseModel):
    invoice_id: UUID
    amount: Money


class ToldView(BaseModel):
    """What the bank told; `amount` is below zero for money that went out."""

    amount: Money
    booked_on: date
    party: str
    party_account: str
    end_to_end_id: str
    references: list[str]
    text: str
    return_reason: str


class ReviewView(BaseModel):
    """A suggestion with its confidence (0 to 1) and reasons, then who decided what and why. `payment_id` null: no payment, but money
    that went out, came back, or is only the sum of a batch."""

    id: UUID
    payment_id: UUID | None
    item_id: UUID | None
    told: ToldView | None
    confidence: Decimal
    reasons: list[ReasonView]
    parts: list[PartView]
    state: State
    decided_by: str | None
    decided_at: datetime | None
    why: str | None
    version: int
    created_at: datetime


class Acceptance(Body):
    why: Why | None = None


class Correction(Body):
    allocations: Annotated[list[NewAllocation], Field(min_length=1, max_length=500)]
    why: Why


class Rejection(Body):
    why: Why


class NewSetting(Body):
    """`version` is the next one. Suggestions of `automatic` and above need no person; 1 leaves everything to a person. `tolerances`:
    per currency, how small a rest is written off when a payment leaves it; none unless said."""

    version: Annotated[int, Field(ge=2, le=2**31 - 1)]
    automatic: Annotated[Decimal, Field(ge=0, le=1, max_digits=5, decimal_places=4)]
    policy: Policy
    tolerances: Annotated[tuple[Money, ...], Field(max_length=50), AfterValidator(one_per_currency)] = ()


class SettingView(BaseModel):
    version: int
    automatic: Decimal
    policy: Policy
    tolerances: tuple[Money, ...]
    changed_by: str
    changed_at: datetime


@router.get("/payments/review", dependencies=[scope("payments:read")])
async def list_reviews(conn: Conn, page: PageArgs, state: State | None = "waiting") -> Page[ReviewView]:
    """What waits for a person, the oldest first; with `state` what was decided."""
    rows = await store.list_reviews(conn, state=state, after=page.after, limit=page.limit + 1)
    return page.of(await _views(conn, rows), key=lambda view: view.id)


@router.post("/payments/review/{review_id}/accept")
async def accept(review_id: UUID, body: Acceptance, tx: Tx, caller: Writer) -> ReviewView:
    """Apply as suggested. 409: decided already, nothing to accept, or an invoice is paid meanwhile; 400: it claims less by now."""
    return await _shown(tx, await handlers.decide(tx, review_id, "accept", by=caller.subject, why=body.why))


@router.post("/payments/review/{review_id}/correct")
async def correct(review_id: UUID, body: Correction, tx: Tx, caller: Writer) -> ReviewView:
    """Apply otherwise; from then on the payer is known. Refused as an allocation is."""
    wanted = wanted_of(body.allocations)
    return await _shown(tx, await handlers.decide(tx, review_id, "correct", by=caller.subject, why=body.why, wanted=wanted))


@router.post("/payments/review/{review_id}/reject")
async def reject(review_id: UUID, body: Rejection, tx: Tx, caller: Writer) -> ReviewView:
    """The money stays on account; what is no payment is settled elsewhere."""
    return await _shown(tx, await handlers.decide(tx, review_id, "reject", by=caller.subject, why=body.why))


@router.get("/cash-setting", dependencies=[scope("payments:read")])
async def get_setting(conn: Conn) -> SettingView:
    """The setting that counts."""
    return _setting(await store.get_setting(conn))


@router.put("/cash-setting")
async def change_setting(body: NewSetting, tx: Tx, caller: Annotated[Principal, scope("payments:configure")]) -> SettingView:
    """Write the next version. 409 when another was written meanwhile."""
    made = CashSetting(body.version, body.automatic, body.policy, body.tolerances, caller.subject, tx.now)
    return _setting(await handlers.change_setting(tx, made))


def _setting(setting: CashSetting) -> SettingView:
    return SettingView(**{name: getattr(setting, name) for name in SettingView.model_fields})


async def _shown(tx: Any, review: Review) -> ReviewView:
    return (await _views(tx.conn, [review]))[0]


async def _views(conn: Any, reviews: Sequence[Review]) -> list[ReviewView]:
    told = await store.items_view(conn, [review.item_id for review in reviews if review.item_id])
    return [_view(review, told.get(review.item_id) if review.item_id else None) for review in reviews]


def _view(review: Review, row: Any) -> ReviewView:
    same = ("id", "payment_id", "item_id", "state", "decided_by", "decided_at", "why", "version", "created_at")
    given: dict[str, Any] = {name: getattr(review, name) for name in same}
    suggested = review.suggestion
    told = None
    if row is not None:
        item = dict(row)
        told = ToldView(
            amount=Money.of(item["amount"], item["currency"]),
            references=item["refs"].split("\n") if item["refs"] else [],
            **{name: item[name] for name in ("booked_on", "party", "party_account", "end_to_end_id", "text", "return_reason")},
        )
    return ReviewView(
        **given,
        told=told,
        confidence=suggested.confidence,
        reasons=[ReasonView(code=each.code, text=each.text) for each in suggested.reasons],
        parts=[PartView(invoice_id=invoice_id, amount=part) for invoice_id, part in suggested.parts],
    )
