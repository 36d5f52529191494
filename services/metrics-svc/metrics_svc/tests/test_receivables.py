"""What is owed and how fast it is paid: ageing, DSO, collection effectiveness and days to pay by hand-computed figures."""

from typing import Any

import httpx
import pytest
from ltc_chassis.clock import FixedClock
from ltc_chassis.ids import new_id
from ltc_chassis.testing import Deliver
from ltc_contracts.examples import Example, example

from metrics_svc.consumers import consumers
from metrics_svc.tests.test_facts import LATER, record, values

WINDOW = {"from": "2026-01-01T00:00:00Z", "to": "2026-03-31T23:59:59Z", "as_of": "2026-03-31T23:59:59Z"}


def eur(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "EUR"}


def told(topic: str, flow: str, day: str, sequence: int, **data: Any) -> Example:
    sample = example(topic)
    headers = {
        **sample.headers,
        "ce_id": str(new_id()),
        "ce_time": f"{day}T09:00:00.000000Z",
        "ce_flowid": flow,
        "ce_sequence": str(sequence),
    }
    return Example(topic, headers, flow, {**sample.data, **data})


def invoice(gross: str, issued_on: str, due_on: str, paid_on: str | None = None) -> list[Example]:
    flow, order, number = str(new_id()), str(new_id()), str(new_id())
    facts = {"invoice_id": number, "order_id": order, "gross": eur(gross), "due_on": due_on}
    made = [told("invoice.issued", flow, issued_on, 1, net=eur(gross), tax=eur("0.00"), issued_on=issued_on, **facts)]
    if paid_on is not None:
        amounts = {"amount": eur(gross), "open_after": eur("0.00"), "received_on": paid_on}
        made.append(told("payment.allocated", flow, paid_on, 2, invoice_id=number, order_id=order, **amounts))
        made.append(told("invoice.paid", flow, paid_on, 2, paid_on=paid_on, on_time=paid_on <= due_on, **facts))
    return made


@pytest.fixture
async def quarter(deliver: Deliver, clock: FixedClock) -> None:
    clock.set(LATER)
    facts = [
        *invoice("100.00", "2026-01-10", "2026-02-09", "2026-02-20"),
        *invoice("200.00", "2026-02-05", "2026-03-07"),
        *invoice("300.00", "2026-03-10", "2026-04-09", "2026-04-01"),
    ]
    await deliver.records(consumers, [record(fact) for fact in facts])


@pytest.mark.usefixtures("quarter")
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "ageing",
            {"EUR_not_due": "300.00", "EUR_1-30": "200.00", "EUR_31-60": "0", "EUR_61-90": "0", "EUR_91+": "0"},
        ),
        # 500 open of 600 sold in 90 days; March's 300 and February's 200 make it up: 31 + 28 days; of it 300 are not yet due.
        ("dso", {"EUR_standard": "75.0000", "EUR_countback": "59.0000", "EUR_best_possible": "45.0000"}),
        # (0 + 600 - 500) / (0 + 600 - 300)
        ("cei", {"EUR": "33.3333"}),
        ("days_to_pay", {"mean": "41.0000", "weighted": "41.0000", "median": "41.0000", "p90": "41.0000"}),
        ("on_time_collection", {"by_amount": "0.0000", "by_count": "0.0000"}),
    ],
)
async def test_receivables_of_a_quarter(client: httpx.AsyncClient, name: str, expected: dict[str, str]) -> None:
    assert await values(client, name, **WINDOW) == expected


@pytest.mark.usefixtures("quarter")
async def test_a_later_quarter_begins_with_what_was_open_and_the_first_one_stays_as_it_was(client: httpx.AsyncClient) -> None:
    april = {"from": "2026-04-01T00:00:00Z", "to": "2026-04-30T23:59:59Z", "as_of": "2026-04-30T23:59:59Z"}
    # (500 + 0 - 200) / (500 + 0 - 0)
    assert await values(client, "cei", **april) == {"EUR": "60.0000"}
    # Nothing was sold in April: what is open is counted back into March and is less than its sales.
    expected: dict[str, str | None] = {"EUR_standard": None, "EUR_countback": "50.6667", "EUR_best_possible": None}
    assert await values(client, "dso", **april) == expected
    assert await values(client, "days_to_pay", **april) == dict.fromkeys(("mean", "weighted", "median", "p90"), "22.0000")
    assert (await values(client, "dso", **WINDOW))["EUR_standard"] == "75.0000"
