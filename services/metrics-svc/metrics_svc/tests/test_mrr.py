"""Monthly recurring revenue as of any day, and what moved it."""

from datetime import UTC, datetime

import httpx
import pytest
from ltc_chassis.clock import FixedClock
from ltc_chassis.ids import new_id
from ltc_chassis.testing import Deliver, FakeRecord

from metrics_svc.consumers import consumers
from metrics_svc.tests.test_facts import values
from metrics_svc.tests.test_surveys import told


@pytest.fixture(autouse=True)
def today(clock: FixedClock) -> None:
    clock.set(datetime(2026, 12, 1, tzinfo=UTC))


def moved(kind: str, delta: str, at: str, currency: str = "EUR") -> FakeRecord:
    return told("subscription.revenue_moved", at, flow_id=str(new_id()), kind=kind, delta={"amount": delta, "currency": currency})


async def test_mrr_is_the_sum_of_every_movement_up_to_the_end_of_the_window(client: httpx.AsyncClient, deliver: Deliver) -> None:
    await deliver.records(
        consumers,
        [
            moved("new", "31.00", "2026-03-01T00:00:00Z"),
            moved("new", "1000", "2026-03-01T00:00:00Z", "JPY"),
            moved("expansion", "31.00", "2026-03-11T00:00:00Z"),
            moved("contraction", "-10.00", "2026-04-01T00:00:00Z"),
            moved("churn", "-52.00", "2026-05-01T00:00:00Z"),
            moved("reactivation", "52.00", "2026-06-01T00:00:00Z"),
        ],
    )
    since = "2026-01-01T00:00:00Z"
    for to, mrr in (
        ("2026-03-10T00:00:00Z", "31.00"),
        ("2026-03-31T00:00:00Z", "62.00"),
        ("2026-04-30T00:00:00Z", "52.00"),
        ("2026-05-31T00:00:00Z", "0.00"),
        ("2026-06-30T00:00:00Z", "52.00"),
    ):
        assert await values(client, "mrr", **{"from": since, "to": to}) == {"EUR": mrr, "JPY": "1000"}
    april = {"from": "2026-04-01T00:00:00Z", "to": "2026-04-30T23:59:59Z"}
    assert await values(client, "mrr_movements", **april) == {"contraction_EUR": "-10.00"}
    assert await values(client, "mrr", as_of="2026-03-20T00:00:00Z") == {"EUR": "62.00", "JPY": "1000"}
