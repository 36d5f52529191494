"""Facts about subscriptions, published by order-svc. Prices of `lines` and `net` are those of one whole period, without tax."""

from typing import Annotated, ClassVar, Literal
from uuid import UUID

from pydantic import Field

from ltc_contracts.events.model import Code, Day, Event, Name, Part, Percent, TaxCategory, Text
from ltc_contracts.events.order import Invoicing
from ltc_contracts.events.sales import Lines
from ltc_contracts.money import Money

IntervalUnit = Literal["day", "week", "month", "quarter", "year"]
Movement = Literal["new", "expansion", "contraction", "churn", "reactivation"]

OrderedNet = Annotated[Money, Field(description="what was charged less the credit that was used: the net of the order")]
CreditLeft = Annotated[Money, Field(description="credit of this subscription that no order has used yet")]
Effective = Annotated[Day, Field(description="the first day on which it counts")]


class SubscriptionStarted(Event):
    """The first period has begun and is ordered. From now on an order follows for each period."""

    TOPIC: ClassVar[str] = "subscription.started"
    SUBJECT: ClassVar[str] = "subscription_id"

    subscription_id: UUID
    number: Code
    customer_id: UUID
    contract_id: Annotated[UUID | None, Field(description="the signed contract behind it")] = None
    lines: Lines
    net: Money
    interval_unit: IntervalUnit
    interval_count: Annotated[int, Field(ge=1, le=366)]
    invoicing: Invoicing
    starts_on: Day
    ends_on: Annotated[Day | None, Field(description="the last day of its terms; None: until it is cancelled")] = None
    period_until: Annotated[Day, Field(description="the last day of the first period")]
    order_id: UUID | None = None
    ordered: OrderedNet


class SubscriptionRenewed(Event):
    """The next period has begun and is ordered."""

    TOPIC: ClassVar[str] = "subscription.renewed"
    SUBJECT: ClassVar[str] = "subscription_id"

    subscription_id: UUID
    number: Code
    customer_id: UUID
    term: Annotated[int, Field(ge=1, description="1 for the first period, one more with each that has passed")]
    period_from: Day
    period_until: Annotated[Day, Field(description="the last day of the period")]
    charged: Money
    credit_used: Money
    ordered: OrderedNet
    credit_left: CreditLeft
    order_id: UUID | None = None


class SubscriptionChanged(Event):
    """Other lines count from a day on. The unused rest of the old is credited, the rest of the new charged, by day."""

    TOPIC: ClassVar[str] = "subscription.changed"
    SUBJECT: ClassVar[str] = "subscription_id"

    subscription_id: UUID
    number: Code
    customer_id: UUID
    effective_on: Effective
    before: Lines
    lines: Lines
    net: Money
    credited: Money
    charged: Money
    credit_used: Money
    ordered: OrderedNet
    credit_left: CreditLeft
    order_id: Annotated[UUID | None, Field(description="the order of what came on top at once; None: nothing did")] = None
    reason: Text | None = None
    changed_by: Annotated[Name | None, Field(description="who wished it")] = None


class SubscriptionPaused(Event):
    """Nothing is served and ordered from a day on, until it is resumed. The unused rest of the period is credited."""

    TOPIC: ClassVar[str] = "subscription.paused"
    SUBJECT: ClassVar[str] = "subscription_id"

    subscription_id: UUID
    number: Code
    customer_id: UUID
    effective_on: Effective
    credited: Money
    credit_left: CreditLeft
    reason: Text | None = None


class SubscriptionResumed(Event):
    """A paused subscription goes on from a day on; the rest of the period in which it lies is ordered."""

    TOPIC: ClassVar[str] = "subscription.resumed"
    SUBJECT: ClassVar[str] = "subscription_id"

    subscription_id: UUID
    number: Code
    customer_id: UUID
    effective_on: Effective
    period_until: Annotated[Day, Field(description="the last day of the period")]
    charged: Money
    credit_used: Money
    ordered: OrderedNet
    credit_left: CreditLeft
    order_id: UUID | None = None


class SubscriptionCancelled(Event):
    """It will end after a day, or never begins. Until then it goes on as before, and the cancellation may be withdrawn."""

    TOPIC: ClassVar[str] = "subscription.cancelled"
    SUBJECT: ClassVar[str] = "subscription_id"

    subscription_id: UUID
    number: Code
    customer_id: UUID
    ends_on: Annotated[Day | None, Field(description="the last day of service; None: it never began")] = None
    reason: Text


class SubscriptionCancellationWithdrawn(Event):
    """It goes on after all: as if it had never been cancelled."""

    TOPIC: ClassVar[str] = "subscription.cancellation_withdrawn"
    SUBJECT: ClassVar[str] = "subscription_id"

    subscription_id: UUID
    number: Code
    customer_id: UUID
    reason: Text


class OwedPart(Part):
    """So much, without tax, was charged by an order at a category and rate, and was not served."""

    order_id: UUID
    tax_category: TaxCategory
    tax_rate: Percent
    net: Money


class SubscriptionEnded(Event):
    """It is over. `credit_left` is what the customer has paid, or must pay by their orders, beyond what was served."""

    TOPIC: ClassVar[str] = "subscription.ended"
    VERSION: ClassVar[str] = "1.1"
    SUBJECT: ClassVar[str] = "subscription_id"

    subscription_id: UUID
    number: Code
    customer_id: UUID
    ended_on: Annotated[Day | None, Field(description="the last day of service; None: it never began")] = None
    cause: Literal["cancelled", "terms"]
    credited: Money
    credit_left: CreditLeft
    reason: Text | None = None
    # 1.1
    owed: Annotated[
        tuple[OwedPart, ...],
        Field(max_length=1000, description="what is credited of which order: all of `credit_left` that was charged"),
    ] = ()


class SubscriptionOrderLapsed(Event):
    """An order of it was cancelled, so what it charged is not charged. From `stops_on` on nothing is served, until it is resumed.

    Of an earlier period only the credit that it had used comes back (`stops_on` is None).
    """

    TOPIC: ClassVar[str] = "subscription.order_lapsed"
    SUBJECT: ClassVar[str] = "subscription_id"

    subscription_id: UUID
    number: Code
    customer_id: UUID
    order_id: UUID
    order_number: Code
    period_from: Day
    period_until: Annotated[Day, Field(description="the last day of what the order was for")]
    stops_on: Day | None = None
    credit_before: Money
    credit_left: CreditLeft


class SubscriptionRevenueMoved(Event):
    """Monthly recurring revenue (MRR) moved. The sum of all `delta` of a subscription is its MRR, at any time."""

    TOPIC: ClassVar[str] = "subscription.revenue_moved"
    SUBJECT: ClassVar[str] = "subscription_id"

    subscription_id: UUID
    customer_id: UUID
    kind: Movement
    mrr_before: Money
    mrr_after: Money
    delta: Money
    effective_on: Effective
