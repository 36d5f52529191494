"""Whatever comes in whatever order, however often, and wherever we are killed: every order ends in a legal state, nothing twice.

LTC_HISTORIES says how many are played; `make histories` plays 2,000.
"""

import os
from collections import Counter
from decimal import Decimal
from itertools import pairwise
from random import Random
from uuid import UUID

import pytest

from order_svc.domain import process
from order_svc.domain.order import TRANSITIONS, Order
from order_svc.tests.books import Books, money
from order_svc.tests.histories import Suite
from order_svc.tests.model import Model
from order_svc.tests.news import GROSS, Deal, net_of

HISTORIES = int(os.environ.get("LTC_HISTORIES", "250"))
BATCHES = -(-HISTORIES // 250)
ONCE = ("order.received", "order.confirmed", "order.fulfilled", "order.closed", "order.cancelled")


def live(seed: int, length: int = 38) -> tuple[Suite, Model]:
    """One history, to its end."""
    suite, model = Suite(Random(seed)), Model()
    going = suite.history(length)
    action = next(going)
    while True:
        told = model.apply(action)
        for each in told:
            order = model.orders[each.order_id]
            dearer = each.topic == "order.change_requested" and net_of(each.lines) > order.net.amount
            if dearer or (each.topic == "order.confirmed" and "credit" not in order.waived):
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


def check_lines(seed: int, order_id: UUID, suite: Suite, model: Books) -> int:
    """The order is what was wished and granted: its lines, what was told of them, and what the customer has; how often it changed."""
    order, deal = model.orders[order_id], suite.deals[order_id]
    told = [each for each in suite.told if each.order_id == order_id]
    changed = [each for each in told if each.topic == "order.changed"]
    wishes = [change for change in model.changes.values() if change.order_id == order_id]
    assert order.change is None, (seed, "a change is not decided")
    assert not any(change.state == "requested" for change in wishes), (seed, "a wish has no answer")
    granted = sorted((change for change in wishes if change.lines_version), key=lambda change: change.lines_version or 0)
    assert [change.lines_version for change in granted] == list(range(2, order.lines_version + 1)), (seed, "a version is missing")
    for before, after in pairwise(granted):
        assert before.lines == after.effects.before, (seed, "versions do not follow each other")
    assert len({each.change_id for each in changed}) == len(changed), (seed, "a change was told twice")
    lines = {line.sku: int(line.quantity) for line in model.lines[order_id]}
    net, gross = net_of(tuple(lines.items())), sum(GROSS[sku] * quantity for sku, quantity in lines.items())
    assert (order.net, order.gross) == (money(net), money(gross)), (seed, "the worth is not that of the lines")
    first = [each.amount for each in told if each.topic == "order.confirmed"]
    if first:
        assert first[0] + sum(each.amount for each in changed) == order.net.amount, (seed, "first net and deltas are not the net")
    for sku in GROSS:
        picks = model.picks.get(order_id, ())
        ours = sum((pick.quantity for pick, state, _ in picks if pick.sku == sku and state != "released"), Decimal(0))
        quantity, handed = lines.get(sku, 0), deal.handed[sku]
        assert ours <= quantity, (seed, "more is reserved, or left the shelf, than the order is")
        assert model.handed(order_id)[sku] == handed <= quantity + deal.again[sku], (seed, "delivered beyond the lines")
        assert model.has(order_id)[sku] == handed - deal.back[sku] <= quantity, (seed, "the customer has another quantity")
        if deal.completed:
            assert handed - deal.again[sku] == deal.ordered.get(sku, 0) == quantity, (seed, "not delivered as agreed")
    return len(changed)


def check(seed: int, suite: Suite, model: Books) -> Counter[str]:
    ends: Counter[str] = Counter()
    by_order = Counter((told.topic, told.order_id) for told in suite.told)
    assert set(model.orders) == set(suite.deals), seed
    assert len({order.external_ref for order in model.orders.values()}) == len(model.orders), (seed, "a cart is two orders")
    for order_id, order in model.orders.items():
        deal, told = suite.deals[order_id], {topic: by_order[topic, order_id] for topic in ONCE}
        assert order.state in {"held", "fulfilled", "closed", "cancelled"}, (seed, order.state)
        assert max(told.values()) == 1, (seed, told)
        assert told["order.received"] == 1
        ends["changed"] += check_lines(seed, order_id, suite, model)
        assert told["order.confirmed"] == int(order.promised_on is not None), seed
        assert told["order.fulfilled"] == int(deal.completed) == int(order.state in {"fulfilled", "closed"}), seed
        assert told["order.cancelled"] == int(order.state == "cancelled") >= int(deal.cancelled), seed
        assert told["order.closed"] == int(order.state == "closed") == int(deal.completed and deal.paid), seed
        states = [change.to_state for change in model.history[order_id]]
        assert all(to in TRANSITIONS[at] for at, to in pairwise(states)), (seed, states)
        versions = [change.version for change in model.history[order_id]]
        assert versions == sorted(set(versions)), (seed, "two events of one version")
        invoiced, credited = (money(sum(getattr(bill, of) for bill in deal.bills.values())) for of in ("amount", "credited"))
        assert (order.invoiced, order.credited) == (invoiced, credited), (seed, "counted twice, or not")
        assert order.reduced == money(deal.reduced), seed
        kept = money(sum(bill.amount - bill.credited for bill in deal.bills.values() if bill.paid))
        assert order.collected == (kept if any(bill.paid for bill in deal.bills.values()) else None), (
            seed,
            "money that is not there",
        )
        assert model.positions[order_id][0] == process.position(order)
        assert process.position(order).step == expected_step(order, deal), seed
        held = [state for _, state, _ in model.picks.get(order_id, ())]
        assert set(held) <= {{"cancelled": "released"}.get(order.state, "consumed")}, (seed, order.state, held)
        ends[order.state] += 1
        ends["returned"] += bool(deal.back)
        ends["replaced"] += bool(deal.again) and deal.completed
        ends["several lines"] += len(model.lines[order_id]) > 1
    for deal in suite.deals.values():
        for invoice_id, bill in deal.bills.items():
            assert model.open(invoice_id) == bill.open, (seed, "a receivable is wrong")
    for sku, shelf in model.shelves.items():
        picks = [(pick.quantity, state) for each in model.picks.values() for pick, state, _ in each if pick.sku == sku]
        assert shelf.reserved == sum((quantity for quantity, state in picks if state == "reserved"), Decimal(0)), seed
        gone = sum((quantity for quantity, state in picks if state == "consumed"), Decimal(0))
        assert gone + shelf.reserved <= suite.received[sku], (seed, "more pieces were given out than ever came")
    assert set(model.late.values()) <= {1}, (seed, "a deadline was told twice")
    ends["late"] = len(model.late)
    return ends


@pytest.mark.parametrize("batch", range(BATCHES))
def test_histories_end_legally_with_nothing_twice(batch: int) -> None:
    ends: Counter[str] = Counter()
    for seed in range(batch, HISTORIES, BATCHES):
        ends += check(seed, *live(seed))
    if HISTORIES < 250:
        return
    # A check that never meets a case proves nothing of it.
    assert {"held", "fulfilled", "closed", "cancelled", "late", "changed", "returned", "replaced", "several lines"} <= set(
        ends
    ), ends
    assert min(ends.values()) > 20, ends
