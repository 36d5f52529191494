"""What is sent and shown of subscriptions."""

import hashlib
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

from ltc_chassis.ids import new_id
from ltc_chassis.inputs import Day
from ltc_contracts.events import Customer, Line
from ltc_contracts.events.model import Code, Exact, Name, Percent, TaxCategory
from ltc_contracts.money import Money
from pydantic import BaseModel, ConfigDict, Field

from order_svc.api.checkout import CartCustomer
from order_svc.api.orders import Reason
from order_svc.domain import lines as arithmetic
from order_svc.domain import proration
from order_svc.domain.amendment import Assessment, When, monthly_after
from order_svc.domain.placement import Invoicing
from order_svc.domain.recurring import Unit
from order_svc.domain.subscription import Kind, Purchase, State, Subscription
from order_svc.domain.termination import CancelAt

# More would make events of a change, which carry the lines before and after, too large to be read by people.
_MOST_LINES = 100


class AgreedLine(BaseModel):
    """What is served, at a price per whole period. With the id of a line that is there it is that line, which goes on."""

    model_config = ConfigDict(extra="forbid")
    line_id: UUID | None = None
    sku: Code
    description: Name
    quantity: Annotated[Exact, Field(gt=0)]
    unit_price: Money
    discount_percent: Percent = Decimal(0)
    tax_category: TaxCategory = "S"
    tax_rate: Percent

    def line(self) -> Line:
        """With an id where it has none, and its net."""
        unpriced = Line(**{"line_id": new_id(), **self.model_dump(exclude_none=True)}, net=Money.zero(self.unit_price.currency))
        return unpriced.model_copy(update={"net": arithmetic.line_net(unpriced)})


AgreedLines = Annotated[tuple[AgreedLine, ...], Field(min_length=1, max_length=_MOST_LINES)]


class IntervalModel(BaseModel):
    """How long a period is: at most ten years."""

    model_config = ConfigDict(extra="forbid")
    unit: Unit
    count: Annotated[int, Field(ge=1, le=366)] = 1


class StartSubscription(BaseModel):
    """`source` and `external_ref` are what the system that asks calls itself and it: the same names are the same subscription.

    Periods begin on `anchor_day` (default: the day of `starts_on`; the last day of shorter months); the first one may be shorter, at its
    part of the price. With `terms` it ends after so many periods. `flow_id` is the journey it comes from.
    """

    model_config = ConfigDict(extra="forbid")
    source: Code
    external_ref: Name
    customer: CartCustomer
    lines: AgreedLines
    interval: IntervalModel
    starts_on: Day | None = None
    anchor_day: Annotated[int | None, Field(ge=1, le=31)] = None
    terms: Annotated[int | None, Field(ge=1, le=1000)] = None
    notice_days: Annotated[int, Field(ge=0, le=730)] = 0
    invoicing: Annotated[Invoicing, Field(description="`on_confirmation`: in advance; `on_delivery`: in arrears")] = (
        "on_confirmation"
    )
    payment_terms_days: Annotated[int | None, Field(ge=0, le=365)] = None
    contract_id: UUID | None = None
    flow_id: UUID | None = None

    def fingerprint(self) -> str:
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


class ChangeLines(BaseModel):
    """All lines that it shall have: what is missing is dropped."""

    model_config = ConfigDict(extra="forbid")
    lines: AgreedLines
    when: Annotated[When, Field(description="at once, by the day, or with the next period")] = "now"


class ConfirmChange(ChangeLines):
    """As it was assessed: with the `version` and the `effective_on` that were shown."""

    version: Annotated[int, Field(ge=0, lt=2**31)]
    effective_on: Day
    reason: Reason | None = None


class PauseSubscription(BaseModel):
    """Why it rests, if anybody says so."""

    model_config = ConfigDict(extra="forbid")
    reason: Reason | None = None


class CancelSubscription(BaseModel):
    """`period_end`: with the first period that ends after the notice; `notice`: with the notice itself, the unused rest is credited."""

    model_config = ConfigDict(extra="forbid")
    reason: Reason
    at: CancelAt = "period_end"


class PeriodView(BaseModel):
    """Days, both included."""

    first: date
    last: date


class PendingView(BaseModel):
    """The change that comes with the next period."""

    effective_on: date
    lines: tuple[Line, ...]
    net: Money


class CreditView(BaseModel):
    """Credit that lessens the next orders: only lines of the same tax, since it was taxed so."""

    tax_category: str
    tax_rate: Exact
    amount: Money


class SubscriptionView(BaseModel):
    """A subscription; `net` is a whole period's, `mrr` what it brings per month now, `charged_until` the last day that is ordered."""

    id: UUID
    flow_id: UUID
    number: str
    state: State
    source: str
    external_ref: str
    contract_id: UUID | None
    customer: Customer
    lines: tuple[Line, ...]
    net: Money
    mrr: Money
    interval: IntervalModel
    anchor_day: int | None
    starts_on: date
    ends_on: Annotated[date | None, Field(description="the last day of service, where it is known")]
    terms: int | None
    notice_days: int
    invoicing: Invoicing
    payment_terms_days: int | None
    period: Annotated[PeriodView | None, Field(description="the whole period that was ordered last; null before the start")]
    charged_until: date | None
    next_on: Annotated[date | None, Field(description="when something is due by itself: the next order, or the end")]
    balance: Money
    credit: list[CreditView]
    pending: PendingView | None
    cancel_reason: str | None
    trouble: Annotated[str | None, Field(description="why what is due could not be done; it is tried again every hour")]
    created_at: datetime
    updated_at: datetime
    version: int

    @classmethod
    def of(cls, subscription: Subscription, trouble: str | None = None) -> "SubscriptionView":
        s = subscription
        whole = None if s.charged_until is None or s.charged_until < s.starts_on else s.rhythm.period(s.charged_until)
        pending = s.pending
        return cls(
            id=s.id,
            flow_id=s.flow_id,
            number=s.number,
            state=s.state,
            source=s.source,
            external_ref=s.external_ref,
            contract_id=s.contract_id,
            customer=s.customer,
            lines=s.lines,
            net=s.net,
            mrr=s.mrr,
            interval=IntervalModel(unit=s.rhythm.interval.unit, count=s.rhythm.interval.count),
            anchor_day=s.rhythm.anchor_day if s.rhythm.interval.months else None,
            starts_on=s.starts_on,
            ends_on=s.ends_on,
            terms=s.terms,
            notice_days=s.notice_days,
            invoicing=s.invoicing,
            payment_terms_days=s.payment_terms_days,
            period=None if whole is None else PeriodView(first=max(whole.first, s.starts_on), last=whole.last),
            charged_until=s.charged_until,
            next_on=s.next_on,
            balance=s.balance,
            credit=[
                CreditView(tax_category=category, tax_rate=rate, amount=amount)
                for (category, rate), amount in sorted(s.credit.items())
            ],
            pending=None
            if pending is None
            else PendingView(
                effective_on=pending.effective_on,
                lines=pending.lines,
                net=Money.total((line.net for line in pending.lines), s.currency),
            ),
            cancel_reason=s.cancel_reason,
            trouble=trouble,
            created_at=s.created_at,
            updated_at=s.updated_at,
            version=s.version,
        )


class ComingOrder(BaseModel):
    """An order that comes by itself if nobody changes anything: on its first day, for `net`, which is `charged` less `credit_used`."""

    order_on: date
    period_from: date
    period_until: date
    lines: tuple[Line, ...]
    charged: Money
    credit_used: Money
    net: Money

    @classmethod
    def of(cls, purchase: Purchase) -> "ComingOrder":
        period, bill = purchase.period, purchase.bill
        return cls(
            order_on=period.first,
            period_from=period.first,
            period_until=period.last,
            lines=bill.lines,
            charged=bill.charged,
            credit_used=bill.used,
            net=bill.net,
        )


class UpcomingView(BaseModel):
    """The next orders, and the last day where it ends."""

    items: list[ComingOrder]
    ends_on: date | None


class AssessmentView(BaseModel):
    """What a change would do, to be confirmed with `version` and `effective_on` on the same day.

    `unused` and `rest` are the days from then to the end of the period by the old and by the new lines. `credited` is what becomes less,
    `charged` what comes on top, line by line; `due_now` is ordered at once, with `lines`. `credit_left` is what lessens later orders.
    """

    version: int
    when: When
    effective_on: date
    unused: Money
    rest: Money
    credited: Money
    charged: Money
    credit_used: Money
    due_now: Money
    lines: tuple[Line, ...]
    credit_left: Money
    net_before: Money
    net_after: Money
    mrr_before: Money
    mrr_after: Money
    next_order: ComingOrder | None

    @classmethod
    def of(
        cls, subscription: Subscription, lines: tuple[Line, ...], when: When, assessed: Assessment, coming: list[Purchase]
    ) -> "AssessmentView":
        return cls(
            version=subscription.version,
            when=when,
            effective_on=assessed.effective_on,
            unused=assessed.unused,
            rest=assessed.rest,
            credited=assessed.credited,
            charged=assessed.charged,
            credit_used=assessed.credit_used,
            due_now=assessed.due_now,
            lines=assessed.bill.lines if assessed.bill else (),
            credit_left=proration.total(assessed.step.subscription.credit, subscription.currency),
            net_before=subscription.net,
            net_after=Money.total((line.net for line in lines), subscription.currency),
            mrr_before=subscription.mrr,
            mrr_after=monthly_after(subscription, lines),
            next_order=ComingOrder.of(coming[0]) if coming else None,
        )


class HappenedView(BaseModel):
    """One thing that happened, with the state after it; `event` is what was told of it, null where nothing was."""

    version: int
    what: str
    state: State
    effective_on: date
    changed_at: datetime
    by: str | None
    reason: str | None
    event: dict[str, Any] | None


class SubscriptionHistoryView(BaseModel):
    """Everything that happened, oldest first; go on with `next` as `after`."""

    items: list[HappenedView]
    next: int | None


class SubscriptionOrderView(BaseModel):
    """An order of a subscription, and where it stands. A `renewal` is a period's, the others came between."""

    order_id: UUID
    number: str
    flow_id: UUID
    state: Literal["received", "held", "confirmed", "in_progress", "cancelling", "fulfilled", "closed", "cancelled"]
    kind: Kind
    period_from: date
    period_until: date
    charged: Money
    credit_used: Money
    net: Money
    placed_at: datetime
