"""HTTP in: agents, queues and how soon tickets are answered and resolved. Each is written as a version, and all versions are kept."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Path
from ltc_chassis.api import Conn, Now, Principal, Tx, scope
from ltc_chassis.api import router as make_router
from ltc_chassis.inputs import Moment
from ltc_chassis.mailroom import check_address
from ltc_contracts.errors import NotFound
from ltc_contracts.events.model import Code, Name
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from delivery_svc.domain.service_desk import Agent, AgentNotFound, Queue, QueueNotFound
from delivery_svc.domain.ticket import Priority
from delivery_svc.domain.ticket_clock import Policy, Step
from delivery_svc.handlers import service_desk as handlers
from delivery_svc.store import service_desk as store
from delivery_svc.store import ticket_clocks

router = make_router(prefix="/v1", tags=["service desk"])
Admin = Annotated[Principal, scope("tickets:configure")]
Minutes = Annotated[int, Field(ge=1, le=525_600, description="of business hours")]
Known = Annotated[int | None, Field(ge=1, description="the version that was read; none for a new one")]
InPath = Annotated[str, Path(max_length=64, pattern=r"^[a-z0-9][a-z0-9_-]*$")]
Subject = Annotated[str, Path(max_length=200, pattern=r"^[^\x00-\x1f\x7f/]+$")]
Title = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]


def _address(text: str) -> str:
    check_address(text, field="email")
    return text


Address = Annotated[str, StringConstraints(strip_whitespace=True, max_length=254), AfterValidator(_address)]


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class AgentBody(Body):
    """`capacity` is how many open tickets are given automatically at most."""

    email: Address | None = None
    capacity: Annotated[int, Field(ge=0, le=1000)] = 20
    active: bool = True


class AgentChange(AgentBody):
    version: Known = None


class AgentView(AgentBody):
    subject: str
    version: int


class AgentVersionView(AgentView):
    changed_by: str
    changed_at: datetime


class AbsenceBody(Body):
    starts_at: Moment
    ends_at: Moment


class AbsenceView(AbsenceBody):
    id: UUID
    agent: str


class QueueBody(Body):
    """`address` is where customers write to; `alerts_to` where the team is told, `lead` the agent who is."""

    name: Title
    address: Address | None = None
    alerts_to: Address | None = None
    lead: Name | None = None
    members: Annotated[list[Name], Field(max_length=200)] = []
    auto_assign: bool = False
    reopen_days: Annotated[int, Field(ge=0, le=365, description="within which a reply opens a resolved ticket again")] = 7
    active: bool = True


class QueueChange(QueueBody):
    version: Known = None


class QueueView(QueueBody):
    code: str
    version: int


class QueueVersionView(QueueView):
    changed_by: str
    changed_at: datetime


class StepBody(Body):
    """So long after the target of a clock: whom to tell (assignee, the queue's lead, or the queue), by mail or not."""

    clock: Literal["first_response", "resolution"]
    after_minutes: Annotated[int, Field(ge=0, le=525_600, description="of business hours")] = 0
    to: Literal["assignee", "lead", "queue"] | None = None
    mail: bool = True


class PolicyBody(Body):
    """The smaller `position` is asked first. No queues or no priorities: all of them. `calendar`: timezone, week, country,
    subdivision, extra_holidays, exceptions."""

    name: Title
    position: Annotated[int, Field(ge=0, le=1_000_000)] = 100
    queues: Annotated[list[Code], Field(max_length=100)] = []
    priorities: Annotated[list[Priority], Field(max_length=4)] = []
    response_minutes: Minutes | None = None
    resolution_minutes: Minutes | None = None
    warn_percent: Annotated[int | None, Field(ge=1, le=99, description="of the target, when the assignee is warned")] = None
    calendar: Annotated[dict[str, Any], Field(max_length=10)]
    steps: Annotated[list[StepBody], Field(max_length=10)] = []
    active: bool = True


class PolicyChange(PolicyBody):
    version: Known = None


class PolicyView(PolicyBody):
    code: str
    version: int

    @classmethod
    def of(cls, policy: Policy) -> "PolicyView":
        same = {name: getattr(policy, name) for name in cls.model_fields if name != "steps"}
        return cls(
            **same, steps=[StepBody(**{name: getattr(step, name) for name in StepBody.model_fields}) for step in policy.steps]
        )


class PolicyVersionView(PolicyView):
    changed_by: str
    changed_at: datetime


@router.put("/service-agents/{subject}")
async def put_agent(subject: Subject, body: AgentChange, tx: Tx, caller: Admin) -> AgentView:
    """Somebody who works on tickets, by the subject of their token."""
    agent = Agent(subject=subject, version=0, **body.model_dump(exclude={"version"}))
    return _agent(await handlers.put_agent(tx, agent, caller.subject, expected=body.version))


@router.get("/service-agents", dependencies=[scope("tickets:read")])
async def list_agents(conn: Conn) -> list[AgentView]:
    """Everybody; at most 500."""
    return [_agent(agent) for agent in await store.list_agents(conn)]


@router.get("/service-agents/{subject}/changes", dependencies=[scope("tickets:read")])
async def list_agent_changes(subject: Subject, conn: Conn) -> list[AgentVersionView]:
    """Every version, the newest first, with who wrote it; at most 200."""
    rows = await store.list_agent_versions(conn, subject)
    if not rows:
        raise AgentNotFound(f"there is no agent '{subject}'")
    return [AgentVersionView(**dict(row)) for row in rows]


@router.post("/service-agents/{subject}/absences", status_code=201)
async def add_absence(subject: Subject, body: AbsenceBody, tx: Tx, caller: Admin) -> AbsenceView:
    """Meanwhile nothing is given to the agent automatically."""
    made = await handlers.add_absence(tx, subject, body.starts_at, body.ends_at, caller.subject)
    return AbsenceView(id=made.id, agent=made.agent, starts_at=made.starts_at, ends_at=made.ends_at)


@router.get("/service-agents/{subject}/absences", dependencies=[scope("tickets:read")])
async def list_absences(subject: Subject, conn: Conn, now: Now) -> list[AbsenceView]:
    """Those that are not over."""
    found = await store.list_absences(conn, subject, now)
    return [AbsenceView(id=each.id, agent=each.agent, starts_at=each.starts_at, ends_at=each.ends_at) for each in found]


@router.delete("/service-agents/{subject}/absences/{absence_id}", status_code=204)
async def end_absence(subject: Subject, absence_id: UUID, tx: Tx, _: Admin) -> None:
    """The agent is there after all."""
    await handlers.end_absence(tx, subject, absence_id)


@router.put("/ticket-queues/{code}")
async def put_queue(code: InPath, body: QueueChange, tx: Tx, caller: Admin) -> QueueView:
    """A queue: where tickets of one kind wait for one team."""
    queue = Queue(code=code, version=0, **body.model_dump(exclude={"version"}))
    return _queue(await handlers.put_queue(tx, queue, caller.subject, expected=body.version))


@router.get("/ticket-queues", dependencies=[scope("tickets:read")])
async def list_queues(conn: Conn) -> list[QueueView]:
    """All queues; at most 200."""
    return [_queue(queue) for queue in await store.list_queues(conn)]


@router.get("/ticket-queues/{code}/changes", dependencies=[scope("tickets:read")])
async def list_queue_changes(code: InPath, conn: Conn) -> list[QueueVersionView]:
    """Every version, the newest first, with who wrote it; at most 200."""
    rows = await store.list_queue_versions(conn, code)
    if not rows:
        raise QueueNotFound(f"there is no queue '{code}'")
    return [QueueVersionView(**dict(row)) for row in rows]


@router.put("/ticket-policies/{code}")
async def put_policy(code: InPath, body: PolicyChange, tx: Tx, caller: Admin) -> PolicyView:
    """How soon tickets are answered and resolved. Tickets that are open keep the version they began with."""
    given = body.model_dump(exclude={"version", "steps"})
    policy = Policy(code=code, version=0, steps=tuple(Step(**step.model_dump()) for step in body.steps), **given)
    return PolicyView.of(await handlers.put_policy(tx, policy, caller.subject, expected=body.version))


@router.get("/ticket-policies", dependencies=[scope("tickets:read")])
async def list_policies(conn: Conn) -> list[PolicyView]:
    """The latest versions, in the order in which they are asked."""
    return [PolicyView.of(policy) for policy in await ticket_clocks.list_policies(conn)]


@router.get("/ticket-policies/{code}/changes", dependencies=[scope("tickets:read")])
async def list_policy_changes(code: InPath, conn: Conn) -> list[PolicyVersionView]:
    """Every version, the newest first, with who wrote it; at most 200."""
    rows = await ticket_clocks.list_policy_versions(conn, code)
    if not rows:
        raise NotFound(f"there is no policy '{code}'")
    return [PolicyVersionView(**dict(row)) for row in rows]


def _agent(agent: Agent) -> AgentView:
    return AgentView(**{name: getattr(agent, name) for name in AgentView.model_fields})


def _queue(queue: Queue) -> QueueView:
    return QueueView(**{name: getattr(queue, name) for name in QueueView.model_fields})
