"""Who works on tickets, how soon, and who gets the next one."""

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from ltc_chassis.db import Transaction
from ltc_chassis.ids import new_id
from ltc_contracts.errors import Invalid, NotFound, VersionConflict

from delivery_svc.domain import service_desk as rules
from delivery_svc.domain import ticket_clock
from delivery_svc.domain.service_desk import Absence, Agent, AgentNotFound, Queue, QueueNotFound
from delivery_svc.domain.ticket_clock import Policy
from delivery_svc.handlers import tickets
from delivery_svc.store import service_desk as store
from delivery_svc.store import ticket_clocks
from delivery_svc.store import tickets as ticket_store


async def put_agent(tx: Transaction, agent: Agent, by: str, *, expected: int | None) -> Agent:
    """A new version of an agent. Raises `VersionConflict`, `Invalid` when there are too many."""
    await store.lock_desk(tx.conn)
    known = await store.find_agent(tx.conn, agent.subject)
    _expect(f"agent '{agent.subject}'", known.version if known else 0, expected)
    if known is None and len(await store.list_agents(tx.conn)) >= rules.MOST_AGENTS:
        raise Invalid(f"at most {rules.MOST_AGENTS} agents", field="subject")
    made = replace(agent, version=known.version + 1 if known else 1)
    await store.insert_agent(tx.conn, made, by=by, now=tx.now)
    return made


async def put_queue(tx: Transaction, queue: Queue, by: str, *, expected: int | None) -> Queue:
    """A new version of a queue. Raises `VersionConflict`, `Invalid`."""
    await store.lock_desk(tx.conn)
    known = await store.find_queue(tx.conn, queue.code)
    _expect(f"queue '{queue.code}'", known.version if known else 0, expected)
    if known is None and len(await store.list_queues(tx.conn)) >= rules.MOST_QUEUES:
        raise Invalid(f"at most {rules.MOST_QUEUES} queues", field="code")
    if queue.code == "default" and not queue.active:
        raise Invalid("what names no other queue comes here", field="active")
    rules.check(queue, await store.list_agents(tx.conn))
    made = replace(queue, version=known.version + 1 if known else 1)
    await store.insert_queue(tx.conn, made, by=by, now=tx.now)
    return made


async def put_policy(tx: Transaction, policy: Policy, by: str, *, expected: int | None) -> Policy:
    """A new version of a policy; clocks that run keep the one they have. Raises `VersionConflict`, `Invalid`, `QueueNotFound`."""
    await ticket_clocks.lock_policies(tx.conn)
    known = await ticket_clocks.find_policy(tx.conn, policy.code)
    _expect(f"policy '{policy.code}'", known.version if known else 0, expected)
    if known is None and len(await ticket_clocks.list_policies(tx.conn)) >= ticket_clock.MOST_POLICIES:
        raise Invalid(f"at most {ticket_clock.MOST_POLICIES} policies", field="code")
    ticket_clock.check(policy, tx.now)
    there = {queue.code for queue in await store.list_queues(tx.conn)}
    for code in policy.queues:
        if code not in there:
            raise QueueNotFound(f"there is no queue '{code}'", field="queues")
    made = replace(policy, version=known.version + 1 if known else 1)
    await ticket_clocks.insert_policy(tx.conn, made, by=by, now=tx.now)
    return made


async def add_absence(tx: Transaction, agent: str, starts_at: datetime, ends_at: datetime, by: str) -> Absence:
    """The agent gets no tickets automatically meanwhile. Raises `AgentNotFound`, `Invalid`."""
    if await store.find_agent(tx.conn, agent) is None:
        raise AgentNotFound(f"there is no agent '{agent}'")
    if ends_at <= starts_at or ends_at <= tx.now:
        raise Invalid("an absence ends after it begins, and not in the past", field="ends_at")
    if len(await store.list_absences(tx.conn, agent, tx.now)) >= 200:
        raise Invalid("at most 200 absences to come", field="agent")
    absence = Absence(new_id(), agent, starts_at, ends_at)
    await store.insert_absence(tx.conn, absence, by=by, now=tx.now)
    return absence


async def end_absence(tx: Transaction, agent: str, absence_id: UUID) -> None:
    """The agent is there after all. Raises `NotFound`."""
    if not await store.delete_absence(tx.conn, agent, absence_id):
        raise NotFound("there is no such absence")


async def assign_due(tx: Transaction, *, limit: int) -> int:
    """New tickets of queues that assign by themselves go to who has the most room; what nobody has room for waits. How many went."""
    queues = {queue.code: queue for queue in await store.list_queues(tx.conn) if queue.auto_assign and queue.active}
    waiting = await store.has_waiting(tx.conn, list(queues)) if queues else []
    if not waiting:
        return 0
    # One at a time over all replicas, so that nobody is given more than their capacity.
    await store.lock_desk(tx.conn)
    given = 0
    for code in waiting:
        loads = {load.agent: load for load in await store.list_loads(tx.conn, queues[code].members, tx.now)}
        room = sum(max(load.capacity - load.tickets, 0) for load in loads.values())
        for ticket in await ticket_store.claim_unassigned(tx.conn, code, min(room, limit - given)):
            load = rules.fewest(list(loads.values()))
            if load is None:
                break
            await tickets.assign(tx, ticket.id, load.agent, "timer", automatic=True)
            loads[load.agent] = replace(load, tickets=load.tickets + 1, last_at=tx.now)
            given += 1
        if given >= limit:
            break
    return given


def _expect(what: str, version: int, expected: int | None) -> None:
    if (expected or 0) != version:
        raise VersionConflict(what, version)
