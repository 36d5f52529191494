"""What a wish would do is computed and shown, and nothing changes by it; only what still holds can be confirmed."""

from typing import Any

import httpx
import pytest
from ltc_chassis.clock import FixedClock
from ltc_chassis.ids import new_id
from ltc_chassis.testing import Deliver

from order_svc.consumers import consumers
from order_svc.tests.builders import counted, credited, handed_over, issued, progressed, returned, told_by_erp
from order_svc.tests.rig import Emissions, check_out, order_id, read
from order_svc.tests.wishes import HOSE, TWO_LINES, assess, cancel, change, confirm, lines_of, wished


async def test_an_assessment_shows_lines_worth_dates_invoices_and_changes_nothing(
    deliver: Deliver, client: httpx.AsyncClient, emitted: Emissions
) -> None:
    await deliver(consumers, counted("9"))
    order = await check_out(client, **TWO_LINES)
    pump, hose = lines_of(order)
    await deliver(consumers, handed_over(order_id(order), (pump, "1")))
    await deliver(consumers, issued(order_id(order), "408.00", "334.42"))
    before, told = await read(client, order), len(await emitted())
    shown = await assess(client, order, change((pump, "2"), dropped=[str(hose.line_id)], requested_on="2026-03-01"))
    assert (shown["state"], shown["allowed"], shown["valid_for_version"]) == ("assessed", True, before["version"])
    effects = shown["effects"]
    assert [
        (each["sku"], each["ordered"], each["delivered"], each["reserved"], each["quantity"]) for each in effects["lines"]
    ] == [
        ("PUMP-7", "3", "1", "2", "2"),
        ("HOSE", "2", "0", "0", "0"),
    ]
    # 2 x 348.35 less 4 %, and 22 % of it.
    assert (effects["lines"][0]["net"]["amount"], effects["net"]["amount"], effects["gross"]["amount"]) == (
        "668.83",
        "668.83",
        "815.97",
    )
    assert (effects["net_before"]["amount"], effects["gross_before"]["amount"]) == ("1103.25", "1345.97")
    assert (effects["promised_before"], effects["promised_on"]) == ("2026-01-15", "2026-03-01")
    bills = effects["invoices"]
    assert (bills["invoiced"]["amount"], bills["to_credit"]["amount"], bills["to_invoice"]["amount"], bills["when"]) == (
        "408.00", "0.00", "407.97", "hand_over",
    )  # fmt: skip
    assert effects["path"] == "change"
    assert await read(client, order) == before
    assert len(await emitted()) == told


async def test_what_was_invoiced_and_will_not_be_delivered_is_said_to_be_credited(
    deliver: Deliver, client: httpx.AsyncClient
) -> None:
    order = await check_out(client, invoicing="on_confirmation")
    [pump] = lines_of(order)
    await deliver(consumers, issued(order_id(order)))
    bills = (await assess(client, order, change((pump, "1"))))["effects"]["invoices"]
    assert (bills["to_credit"]["amount"], bills["to_invoice"]["amount"]) == ("815.98", "0.00")
    bills = (await assess(client, order, change((pump, "4"))))["effects"]["invoices"]
    assert (bills["to_credit"]["amount"], bills["to_invoice"]["amount"], bills["when"]) == ("0.00", "407.98", "change")
    bills = (await assess(client, order, cancel()))["effects"]["invoices"]
    assert bills["to_credit"]["amount"] == "1223.97"


async def test_more_is_promised_like_an_order_of_today_and_less_as_it_was(client: httpx.AsyncClient, clock: FixedClock) -> None:
    order = await check_out(client)
    [pump] = lines_of(order)
    clock.advance(days=5)
    assert (await assess(client, order, change((pump, "4"))))["effects"]["promised_on"] == "2026-01-20"
    assert (await assess(client, order, change((pump, "2"))))["effects"]["promised_on"] == "2026-01-15"
    assert (await assess(client, order, change(requested_on="2026-01-08")))["effects"]["promised_on"] == "2026-01-20"
    assert (await assess(client, order, cancel()))["effects"]["promised_on"] is None


async def test_a_dearer_order_must_pass_the_limit_and_it_says_so(deliver: Deliver, client: httpx.AsyncClient) -> None:
    customer = new_id()
    await deliver(consumers, told_by_erp(customer, "1700.00"))
    order = await check_out(client, customer={"customer_id": str(customer)})
    [pump] = lines_of(order)
    fits = await assess(client, order, change((pump, "4")))
    assert (fits["effects"]["credit"], fits["allowed"]) == ("passes", True)
    dear = await assess(client, order, change((pump, "5")))
    assert (dear["effects"]["credit"], dear["allowed"]) == ("refused", False)
    assert [reason["code"] for reason in dear["effects"]["reasons"]] == ["credit"]
    reply = await confirm(client, dear)
    assert (reply.status_code, reply.json()["type"].split(":")[-1]) == (409, "change-not-allowed")
    held = await check_out(client, "W-2", customer={"customer_id": str(customer)})
    assert held["state"] == "held"
    assert (await assess(client, held, change((lines_of(held)[0], "2"))))["effects"]["credit"] == "holds"
    assert (await assess(client, held, change((lines_of(held)[0], "1"))))["effects"]["credit"] == "passes"


@pytest.mark.parametrize("limit", ["1700.00"])
async def test_what_is_asked_of_delivery_weighs_on_the_limit_already(
    limit: str, deliver: Deliver, client: httpx.AsyncClient
) -> None:
    customer = new_id()
    await deliver(consumers, told_by_erp(customer, limit))
    order = await check_out(client, customer={"customer_id": str(customer)})
    before = await client.get(f"/v1/customers/{customer}/credit")
    await wished(client, order, change((lines_of(order)[0], "4")))
    after = await client.get(f"/v1/customers/{customer}/credit")
    assert before.json()["uses"][0]["uninvoiced"]["amount"] == "1223.97"
    assert after.json()["uses"][0]["uninvoiced"]["amount"] == "1631.95"


async def test_pieces_that_are_not_there_cannot_be_added(deliver: Deliver, client: httpx.AsyncClient) -> None:
    await deliver(consumers, counted("4"))
    order = await check_out(client)
    [pump] = lines_of(order)
    short = await assess(client, order, change((pump, "5")))
    assert [reason["code"] for reason in short["effects"]["reasons"]] == ["stock"]
    assert (await assess(client, order, change((pump, "4"))))["allowed"]


@pytest.mark.parametrize(
    ("given", "code"),
    [("less than delivered", "delivered"), ("dropped", "delivered"), ("nothing else", "nothing"), ("all of it", "nothing")],
)
async def test_what_the_customer_has_cannot_be_changed_away(
    given: str, code: str, deliver: Deliver, client: httpx.AsyncClient
) -> None:
    order = await check_out(client)
    [pump] = lines_of(order)
    await deliver(consumers, handed_over(order_id(order), (pump, "3" if given == "all of it" else "2")))
    wish = {
        "less than delivered": change((pump, "1")),
        "dropped": change(dropped=[str(pump.line_id)]),
        "nothing else": change((pump, "3")),
        "all of it": cancel(),
    }[given]
    shown = await assess(client, order, wish)
    assert not shown["allowed"]
    assert [reason["code"] for reason in shown["effects"]["reasons"]] == [code]


async def test_what_came_back_is_not_delivered_any_more(deliver: Deliver, client: httpx.AsyncClient) -> None:
    order = await check_out(client)
    [pump] = lines_of(order)
    there, back = handed_over(order_id(order), (pump, "2")), returned(order_id(order), pump, "1")
    for event in (back, there, there, back):
        await deliver(consumers, event)
    shown = await assess(client, order, cancel())
    assert (shown["effects"]["lines"][0]["delivered"], shown["effects"]["lines"][0]["quantity"]) == ("1", "1")


@pytest.mark.parametrize(
    ("wish", "field"),
    [
        (change((lines_of({"lines": [HOSE | {"line_id": str(new_id())}]})[0], "1")), "lines"),
        (change(added=[HOSE | {"net": {"amount": "99.99", "currency": "EUR"}}]), "added"),
        (change(added=[HOSE | {"net": {"amount": "100.00", "currency": "USD"}}]), "added"),
        (change(added=[HOSE] * 500), "added"),
    ],
)  # fmt: skip
async def test_a_wish_that_says_nothing_sensible_is_refused(wish: dict[str, Any], field: str, client: httpx.AsyncClient) -> None:
    order = await check_out(client)
    reply = await client.post(f"/v1/orders/{order['id']}/assessments", json=wish)
    assert (reply.status_code, reply.json()["field"]) == (400, field), reply.text


async def test_an_assessment_expires(client: httpx.AsyncClient, clock: FixedClock) -> None:
    order = await check_out(client)
    shown = await assess(client, order, cancel())
    clock.advance(hours=24)
    reply = await confirm(client, shown)
    assert (reply.status_code, reply.json()["type"].split(":")[-1]) == (409, "assessment-expired")
    again = await client.get(f"/v1/orders/{order['id']}/assessments/{shown['id']}")
    assert again.json()["state"] == "expired"


async def test_what_does_not_matter_leaves_an_assessment_good_and_what_does_not(
    deliver: Deliver, client: httpx.AsyncClient, clock: FixedClock
) -> None:
    order = await check_out(client)
    [pump] = lines_of(order)
    less, rest = await assess(client, order, change((pump, "2"))), await assess(client, order, cancel())
    await deliver(consumers, progressed(order_id(order), "10"))
    await deliver(consumers, handed_over(order_id(order), (pump, "1")))
    assert (await read(client, order))["version"] > less["valid_for_version"]
    reply = await confirm(client, rest)
    assert (reply.status_code, reply.json()["type"].split(":")[-1]) == (409, "change-outdated")
    assert (await confirm(client, less)).status_code == 202
    reply = await confirm(client, less)
    assert (reply.status_code, reply.json()["type"].split(":")[-1]) == (409, "wrong-transition")


async def test_an_assessment_belongs_to_its_order(client: httpx.AsyncClient) -> None:
    order, other = await check_out(client), await check_out(client, "W-2")
    shown = await assess(client, order, cancel())
    reply = await client.post(f"/v1/orders/{other['id']}/assessments/{shown['id']}/confirm")
    assert (reply.status_code, reply.json()["type"].split(":")[-1]) == (404, "assessment-not-found")


async def test_what_a_change_took_back_may_be_claimed_anew_and_weighs_again(deliver: Deliver, client: httpx.AsyncClient) -> None:
    customer = new_id()
    await deliver(consumers, told_by_erp(customer, "9000.00"))
    order = await check_out(client, customer={"customer_id": str(customer)})
    invoice = issued(order_id(order))
    for event in (
        credited(order_id(order), invoice.invoice_id, "407.99", "334.42", cause="change", cause_id=new_id()),
        invoice,
        credited(order_id(order), invoice.invoice_id, "100.00", "81.97", cause="return", cause_id=new_id()),
    ):
        await deliver(consumers, event)
    used = (await client.get(f"/v1/customers/{customer}/credit")).json()["uses"][0]
    assert used["uninvoiced"]["amount"] == "407.99"
