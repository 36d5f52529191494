"""D2: customers are told by mail of promises, changes, hand-overs, failed attempts and the end: each fact once, in their language."""

import asyncio
from datetime import UTC, date, datetime
from typing import Any

import httpx
import pytest
from ltc_chassis.clock import FixedClock
from ltc_chassis.ids import new_id
from ltc_chassis.runtime import Runtime
from ltc_chassis.testing import Deliver, KeyPair
from ltc_chassis.testing_mail import MailServer, use
from ltc_chassis.timers import run_until_idle
from ltc_contracts.events import DeliveryFailed

from delivery_svc.consumers import consumers
from delivery_svc.domain.notice import KINDS, LANGUAGES, facts_of, fill, ours
from delivery_svc.tests.builders import a_confirmed_order, a_customer, a_line, a_request
from delivery_svc.tests.desk import Desk, Run, Send, timer
from delivery_svc.tests.rig import Json, order_of, plan, post

TELL = timer("tell-deliveries")
EVA = "eva@nordwind.example"


@pytest.fixture
def told(run_timer: Run, send_mails: Send, mail_server: MailServer) -> Any:
    """What is due goes out; subjects of the mails to an address so far."""

    async def read(address: str = EVA) -> list[str]:
        await run_timer(TELL)
        await send_mails()
        return [str(mail.message["Subject"]) for mail in mail_server.to(address)]

    return read


async def planned(deliver: Deliver, client: httpx.AsyncClient, **customer: Any) -> Json:
    given = {"email": EVA, **customer}
    return await plan(
        deliver, client, a_confirmed_order(customer=a_customer(**given), lines=(a_line(), a_line(sku="HOSE", description="Hose")))
    )


async def test_each_fact_is_told_once_in_the_order_in_which_it_happened(
    deliver: Deliver, client: httpx.AsyncClient, desk: Desk, told: Any, mail_server: MailServer, clock: FixedClock
) -> None:
    delivery = await planned(deliver, client)
    assert await told() == ["Your order O-2026-000001: delivery by 2026-01-15"]
    await post(client, delivery, "promise", {"promised_on": "2026-01-20", "reason": "The ship is late."})
    await post(client, delivery, "promise", {"promised_on": "2026-01-20"})
    await post(client, delivery, "progress", {"percent": 10})
    part = {"lines": [{"line_id": delivery["lines"][0]["line_id"], "quantity": "2"}]}
    await post(client, delivery, "handovers", part)
    await post(client, delivery, "handovers", {})
    for _ in range(2):
        assert (await told())[1:] == [
            "Your order O-2026-000001: another day, 2026-01-20",
            "Your order O-2026-000001: a part was delivered",
            "Your order O-2026-000001 is complete",
        ]
    texts = [mail.part("plain") for mail in mail_server.to(EVA)]
    assert ("promised for 2026-01-15" in texts[1], "The reason: The ship is late." in texts[1]) == (True, True)
    assert "- 2 x Pump, 7 bar" in texts[2]
    assert ("- 1 x Pump, 7 bar" in texts[3], "- 3 x Hose" in texts[3]) == (True, True)
    assert all("http://service/t/" in text for text in texts)
    rows = await desk.call("GET", f"/v1/deliveries/{delivery['id']}/notices")
    assert [(row["kind"], row["state"], row["template_version"]) for row in rows] == [
        ("promised", "sent", 0),
        ("promise_changed", "sent", 0),
        ("handed_over", "sent", 0),
        ("completed", "sent", 0),
    ]


async def test_a_failed_attempt_that_moves_the_promise_tells_both_in_the_language_of_the_customer(
    deliver: Deliver, client: httpx.AsyncClient, told: Any, mail_server: MailServer
) -> None:
    delivery = await planned(deliver, client, country="CN")
    assert (await post(client, delivery, "attempts", {"code": "absent", "next_attempt_on": "2026-01-19"})).is_success
    subjects = await told()
    assert sorted(subjects[1:]) == ["您的订单 O-2026-000001：交付日期变更为 2026-01-19", "您的订单 O-2026-000001：未能交付"]
    for mail in mail_server.to(EVA)[1:]:
        assert ("送达时无人接收。" in mail.part("plain"), "nobody" in mail.part("plain")) == (True, False)


async def test_however_often_the_order_comes_and_timers_run_at_once_nothing_is_told_twice(
    deliver: Deliver, client: httpx.AsyncClient, runtime: Runtime, told: Any
) -> None:
    order = a_confirmed_order(customer=a_customer(email=EVA))
    for _ in range(3):
        await deliver(consumers, order, flow_id=new_id())
    await asyncio.gather(*(run_until_idle(runtime, TELL) for _ in range(6)))
    assert len(await told()) == 1


async def test_a_customer_is_written_to_in_the_language_of_their_country(
    deliver: Deliver, client: httpx.AsyncClient, told: Any, mail_server: MailServer
) -> None:
    await planned(deliver, client, country="CN", name="深圳设备")
    assert await told() == ["您的订单 O-2026-000001：预计 2026-01-15 前交付"]
    text = mail_server.to(EVA)[0].part("plain")
    assert ("深圳设备，您好" in text, "查看进度: http://service/t/" in text) == (True, True)


@pytest.mark.parametrize("email", [None, "", "no address", "a@b\r\nBcc: c@d.example"])
async def test_nobody_is_written_to_where_no_address_is_known(
    deliver: Deliver, client: httpx.AsyncClient, told: Any, mail_server: MailServer, desk: Desk, email: str | None
) -> None:
    delivery = await planned(deliver, client, email=email)
    await told()
    assert mail_server.received == []
    assert await desk.call("GET", f"/v1/deliveries/{delivery['id']}/notices") == []


async def test_without_a_mail_server_nothing_is_kept_to_be_told_later(
    deliver: Deliver, client: httpx.AsyncClient, told: Any, runtime: Runtime
) -> None:
    host = runtime.settings.smtp_host
    use(runtime, smtp_host="")
    await planned(deliver, client)
    use(runtime, smtp_host=host)
    assert await told() == []


async def test_words_are_versions_and_a_kind_can_be_silent(
    deliver: Deliver, client: httpx.AsyncClient, desk: Desk, told: Any, mail_server: MailServer
) -> None:
    path = "/v1/delivery-notices/promised/en"
    words = {"subject": "{order} is coming", "text": "Hello {customer},\nby {day}: {link}\nBefore: {was}"}
    assert (await desk.call("PUT", path, words))["version"] == 1
    await desk.call("PUT", path, words, 409)
    await desk.call("PUT", "/v1/delivery-notices/promise_changed/en", {**words, "active": False})
    delivery = await planned(deliver, client)
    await post(client, delivery, "promise", {"promised_on": "2026-01-20"})
    assert await told() == ["O-2026-000001 is coming"]
    text = mail_server.to(EVA)[0].part("plain")
    assert (text.count("http://service/t/"), "Before" in text, "Hello Nordwind GmbH," in text) == (1, False, True)
    rows = await desk.call("GET", f"/v1/deliveries/{delivery['id']}/notices")
    assert [(row["state"], row["reason"], row["template_version"]) for row in rows] == [
        ("sent", None, 1),
        ("skipped", "inactive", None),
    ]
    await desk.call("PUT", path, {**words, "active": False, "version": 1})
    changes = await desk.call("GET", f"{path}/changes")
    assert [(row["version"], row["active"], row["changed_by"]) for row in changes] == [(2, False, "test"), (1, True, "test")]
    listed = await desk.call("GET", "/v1/delivery-notices")
    assert {(row["kind"], row["language"]) for row in listed} == {(kind, language) for kind in KINDS for language in LANGUAGES}
    assert [row["version"] for row in listed][:2] == [2, 0]


async def test_a_rush_is_told_at_a_bounded_pace(deliver: Deliver, client: httpx.AsyncClient, told: Any, runtime: Runtime) -> None:
    use(runtime, notices_per_s=2)
    for _ in range(5):
        await planned(deliver, client)
    assert [len(await told()) for _ in range(4)] == [2, 4, 5, 5]


@pytest.mark.parametrize(
    ("given", "field"),
    [({"text": "{price}"}, "text"), ({"subject": "{link}"}, "subject"), ({"subject": "{}"}, "subject")],
)
async def test_what_a_template_cannot_say_is_refused(client: httpx.AsyncClient, given: Json, field: str) -> None:
    reply = await client.put("/v1/delivery-notices/promised/en", json={"subject": "x", "text": "x", **given})
    assert (reply.status_code, reply.json()["field"]) == (400, field)


async def test_what_waited_for_a_week_is_not_told_any_more(
    deliver: Deliver, client: httpx.AsyncClient, desk: Desk, told: Any, clock: FixedClock
) -> None:
    delivery = await planned(deliver, client)
    clock.advance(days=7, seconds=1)
    assert await told() == []
    [row] = await desk.call("GET", f"/v1/deliveries/{delivery['id']}/notices")
    assert (row["state"], row["reason"]) == ("skipped", "late")


async def test_who_may_change_words_needs_the_scope(anonymous: httpx.AsyncClient, keys: KeyPair) -> None:
    writer = {"Authorization": f"Bearer {keys.token('deliveries:write deliveries:read')}"}
    reply = await anonymous.put("/v1/delivery-notices/promised/en", headers=writer, json={"subject": "x", "text": "x"})
    assert reply.status_code == 403


async def test_what_is_cancelled_meanwhile_is_promised_to_nobody(
    deliver: Deliver, client: httpx.AsyncClient, desk: Desk, told: Any
) -> None:
    delivery = await planned(deliver, client)
    await deliver(consumers, a_request(order_of(delivery)))
    assert await told() == []
    rows = await desk.call("GET", f"/v1/deliveries/{delivery['id']}/notices")
    assert [(row["kind"], row["state"], row["reason"]) for row in rows] == [("promised", "skipped", "cancelled")]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_failed_attempt_says_why_and_when_again(language: Any) -> None:
    event = DeliveryFailed(
        delivery_id=new_id(),
        attempt_id=new_id(),
        attempt=1,
        order_id=new_id(),
        code="absent",
        note="for us only",
        failed_at=datetime(2026, 1, 5, 23, tzinfo=UTC),
        next_attempt_on=date(2026, 1, 7),
    )
    [fact] = facts_of([event])
    assert (fact.kind, fact.key) == ("failed_attempt", str(event.attempt_id))
    _, text = fill(ours("failed_attempt", language), fact.data, order="O-1", customer="Eva", link=None)
    assert ("2026-01-05" in text, "2026-01-07" in text, "for us only" in text) == (True, True, False)
    assert {"en": "Nobody was there.", "zh": "送达时无人接收。"}[language] in text
    [unsure] = facts_of([event.model_copy(update={"next_attempt_on": None})])
    assert len(fill(ours("failed_attempt", language), unsure.data, order="O-1", customer="Eva", link=None)[1]) < len(text)


def test_what_a_value_says_is_no_placeholder() -> None:
    subject, text = fill(ours("promised", "en"), {"day": "{link}"}, order="{customer}", customer="{order}", link="http://x/t/1")
    assert subject == "Your order {customer}: delivery by {link}"
    assert "Dear {order}," in text
