"""What a customer sees of a delivery, and how they ask about it."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from ltc_chassis.db import Transaction
from ltc_contracts.errors import DomainError

from delivery_svc.domain.attempt import Attempt
from delivery_svc.domain.delivery import Delivery, Promise
from delivery_svc.domain.handover import Handover
from delivery_svc.domain.notice import Language
from delivery_svc.domain.plan import Plan
from delivery_svc.domain.ticket import Ticket
from delivery_svc.handlers import tickets
from delivery_svc.handlers.tickets import Wanted
from delivery_svc.store import deliveries, plans, proofs, returns
from delivery_svc.store import tracking as store

_MOST_HANDOVERS = 100
# Whoever has the link may ask, and a link gets around.
_MOST_QUESTIONS = 5
_SUBJECT = {"en": "Order {}", "zh": "订单 {}"}


class TooManyQuestions(DomainError):
    """So many questions about this delivery are open that another one has to wait for an answer."""


@dataclass(frozen=True, slots=True)
class Tracked:
    """Everything that is shown; no prices, no names, since a link gets around. `proven` are the hand-overs that a file proves."""

    delivery: Delivery
    plan: Plan
    promises: Sequence[Promise]
    handovers: Sequence[Handover]
    attempts: Sequence[Attempt]
    proven: frozenset[UUID]


async def look(tx: Transaction, delivery_id: UUID) -> Tracked:
    """The delivery as its customer sees it. Raises `DeliveryNotFound`."""
    return Tracked(
        delivery=await deliveries.get_delivery(tx.conn, delivery_id),
        plan=await plans.get_plan(tx.conn, delivery_id),
        promises=await deliveries.list_promises(tx.conn, delivery_id),
        handovers=await plans.list_handovers(tx.conn, delivery_id, after=0, limit=_MOST_HANDOVERS),
        attempts=await returns.list_attempts(tx.conn, delivery_id, after=0, limit=_MOST_HANDOVERS),
        proven=frozenset(each.handover_id for each in await proofs.list_proofs(tx.conn, delivery_id) if each.handover_id),
    )


async def ask(tx: Transaction, delivery_id: UUID, text: str, language: Language) -> Ticket:
    """A question becomes a ticket about the order; the same words on the same day are a double click. Raises `TooManyQuestions`."""
    delivery = await deliveries.get_delivery(tx.conn, delivery_id)
    said = hashlib.sha256(text.encode()).hexdigest()[:32]
    reference = f"tracking/{delivery.id}/{tx.now:%Y-%m-%d}/{said}"
    await store.lock_questions(tx.conn, delivery.id)
    if await store.count_open_questions(tx.conn, delivery.order_id, but=reference) >= _MOST_QUESTIONS:
        raise TooManyQuestions("please wait for the answers to your earlier questions")
    wanted = Wanted(
        subject=_SUBJECT[language].format(delivery.order_number)[:300],
        text=text,
        channel="portal",
        language=language,
        requester_name=delivery.customer.name,
        requester_email=delivery.customer.email,
        order_id=delivery.order_id,
        external_ref=reference,
    )
    return (await tickets.open_ticket(tx, wanted, "customer"))[0]
