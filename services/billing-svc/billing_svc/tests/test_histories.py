"""Whatever happens to invoices and payments, in whatever order: no cent appears or disappears (issue of billing, RULES 5)."""

import random
from collections import Counter

import httpx
from ltc_chassis.testing import Deliver

from billing_svc.tests.builders import completed, line, payment_body
from billing_svc.tests.histories import MOVES, play
from billing_svc.tests.telling import Emissions, Json, balances, tell
from billing_svc.tests.test_disputes import eur


def test_in_two_thousand_random_histories_what_is_open_on_account_and_booked_follows_from_the_facts() -> None:
    moves: Counter[str] = Counter()
    topics: Counter[str] = Counter()
    for seed in range(2000):
        books = play(seed)
        moves.update(books.moves)
        topics.update(event.TOPIC for event in books.events)
    # Every move was made often, so that the histories say something.
    assert min(moves[move.__name__] for move in MOVES) > 200, moves
    for topic in (
        "invoice.recovered",
        "invoice.voided",
        "payment.unapplied",
        "payment.refunded",
        "invoice.paid",
        "invoice.written_off",
    ):
        assert topics[topic] > 100, topics


async def test_random_histories_over_http_leave_nothing_for_the_audit_to_find(
    client: httpx.AsyncClient, deliver: Deliver, emitted: Emissions
) -> None:
    draw = random.Random(5)
    invoices: list[str] = []
    payments: list[str] = []
    answers: Counter[int] = Counter()
    for step in range(70):
        if step % 7 == 0:
            delivery = completed(line("100.00", "1", "0", "19"))
            for _ in range(2):
                await tell(deliver, [delivery])
            [made] = (await client.get("/v1/invoices", params={"order_id": str(delivery.order_id)})).json()["items"]
            invoices.append(made["id"])
        if step % 4 == 0:
            paid = payment_body(draw.choice(("30.00", "119.00", "200.00")), reference=f"history {step}")
            payments.append((await client.post("/v1/payments", json=paid)).json()["id"])
        invoice, payment, some = draw.choice(invoices), draw.choice(payments), eur(draw.choice(("1.00", "30.01", "119.00")))
        refunds = [each["id"] for each in (await client.get("/v1/refunds", params={"state": "requested"})).json()["items"]]
        disputes = [each["id"] for each in (await client.get("/v1/disputes", params={"state": "open"})).json()["items"]]
        back: Json = {"amount": some, "invoice_id": invoice, "reference": f"R{step}", "reason": "x"}
        moves: list[tuple[str, Json]] = [
            *[(f"payments/{payment}/allocations", {"allocations": [{"invoice_id": invoice}]})] * 3,
            (f"payments/{payment}/unapply", {"invoice_id": invoice, "amount": some, "reason": "x"}),
            (f"payments/{payment}/refunds", {"amount": some, "reason": "x"}),
            (f"payments/{payment}/refunds/done", back),
            *[(f"refunds/{each}/execute", {"reference": f"E{step}"}) for each in refunds],
            *[(f"refunds/{each}/withdraw", {}) for each in refunds],
            (f"invoices/{invoice}/credits", {"reason": "x"}),
            *[(f"invoices/{invoice}/write-offs", {"reason": "x", "amount": some})] * 2,
            (f"invoices/{invoice}/void", {"reason": "x"}),
            (f"invoices/{invoice}/disputes", {"category": "other", "reason": "x"}),
            *[(f"disputes/{each}/{end}", {"resolution": "x"}) for each in disputes for end in ("uphold", "reject")],
        ]
        path, body = draw.choice(moves)
        answers[(await client.post(f"/v1/{path}", json=body)).status_code] += 1
    assert set(answers) <= {200, 201, 400, 409}, answers
    assert answers[200] + answers[201] > 25, answers
    await balances(client)
    found = (await client.get("/v1/ledger/audit")).json()
    assert found["clean"], found
    told = {each.topic for each in await emitted()}
    assert told >= {"invoice.written_off", "payment.unapplied", "payment.refunded", "invoice.disputed", "invoice.credited"}
