"""Facts published by delivery-svc about service tickets. What was said in a ticket, its subject and who asked are never on them."""

from typing import Annotated, ClassVar, Literal
from uuid import UUID

from pydantic import AwareDatetime, Field

from ltc_contracts.events.model import Code, Event, Name

TicketPriority = Literal["urgent", "high", "normal", "low"]
Minutes = Annotated[int, Field(ge=0, description="whole minutes of business hours in which the clock ran")]
Target = Annotated[int, Field(ge=1, description="minutes of business hours")]
Version = Annotated[int, Field(ge=1)]


class TicketOpened(Event):
    """A customer wants something. Its flow is that of the order it is about, else one of its own."""

    TOPIC: ClassVar[str] = "ticket.opened"
    SUBJECT: ClassVar[str] = "ticket_id"

    ticket_id: UUID
    number: Code
    channel: Literal["api", "mail", "portal"]
    priority: TicketPriority
    queue: Code
    customer_id: UUID | None = None
    order_id: UUID | None = None
    parent_id: Annotated[UUID | None, Field(description="the closed ticket that this one follows")] = None
    response_due_at: AwareDatetime | None = None
    resolution_due_at: AwareDatetime | None = None


class TicketAssigned(Event):
    """Somebody has the ticket from now on, or nobody."""

    TOPIC: ClassVar[str] = "ticket.assigned"
    SUBJECT: ClassVar[str] = "ticket_id"

    ticket_id: UUID
    number: Code
    queue: Code
    assignee: Name | None = None
    was: Name | None = None
    automatic: bool


class TicketResponded(Event):
    """The customer was answered for the first time. Without a policy there is no target."""

    TOPIC: ClassVar[str] = "ticket.responded"
    SUBJECT: ClassVar[str] = "ticket_id"

    ticket_id: UUID
    number: Code
    priority: TicketPriority
    queue: Code
    by: Name
    policy: Code | None = None
    policy_version: Version | None = None
    business_minutes: Minutes | None = None
    target_minutes: Target | None = None
    within_target: bool | None = None


class TicketEscalated(Event):
    """A clock passed its target (level 1) or a further step after it; each is told once."""

    TOPIC: ClassVar[str] = "ticket.escalated"
    SUBJECT: ClassVar[str] = "ticket_id"

    ticket_id: UUID
    number: Code
    clock: Literal["first_response", "resolution"]
    level: Annotated[int, Field(ge=1)]
    due_at: AwareDatetime
    priority: TicketPriority
    queue: Code
    assignee: Name | None = None
    escalate_to: Name | None = None
    policy: Code
    policy_version: Version
    target_minutes: Target


class TicketResolved(Event):
    """What was wanted is done. `reopened` is how often it had come back; the minutes are of all its rounds, less the waits."""

    TOPIC: ClassVar[str] = "ticket.resolved"
    SUBJECT: ClassVar[str] = "ticket_id"

    ticket_id: UUID
    number: Code
    priority: TicketPriority
    queue: Code
    by: Annotated[Name | None, Field(description="who of us; null when the customer said so")] = None
    customer_id: UUID | None = None
    order_id: UUID | None = None
    reopened: Annotated[int, Field(ge=0)]
    policy: Code | None = None
    policy_version: Version | None = None
    business_minutes: Minutes | None = None
    target_minutes: Target | None = None
    within_target: bool | None = None


class TicketReopened(Event):
    """It was not done after all; its clock of the resolution goes on."""

    TOPIC: ClassVar[str] = "ticket.reopened"
    SUBJECT: ClassVar[str] = "ticket_id"

    ticket_id: UUID
    number: Code
    by: Annotated[Name | None, Field(description="who of us; null when the customer did")] = None
    reopened: Annotated[int, Field(ge=1)]


class TicketMerged(Event):
    """The ticket was about the same as another, which goes on alone."""

    TOPIC: ClassVar[str] = "ticket.merged"
    SUBJECT: ClassVar[str] = "ticket_id"

    ticket_id: UUID
    number: Code
    into_id: UUID
    into_number: Code
    by: Name
