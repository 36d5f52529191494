"""CSAT and NPS as the field defines them (RULES 3), always with the response rate, replayable to any past instant."""

from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from ltc_chassis.clock import FixedClock
from ltc_chassis.ids import new_id
from ltc_chassis.testing import Deliver, FakeRecord
from ltc_contracts.examples import Example, example

from metrics_svc.consumers import consumers
from metrics_svc.tests.test_facts import record, values

FLOW = str(new_id())


@pytest.fixture(autouse=True)
def today(clock: FixedClock) -> None:
    clock.set(datetime(2026, 12, 1, tzinfo=UTC))


def told(topic: str, at: str, *, flow_id: str = FLOW, **data: Any) -> FakeRecord:
    """The golden event once more, with these values, at this moment."""
    sample = example(topic)
    times = {"ce_time": at, "ce_recordedtime": at}
    fresh = Example(
        topic, {**sample.headers, "ce_id": str(new_id()), "ce_flowid": flow_id, **times}, flow_id, {**sample.data, **data}
    )
    return record(fresh)


def asked(kind: str, at: str, **more: Any) -> FakeRecord:
    return told("survey.asked", at, kind=kind, **more)


def answered(kind: str, at: str, *, asked_at: str, score: int, **more: Any) -> list[FakeRecord]:
    said = told("survey.answered", at, kind=kind, asked_at=asked_at, **more)
    return [said, told(f"{kind}.recorded", at, score=score, asked_at=asked_at, **more)]


async def test_csat_is_the_share_of_fours_and_fives_with_the_response_rate(client: httpx.AsyncClient, deliver: Deliver) -> None:
    when = "2026-03-01T09:00:00Z"
    records = [asked("csat", when) for _ in range(8)]
    for score in (5, 4, 4, 3, 1):
        records += answered("csat", "2026-03-02T09:00:00Z", asked_at=when, score=score)
    await deliver.records(consumers, records)
    assert await values(client, "csat") == {"csat": "60.0000", "response_rate": "62.5000"}
    assert await values(client, "survey_response_rate") == {"csat": "62.5000", "total": "62.5000"}


async def test_nps_is_promoters_minus_detractors_in_percent(client: httpx.AsyncClient, deliver: Deliver) -> None:
    when = "2026-03-01T09:00:00Z"
    records = [asked("nps", when) for _ in range(20)]
    for score in (10, 9, 9, 8, 7, 7, 6, 0):
        records += answered("nps", "2026-03-02T09:00:00Z", asked_at=when, score=score)
    await deliver.records(consumers, records)
    # Three promoters and two detractors of eight.
    assert await values(client, "nps") == {"nps": "12.5000", "response_rate": "40.0000"}


async def test_the_response_rate_of_a_window_is_of_those_asked_in_it_whenever_they_answered(
    client: httpx.AsyncClient, deliver: Deliver
) -> None:
    march, april = "2026-03-31T09:00:00Z", "2026-04-02T09:00:00Z"
    records = [asked("csat", march), asked("csat", march), asked("csat", april), asked("research", april)]
    records += answered("csat", april, asked_at=march, score=2)
    await deliver.records(consumers, records)
    of_march = {"from": "2026-03-01T00:00:00Z", "to": "2026-03-31T23:59:59Z"}
    of_april = {"from": "2026-04-01T00:00:00Z", "to": "2026-04-30T23:59:59Z"}
    now = {"as_of": "2026-11-30T00:00:00Z"}
    assert await values(client, "csat", **of_march, **now) == {"csat": None, "response_rate": "50.0000"}
    assert await values(client, "csat", **of_april, **now) == {"csat": "0.0000", "response_rate": "0.0000"}
    rates = await values(client, "survey_response_rate", **now)
    assert rates == {"csat": "33.3333", "research": "0.0000", "total": "25.0000"}


async def test_a_score_is_known_only_from_when_it_was_written_down(client: httpx.AsyncClient, deliver: Deliver) -> None:
    when = "2026-03-01T09:00:00Z"
    await deliver.records(consumers, [asked("nps", when), *answered("nps", "2026-05-01T09:00:00Z", asked_at=when, score=10)])
    before = {"as_of": "2026-04-01T00:00:00Z"}
    assert await values(client, "nps", **before) == {"nps": None, "response_rate": "0.0000"}
    assert await values(client, "nps", known_at="2026-04-01T00:00:00Z") == {"nps": None, "response_rate": "0.0000"}
    assert await values(client, "nps") == {"nps": "100.0000", "response_rate": "100.0000"}


async def test_scores_are_cut_by_what_their_flow_tells(client: httpx.AsyncClient, deliver: Deliver) -> None:
    lead = example("lead.captured")
    flow_id, when = lead.headers["ce_flowid"], "2026-03-01T09:00:00Z"
    records = [record(lead), asked("csat", when, flow_id=flow_id), asked("csat", when)]
    records += answered("csat", when, asked_at=when, score=5, flow_id=flow_id)
    await deliver.records(consumers, records)
    assert await values(client, "csat", by="source") == {
        "Google.csat": "100.0000",
        "Google.response_rate": "100.0000",
        "unknown.csat": None,
        "unknown.response_rate": "0.0000",
    }
