"""Tickets, what was said in them and who did what. Lock order: tickets by id, then their clocks."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from ltc_chassis.connection import Connection
from ltc_chassis.ids import new_id

from delivery_svc.domain.ticket import Comment, State, Ticket, TicketNotFound, number_of


class OrderOf(NamedTuple):
    """What a ticket takes over from the order that it is about."""

    order_id: UUID
    order_number: str
    flow_id: UUID
    customer_id: UUID


async def draw_number(conn: Connection, now: datetime) -> str:
    """The next number; numbers of transactions that roll back are lost."""
    return number_of(now.year, await conn.fetchval("SELECT nextval('ticket_number')"))


async def find_order(conn: Connection, *, order_id: UUID | None, number: str | None) -> OrderOf | None:
    """The confirmed order, by id or by number."""
    row = await conn.fetchrow(
        """
        SELECT order_id, order_number, flow_id, customer_id FROM delivery
        WHERE ($1::uuid IS NULL OR order_id = $1) AND ($2::text IS NULL OR order_number = $2) ORDER BY id DESC LIMIT 1
        """,
        *(order_id, number),
    )
    return None if row is None else OrderOf(*row)


async def insert_ticket(conn: Connection, t: Ticket) -> bool:
    """False, and nothing written, when there is one with this external reference."""
    row = await conn.fetchrow(
        """
        INSERT INTO ticket (id, flow_id, version, number, state, channel, priority, queue, assignee, subject, requester_name,
                            requester_email, language, customer_id, order_id, order_number, external_ref, parent_id, merged_into,
                            reopened, created_by, created_at, updated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23)
        ON CONFLICT (external_ref) DO NOTHING RETURNING id
        """,
        *(t.id, t.flow_id, t.version, t.number, t.state, t.channel, t.priority, t.queue, t.assignee, t.subject, t.requester_name),
        *(t.requester_email, t.language, t.customer_id, t.order_id, t.order_number, t.external_ref, t.parent_id, t.merged_into),
        *(t.reopened, t.created_by, t.created_at, t.updated_at),
    )
    return row is not None


async def save_ticket(conn: Connection, t: Ticket) -> None:
    await conn.execute(
        """
        UPDATE ticket SET version = $2, state = $3, priority = $4, queue = $5, assignee = $6, subject = $7, requester_name = $8,
               requester_email = $9, language = $10, customer_id = $11, order_id = $12, order_number = $13, merged_into = $14,
               reopened = $15, updated_at = $16, responded_at = $17, resolved_at = $18, close_at = $19, closed_at = $20, due_at = $21
        WHERE id = $1
        """,
        *(t.id, t.version, t.state, t.priority, t.queue, t.assignee, t.subject, t.requester_name, t.requester_email, t.language),
        *(t.customer_id, t.order_id, t.order_number, t.merged_into, t.reopened, t.updated_at, t.responded_at, t.resolved_at),
        *(t.close_at, t.closed_at, t.due_at),
    )


async def get_ticket(conn: Connection, ticket_id: UUID) -> Ticket:
    """Raises `TicketNotFound`."""
    row = await conn.fetchrow(
        """
        SELECT id, flow_id, version, number, state, channel, priority, queue, assignee, subject, requester_name, requester_email,
               language, customer_id, order_id, order_number, external_ref, parent_id, merged_into, reopened, created_by, created_at,
               updated_at, responded_at, resolved_at, close_at, closed_at, due_at
        FROM ticket WHERE id = $1
        """,
        ticket_id,
    )
    if row is None:
        raise TicketNotFound(f"there is no ticket {ticket_id}")
    return Ticket(**dict(row))


async def lock_tickets(conn: Connection, ticket_ids: Collection[UUID]) -> dict[UUID, Ticket]:
    """These, locked, in the order of their ids. Raises `TicketNotFound`."""
    rows = await conn.fetch(
        """
        SELECT id, flow_id, version, number, state, channel, priority, queue, assignee, subject, requester_name, requester_email,
               language, customer_id, order_id, order_number, external_ref, parent_id, merged_into, reopened, created_by, created_at,
               updated_at, responded_at, resolved_at, close_at, closed_at, due_at
        FROM ticket WHERE id = ANY($1::uuid[]) ORDER BY id FOR UPDATE
        """,
        list(ticket_ids),
    )
    found = {row["id"]: Ticket(**dict(row)) for row in rows}
    for ticket_id in ticket_ids:
        if ticket_id not in found:
            raise TicketNotFound(f"there is no ticket {ticket_id}")
    return found


async def lock_of_requester(conn: Connection, address: str) -> list[Ticket]:
    """Every ticket that was asked for from an address (in lower case), locked."""
    rows = await conn.fetch("SELECT id FROM ticket WHERE lower(requester_email) = $1", address)
    return list((await lock_tickets(conn, [row["id"] for row in rows])).values())


async def find_by_reference(conn: Connection, external_ref: str) -> UUID | None:
    found: UUID | None = await conn.fetchval("SELECT id FROM ticket WHERE external_ref = $1", external_ref)
    return found


async def find_by_number(conn: Connection, number: str) -> UUID | None:
    """The ticket, or the one it was merged into."""
    found: UUID | None = await conn.fetchval("SELECT coalesce(merged_into, id) FROM ticket WHERE number = $1", number)
    return found


async def find_by_messages(conn: Connection, message_ids: Sequence[str]) -> UUID | None:
    """The ticket that one of these mails belongs to: of several the one of the mail named last."""
    found: UUID | None = await conn.fetchval(
        """
        SELECT c.ticket_id FROM ticket_comment c JOIN unnest($1::text[]) WITH ORDINALITY AS named (message_id, position)
          ON named.message_id = c.message_id
        ORDER BY named.position DESC, c.id DESC LIMIT 1
        """,
        list(message_ids),
    )
    return found


async def list_tickets(
    conn: Connection, wanted: Mapping[str, Any], *, due_before: datetime | None, after: UUID | None, limit: int
) -> list[Ticket]:
    """In the order in which they were opened; what is None in `wanted` does not matter."""
    rows = await conn.fetch(
        """
        SELECT id, flow_id, version, number, state, channel, priority, queue, assignee, subject, requester_name, requester_email,
               language, customer_id, order_id, order_number, external_ref, parent_id, merged_into, reopened, created_by, created_at,
               updated_at, responded_at, resolved_at, close_at, closed_at, due_at
        FROM ticket
        WHERE ($1::text IS NULL OR queue = $1) AND ($2::text IS NULL OR assignee = $2) AND ($3::text[] IS NULL OR state = ANY($3))
          AND ($4::text IS NULL OR priority = $4) AND ($5::uuid IS NULL OR order_id = $5) AND ($6::uuid IS NULL OR customer_id = $6)
          AND ($7::text IS NULL OR lower(requester_email) = lower($7)) AND ($8::text IS NULL OR number = $8)
          AND (NOT $9::boolean OR assignee IS NULL) AND ($10::timestamptz IS NULL OR due_at < $10)
          AND ($11::uuid IS NULL OR id > $11)
        ORDER BY id LIMIT $12
        """,
        *(wanted.get("queue"), wanted.get("assignee"), wanted.get("states"), wanted.get("priority"), wanted.get("order_id")),
        *(wanted.get("customer_id"), wanted.get("requester"), wanted.get("number"), bool(wanted.get("nobodys"))),
        *(due_before, after, limit),
    )
    return [Ticket(**dict(row)) for row in rows]


async def claim_over(conn: Connection, now: datetime, limit: int) -> list[Ticket]:
    """Resolved tickets whose days are over, locked; those that another replica works on are passed by."""
    rows = await conn.fetch(
        "SELECT id FROM ticket WHERE close_at <= $1 ORDER BY close_at, id LIMIT $2 FOR UPDATE SKIP LOCKED", now, limit
    )
    return list((await lock_tickets(conn, [row["id"] for row in rows])).values())


async def claim_unassigned(conn: Connection, queue: str, limit: int) -> list[Ticket]:
    """New tickets of a queue that nobody has: the most urgent first, then the oldest; locked."""
    rows = await conn.fetch(
        """
        SELECT id FROM ticket WHERE queue = $1 AND assignee IS NULL AND state = 'new'
        ORDER BY array_position(ARRAY['urgent', 'high', 'normal', 'low'], priority), id LIMIT $2 FOR UPDATE SKIP LOCKED
        """,
        *(queue, limit),
    )
    wanted = [row["id"] for row in rows]
    found = await lock_tickets(conn, wanted)
    return [found[ticket_id] for ticket_id in wanted]


async def count_states(conn: Connection, queue: str | None) -> dict[State, int]:
    rows = await conn.fetch(
        "SELECT state, count(*) AS amount FROM ticket WHERE $1::text IS NULL OR queue = $1 GROUP BY state", queue
    )
    return {row["state"]: row["amount"] for row in rows}


async def insert_comment(conn: Connection, c: Comment) -> None:
    await conn.execute(
        """
        INSERT INTO ticket_comment (id, ticket_id, told_to, author, by, public, channel, text, message_id, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        """,
        *(c.id, c.ticket_id, c.told_to, c.author, c.by, c.public, c.channel, c.text, c.message_id, c.created_at),
    )


async def list_comments(
    conn: Connection, ticket_id: UUID, *, public_only: bool = False, after: UUID | None = None, limit: int
) -> list[Comment]:
    """The oldest first."""
    rows = await conn.fetch(
        """
        SELECT id, ticket_id, told_to, author, by, public, channel, text, message_id, created_at FROM ticket_comment
        WHERE ticket_id = $1 AND (public OR NOT $2::boolean) AND ($3::uuid IS NULL OR id > $3) ORDER BY id LIMIT $4
        """,
        *(ticket_id, public_only, after, limit),
    )
    return [Comment(**dict(row)) for row in rows]


async def list_latest(conn: Connection, ticket_id: UUID, limit: int) -> list[Comment]:
    """What was said in public, the latest first."""
    rows = await conn.fetch(
        """
        SELECT id, ticket_id, told_to, author, by, public, channel, text, message_id, created_at FROM ticket_comment
        WHERE ticket_id = $1 AND public ORDER BY id DESC LIMIT $2
        """,
        *(ticket_id, limit),
    )
    return [Comment(**dict(row)) for row in rows]


async def find_twin(conn: Connection, ticket_id: UUID, text: str, since: datetime) -> UUID | None:
    """Where the customer said the very same on the page not long ago: in this ticket or in one that follows it."""
    found: UUID | None = await conn.fetchval(
        """
        SELECT c.ticket_id FROM ticket_comment c JOIN ticket t ON t.id = c.ticket_id
        WHERE (t.id = $1 OR t.parent_id = $1) AND c.author = 'customer' AND c.channel = 'portal' AND c.text = $2 AND c.created_at > $3
        ORDER BY c.id DESC LIMIT 1
        """,
        *(ticket_id, text, since),
    )
    return found


async def find_follow_up(conn: Connection, ticket_id: UUID, now: datetime) -> UUID | None:
    """The latest ticket that follows this one and is not over itself."""
    found: UUID | None = await conn.fetchval(
        """
        SELECT id FROM ticket WHERE parent_id = $1 AND state <> 'closed' AND (close_at IS NULL OR close_at > $2) ORDER BY id DESC LIMIT 1
        """,
        *(ticket_id, now),
    )
    return found


async def last_messages(conn: Connection, ticket_id: UUID, limit: int) -> list[str]:
    """The Message-IDs of what was said in public, the oldest first, at most so many of the latest."""
    rows = await conn.fetch(
        """
        SELECT message_id FROM ticket_comment WHERE ticket_id = $1 AND public AND message_id IS NOT NULL ORDER BY id DESC LIMIT $2
        """,
        *(ticket_id, limit),
    )
    return [row["message_id"] for row in reversed(rows)]


async def move_comments(conn: Connection, ticket_id: UUID, into: UUID, *, keep_public: bool) -> int:
    """What was said to a ticket is the other's from now on; returns how much."""
    rows = await conn.fetch(
        """
        UPDATE ticket_comment SET ticket_id = $2, told_to = coalesce(told_to, $1), public = public AND $3
        WHERE ticket_id = $1 RETURNING id
        """,
        *(ticket_id, into, keep_public),
    )
    # A chain of merges is one step long, so that every number leads to the ticket that goes on.
    await conn.execute("UPDATE ticket SET merged_into = $2 WHERE merged_into = $1", ticket_id, into)
    return len(rows)


async def insert_change(conn: Connection, ticket: Ticket, move: str, by: str, at: datetime, detail: Mapping[str, Any]) -> None:
    await conn.execute(
        "INSERT INTO ticket_change (id, ticket_id, move, by, at, version, detail) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        *(new_id(), ticket.id, move, by, at, ticket.version, dict(detail)),
    )


async def list_changes(conn: Connection, ticket_id: UUID, *, after: UUID | None, limit: int) -> list[Any]:
    return await conn.fetch(
        """
        SELECT id, move, by, at, version, detail FROM ticket_change
        WHERE ticket_id = $1 AND ($2::uuid IS NULL OR id > $2) ORDER BY id LIMIT $3
        """,
        *(ticket_id, after, limit),
    )
