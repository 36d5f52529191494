"""Events of payment providers: genuine, once, and what they mean."""

import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from ltc_chassis.clock import FixedClock
from ltc_chassis.testing import Deliver

from billing_svc.consumers import consumers
from billing_svc.domain import provider_event as rules
from billing_svc.domain.provider_event import SignatureTooOld, SignatureWrong
from billing_svc.tests.bank import SLICES, Run
from billing_svc.tests.builders import NOW, completed, line
from billing_svc.tests.telling import Emissions

Json = dict[str, Any]
KEY, OLD = b"whsec_new", b"whsec_old"


def signed(body: bytes, *keys: bytes, at: int) -> str:
    made = [hmac.new(key, f"{at}.".encode() + body, hashlib.sha256).hexdigest() for key in keys]
    return ",".join([f"t={at}", *(f"v1={each}" for each in made), "v0=ignored"])


def event(kind: str, event_id: str = "evt_1", **data: Any) -> bytes:
    return json.dumps({"id": event_id, "type": kind, "data": {"object": data}}).encode()


def test_golden_signature() -> None:
    # HMAC-SHA256 by `openssl dgst -sha256 -hmac whsec_new` over "1767225600.{}".
    expected = hmac.new(KEY, b"1767225600.{}", hashlib.sha256).hexdigest()
    rules.verify(f"t=1767225600,v1={expected}", b"{}", [KEY], NOW, 300)


def test_one_right_signature_of_any_key_is_enough_and_nothing_less() -> None:
    now = int(NOW.timestamp())
    rules.verify(signed(b"{}", b"other", OLD, at=now), b"{}", [KEY, OLD], NOW, 300)
    for header in (
        "",
        "t=1",
        signed(b"{}", b"other", at=now),
        signed(b"{ }", KEY, at=now),
        f"v1={'0' * 64}",
        f"t={now},v1=ü",
        "t=²,v1=a",
    ):
        with pytest.raises(SignatureWrong):
            rules.verify(header, b"{}", [KEY, OLD], NOW, 300)
    rules.verify(signed(b"{}", KEY, at=now - 300), b"{}", [KEY], NOW, 300)
    for at in (now - 301, now + 301):
        with pytest.raises(SignatureTooOld):
            rules.verify(signed(b"{}", KEY, at=at), b"{}", [KEY], NOW, 300)


class Provider:
    def __init__(self, client: httpx.AsyncClient, run_timer: Run, clock: FixedClock) -> None:
        self.client, self.run_timer, self.clock = client, run_timer, clock

    async def push(self, body: bytes, *keys: bytes) -> httpx.Response:
        header = signed(body, *(keys or (KEY,)), at=int(self.clock.now().timestamp()))
        reply = await self.client.post("/in/payments/stripe", content=body, headers={"Stripe-Signature": header})
        await self.run_timer(SLICES["work-provider-events"])
        return reply

    async def events(self, **given: str) -> list[Json]:
        found: list[Json] = (await self.client.get("/v1/payment-provider-events", params=given)).json()["items"]
        return found


@pytest.fixture
async def provider(client: httpx.AsyncClient, run_timer: Run, clock: FixedClock, secrets_dir: Path) -> Provider:
    (secrets_dir / "stripe").write_bytes(KEY)
    (secrets_dir / "stripe.previous").write_bytes(OLD)
    body = {"secret": "stripe", "version": 1}
    assert (await client.put("/v1/payment-providers/stripe", json=body)).status_code == 200
    assert (await client.put("/v1/payment-providers/stripe", json=body)).status_code == 409
    return Provider(client, run_timer, clock)


@pytest.fixture
async def invoice(deliver: Deliver, client: httpx.AsyncClient) -> Json:
    assert await deliver(consumers, completed(line("100.00", "1", "0", "0"))) == "processed"
    [made] = (await client.get("/v1/invoices")).json()["items"]
    found: Json = made
    return found


async def test_a_payment_is_booked_once_whichever_of_its_events_tells_of_it(
    provider: Provider, client: httpx.AsyncClient, invoice: Json
) -> None:
    same = {"currency": "eur", "metadata": {"invoice_number": invoice["number"]}}
    charge = event("charge.succeeded", "evt_1", id="ch_1", payment_intent="pi_1", amount=10000, captured=True, **same)
    intent = event("payment_intent.succeeded", "evt_2", id="pi_1", latest_charge="ch_1", amount_received=10000, **same)
    outcomes = [(await provider.push(body)).json()["outcome"] for body in (charge, intent, charge, intent)]
    assert outcomes == ["received", "received", "known", "known"]
    [payment] = (await client.get("/v1/payments")).json()["items"]
    assert (payment["method"], payment["allocated"]["amount"], payment["unapplied"]["amount"]) == ("card", "100.00", "0.00")
    assert [each["state"] for each in await provider.events()] == ["taken", "known"]


async def test_the_secret_before_is_good_while_it_is_rotated_and_a_wrong_one_never(provider: Provider) -> None:
    body = event("customer.created", id="cus_1")
    assert (await provider.push(body, OLD)).status_code == 200
    refused = await provider.push(event("customer.created", "evt_2", id="cus_2"), b"stolen")
    assert (refused.status_code, refused.json()["type"]) == (403, "urn:ltc:problem:signature-wrong")
    # What is of no interest is kept and ignored; what is not genuine is not kept.
    assert [(each["type"], each["state"]) for each in await provider.events()] == [("customer.created", "ignored")]


async def test_hard_declines_are_told_so_that_they_are_never_retried(
    provider: Provider, invoice: Json, emitted: Emissions
) -> None:
    for number, (code, advice) in enumerate(
        [("stolen_card", ""), ("insufficient_funds", ""), ("generic_decline", "do_not_try_again")]
    ):
        error = {"code": "card_declined", "decline_code": code, "advice_code": advice}
        about = {"last_payment_error": error, "metadata": {"invoice_number": invoice["number"]}}
        await provider.push(event("payment_intent.payment_failed", f"evt_{number}", id=f"pi_{number}", **about))
    assert [(each["reason"], each["hard_decline"]) for each in await provider.events()] == [
        ("stolen_card", True),
        ("insufficient_funds", False),
        ("generic_decline", True),
    ]
    assert [each["object_id"] for each in await provider.events(hard_decline="true")] == ["pi_0", "pi_2"]
    told = [each for each in await emitted() if each.topic == "payment.declined"]
    assert [(each.event.hard, each.event.reason, each.event.number) for each in told] == [
        (True, "stolen_card", invoice["number"]),
        (False, "insufficient_funds", invoice["number"]),
        (True, "generic_decline", invoice["number"]),
    ]
    assert {str(each.flow_id) for each in told} == {invoice["flow_id"]}


async def test_a_dispute_at_the_bank_disputes_the_invoice_and_what_is_moved_over_it_waits_for_a_person(
    provider: Provider, client: httpx.AsyncClient, invoice: Json
) -> None:
    paid = {"id": "pi_1", "amount_received": 10000, "currency": "eur", "description": invoice["number"], "latest_charge": "ch_1"}
    await provider.push(event("payment_intent.succeeded", "evt_1", **paid))
    await provider.push(event("charge.dispute.created", "evt_2", id="dp_1", charge="ch_1", reason="fraudulent"))
    assert (await client.get(f"/v1/invoices/{invoice['id']}")).json()["disputed"] is True
    await provider.push(event("charge.dispute.funds_withdrawn", "evt_3", id="dp_1", charge="ch_1", reason="fraudulent"))
    _, dispute, moved = await provider.events()
    assert (dispute["state"], dispute["payment_id"]) == ("taken", moved["payment_id"])
    assert (moved["state"], moved["reason"]) == ("waiting", "taken back over a dispute: fraudulent")
    path = f"/v1/payment-provider-events/{moved['id']}/settle"
    done = (await client.post(path, json={"why": "the bank decided for us"})).json()
    assert (done["state"], done["decided_by"]) == ("settled", "test")
    assert (await client.post(path, json={"why": "again"})).status_code == 409


async def test_what_a_provider_gave_back_is_refunded_once_and_claimed_again(
    provider: Provider, client: httpx.AsyncClient, invoice: Json
) -> None:
    """120.00 came for 100.00. In all 30.00, then 45.00 go back: what was on account first, then 25.00 that had settled the invoice."""
    paid = {"id": "pi_1", "amount_received": 12000, "currency": "eur", "description": invoice["number"], "latest_charge": "ch_1"}
    await provider.push(event("payment_intent.succeeded", "evt_1", **paid))
    for number, in_all in (("evt_2", 3000), ("evt_3", 4500), ("evt_4", 4500), ("evt_3", 4500), ("evt_5", 12001)):
        await provider.push(
            event("charge.refunded", number, id="ch_1", payment_intent="pi_1", amount_refunded=in_all, currency="eur")
        )
    [payment] = (await client.get("/v1/payments")).json()["items"]
    figures = {name: payment[name]["amount"] for name in ("allocated", "unapplied", "refunded")}
    assert figures == {"allocated": "75.00", "unapplied": "0.00", "refunded": "45.00"}
    assert (await client.get(f"/v1/invoices/{invoice['id']}")).json()["open"]["amount"] == "25.00"
    told = [(each["state"], each["reason"]) for each in await provider.events()][1:]
    assert [state for state, _ in told] == ["taken", "taken", "known", "waiting"]
    assert told[-1][1] == "0.01 EUR more went back than came"
    totals = (await client.get("/v1/ledger/trial-balance")).json()["totals"]
    assert [each["balance"] for each in totals] == ["0.00"]


async def test_a_refund_that_is_only_asked_for_is_not_taken_for_the_one_that_went_back(
    provider: Provider, client: httpx.AsyncClient, invoice: Json
) -> None:
    paid = {"id": "pi_1", "amount_received": 12000, "currency": "eur", "description": invoice["number"], "latest_charge": "ch_1"}
    await provider.push(event("payment_intent.succeeded", "evt_1", **paid))
    [payment] = (await client.get("/v1/payments")).json()["items"]
    asked = {"amount": {"amount": "20.00", "currency": "EUR"}, "reason": "paid twice"}
    assert (await client.post(f"/v1/payments/{payment['id']}/refunds", json=asked)).status_code == 201
    await provider.push(event("charge.refunded", "evt_2", id="ch_1", payment_intent="pi_1", amount_refunded=2000, currency="eur"))
    await provider.push(event("refund.failed", "evt_3", id="re_1", charge="ch_1", payment_intent="pi_1"))
    _, refunded, failed = await provider.events()
    assert (refunded["state"], failed["state"]) == ("waiting", "waiting")
    assert "a refund of 20.00 EUR is asked for" in refunded["reason"]


async def test_what_is_told_before_its_payment_is_worked_on_after_it(
    provider: Provider, client: httpx.AsyncClient, invoice: Json
) -> None:
    await provider.push(event("charge.refunded", "evt_1", id="ch_1", payment_intent="pi_1", amount_refunded=4000, currency="eur"))
    assert [each["state"] for each in await provider.events()] == ["waiting"]
    about = {"metadata": {"invoice_number": invoice["number"]}, "currency": "eur", "payment_intent": "pi_1"}
    await provider.push(event("charge.captured", "evt_2", id="ch_1", amount=10000, captured=True, **about))
    assert [each["state"] for each in await provider.events()] == ["taken", "taken"]
    assert (await client.get(f"/v1/invoices/{invoice['id']}")).json()["open"]["amount"] == "40.00"


@pytest.mark.parametrize(
    ("currency", "told"), [("eur", "10.00 EUR"), ("isk", "10 ISK"), ("mga", "1,000.00 MGA"), ("jpy", "1,000 JPY")]
)
def test_amounts_are_in_the_minor_units_of_the_provider(currency: str, told: str) -> None:
    paid: dict[str, Any] = {"id": "pi_1", "amount_received": 1000, "currency": currency}
    said = rules.meaning(rules.read(event("payment_intent.succeeded", **paid)))
    assert isinstance(said, rules.Paid)
    assert str(said.signals.amount) == told


async def test_a_provider_that_is_not_set_up_is_not_there(client: httpx.AsyncClient, clock: FixedClock) -> None:
    for code in ("nobody", "without-secret"):
        if code != "nobody":
            assert (await client.put(f"/v1/payment-providers/{code}", json={"secret": "lost", "version": 1})).status_code == 200
        header = {"Stripe-Signature": signed(b"{}", KEY, at=int(clock.now().timestamp()))}
        assert (await client.post(f"/in/payments/{code}", content=b"{}", headers=header)).status_code == 404


async def test_what_is_no_event_is_refused_and_what_cannot_be_taken_waits(provider: Provider) -> None:
    for body in (b"", b"[]", b"{}", b'{"id": "a", "type": "b", "data": {"object": []}}', b"\xff", b"[" * 100_000):
        assert (await provider.push(body)).status_code == 400, body[:20]
    await provider.push(event("payment_intent.succeeded", id="pi_1", amount_received=1.5, currency="eur"))
    await provider.push(event("payment_intent.succeeded", "evt_2", id="pi_2", amount_received=100, currency="?"))
    await provider.push(event("payment_intent.succeeded", "evt_3", id="pi_3", amount_received=0, currency="eur"))
    assert [each["state"] for each in await provider.events()] == ["waiting"] * 3
