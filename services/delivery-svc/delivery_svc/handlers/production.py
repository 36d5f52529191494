"""What is to be produced for deliveries."""

from ltc_chassis.db import Transaction

from delivery_svc.domain.delivery import Delivery
from delivery_svc.domain.plan import Plan


async def follow_plan(tx: Transaction, delivery: Delivery, plan: Plan, *, reason: str = "not needed any more") -> None:
    """Called whenever a plan was made or changed: its steps of kind `production` say what is wanted, with state and quantities.

    Nobody is told yet: such steps are reported by people.
    """
