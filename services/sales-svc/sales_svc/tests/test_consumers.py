from collections.abc import Awaitable, Callable

import httpx
from ltc_chassis.ids import new_id
from ltc_chassis.testing import Deliver, Emitted
from ltc_contracts.examples import example

from sales_svc.consumers import consumers
from sales_svc.tests.builders import lead_qualified

Emissions = Callable[[], Awaitable[list[Emitted]]]


async def test_a_qualified_lead_opens_an_opportunity_on_its_flow(
    deliver: Deliver, client: httpx.AsyncClient, emitted: Emissions
) -> None:
    flow_id, event = new_id(), lead_qualified(owner="Darcel")
    assert await deliver(consumers, event, flow_id=flow_id) == "processed"
    [deal] = (await client.get("/v1/opportunities", params={"flow_id": str(flow_id)})).json()["items"]
    assert (deal["stage"], deal["lead_id"], deal["owner"]) == ("qualification", str(event.lead_id), "Darcel")
    [opened] = await emitted()
    assert (opened.topic, opened.flow_id, opened.event.probability) == ("opportunity.opened", flow_id, 10)


async def test_a_lead_has_one_opportunity_however_often_it_is_told(deliver: Deliver, emitted: Emissions) -> None:
    flow_id, event, event_id = new_id(), lead_qualified(), new_id()
    await deliver(consumers, event, flow_id=flow_id, event_id=event_id)
    assert await deliver(consumers, event, flow_id=flow_id, event_id=event_id) == "duplicate"
    assert await deliver(consumers, event, flow_id=flow_id) == "processed"
    assert len(await emitted()) == 1


async def test_a_lead_whose_deal_was_lost_comes_again_on_the_same_flow_and_has_one_open_deal(
    deliver: Deliver, client: httpx.AsyncClient
) -> None:
    flow_id, event = new_id(), lead_qualified(company=None, contact=None)
    for _ in range(2):
        assert await deliver(consumers, event, flow_id=flow_id) == "processed"
        [*_, deal] = (await client.get("/v1/opportunities", params={"flow_id": str(flow_id)})).json()["items"]
        lost = await client.post(f"/v1/opportunities/{deal['id']}/lose", json={"reason": "not now"})
        assert lost.status_code == 200, lost.text
    for _ in range(2):
        assert await deliver(consumers, event, flow_id=flow_id) == "processed"
    deals = (await client.get("/v1/opportunities", params={"flow_id": str(flow_id)})).json()["items"]
    assert [deal["stage"] for deal in deals] == ["lost", "lost", "qualification"]
    assert {deal["lead_id"] for deal in deals} == {str(event.lead_id)}


async def test_the_golden_example_is_accepted(deliver: Deliver, emitted: Emissions) -> None:
    sample = example("lead.qualified")
    assert await deliver(consumers, sample.event, flow_id=sample.envelope.flow_id) == "processed"
    assert (await emitted())[0].event.name == "Rossi Impianti S.r.l."
