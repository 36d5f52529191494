"""HTTP in: plans of usage, and what was used."""

from datetime import date
from decimal import Decimal
from typing import Annotated, Literal
from uuid import UUID

from ltc_chassis.api import Conn, Principal, Tx, scope
from ltc_chassis.api import router as make_router
from ltc_chassis.ids import new_id
from ltc_chassis.inputs import Day, Moment
from ltc_contracts.errors import Invalid
from ltc_contracts.events import Customer
from ltc_contracts.events.model import TaxCategory
from ltc_contracts.money import Money
from pydantic import BaseModel, Field, StringConstraints

from billing_svc.api.credits import Body
from billing_svc.api.drafts import Count, NewCustomer, Percentage, Price, Sku
from billing_svc.domain.usage import Meter, Model, Tariff, Tier, UsagePlan
from billing_svc.handlers import usage as handlers
from billing_svc.store import usage as store
from billing_svc.store.usage import Record

router = make_router(prefix="/v1", tags=["usage"])
Configurer = Annotated[Principal, scope("usage:configure")]
Short = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100, pattern=r"^[^\x00]*$")]


class NewTier(Body):
    """Up to and including so many units; the last tier has no end. The price is for `per` units."""

    up_to: Count | None = None
    price: Price


class NewUsagePlan(Body):
    """A month from the day of `starts_on` is a period; it is invoiced `grace_days` after its end."""

    customer: NewCustomer
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    sku: Sku
    description: Short
    meter: Meter
    model: Model
    per: Count = "1"
    tiers: Annotated[list[NewTier], Field(min_length=1, max_length=20)]
    minimum: Price = "0"
    tax_category: TaxCategory = "S"
    tax_rate: Percentage
    starts_on: Day
    ends_on: Day | None = None
    grace_days: Annotated[int, Field(ge=0, le=60)] = 0
    payment_terms_days: Annotated[int, Field(ge=0, le=3650)] = 30
    parent_flow_id: UUID | None = None


class UsagePlanView(BaseModel):
    """`next_from`: the first day of the period that is not invoiced yet. `unbilled_records` wait for the end of theirs."""

    id: UUID
    customer: Customer
    currency: str
    meter: Meter
    model: Model
    starts_on: date
    ends_on: date | None
    next_from: date | None
    unbilled_records: int
    unbilled_quantity: str
    created_by: str


class NewUsage(Body):
    """`key` names it for ever, so it may be told again. `counted`: the thing that a `unique` meter counts."""

    plan_id: UUID
    key: Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00]*$")]
    quantity: Count = "1"
    counted: Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00]*$")] | None = None
    used_at: Moment


class UsageBatch(Body):
    records: Annotated[list[NewUsage], Field(min_length=1, max_length=1000)]


class RecordedUsage(BaseModel):
    key: str
    result: Literal["recorded", "known", "refused"]
    reason: str | None


class RecordedBatch(BaseModel):
    """In the order told. What is refused spoils no other."""

    recorded: int
    known: int
    refused: int
    records: list[RecordedUsage]


@router.post("/usage-plans", status_code=201, dependencies=[scope("usage:configure")])
async def agree_usage(body: NewUsagePlan, tx: Tx, caller: Configurer) -> UsagePlanView:
    """Agree with a customer how what they use is counted and rated. 400: tiers or figures that could not be invoiced."""
    plan = await handlers.agree_usage(
        tx,
        UsagePlan(
            id=new_id(),
            customer=Customer.model_validate(body.customer.model_dump()),
            currency=body.currency,
            payment_terms_days=body.payment_terms_days,
            tariff=_tariff(body),
            starts_on=body.starts_on,
            ends_on=body.ends_on,
            grace_days=body.grace_days,
            next_from=body.starts_on,
            parent_flow_id=body.parent_flow_id,
            created_by=caller.subject,
            version=1,
            created_at=tx.now,
            updated_at=tx.now,
        ),
    )
    return await get_usage_plan(plan.id, tx.conn)


@router.get("/usage-plans/{plan_id}", dependencies=[scope("usage:read")])
async def get_usage_plan(plan_id: UUID, conn: Conn) -> UsagePlanView:
    """A plan, and what of it is not invoiced yet."""
    plan = await store.get_plan(conn, plan_id)
    waiting = await store.unbilled_view(conn, plan_id)
    return UsagePlanView(
        id=plan.id,
        customer=plan.customer,
        currency=plan.currency,
        meter=plan.tariff.meter,
        model=plan.tariff.model,
        starts_on=plan.starts_on,
        ends_on=plan.ends_on,
        next_from=plan.next_from,
        unbilled_records=waiting["records"],
        unbilled_quantity=format(waiting["quantity"], "f"),
        created_by=plan.created_by,
    )


@router.post("/usage", dependencies=[scope("usage:write")])
async def record_usage(body: UsageBatch, tx: Tx) -> RecordedBatch:
    """Up to 1,000 records, each answered by itself; a key counts once, however often it is told."""
    records = [Record(each.plan_id, each.key, Decimal(each.quantity), each.counted, each.used_at) for each in body.records]
    outcomes = await handlers.record_usage(tx, records)
    results = [outcome.result for outcome in outcomes]
    return RecordedBatch(
        recorded=results.count("recorded"),
        known=results.count("known"),
        refused=results.count("refused"),
        records=[
            RecordedUsage(key=record.key, result=outcome.result, reason=outcome.reason)
            for record, outcome in zip(records, outcomes, strict=True)
        ],
    )


def _tariff(body: NewUsagePlan) -> Tariff:
    """Raises `Invalid` with the field."""
    if Decimal(body.per) == 0:
        raise Invalid("above zero", field="per")
    if Decimal(body.tax_rate) > 100:
        raise Invalid("a percentage is at most 100", field="tax_rate")
    tiers = [
        Tier(None if tier.up_to is None else Decimal(tier.up_to), Money.of(tier.price, body.currency)) for tier in body.tiers
    ]
    return Tariff(
        meter=body.meter,
        model=body.model,
        per=Decimal(body.per),
        tiers=tuple(tiers),
        minimum=Money.of(body.minimum, body.currency),
        sku=body.sku,
        description=body.description,
        tax_category=body.tax_category,
        tax_rate=Decimal(body.tax_rate),
    )
