"""Kafka in: what the order says about a delivery, and the shop floor about its production."""

from collections.abc import Sequence

from ltc_chassis.arrived import Arrived
from ltc_chassis.consumer import Consumers
from ltc_chassis.db import Transaction
from ltc_contracts.envelope import Envelope
from ltc_contracts.events import MesProductionProgressed, OrderCancellationRequested, OrderChangeRequested, OrderConfirmed

from delivery_svc.handlers import changes, deliveries, production_news

consumers = Consumers()


@consumers.together(OrderConfirmed)
async def order_confirmed(tx: Transaction, confirmed: Sequence[Arrived[OrderConfirmed]]) -> None:
    """Confirmed orders are planned."""
    await deliveries.plan_deliveries(tx, confirmed)


@consumers.on(OrderCancellationRequested)
async def order_cancellation_requested(tx: Transaction, event: OrderCancellationRequested, envelope: Envelope) -> None:
    """The customer wants out."""
    await deliveries.decide_cancellation(tx, event, requested_at=envelope.occurred_at)


@consumers.on(OrderChangeRequested)
async def order_change_requested(tx: Transaction, event: OrderChangeRequested, _: Envelope) -> None:
    """The order shall become another."""
    await changes.decide_change(tx, event)


@consumers.on(MesProductionProgressed)
async def mes_production_progressed(tx: Transaction, event: MesProductionProgressed, _: Envelope) -> None:
    """An MES tells how far a job is."""
    await production_news.learn(tx, event)
