"""Who works on tickets: agents with a capacity, and queues with members."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from ltc_contracts.errors import Invalid, NotFound

_NEVER = datetime.min.replace(tzinfo=UTC)
MOST_QUEUES, MOST_AGENTS, MOST_MEMBERS = 100, 500, 200


class QueueNotFound(NotFound):
    """There is no such queue, or it is not used any more."""


class AgentNotFound(NotFound):
    """There is no such agent."""


@dataclass(frozen=True, slots=True)
class Agent:
    """One version of an agent; `capacity` is how many open tickets are given automatically at most."""

    subject: str
    version: int
    email: str | None
    capacity: int
    active: bool


@dataclass(frozen=True, slots=True)
class Queue:
    """One version of a queue. `address` is where customers write to, `alerts_to` where the team
    is told of escalations, `lead` the agent who is told of escalations."""

    code: str
    version: int
    name: str
    address: str | None
    alerts_to: str | None
    lead: str | None
    members: Sequence[str]
    auto_assign: bool
    reopen_days: int
    active: bool


@dataclass(frozen=True, slots=True)
class Absence:
    """An agent is not there."""

    id: UUID
    agent: str
    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class Load:
    """An agent who is there, with the open tickets they have and when they got the last one."""

    agent: str
    capacity: int
    tickets: int
    last_at: datetime | None


def check(queue: Queue, agents: Sequence[Agent]) -> None:
    """Raises `Invalid` for people who are no agents."""
    known = {agent.subject for agent in agents}
    if len(set(queue.members)) != len(queue.members):
        raise Invalid("each member is named once", field="members")
    for name, field in (*((member, "members") for member in queue.members), *(((queue.lead, "lead"),) if queue.lead else ())):
        if name not in known:
            raise Invalid(f"there is no agent '{name}'", field=field)
    if queue.auto_assign and not queue.members:
        raise Invalid("a queue that assigns by itself has members", field="members")


def fewest(loads: Sequence[Load]) -> Load | None:
    """Who gets the next ticket: the least of their capacity used, then the longest without a new one. None when all are full."""
    free = [load for load in loads if load.tickets < load.capacity]
    return min(free, key=lambda load: (load.tickets / load.capacity, load.last_at or _NEVER, load.agent), default=None)
