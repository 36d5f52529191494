"""The registry and what may be asked of it: windows, periods, dimensions, versions; and the KPIs by hand-computed figures."""

from datetime import UTC, date, datetime
from itertools import pairwise
from typing import Any

import httpx
import pytest
from ltc_chassis.clock import FixedClock
from ltc_chassis.ids import new_id
from ltc_chassis.testing import Deliver, FakeRecord
from ltc_contracts.examples import Example, example

from metrics_svc.consumers import consumers
from metrics_svc.domain.kpi import kpi_of
from metrics_svc.domain.window import PERIODS, buckets, named
from metrics_svc.store.kpis import registry, versions
from metrics_svc.tests.test_facts import LATER, record, values

YEAR = {"from": "2026-01-01T00:00:00Z", "until": "2027-01-01T00:00:00Z"}
# RULES 6, by the names in the registry; bottlenecks, attribution and before/after are no numbers of a window and have pages of their own.
RULES_6 = {
    "lead conversion rate": ["lead_conversion_rate"],
    "funnel, stage k -> k+1": ["funnel", "stage_conversion"],
    "win rate": ["win_rate", "deals"],
    "sales cycle": ["sales_cycle"],
    "sales velocity": ["sales_velocity"],
    "CAC": ["cac", "marketing_spend"],
    "LTV": ["ltv", "mrr"],
    "order processing time": ["order_processing_time"],
    "on-time delivery, OTIF": ["on_time_delivery", "otif", "on_time", "in_full"],
    "CSAT, NPS, first-response time": ["csat", "nps", "first_response_time", "ticket_response_time", "ticket_resolution_time"],
    "on-time collection": ["on_time_collection"],
    "DSO": ["dso"],
    "CEI": ["cei"],
    "ageing, overdue amount": ["ageing", "overdue_amount"],
    "campaign return": ["campaign_return"],
    "conservation residual": ["conservation_residual"],
}


def told(topic: str, flow: Any, at: str, sequence: int = 1, **data: Any) -> FakeRecord:
    """The golden event once more, with these values, at nine o'clock of a day."""
    sample = example(topic)
    headers = {**sample.headers, "ce_id": str(new_id()), "ce_time": f"{at}T09:00:00Z", "ce_recordedtime": f"{at}T09:00:00Z"}
    headers |= {"ce_sequence": str(sequence)} | ({"ce_flowid": str(flow)} if flow else {})
    return record(Example(topic, headers, str(flow), {**sample.data, **data}))


def eur(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "EUR"}


def deal(opened: str, closed: str, won: bool, *, value: str = "1000.00", **data: Any) -> list[FakeRecord]:
    flow, about = new_id(), {"value": eur(value), "opened_at": f"{opened}T09:00:00Z", "segment": None, "campaign": None, **data}
    end = told("opportunity.won" if won else "opportunity.lost", flow, closed, 2, **about)
    return [told("opportunity.opened", flow, opened, channel=None, source=None, campaign=None, segment=None), end]


def ordered(customer: Any, flow: Any, at: str, **data: Any) -> FakeRecord:
    golden = example("order.confirmed").data
    return told("order.confirmed", flow, at, customer={**golden["customer"], "customer_id": str(customer)}, **data)


@pytest.fixture(autouse=True)
def today(clock: FixedClock) -> None:
    clock.set(LATER)


async def test_every_kpi_of_the_rules_is_registered_with_its_definition(client: httpx.AsyncClient) -> None:
    listed = {kpi["name"]: kpi for kpi in (await client.get("/v1/kpis")).json()}
    assert {name for names in RULES_6.values() for name in names} <= listed.keys() == registry().keys()
    for kpi in listed.values():
        assert kpi["definition"].endswith(".")
        assert kpi["version"] == max(kpi["versions"])
        assert {"channel"} <= set(kpi["dimensions"])
        assert kpi["periods"] == ["day", "week", "month", "quarter", "year"]


def test_a_definition_without_its_head_or_with_what_nothing_reads_is_refused() -> None:
    head = {"name": "x", "version": "1", "unit": "deals", "definition": "X.", "events": "won"}
    assert kpi_of(head, "").evidence.events == ("won",)
    for wrong in (
        {name: text for name, text in head.items() if name != "unit"},
        {name: text for name, text in head.items() if name != "events"},
        head | {"event": "won"},
        head | {"dimensions": "colour"},
    ):
        with pytest.raises(ValueError, match="head"):
            kpi_of(wrong, "")


async def test_what_is_not_known_is_refused_with_what_is(client: httpx.AsyncClient) -> None:
    for params, said in (
        ({"by": "region"}, "it is known by channel, campaign, day, week, month, quarter, year"),
        ({"by": "colour"}, "'channel'"),
        ({"by": ["channel", "campaign"]}, "one dimension and one period"),
        ({"window": "last_month", "from": "2026-01-01T00:00:00Z"}, "a window has a name"),
        ({"window": "once"}, "'last_month'"),
        ({"from": "2026-02-01T00:00:00Z", "to": "2026-01-01T00:00:00Z"}, "ends before it begins"),
        ({"from": "2020-01-01T00:00:00Z", "by": "day"}, "more than 120 periods"),
        ({"version": "0"}, "greater than or equal to 1"),
    ):
        reply = await client.get("/v1/kpis/cac", params=params)
        assert (reply.status_code, said in reply.text) == (422, True), (params, reply.text)
    reply = await client.get("/v1/kpis/cac", params={"version": "9"})
    assert (reply.status_code, "there are 1, 2" in reply.text) == (404, True)


async def test_a_window_has_a_name_or_two_ends(client: httpx.AsyncClient, deliver: Deliver) -> None:
    closed = ("2026-10-31", "2026-11-01", "2026-11-30", "2026-12-01")
    await deliver.records(consumers, [each for day in closed for each in deal("2026-09-01", day, won=True)])
    for params, won in (
        ({"window": "last_month"}, "2"),
        ({"window": "last_7_days"}, "1"),
        ({"window": "this_quarter"}, "3"),
        ({"window": "this_year"}, "3"),
        ({"window": "last_month", "as_of": "2026-11-15T00:00:00Z"}, "1"),
        ({"from": "2026-11-01T09:00:00Z", "to": "2026-11-30T09:00:00Z"}, "2"),
        ({"from": "2026-11-01T09:00:00Z", "until": "2026-11-30T09:00:00Z"}, "1"),
    ):
        assert (await values(client, "deals", **params))["won"] == won, params


async def test_periods_add_up_to_the_window_and_go_with_a_dimension(client: httpx.AsyncClient, deliver: Deliver) -> None:
    facts = [*deal("2026-01-05", "2026-01-20", won=True, owner="Ada"), *deal("2026-01-05", "2026-03-20", won=True, owner="Bo")]
    await deliver.records(consumers, facts)
    answer = (await client.get("/v1/kpis/deals", params={"by": ["month", "rep"], **YEAR, "as_of": "2026-04-30T00:00:00Z"})).json()
    assert [period["label"] for period in answer["periods"]] == ["2026-01", "2026-02", "2026-03", "2026-04"]
    assert answer["periods"][1]["window"] == ["2026-02-01T00:00:00Z", "2026-02-28T23:59:59.999999Z"]
    counts = [(row["period"], row["key"], row["value"]) for row in answer["rows"] if row["name"] == "won"]
    assert counts == [("2026-01", "Ada", "1"), ("2026-03", "Bo", "1")]


async def test_a_state_is_measured_at_the_end_of_each_period(client: httpx.AsyncClient, deliver: Deliver) -> None:
    flow, invoice = new_id(), str(new_id())
    facts: dict[str, Any] = {"invoice_id": invoice, "due_on": "2026-02-10"}
    amounts: dict[str, Any] = {"net": eur("100.00"), "tax": eur("0.00"), "gross": eur("100.00")}
    paid: dict[str, Any] = {
        "invoice_id": invoice,
        "amount": eur("40.00"),
        "open_after": eur("60.00"),
        "received_on": "2026-03-05",
    }
    await deliver.records(
        consumers,
        [
            told("invoice.issued", flow, "2026-01-10", 1, **facts, **amounts),
            told("payment.allocated", flow, "2026-03-05", 2, **paid),
        ],
    )
    asked = {"by": "month", "from": "2026-01-01T00:00:00Z", "until": "2026-04-01T00:00:00Z"}
    for name, expected in (("outstanding", ["100.00", "100.00", "60.00"]), ("overdue_amount", ["100.00", "60.00"])):
        rows = (await client.get(f"/v1/kpis/{name}", params=asked)).json()["rows"]
        assert [row["value"] for row in rows] == expected, name


async def test_versions_answer_side_by_side(client: httpx.AsyncClient, deliver: Deliver) -> None:
    flow = new_id()
    lead = told("lead.captured", flow, "2026-01-01", touches=[{"occurred_at": "2025-12-30T09:00:00Z"}])
    won = told("opportunity.won", flow, "2026-01-11", opened_at="2026-01-04T09:00:00Z")
    await deliver.records(consumers, [lead, won])
    assert (await values(client, "sales_cycle", version="1"))["mean"] == "7.0000"
    assert (
        (await values(client, "sales_cycle"))["mean"] == (await values(client, "sales_cycle", version="2"))["mean"] == "12.0000"
    )
    for name, of_it in versions().items():
        assert sorted(of_it) == sorted(set(of_it)), name
        for version in of_it:
            assert (await client.get(f"/v1/kpis/{name}", params={"version": version})).json()["version"] == version


async def test_sales_velocity_is_deals_times_rate_times_value_per_day(client: httpx.AsyncClient, deliver: Deliver) -> None:
    facts = [
        *deal("2026-02-01", "2026-02-11", won=True, value="1000.00"),
        *deal("2026-02-01", "2026-02-21", won=True, value="3000.00"),
        *deal("2026-02-01", "2026-02-15", won=False),
        *deal("2026-02-02", "2026-02-15", won=False),
    ]
    await deliver.records(consumers, facts)
    # 4 deals x 50 % x 2,000 / 15 days
    assert await values(client, "sales_velocity", **YEAR) == {"EUR": "266.67"}


async def test_a_customer_is_acquired_by_the_first_order_alone(client: httpx.AsyncClient, deliver: Deliver) -> None:
    ada, bo, again = new_id(), new_id(), new_id()
    flows = [new_id(), new_id()]
    await deliver.records(
        consumers,
        [
            told("campaign.spend_recorded", None, "2026-02-01", change=eur("300.00"), channel="search_ads", campaign="spring"),
            *(told("lead.captured", flow, "2026-02-02", channel="search_ads", campaign="spring") for flow in flows),
            ordered(ada, flows[0], "2026-02-10"),
            ordered(bo, new_id(), "2025-12-10", source="checkout"),
            ordered(bo, flows[1], "2026-02-11"),
            ordered(ada, again, "2026-02-12"),
        ],
    )
    assert await values(client, "cac", by="channel", **YEAR) == {"search_ads.EUR": "300.00"}
    assert await values(client, "cac", by="campaign", version="1", **YEAR) == {"spring.EUR": "150.00"}
    assert await values(client, "cac", **YEAR) == {"EUR": "300.00"}


async def test_lifetime_value_is_revenue_a_month_by_the_share_lost_a_month(client: httpx.AsyncClient, deliver: Deliver) -> None:
    customers = [new_id() for _ in range(4)]
    window = {"from": "2026-01-01T00:00:00Z", "to": "2026-01-31T10:30:00Z"}  # 30.4375 days
    facts = [
        told("subscription.revenue_moved", new_id(), "2025-12-01", customer_id=str(customer), kind="new", delta=eur("50.00"))
        for customer in customers
    ]
    issued: dict[str, Any] = {"net": eur("200.00"), "tax": eur("0.00"), "gross": eur("200.00")}
    facts.append(told("invoice.issued", new_id(), "2026-01-05", **issued))
    await deliver.records(consumers, facts)
    assert await values(client, "ltv", **window) == {"EUR_expected": None, "EUR_observed": "200.00"}
    churn: dict[str, Any] = {"customer_id": str(customers[0]), "kind": "churn", "delta": eur("-50.00")}
    await deliver.records(consumers, [told("subscription.revenue_moved", new_id(), "2026-01-20", **churn)])
    # 50 a month / a quarter lost a month
    assert (await values(client, "ltv", **window))["EUR_expected"] == "200.00"


async def test_tickets_and_stages(client: httpx.AsyncClient, deliver: Deliver) -> None:
    flow, other = new_id(), new_id()
    met: dict[str, Any] = {"business_minutes": 30, "target_minutes": 60, "within_target": True}
    await deliver.records(
        consumers,
        [
            told("lead.captured", flow, "2026-02-01"),
            told("lead.captured", other, "2026-02-01"),
            told("opportunity.opened", flow, "2026-02-03"),
            told("ticket.responded", flow, "2026-02-05", **met),
            told("ticket.responded", flow, "2026-02-06", **met | {"business_minutes": 90, "within_target": False}),
            told("ticket.resolved", flow, "2026-02-06", **met | {"within_target": None}),
        ],
    )
    assert await values(client, "ticket_response_time") == {"mean": "60.0000", "median": "60.0000", "p90": "84.0000"}
    assert await values(client, "tickets_in_time") == {"first_response": "50.0000"}
    assert (await values(client, "ticket_resolution_time"))["mean"] == "30.0000"
    found = await values(client, "stage_conversion")
    assert found == {"lead_to_qualified": "0.0000", "opportunity_to_quoted": "0.0000"}


async def test_the_latest_that_a_deal_told_counts_and_an_order_tells_where_no_deal_did(
    client: httpx.AsyncClient, deliver: Deliver
) -> None:
    flow, shop = new_id(), new_id()
    moved: dict[str, Any] = {"changed": ["region"], "region": "north", "country": "FR", "segments": ["key"]}
    await deliver.records(
        consumers,
        [
            told("lead.captured", flow, "2026-01-01", channel="web", country="IT", segments=["b2b", "small"]),
            told("lead.assigned", flow, "2026-01-02", owner="Zoe"),
            told("lead.changed", flow, "2026-01-03", **moved),
            told("lead.assigned", flow, "2026-01-04", owner="Ada"),
            ordered(new_id(), flow, "2026-01-05", source="contract"),
            ordered(new_id(), shop, "2026-01-05", source="checkout"),
        ],
    )
    sku = example("order.confirmed").data["lines"][0]["sku"]
    for by, expected in (
        ("rep", {"Ada", "unknown"}),
        ("region", {"north", "unknown"}),
        ("segment", {"key", "unknown"}),
        ("country", {"FR", "IT"}),
        ("channel", {"web", "checkout"}),
        ("product", {sku}),
    ):
        rows = (await client.get("/v1/kpis/order_processing_time", params={"by": by})).json()["rows"]
        assert {row["key"] for row in rows} == expected, by
    early = {"as_of": "2026-01-02T12:00:00Z", "by": "rep"}
    assert await values(client, "lead_conversion_rate", **early) == {"Zoe.rate": "0.0000"}


def test_the_latest_day_of_a_period_is_inside() -> None:
    now = datetime(2024, 2, 29, 13, tzinfo=UTC)
    assert named("this_month", now) == (datetime(2024, 2, 1, tzinfo=UTC), datetime(2024, 2, 29, 23, 59, 59, 999999, UTC))
    assert named("last_quarter", now)[0].date() == date(2023, 10, 1)
    assert named("last_quarter", now)[1].date() == date(2023, 12, 31)
    assert named("yesterday", now)[0].date() == named("yesterday", now)[1].date() == date(2024, 2, 28)
    assert named("this_week", now)[0].date() == date(2024, 2, 26)
    for period in PERIODS:
        parts = buckets(datetime(2023, 12, 30, 5, tzinfo=UTC), now, period, 120)
        assert parts is not None
        assert (parts[0].start, parts[-1].end) == (datetime(2023, 12, 30, 5, tzinfo=UTC), now)
        assert all(b.start - a.end == datetime.resolution for a, b in pairwise(parts)), period
        assert len({part.label for part in parts}) == len(parts)
