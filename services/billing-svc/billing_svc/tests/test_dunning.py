"""B5: dunning on the database: each step once, told, written and mailed; stopped in the transaction that pays."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from ltc_chassis.clock import FixedClock
from ltc_chassis.db import Database
from ltc_chassis.ids import new_id
from ltc_chassis.paper import PaperTookTooLong
from ltc_chassis.runtime import Runtime
from ltc_chassis.testing import Deliver
from ltc_chassis.testing_mail import MailServer
from ltc_chassis.timers import Timer, run_until_idle
from ltc_contracts.events import Customer

from billing_svc.handlers import dunning as handlers
from billing_svc.tests.builders import completed, line
from billing_svc.tests.telling import Emissions, Json, tell
from billing_svc.timers import TIMERS

Run = Callable[[Timer], Awaitable[int]]
DUNNING = next(timer for timer in TIMERS if timer.name == "dunning")
EVA = "eva@nordwind.example"


@pytest.fixture
async def invoice(deliver: Deliver, client: httpx.AsyncClient) -> Json:
    """119.00 gross, issued on 2026-01-01, due on 2026-01-31, of a customer with an address."""
    customer = Customer(customer_id=new_id(), name="Nordwind GmbH", country="DE", email=EVA)
    delivery = completed(line("100.00", "1", "0", "19"), customer=customer)
    await tell(deliver, [delivery])
    [made] = (await client.get("/v1/invoices", params={"order_id": str(delivery.order_id)})).json()["items"]
    return {**made, "customer_id": str(customer.customer_id)}


async def steps(client: httpx.AsyncClient, **asked: str) -> list[Json]:
    reply = await client.get("/v1/dunning/steps", params=asked)
    assert reply.status_code == 200
    items: list[Json] = reply.json()["items"]
    return items


async def day_by_day(clock: FixedClock, run_timer: Run, days: int) -> None:
    for _ in range(days):
        await run_timer(DUNNING)
        clock.advance(days=1)
    await run_timer(DUNNING)


async def test_each_step_is_taken_once_on_its_day_told_and_mailed_with_its_letter(
    client: httpx.AsyncClient,
    clock: FixedClock,
    invoice: Json,
    run_timer: Run,
    emitted: Emissions,
    mail_server: MailServer,
    send_mails: Callable[[], Awaitable[int]],
) -> None:
    await day_by_day(clock, run_timer, 100)
    taken = await steps(client, invoice_id=invoice["id"])
    assert [(each["step"], each["taken_on"], each["fee"]["amount"]) for each in taken] == [
        ("before", "2026-01-28", "0.00"),
        ("friendly", "2026-02-03", "0.00"),
        ("second", "2026-02-07", "0.00"),
        ("formal", "2026-02-14", "5.00"),
        ("final", "2026-03-02", "15.00"),
        ("agency", "2026-04-01", "15.00"),
    ]
    told = [each for each in await emitted() if each.topic == "dunning.step_taken"]
    assert [each.event.step for each in told] == [each["step"] for each in taken]
    assert [each.event.days_overdue for each in told] == [-3, 3, 7, 14, 30, 60]
    await send_mails()
    mails = mail_server.to(EVA)
    assert [str(each.message["Subject"]).partition(":")[0] for each in mails] == [
        *("Upcoming payment", "Payment reminder", "Payment reminder", "Formal demand for payment", "Final demand"),
    ]
    [attached] = list(mails[-1].message.iter_attachments())
    printed = await client.get(f"/v1/dunning/steps/{taken[4]['id']}/letter")
    assert printed.headers["content-type"] == "application/pdf"
    assert attached.get_content() == printed.content
    assert (await client.get(f"/v1/dunning/steps/{taken[5]['id']}/letter")).status_code == 404


async def test_who_pays_stops_it_at_once_and_the_letter_that_has_not_left_stays_here(
    client: httpx.AsyncClient,
    clock: FixedClock,
    invoice: Json,
    run_timer: Run,
    emitted: Emissions,
    mail_server: MailServer,
    send_mails: Callable[[], Awaitable[int]],
) -> None:
    clock.advance(days=34)
    await run_timer(DUNNING)
    body = {"amount": {"amount": "119.00", "currency": "EUR"}, "method": "bank_transfer", "reference": invoice["number"]}
    assert (await client.post("/v1/payments", json=body)).status_code == 201
    await send_mails()
    assert mail_server.to(EVA) == []
    await day_by_day(clock, run_timer, 40)
    assert [each["step"] for each in await steps(client)] == ["friendly"]
    [ended] = [each for each in await emitted() if each.topic == "dunning.ended"]
    assert (ended.event.held_orders, str(ended.event.customer_id)) == (False, invoice["customer_id"])


async def test_only_what_remains_is_claimed(client: httpx.AsyncClient, clock: FixedClock, invoice: Json, run_timer: Run) -> None:
    policy = {
        "version": 0,
        "interest_percent": "9",
        "reason": "house rules",
        "steps": [{"name": "formal", "days": 30, "kind": "formal"}],
    }
    assert (await client.put("/v1/dunning/policies/standard", json=policy)).json()["version"] == 1
    body = {"amount": {"amount": "19.00", "currency": "EUR"}, "method": "cash", "reference": invoice["number"]}
    await client.post("/v1/payments", json=body)
    clock.advance(days=60)
    await run_timer(DUNNING)
    [taken] = await steps(client, customer_id=invoice["customer_id"])
    # 100.00 x 9 % x 30 / 365
    assert (taken["open"]["amount"], taken["interest"]["amount"], taken["claimed"]["amount"]) == ("100.00", "0.74", "100.74")
    assert (taken["policy_version"], await steps(client, customer_id=str(new_id()))) == (1, [])


async def test_two_timers_and_a_crash_before_commit_take_a_step_once(
    client: httpx.AsyncClient, clock: FixedClock, invoice: Json, runtime: Runtime, db: Database, emitted: Emissions
) -> None:
    clock.advance(days=35)

    async def crash() -> None:
        async with db.transaction() as tx:
            assert await handlers.take_steps(tx, limit=20)
            raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await crash()
    assert await steps(client) == []
    await asyncio.gather(*(run_until_idle(runtime, DUNNING) for _ in range(4)))
    assert [each["step"] for each in await steps(client, invoice_id=invoice["id"])] == ["friendly"]
    assert [each.topic for each in await emitted()].count("dunning.step_taken") == 1


async def test_a_payment_and_a_step_at_the_same_time_end_in_one_order_or_the_other(
    client: httpx.AsyncClient, clock: FixedClock, deliver: Deliver, runtime: Runtime
) -> None:
    numbers = []
    for _ in range(6):
        delivery = completed(line("100.00", "1", "0", "19"))
        await tell(deliver, [delivery])
        [made] = (await client.get("/v1/invoices", params={"order_id": str(delivery.order_id)})).json()["items"]
        numbers.append(made["number"])
    clock.advance(days=35)

    async def pay(number: str) -> Any:
        body = {"amount": {"amount": "119.00", "currency": "EUR"}, "method": "cash", "reference": number}
        return await client.post("/v1/payments", json=body)

    replies = await asyncio.gather(*(pay(number) for number in numbers), *(run_until_idle(runtime, DUNNING) for _ in range(2)))
    assert [reply.status_code for reply in replies[:6]] == [201] * 6
    clock.advance(days=40)
    await run_until_idle(runtime, DUNNING)
    assert {each["step"] for each in await steps(client)} <= {"friendly"}


async def test_a_dispute_pauses_it_and_its_rejection_lets_it_go_on(
    client: httpx.AsyncClient, clock: FixedClock, invoice: Json, run_timer: Run
) -> None:
    dispute = (
        await client.post(f"/v1/invoices/{invoice['id']}/disputes", json={"category": "quality", "reason": "leaks"})
    ).json()
    await day_by_day(clock, run_timer, 60)
    assert await steps(client) == []
    await client.post(f"/v1/disputes/{dispute['id']}/reject", json={"resolution": "it does not"})
    await day_by_day(clock, run_timer, 5)
    assert [each["step"] for each in await steps(client)] == ["friendly", "second"]


async def test_a_promise_waits_is_kept_or_broken_and_is_one_at_a_time(
    client: httpx.AsyncClient, clock: FixedClock, invoice: Json, run_timer: Run, emitted: Emissions
) -> None:
    where = f"/v1/invoices/{invoice['id']}/promises"
    clock.advance(days=31)
    assert (await client.post(where, json={"promised_on": "2026-01-31", "note": "by phone"})).status_code == 400
    assert (await client.post(where, json={"promised_on": "2026-02-20", "note": "by phone"})).status_code == 201
    assert (await client.post(where, json={"promised_on": "2026-02-21", "note": "again"})).status_code == 409
    await day_by_day(clock, run_timer, 19)
    assert await steps(client) == []
    await day_by_day(clock, run_timer, 1)
    assert [each["step"] for each in await steps(client)] == ["friendly"]
    assert [each["state"] for each in (await client.get(where)).json()["items"]] == ["broken"]
    assert [each.topic for each in await emitted() if each.topic.startswith("payment.promise")] == [
        *("payment.promised", "payment.promise_broken"),
    ]


async def test_a_customer_may_have_a_policy_of_their_own_or_be_left_alone(
    client: httpx.AsyncClient, clock: FixedClock, invoice: Json, run_timer: Run
) -> None:
    where = f"/v1/dunning/customers/{invoice['customer_id']}"
    gentle = {"version": 0, "reason": "key account", "steps": [{"name": "call", "days": 20, "kind": "reminder", "letter": False}]}
    assert (await client.put(where, json={"version": 0, "policy": "gentle", "reason": "key account"})).status_code == 400
    assert (await client.put("/v1/dunning/policies/gentle", json=gentle)).status_code == 200
    assert (await client.put("/v1/dunning/policies/gentle", json=gentle)).status_code == 409
    left_alone = {"version": 0, "excluded": True, "excluded_until": "2026-02-28", "reason": "a talk is on"}
    assert (await client.put(where, json=left_alone)).json()["excluded"] is True
    await day_by_day(clock, run_timer, 58)
    assert await steps(client) == []
    rule = {"version": 1, "policy": "gentle", "reason": "key account"}
    assert (await client.put(where, json=rule)).json() == {**(await client.get(where)).json(), "version": 2}
    await day_by_day(clock, run_timer, 40)
    assert [(each["step"], each["mailed"]) for each in await steps(client)] == [("call", False)]
    assert [each["name"] for each in (await client.get("/v1/dunning/policies")).json()["items"]] == ["gentle", "standard"]


async def test_a_step_that_was_taken_is_never_changed(db: Database, clock: FixedClock, invoice: Json, run_timer: Run) -> None:
    clock.advance(days=35)
    await run_timer(DUNNING)
    async with db.connection() as conn:
        with pytest.raises(Exception, match="append-only"):
            await conn.execute("DELETE FROM dunning_step")
    assert invoice["number"]


async def test_each_call_needs_its_scope(anonymous: httpx.AsyncClient, keys: Any, invoice: Json) -> None:
    for method, path in (
        ("GET", "/v1/dunning/policies"),
        ("PUT", "/v1/dunning/policies/standard"),
        ("GET", "/v1/dunning/steps"),
        ("POST", f"/v1/invoices/{invoice['id']}/promises"),
    ):
        assert (await anonymous.request(method, path)).status_code == 401
        headers = {"Authorization": f"Bearer {keys.token('invoices:read')}"}
        assert (await anonymous.request(method, path, headers=headers)).status_code == 403


async def test_a_letter_that_cannot_be_printed_keeps_no_other_waiting_and_is_tried_again_tomorrow(
    client: httpx.AsyncClient,
    clock: FixedClock,
    deliver: Deliver,
    invoice: Json,
    run_timer: Run,
    mail_server: MailServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert mail_server.to(EVA) == []
    other = completed(line("100.00", "1", "0", "19"))
    await tell(deliver, [other])
    clock.advance(days=35)

    async def jammed(*_: Any) -> bytes:
        raise PaperTookTooLong("the press is jammed")

    monkeypatch.setattr("billing_svc.handlers.dunning.print_letter", jammed)
    await run_timer(DUNNING)
    assert [each["invoice_id"] == invoice["id"] for each in await steps(client)] == [False]
    monkeypatch.undo()
    clock.advance(days=1)
    await run_timer(DUNNING)
    assert [(each["step"], each["mailed"]) for each in await steps(client, invoice_id=invoice["id"])] == [("friendly", True)]


async def test_days_too_far_away_are_refused(client: httpx.AsyncClient, invoice: Json) -> None:
    promise = {"promised_on": "9999-12-31", "note": "by phone"}
    assert (await client.post(f"/v1/invoices/{invoice['id']}/promises", json=promise)).status_code == 400
    rule = {"version": 0, "excluded": True, "excluded_until": "9999-12-31", "reason": "a friend"}
    assert (await client.put(f"/v1/dunning/customers/{invoice['customer_id']}", json=rule)).status_code == 400
