"""HTTP in: terms of signed contracts, notice, and who is reminded when."""

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Request
from ltc_chassis.api import Conn, Principal, Tx, scope
from ltc_chassis.api import router as make_router
from ltc_contracts.events.model import Text
from pydantic import BaseModel, Field

from sales_svc.api.documents import place_of
from sales_svc.api.shapes import Body
from sales_svc.domain.renewal import Policy, Term, TermState
from sales_svc.handlers import renewals as handlers
from sales_svc.store import contracts, renewals

router = make_router(prefix="/v1", tags=["contracts"])
Writer = Annotated[Principal, scope("contracts:write")]
Configurer = Annotated[Principal, scope("contracts:configure")]
Address = Annotated[str, Field(min_length=3, max_length=254)]


class Notice(Body):
    """Which side does not want the contract to go on."""

    side: Literal["customer", "supplier"]
    reason: Text | None = None


class TermView(BaseModel):
    """Both days are included; notice on `notice_by` is in time."""

    number: int
    starts_on: date
    ends_on: date
    notice_by: date
    auto_renew: bool
    state: TermState

    @classmethod
    def of(cls, term: Term) -> "TermView":
        return cls(**{name: getattr(term, name) for name in cls.model_fields})


class NewPolicy(Body):
    """Reminders so many days before the last day for notice; `mail_to` gets each of them."""

    days_before: Annotated[list[Annotated[int, Field(ge=0, le=3650)]], Field(max_length=20)]
    mail_to: Annotated[list[Address], Field(default_factory=list, max_length=20)]


class PolicyView(NewPolicy):
    version: int
    created_by: str
    created_at: datetime

    @classmethod
    def of(cls, policy: Policy) -> "PolicyView":
        lists = {"days_before": list(policy.days_before), "mail_to": list(policy.mail_to)}
        return cls(**lists, version=policy.version, created_by=policy.created_by, created_at=policy.created_at)


@router.get("/contracts/{contract_id}/terms", dependencies=[scope("contracts:read")])
async def list_terms(contract_id: UUID, conn: Conn) -> list[TermView]:
    """The terms of a signed contract, the running one last."""
    await contracts.get_contract(conn, contract_id)
    return [TermView.of(term) for term in await renewals.list_terms(conn, contract_id)]


@router.post("/contracts/{contract_id}/notice", dependencies=[scope("contracts:write")])
async def give_notice(contract_id: UUID, body: Notice, tx: Tx, caller: Writer, request: Request) -> TermView:
    """The running term is the last one."""
    given = await handlers.give_notice(
        tx, contract_id, side=body.side, reason=body.reason, by=caller.subject, place=place_of(request)
    )
    return TermView.of(given)


@router.get("/renewal-policies", dependencies=[scope("contracts:read")])
async def list_policies(conn: Conn) -> list[PolicyView]:
    """Who is reminded when: the last 100 versions, the latest first."""
    return [PolicyView.of(policy) for policy in await renewals.list_policies(conn)]


@router.post("/renewal-policies", status_code=201, dependencies=[scope("contracts:configure")])
async def set_policy(body: NewPolicy, tx: Tx, caller: Configurer) -> PolicyView:
    """The next version; terms that run keep their days."""
    days = tuple(sorted(set(body.days_before), reverse=True))
    return PolicyView.of(await handlers.set_policy(tx, days, tuple(dict.fromkeys(body.mail_to)), caller.subject))
