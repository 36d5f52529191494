"""What a plan wants made, and what it wants no more: productions follow it on a real database."""

from decimal import Decimal

import httpx
from ltc_chassis.clock import FixedClock
from ltc_chassis.ids import new_id
from ltc_chassis.testing import Deliver
from ltc_contracts.events import Line, OrderChangeRequested
from ltc_contracts.money import Money

from delivery_svc.consumers import consumers
from delivery_svc.tests.builders import a_request
from delivery_svc.tests.rig import Emissions, Json, order_of, post
from delivery_svc.tests.shop import ordered, report
from delivery_svc.tests.test_production import at, delivery_of, named, productions, steps


async def fewer(client: httpx.AsyncClient, deliver: Deliver, production: Json, quantity: int) -> None:
    """The order of the production wants so many pieces now, at 334.416 each as before."""
    delivery = await delivery_of(client, production)
    line = Line.model_validate(delivery["lines"][0])
    net = Money.rounded(line.net.amount * quantity / line.quantity, line.net.currency)
    wish = OrderChangeRequested(
        order_id=order_of(delivery), number=delivery["order_number"], change_id=new_id(), reason="fewer",
        lines=(line.model_copy(update={"quantity": Decimal(quantity), "net": net}),),
    )  # fmt: skip
    assert await deliver(consumers, wish) == "processed"
    assert (await delivery_of(client, production))["lines"][0]["quantity"] == str(quantity)


async def test_an_order_lessened_to_the_pieces_that_are_good_completes_their_production(
    deliver: Deliver, client: httpx.AsyncClient, emitted: Emissions, clock: FixedClock
) -> None:
    production = await ordered(deliver, client)
    clock.set(at(9))
    await deliver(consumers, report(production, 3, 4))
    await fewer(client, deliver, production, 4)
    [now] = await productions(client, production)
    assert (now["state"], now["quantity"], now["quantity_good"]) == ("completed", "4", "4")
    assert [(step["done"], step["state"]) for step in await steps(client, production)] == [("4", "done"), ("0", "planned")]
    told = named(await emitted(), "production.")[1:]
    assert [item.topic for item in told] == ["production.changed", "production.completed"], "the shop floor makes no more"
    assert [item.event.quantity for item in told] == [4, 4]


async def test_nobody_has_to_decide_on_what_is_not_wanted_any_more(
    deliver: Deliver, client: httpx.AsyncClient, clock: FixedClock
) -> None:
    lessened, handed, cancelled = [await ordered(deliver, client) for _ in range(3)]
    clock.set(at(9))
    for each, good in ((lessened, 4), (handed, 4), (cancelled, 0)):
        await deliver(consumers, report(each, 3, good, state="Aborted"))

    async def waiting() -> set[str]:
        reply = await client.get("/v1/productions", params={"waits_for_a_person": True})
        return {item["id"] for item in reply.json()["items"]}

    assert await waiting() == {lessened["id"], handed["id"], cancelled["id"]}
    await fewer(client, deliver, lessened, 5)
    assert lessened["id"] in await waiting(), "one is missing still"
    await fewer(client, deliver, lessened, 4)
    assert (await post(client, await delivery_of(client, handed), "complete", {})).status_code == 200
    assert await waiting() == {cancelled["id"]}
    await deliver(consumers, a_request(order_of(await delivery_of(client, cancelled))), occurred_at=at(9))
    assert await waiting() == set()
    [now] = await productions(client, lessened)
    assert (now["state"], now["waits_for_a_person"], now["settled"]) == ("failed", False, True)
    assert (await client.post(f"/v1/productions/{lessened['id']}/reorder")).status_code == 409
