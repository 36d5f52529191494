"""HTTP in: how customers are dunned, what was done, and what they promised."""

from datetime import date
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

from fastapi import Response
from ltc_chassis.api import Conn, Page, PageArgs, Principal, Tx, scope
from ltc_chassis.api import router as make_router
from ltc_contracts.errors import NotFound
from ltc_contracts.money import Money
from pydantic import BaseModel, Field, StringConstraints

from billing_svc.api.credits import Body, Reason
from billing_svc.domain.dunning import STANDARD, Notice, Policy, Promise, Step, StepKind
from billing_svc.handlers import dunning as handlers
from billing_svc.handlers.dunning_papers import print_letter
from billing_svc.store import dunning as store
from billing_svc.store import invoices
from billing_svc.store.dunning import CustomerRule

router = make_router(prefix="/v1", tags=["dunning"])
Configurer = Annotated[Principal, scope("dunning:configure")]
Writer = Annotated[Principal, scope("dunning:write")]
READ = [scope("dunning:read")]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")]
Amount = Annotated[Decimal, Field(ge=0, le=1_000_000, max_digits=11, decimal_places=4)]
Version = Annotated[int, Field(ge=0, le=10_000)]


class StepBody(Body):
    """`days` from the due day, below zero before it; `fee` in the invoice's currency; without a letter the step is for us alone."""

    name: Name
    days: Annotated[int, Field(ge=-60, le=3650)]
    kind: StepKind
    fee: Amount = Decimal(0)
    letter: bool = True
    hold_orders: bool = False

    def step(self) -> Step:
        return Step(**self.model_dump())


class NewPolicy(Body):
    """Steps in the order of their days; `version` is the one that was read (0: ours, or none yet)."""

    version: Version
    steps: Annotated[list[StepBody], Field(min_length=1, max_length=20)]
    interest_percent: Annotated[Decimal, Field(ge=0, le=100, max_digits=7, decimal_places=4)] = Decimal(0)
    reason: Reason


class PolicyView(BaseModel):
    """The latest version; 0 is ours."""

    name: str
    version: int
    steps: list[StepBody]
    interest_percent: Decimal

    @classmethod
    def of(cls, policy: Policy) -> "PolicyView":
        steps = [StepBody(**{name: getattr(step, name) for name in StepBody.model_fields}) for step in policy.steps]
        return cls(name=policy.name, version=policy.version, steps=steps, interest_percent=policy.interest_percent)


class NewCustomerRule(Body):
    """Another policy for a customer, or none at all: `excluded`, until a day or for good."""

    version: Version
    policy: Name = STANDARD
    excluded: bool = False
    excluded_until: date | None = None
    reason: Reason


class CustomerRuleView(BaseModel):
    """Version 0: nothing was said, so the standard counts."""

    customer_id: UUID
    version: int
    policy: str
    excluded: bool
    excluded_until: date | None
    reason: str

    @classmethod
    def of(cls, rule: CustomerRule) -> "CustomerRuleView":
        given: dict[str, Any] = {name: getattr(rule, name) for name in cls.model_fields}
        return cls(**given)


class StepView(BaseModel):
    """A step that was taken. `claimed` = open + fee + interest; fee and interest are claimed beside the invoice."""

    id: UUID
    invoice_id: UUID
    step: str
    kind: StepKind
    policy: str
    policy_version: int
    open: Money
    fee: Money
    interest: Money
    claimed: Money
    letter: bool
    mailed: bool
    hold_orders: bool
    taken_on: date

    @classmethod
    def of(cls, notice: Notice, mailed: bool) -> "StepView":
        given: dict[str, Any] = {name: getattr(notice, name) for name in cls.model_fields if name != "mailed"}
        return cls(**given, mailed=mailed)


class NewPromise(Body):
    promised_on: date
    note: Reason


class PromiseView(BaseModel):
    id: UUID
    invoice_id: UUID
    promised_on: date
    state: str
    note: str
    noted_by: str

    @classmethod
    def of(cls, promise: Promise) -> "PromiseView":
        given: dict[str, Any] = {name: getattr(promise, name) for name in cls.model_fields}
        return cls(**given)


class Promises(BaseModel):
    items: list[PromiseView]


class Policies(BaseModel):
    items: list[PolicyView]


@router.get("/dunning/policies", dependencies=READ)
async def list_policies(conn: Conn) -> Policies:
    """The latest version of each policy."""
    return Policies(items=[PolicyView.of(policy) for policy in await store.list_policies(conn)])


@router.put("/dunning/policies/{name}")
async def put_policy(name: Name, body: NewPolicy, tx: Tx, caller: Configurer) -> PolicyView:
    """A new version; what is open is looked at by it at once, and no step is taken twice. 409: another version is there."""
    wanted = Policy(name=name, version=0, steps=tuple(step.step() for step in body.steps), interest_percent=body.interest_percent)
    made = await handlers.put_policy(tx, wanted, expected=body.version, reason=body.reason, by=caller.subject)
    return PolicyView.of(made)


@router.get("/dunning/customers/{customer_id}", dependencies=READ)
async def get_customer_rule(customer_id: UUID, conn: Conn) -> CustomerRuleView:
    """How a customer is dunned."""
    nothing_said = CustomerRule(
        customer_id=customer_id, version=0, policy=STANDARD, excluded=False, excluded_until=None, reason=""
    )
    return CustomerRuleView.of((await store.get_customer_rules(conn, [customer_id])).get(customer_id, nothing_said))


@router.put("/dunning/customers/{customer_id}")
async def put_customer_rule(customer_id: UUID, body: NewCustomerRule, tx: Tx, caller: Configurer) -> CustomerRuleView:
    """Another policy, or an exclusion. 400: no such policy. 409: another version is there."""
    wanted = CustomerRule(customer_id=customer_id, **body.model_dump(exclude={"version"}), version=0)
    return CustomerRuleView.of(await handlers.put_customer_rule(tx, wanted, expected=body.version, by=caller.subject))


@router.get("/dunning/steps", dependencies=READ)
async def list_steps(
    conn: Conn, page: PageArgs, invoice_id: UUID | None = None, customer_id: UUID | None = None
) -> Page[StepView]:
    """Steps in the order they were taken."""
    rows = await store.list_steps(conn, invoice_id=invoice_id, customer_id=customer_id, after=page.after, limit=page.limit + 1)
    return page.of([StepView.of(notice, mailed) for notice, mailed in rows], key=lambda view: view.id)


@router.get("/dunning/steps/{step_id}/letter", dependencies=READ, response_class=Response)
async def get_letter(step_id: UUID, conn: Conn) -> Response:
    """The letter as PDF. 404: no such step, or one without a letter."""
    notice = await store.get_step(conn, step_id)
    if not notice.letter:
        raise NotFound(f"step '{notice.step}' has no letter")
    invoice = await invoices.get_invoice(conn, notice.invoice_id)
    name = f"{invoice.number}-{notice.taken_on}.pdf"
    headers = {"Content-Disposition": f'inline; filename="{name}"'}
    return Response(await print_letter(conn, invoice, notice), media_type="application/pdf", headers=headers)


@router.post("/invoices/{invoice_id}/promises", status_code=201)
async def note_promise(invoice_id: UUID, body: NewPromise, tx: Tx, caller: Writer) -> PromiseView:
    """The customer promised to pay what is open: no step until the day after. 409: nothing is open, or there is a promise already."""
    made = await handlers.note_promise(tx, invoice_id, promised_on=body.promised_on, note=body.note, by=caller.subject)
    return PromiseView.of(made)


@router.get("/invoices/{invoice_id}/promises", dependencies=READ)
async def list_promises(invoice_id: UUID, conn: Conn) -> Promises:
    """What was promised about an invoice."""
    return Promises(items=[PromiseView.of(promise) for promise in await store.list_promises(conn, invoice_id)])
