"""Whatever happens to what is owed, in whatever order and however often it is told: no cent appears or disappears (issue of billing).

Each history is played through billing-svc and metrics-svc with their databases. `make histories` plays 2,000 of them, `make test` a few;
LTC_HISTORIES says how many.
"""

import os
from collections import Counter
from collections.abc import Iterable
from decimal import Decimal

import httpx
import pytest

from tests.histories.conftest import Suite
from tests.histories.debtor import MOVES, Debtor, Json, eur

HISTORIES = int(os.environ.get("LTC_HISTORIES", "12"))
BATCHES = 1 if HISTORIES < 100 else 8
# The books and the conservation of all histories so far are looked at once in so many.
EVERY = 25


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("batch", range(BATCHES))
async def test_in_random_histories_no_cent_appears_or_disappears(batch: int, suite: Suite) -> None:
    setting = {"version": 2, "automatic": "0.9", "policy": "oldest_due_first", "tolerances": [eur("0.05")]}
    assert (await suite.billing.client.put("/v1/cash-setting", json=setting)).is_success
    formal = {"name": "formal", "days": 10, "kind": "formal", "fee": "5"}
    policy = {
        "version": 0,
        "interest_percent": "9",
        "reason": "x",
        "steps": [formal, {"name": "final", "days": 40, "kind": "final"}],
    }
    assert (await suite.billing.client.put("/v1/dunning/policies/standard", json=policy)).is_success
    done: Counter[str] = Counter()
    for place, seed in enumerate(range(batch, HISTORIES, BATCHES), 1):
        debtor = Debtor(suite, seed)
        await debtor.live(36)
        await check_debtor(debtor, seed)
        done += debtor.answers
        if place % EVERY == 0:
            await check_all(suite, seed)
    await check_all(suite, HISTORIES)
    # A history in which nothing happens proves nothing.
    assert HISTORIES < 1000 or min(done[name] for name, _ in MOVES) > 5, done


async def check_debtor(debtor: Debtor, seed: int) -> None:
    """What is open and left follows from what was applied, credited, given up and sent back."""
    client = debtor.suite.billing.client
    payments = [(await client.get(f"/v1/payments/{each}")).json() for each in debtor.payments]
    for payment in payments:
        back = await every(client, "/v1/refunds", payment_id=payment["id"])
        refunded = total(each["amount"] for each in back if each["state"] != "withdrawn")
        applied = total(each["amount"] for each in payment["allocations"])
        assert (applied, refunded) == (total([payment["allocated"]]), total([payment["refunded"]])), seed
        assert total([payment["amount"]]) - applied - refunded == total([payment["unapplied"]]) >= 0, seed
    settled = [each for payment in payments for each in payment["allocations"]]
    for invoice in await every(client, "/v1/invoices", flow_id=str(debtor.flow)):
        of_it = {name: [each for each in debtor.told(name) if each["invoice_id"] == invoice["id"]] for name in TOLD}
        paid = total(each["amount"] for each in settled if each["invoice_id"] == invoice["id"])
        credited = total(each["gross"] for each in of_it["invoice.credited"])
        given_up = total(each["amount"] for each in of_it["invoice.written_off"])
        given_up -= total(each["amount"] for each in of_it["invoice.recovered"])
        claimed = Decimal(0) if invoice["state"] == "void" else total([invoice["gross"]])
        assert total([invoice["open"]]) == claimed - paid - credited - given_up >= 0, (seed, invoice["number"])
        assert min(paid, credited, given_up) >= 0, (seed, invoice["number"])
    flow = (await debtor.suite.metrics.client.get(f"/v1/flows/{debtor.flow}")).json()
    assert (flow["residual"], flow["disagreements"]) == ("0.00", []), (seed, flow)


TOLD = ("invoice.credited", "invoice.written_off", "invoice.recovered")


async def check_all(suite: Suite, seed: int) -> None:
    """The books balance and say what the documents say; what was quoted is where it should be."""
    audit = (await suite.billing.client.get("/v1/ledger/audit")).json()
    assert audit["clean"], (seed, audit)
    trial = (await suite.billing.client.get("/v1/ledger/trial-balance")).json()
    assert [each["balance"] for each in trial["totals"]] == ["0.00"], (seed, trial)
    late = {each["account"]: each["balance"] for each in trial["accounts"]}.get("late_charges", "0.00")
    assert seed < 1000 or Decimal(late) < 0, "nothing was ever late"
    [row] = (await suite.metrics.client.get("/v1/conservation")).json()["currencies"]
    assert row["residual"] == "0.00", (seed, row)
    parts = sum((Decimal(row[name]) for name in ("paid", "credited", "written_off", "open")), Decimal(0))
    assert Decimal(row["gross"]) == parts, (seed, row)


async def every(client: httpx.AsyncClient, path: str, **params: str) -> list[Json]:
    reply = await client.get(path, params={**params, "limit": "100"})
    assert reply.status_code == 200, reply.text
    assert reply.json()["next"] is None, "more than a page"
    found: list[Json] = reply.json()["items"]
    return found


def total(amounts: Iterable[Json]) -> Decimal:
    return sum((Decimal(each["amount"]) for each in amounts), Decimal(0))
