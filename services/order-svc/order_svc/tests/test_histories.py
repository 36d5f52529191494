"""Whatever comes in whatever order, however often, and wherever we are killed: every order ends in a legal state, nothing twice."""

from collections import Counter
from decimal import Decimal
from itertools import pairwise
from random import Random

import pytest

from order_svc.domain import process
from order_svc.domain.order import TRANSITIONS, Order
from order_svc.tests.histories import Deal, Suite
from order_svc.tests.model import Model, money

HISTORIES, BATCHES = 2000, 8
ONCE = ("order.received", "order.confirmed", "order.fulfilled", "order.closed", "order.cancelled")


def live(seed: int, length: int = 45) -> tuple[Suite, Model]:
    """One history, to its end."""
    suite, model = Suite(Random(seed)), Model()
    going = suite.history(length)
    action = next(going)
    while True:
        told = model.apply(action)
        for each in told:
            order = model.orders[each.order_id]
            if each.topic == "order.confirmed" and "credit" not in order.waived:
                require_within_limit(seed, model, order)
        try:
            action = going.send(told)
        except StopIteration:
            return suite, model


def require_within_limit(seed: int, model: Model, order: Order) -> None:
    """At the moment of the confirmation all that is open of the customer, this order with it, fits the limit."""
    customer = order.customer.customer_id
    if customer in model.accounts:
        limit = model.accounts[customer][0].limits["EUR"]
        assert model.exposure(customer).total <= limit, (seed, "confirmed beyond the limit")


def expected_step(order: Order, deal: Deal) -> str:
    """Where the process must stand by what really happened."""
    if order.state == "held":
        assert order.hold is not None
        return min((process.CHECKS[reason] for reason in order.hold.reasons), key=list(process.WAITS_FOR).index)
    if order.state == "cancelled":
        return "cancelled"
    return "closed" if deal.paid else "collect"


def check(seed: int, suite: Suite, model: Model) -> Counter[str]:
    ends: Counter[str] = Counter()
    by_order = Counter((told.topic, told.order_id) for told in suite.told)
    assert set(model.orders) == set(suite.deals), seed
    assert len({order.external_ref for order in model.orders.values()}) == len(model.orders), (seed, "a cart is two orders")
    for order_id, order in model.orders.items():
        deal, told = suite.deals[order_id], {topic: by_order[topic, order_id] for topic in ONCE}
        assert order.state in {"held", "fulfilled", "closed", "cancelled"}, (seed, order.state)
        assert max(told.values()) == 1, (seed, told)
        assert told["order.received"] == 1
        assert told["order.confirmed"] == int(order.promised_on is not None), seed
        assert told["order.fulfilled"] == int(deal.completed) == int(order.state in {"fulfilled", "closed"}), seed
        assert told["order.cancelled"] == int(order.state == "cancelled") >= int(deal.cancelled), seed
        assert told["order.closed"] == int(order.state == "closed") == int(deal.completed and deal.paid), seed
        states = [change.to_state for change in model.history[order_id]]
        assert all(to in TRANSITIONS[at] for at, to in pairwise(states)), (seed, states)
        versions = [change.version for change in model.history[order_id]]
        assert versions == sorted(set(versions)), (seed, "two events of one version")
        invoiced = money(deal.cart.amount if deal.invoice else 0)
        assert (order.invoiced, order.credited) == (invoiced, money(deal.credited)), (seed, "counted twice, or not")
        assert model.positions[order_id][0] == process.position(order)
        assert process.position(order).step == expected_step(order, deal), seed
        held = [state for _, state, _ in model.picks.get(order_id, ())]
        assert set(held) <= {{"cancelled": "released"}.get(order.state, "consumed")}, (seed, order.state, held)
        ends[order.state] += 1
    for deal in suite.deals.values():
        if deal.invoice is not None:
            truth = deal.cart.amount - deal.allocated - deal.credited + deal.refunded
            assert model.open(deal.invoice) == truth, (seed, "a receivable is wrong")
    for sku, shelf in model.shelves.items():
        picks = [(pick.quantity, state) for each in model.picks.values() for pick, state, _ in each if pick.sku == sku]
        assert shelf.reserved == sum((quantity for quantity, state in picks if state == "reserved"), Decimal(0)), seed
        gone = sum((quantity for quantity, state in picks if state == "consumed"), Decimal(0))
        assert gone + shelf.reserved <= suite.received[sku], (seed, "more pieces were given out than ever came")
    assert set(model.late.values()) <= {1}, (seed, "a deadline was told twice")
    ends["late"] = len(model.late)
    return ends


@pytest.mark.parametrize("batch", range(BATCHES))
def test_two_thousand_histories_end_legally_with_nothing_twice(batch: int) -> None:
    ends: Counter[str] = Counter()
    for seed in range(batch, HISTORIES, BATCHES):
        ends += check(seed, *live(seed))
    # A check that never meets a case proves nothing of it.
    assert {"held", "fulfilled", "closed", "cancelled", "late"} <= set(ends), ends
    assert min(ends.values()) > 20, ends
