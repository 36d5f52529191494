"""Deals of leads that became one belong together, in whatever order it is told."""

import itertools
from typing import Any
from uuid import UUID

import httpx
import pytest
from ltc_chassis.ids import new_id
from ltc_chassis.testing import Deliver
from ltc_contracts.events import Event, LeadMerged, LeadUnmerged, MergedLead
from ltc_contracts.examples import example

from sales_svc.consumers import consumers
from sales_svc.tests.builders import lead_qualified

A, B, C = (new_id() for _ in range(3))


def merged(lead_id: UUID, into: UUID, merge_id: UUID | None = None) -> LeadMerged:
    one = MergedLead(lead_id=lead_id, flow_id=lead_id)
    return LeadMerged(merge_id=merge_id or new_id(), lead_id=into, merged=(one,), status="qualified")


def unmerged(merge: LeadMerged) -> LeadUnmerged:
    return LeadUnmerged(merge_id=merge.merge_id, lead_id=merge.lead_id, restored=merge.merged, status="qualified")


def qualified(lead_id: UUID) -> Event:
    return lead_qualified(lead_id, company=None)


async def tell(deliver: Deliver, *events: Event) -> None:
    for event in events:
        assert await deliver(consumers, event, flow_id=UUID(event.subject)) == "processed"


async def deals(client: httpx.AsyncClient, **params: Any) -> dict[str, tuple[str | None, int]]:
    """By the lead a deal was opened for: the lead it belongs to since a merge, and with how many it is linked."""
    items = (await client.get("/v1/opportunities", params=params)).json()["items"]
    return {item["lead_id"]: (item["living_lead_id"], len(item["linked"])) for item in items}


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
async def test_deals_belong_to_the_lead_that_is_left_whatever_is_told_first(
    order: tuple[int, ...], client: httpx.AsyncClient, deliver: Deliver
) -> None:
    story = [qualified(A), qualified(C), merged(A, B), merged(B, C)]
    await tell(deliver, *(story[number] for number in order))
    assert await deals(client) == {str(A): (str(C), 1), str(C): (None, 1)}
    assert await deals(client, lead_id=str(C)) == await deals(client)


async def test_a_deal_goes_along_with_its_lead_and_comes_back(client: httpx.AsyncClient, deliver: Deliver) -> None:
    merge = merged(A, B)
    await tell(deliver, qualified(A), merge)
    [deal] = (await client.get("/v1/opportunities", params={"lead_id": str(B)})).json()["items"]
    assert (deal["lead_id"], deal["living_lead_id"], deal["linked"]) == (str(A), str(B), [])
    await tell(deliver, unmerged(merge), merge)  # told again, late
    assert await deals(client) == {str(A): (None, 0)}
    assert (await client.get("/v1/opportunities", params={"lead_id": str(B)})).json()["items"] == []
    log = (await client.get(f"/v1/opportunities/{deal['id']}/changes")).json()["items"]
    assert [(each["by"], each["changes"]["belongs_to_lead"]) for each in log] == [
        ("lead.merged", [str(A), str(B)]),
        ("lead.unmerged", [str(B), str(A)]),
    ]


async def test_an_undone_merge_that_is_told_late_changes_nothing(client: httpx.AsyncClient, deliver: Deliver) -> None:
    merge = merged(A, B)
    await tell(deliver, unmerged(merge), merge, qualified(A))
    assert await deals(client) == {str(A): (None, 0)}
    await tell(deliver, merged(A, C))
    assert await deals(client) == {str(A): (str(C), 0)}


async def test_two_open_deals_are_linked_until_one_is_closed(client: httpx.AsyncClient, deliver: Deliver) -> None:
    await tell(deliver, qualified(A), qualified(B), merged(A, B))
    assert await deals(client) == {str(A): (str(B), 1), str(B): (None, 1)}
    [deal] = [item for item in (await client.get("/v1/opportunities")).json()["items"] if item["lead_id"] == str(A)]
    [change] = (await client.get(f"/v1/opportunities/{deal['id']}/changes")).json()["items"]
    assert change["changes"]["linked_with"] == [None, *deal["linked"]]
    assert (await client.post(f"/v1/opportunities/{deal['id']}/lose", json={"reason": "the same customer"})).status_code == 200
    assert await deals(client) == {str(A): (str(B), 0), str(B): (None, 0)}


async def test_leads_merged_in_a_ring_by_late_news_end_somewhere(client: httpx.AsyncClient, deliver: Deliver) -> None:
    first = merged(A, B)
    await tell(deliver, qualified(A), first, merged(B, A))
    await tell(deliver, unmerged(first))
    assert await deals(client) == {str(A): (None, 0)}


async def test_the_golden_examples_are_accepted(deliver: Deliver) -> None:
    for topic in ("lead.merged", "lead.unmerged"):
        sample = example(topic)
        assert await deliver(consumers, sample.event, flow_id=sample.envelope.flow_id) == "processed"
