import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ltc_chassis.clock import FixedClock
from ltc_chassis.db import Database
from ltc_chassis.ids import new_id
from ltc_chassis.runtime import Runtime
from ltc_chassis.testing import KeyPair
from ltc_chassis.timers import Timer, run_until_idle
from ltc_contracts.errors import Invalid
from ltc_contracts.money import Money

from sales_svc.domain.forecast import percent
from sales_svc.domain.period import period_of
from sales_svc.handlers import opportunities as deals
from sales_svc.tests.test_pipelines import opened
from sales_svc.timers import TIMERS

Json = dict[str, Any]
RunTimer = Callable[[Timer], Awaitable[int]]
[SNAPSHOTS] = [timer for timer in TIMERS if timer.name == "take-snapshot"]
CODES = ("qualification", "discovery", "proposal", "negotiation", "commit")


def eur(amount: str) -> Json:
    return {"amount": amount, "currency": "EUR"}


async def move(client: httpx.AsyncClient, deal: Json, stage: str) -> None:
    reply = await client.post(f"/v1/opportunities/{deal['id']}/stage", json={"stage": stage})
    assert reply.status_code == 200, reply.text


async def change(client: httpx.AsyncClient, deal: Json, **given: Any) -> None:
    version = (await client.get(f"/v1/opportunities/{deal['id']}")).json()["version"]
    reply = await client.patch(f"/v1/opportunities/{deal['id']}", json={**given, "version": version})
    assert reply.status_code == 200, reply.text


async def lose(client: httpx.AsyncClient, deal: Json, **given: Any) -> None:
    reply = await client.post(f"/v1/opportunities/{deal['id']}/lose", json={"reason": "price", **given})
    assert reply.status_code == 200, reply.text


async def win(db: Database, deal: Json, amount: str, currency: str = "EUR", at: datetime | None = None, **given: Any) -> None:
    async with db.transaction() as tx:
        value = Money.of(amount, currency)
        await deals.win(tx, deal["id"], contract_id=new_id(), value=value, occurred_at=at, **given)


async def forecast(client: httpx.AsyncClient, **params: Any) -> Json:
    reply = await client.get("/v1/forecast", params=params)
    assert reply.status_code == 200, reply.text
    shown: Json = reply.json()
    return shown


async def test_the_forecast_is_value_times_probability_over_open_deals_only(client: httpx.AsyncClient, db: Database) -> None:
    for code in CODES:
        await opened(client, stage=code, value=eur("1000.00"), owner="Anna")
    await lose(client, await opened(client, value=eur("5000.00"), owner="Anna"))
    await win(db, await opened(client, value=eur("7000.00"), owner="Anna"), "7000.00")
    await opened(client, owner="Anna")  # without a value it only counts
    await opened(client, stage="proposal", value={"amount": "1001", "currency": "JPY"}, owner="Anna")
    shown = await forecast(client)
    # 10 + 25 + 50 + 70 + 90 per cent of 1,000; currencies apart.
    assert [(each["currency"], each["forecast"]["amount"]) for each in shown["total"]] == [("EUR", "2450.00"), ("JPY", "501")]
    [anna] = shown["groups"]
    parts = {
        (part["category"], part["currency"]): (part["deals"], part["value"] and part["value"]["amount"]) for part in anna["parts"]
    }
    assert parts == {
        ("pipeline", "EUR"): (2, "2000.00"),
        ("best_case", "EUR"): (2, "2000.00"),
        ("commit", "EUR"): (1, "1000.00"),
        ("pipeline", None): (1, None),
        ("best_case", "JPY"): (1, "1001"),
    }
    assert shown["undated"] == 7


async def test_the_forecast_is_cut_by_owner_team_pipeline_stage_and_month(client: httpx.AsyncClient) -> None:
    await client.put("/v1/reps/Anna", json={"team": "South"})
    for owner, month, amount in (
        ("Anna", "2026-02-15", "100.00"),
        ("Anna", "2026-03-31", "10.00"),
        ("Ben", "2026-04-01", "1.00"),
    ):
        await opened(client, company=owner, owner=owner, expected_close_on=month, value=eur(amount), stage="commit")

    async def cut(by: str, **params: Any) -> dict[str | None, str]:
        groups = (await forecast(client, by=by, **params))["groups"]
        return {group["key"]: group["expectations"][0]["commit"]["amount"] for group in groups}

    assert await cut("owner") == {"Anna": "110.00", "Ben": "1.00"}
    assert await cut("team") == {"South": "110.00", None: "1.00"}
    assert await cut("month") == {"2026-02": "100.00", "2026-03": "10.00", "2026-04": "1.00"}
    assert await cut("pipeline", period="2026-Q1") == {"default": "110.00"}
    assert await cut("stage", owner="Ben") == {"commit": "1.00"}
    assert await cut("category", period="2026", team="South") == {"commit": "110.00"}
    assert (await client.get("/v1/forecast", params={"period": "2026-13"})).json()["field"] == "period"


async def test_cents_of_groups_add_up_to_the_whole(client: httpx.AsyncClient) -> None:
    for number in range(7):
        await opened(client, company=f"C{number}", owner=f"Rep {number}", value=eur("0.05"))
    shown = await forecast(client)
    parts = [Decimal(group["expectations"][0]["forecast"]["amount"]) for group in shown["groups"]]
    assert sum(parts) == Decimal(shown["total"][0]["forecast"]["amount"]) == Decimal("0.07")


async def test_a_person_says_what_a_period_will_bring_and_every_word_is_kept(
    client: httpx.AsyncClient, db: Database, keys: KeyPair
) -> None:
    await opened(client, owner="Anna", stage="commit", value=eur("100.00"), expected_close_on="2026-03-01")
    await win(db, await opened(client, owner="Anna"), "40.00")
    path = "/v1/forecast/2026-Q1/rep/Anna/calls"

    async def expected() -> Json:
        [group] = (await forecast(client, period="2026-Q1"))["groups"]
        [shown] = group["expectations"]
        return {name: shown[name] and shown[name]["amount"] for name in ("closed", "commit", "called", "expected")}

    assert await expected() == {"closed": "40.00", "commit": "100.00", "called": None, "expected": "140.00"}
    boss = {"Authorization": f"Bearer {keys.token('forecasts:write', subject='boss')}"}
    await client.post(path, json={"category": "commit", "value": eur("250.00")})
    await client.post(path, json={"category": "commit", "value": eur("60.00"), "note": "too bold"}, headers=boss)
    assert await expected() == {"closed": "40.00", "commit": "100.00", "called": "60.00", "expected": "100.00"}
    await client.post(path, json={"category": "commit", "currency": "EUR"})
    assert (await expected())["called"] is None
    history = (await client.get(path)).json()["items"]
    assert [(each["created_by"], each["value"] and each["value"]["amount"], each["note"]) for each in history] == [
        *(("test", "250.00", None), ("boss", "60.00", "too bold"), ("test", None, None))
    ]
    for bad, status, field in (
        ({"category": "commit", "value": eur("-1.00")}, 400, "value"),
        ({"category": "commit"}, 400, "currency"),
        ({"category": "closed", "value": eur("1.00")}, 422, None),
    ):
        reply = await client.post(path, json=bad)
        assert (reply.status_code, reply.json().get("field")) == (status, field)
    assert (
        await client.post("/v1/forecast/soon/rep/Anna/calls", json={"category": "commit", "currency": "EUR"})
    ).status_code == 400


async def test_a_deals_own_category_overrides_its_stages(client: httpx.AsyncClient) -> None:
    deal = await opened(client, owner="Anna", value=eur("100.00"))
    await change(client, deal, category="commit")
    assert (await forecast(client))["total"][0]["commit"]["amount"] == "100.00"
    await change(client, deal, category=None)
    assert (await forecast(client))["total"][0]["commit"]["amount"] == "0.00"


async def test_quota_and_attainment_per_rep_and_team(client: httpx.AsyncClient, db: Database, clock: FixedClock) -> None:
    await client.put("/v1/reps/Anna", json={"team": "South"})
    clock.advance(days=40)
    for amount, at in (("300.00", None), ("50.00", datetime.fromisoformat("2026-01-31T23:59:59Z"))):
        deal = await opened(client, owner="Anna", occurred_at="2026-01-01T00:00:00Z")
        await win(db, deal, amount, at=at)
    await opened(client, owner="Anna", stage="proposal", value=eur("100.00"), expected_close_on="2026-02-27")
    await win(db, await opened(client, company="Verdi", owner="Ben"), "8", currency="JPY")
    path = "/v1/quotas/2026-02/rep/Anna"
    assert (await client.put(path, json={"value": eur("800.00")})).json()["version"] == 1
    assert (await client.put(path, json={"value": eur("400.00")})).json()["current_version"] == 1
    assert (await client.put(path, json={"value": eur("400.00"), "version": 1})).json()["version"] == 2
    await client.put("/v1/quotas/2026-02/team/South", json={"value": eur("0.00")})
    anna, ben = (await client.get("/v1/attainment/2026-02/rep")).json()
    assert {name: anna[name] for name in ("quota", "won", "weighted", "attainment", "covered")} == {
        "quota": eur("400.00"),
        "won": eur("300.00"),
        "weighted": eur("50.00"),
        "attainment": "75.00",
        "covered": "87.50",
    }
    assert (ben["name"], ben["currency"], ben["quota"], ben["attainment"]) == ("Ben", "JPY", None, None)
    [south] = (await client.get("/v1/attainment/2026-02/team")).json()
    assert (south["name"], south["won"]["amount"], south["attainment"]) == ("South", "300.00", None)
    assert (await client.get("/v1/attainment/2026-01/rep")).json()[0]["won"]["amount"] == "50.00"
    history = (await client.get("/v1/quotas/2026-02/rep")).json()
    assert [(each["version"], each["value"]["amount"], each["created_by"]) for each in history] == [
        *((2, "400.00", "test"), (1, "800.00", "test"))
    ]
    replies = await asyncio.gather(*(client.put(path, json={"value": eur("1.00"), "version": 2}) for _ in range(3)))
    assert sorted(reply.status_code for reply in replies) == [200, 409, 409]


async def test_there_is_exactly_one_snapshot_per_day_however_late_and_on_however_many_replicas(
    client: httpx.AsyncClient, clock: FixedClock, run_timer: RunTimer, runtime: Runtime
) -> None:
    assert await run_timer(SNAPSHOTS) == 1  # the first time: yesterday
    assert await run_timer(SNAPSHOTS) == 0
    deal = await opened(client, value=eur("100.00"))
    clock.advance(days=1)
    await move(client, deal, "discovery")
    clock.advance(days=3, hours=5)  # nobody ran it for days
    await change(client, deal, value=eur("300.00"))
    taken = await asyncio.gather(*(run_until_idle(runtime, SNAPSHOTS) for _ in range(4)))
    assert sum(taken) == 4
    days = (await client.get("/v1/snapshots")).json()
    assert [each["day"] for each in days] == ["2026-01-04", "2026-01-03", "2026-01-02", "2026-01-01", "2025-12-31"]
    assert [each["open"] for each in days] == [1, 1, 1, 1, 0]

    # Each shows the deal as it stood at the end of its day, not as it is now.
    async def stood(day: str) -> tuple[str, str]:
        [row] = (await client.get(f"/v1/snapshots/{day}")).json()
        return row["key"], row["value"]["amount"]

    assert [await stood(day["day"]) for day in days[:4]] == [*(("discovery", "100.00"),) * 3, ("qualification", "100.00")]
    clock.advance(days=1)
    await run_timer(SNAPSHOTS)
    assert await stood("2026-01-05") == ("discovery", "300.00")
    assert (await client.get("/v1/snapshots/2026-01-06")).status_code == 404
    assert len((await client.get("/v1/snapshots", params={"before": "2026-01-02"})).json()) == 2


async def test_what_changed_between_two_days_adds_up(
    client: httpx.AsyncClient, db: Database, clock: FixedClock, run_timer: RunTimer
) -> None:
    made = {name: await opened(client, company=name, owner="Anna", value=eur("100.00")) for name in "abcdef"}
    yen = await opened(client, company="yen", value={"amount": "5000", "currency": "JPY"})
    clock.advance(days=1)
    await run_timer(SNAPSHOTS)
    clock.advance(hours=1)
    await win(db, made["a"], "130.00")
    await lose(client, made["b"])
    await move(client, made["c"], "proposal")
    await move(client, made["d"], "discovery")
    await change(client, made["d"], value=eur("80.00"))
    clock.advance(days=1)
    await move(client, made["c"], "discovery")
    await change(client, yen, value=eur("40.00"))
    await opened(client, company="new", owner="Anna", value=eur("7.00"))
    short = await opened(client, company="short", owner="Anna", value=eur("9.00"))
    await win(db, short, "9.50")
    await change(client, made["e"], owner="Ben")
    clock.advance(days=1)
    await run_timer(SNAPSHOTS)
    path = "/v1/snapshots/2026-01-01/changes/2026-01-03"
    shown = (await client.get(path)).json()
    counts: Counter[str] = Counter()
    for each in shown["movements"]:
        counts[each["kind"]] += each["deals"]
    assert counts == {"new": 1, "won": 2, "lost": 1, "moved": 2, "value_changed": 2}
    assert [each["advanced"] for each in shown["movements"] if each["kind"] == "moved"] == [2]
    eur_bridge, jpy_bridge = shown["bridges"]
    names = ("opening", "new", "joined", "won", "lost", "left", "changed", "closing")
    assert [eur_bridge[name]["amount"] for name in names] == [
        "600.00",
        "7.00",
        "0.00",
        "100.00",
        "100.00",
        "0.00",
        "20.00",
        "427.00",
    ]
    assert [jpy_bridge[name]["amount"] for name in names] == ["5000", "0", "0", "0", "0", "0", "-5000", "0"]
    lost = (await client.get(f"{path}/deals", params={"kind": "lost"})).json()["items"]
    assert [(each["opportunity_id"], each["before_stage"], each["after_stage"]) for each in lost] == [
        (made["b"]["id"], "qualification", "lost")
    ]
    moved = (await client.get(f"{path}/deals", params={"kind": "moved", "limit": 1})).json()
    rest = (await client.get(f"{path}/deals", params={"kind": "moved", "cursor": moved["next"]})).json()["items"]
    assert {each["opportunity_id"] for each in moved["items"] + rest} == {made["c"]["id"], made["d"]["id"]}
    # Whoever looks at one rep sees deals come and go, and it still adds up.
    for owner, joined, left, closing in (("Anna", "0.00", "100.00", "287.00"), ("Ben", "100.00", "0.00", "100.00")):
        [bridge] = (await client.get(path, params={"owner": owner})).json()["bridges"]
        assert (bridge["joined"]["amount"], bridge["left"]["amount"], bridge["closing"]["amount"]) == (joined, left, closing)
    backwards = await client.get("/v1/snapshots/2026-01-03/changes/2026-01-01")
    assert (backwards.status_code, backwards.json()["field"]) == (400, "end")


async def test_a_deal_closed_with_a_date_of_the_past_does_not_vanish(
    client: httpx.AsyncClient, clock: FixedClock, run_timer: RunTimer
) -> None:
    deal = await opened(client, value=eur("100.00"))
    clock.advance(days=3)
    await run_timer(SNAPSHOTS)
    await lose(client, deal, occurred_at="2026-01-01T12:00:00Z")
    clock.advance(days=1)
    await run_timer(SNAPSHOTS)
    [bridge] = (await client.get("/v1/snapshots/2026-01-03/changes/2026-01-04")).json()["bridges"]
    assert (bridge["opening"]["amount"], bridge["lost"]["amount"], bridge["closing"]["amount"]) == ("100.00", "100.00", "0.00")


async def test_a_snapshot_is_never_changed(db: Database, run_timer: RunTimer) -> None:
    await run_timer(SNAPSHOTS)
    async with db.connection() as conn:
        with pytest.raises(Exception, match="append-only"):
            await conn.execute("UPDATE snapshot SET taken_at = now()")


async def test_history_of_any_length_adds_up(
    client: httpx.AsyncClient, db: Database, clock: FixedClock, run_timer: RunTimer
) -> None:
    """A fortnight of pseudo-random trade: every pair of days bridges to the cent."""
    import random

    dice, days = random.Random(7), 14
    running: list[Json] = []
    await run_timer(SNAPSHOTS)
    for _ in range(days):
        for _ in range(4):
            action = dice.choice(("open", "open", "move", "value", "win", "lose"))
            if action == "open" or not running:
                amount = f"{dice.randrange(100_000)}.{dice.randrange(100):02d}"
                running.append(await opened(client, company=f"C{dice.random()}", value=eur(amount)))
                continue
            deal = dice.choice(running)
            if action == "move":
                await move(client, deal, dice.choice(CODES))
            elif action == "value":
                await change(client, deal, value=eur(f"{dice.randrange(1000)}.00"))
            else:
                running.remove(deal)
                await (win(db, deal, "12.34") if action == "win" else lose(client, deal))
            clock.advance(hours=2)
        clock.advance(days=1)
        await run_timer(SNAPSHOTS)
    taken = [date.fromisoformat(each["day"]) for each in (await client.get("/v1/snapshots")).json()][::-1]
    assert taken == [taken[0] + timedelta(days=n) for n in range(len(taken))]
    for begin, end in ((0, 1), (0, days), (2, 9), (5, 6), (days - 1, days)):
        shown = (await client.get(f"/v1/snapshots/{taken[begin]}/changes/{taken[end]}")).json()
        for bridge in shown["bridges"]:
            amounts = {name: Decimal(money["amount"]) for name, money in bridge.items() if name != "currency"}
            came, went = amounts["new"] + amounts["joined"], amounts["won"] + amounts["lost"] + amounts["left"]
            assert amounts["opening"] + came - went + amounts["changed"] == amounts["closing"]


@given(st.integers(1970, 2999), st.integers(1, 12), st.integers(1, 4))
def test_a_year_is_its_quarters_and_a_quarter_its_months(year: int, month: int, quarter: int) -> None:
    whole, part = period_of(f"{year}"), period_of(f"{year}-{month:02d}")
    assert (whole.begin, whole.until) == (date(year, 1, 1), date(year + 1, 1, 1))
    assert part.begin == date(year, month, 1)
    assert part.until == (part.begin + timedelta(days=31)).replace(day=1)
    mine = period_of(f"{year}-Q{quarter}")
    assert (mine.begin, mine.until) == (
        period_of(f"{year}-{3 * quarter - 2:02d}").begin,
        period_of(f"{year}-{3 * quarter:02d}").until,
    )


@pytest.mark.parametrize("text", ["", "26", "2026-1", "2026-00", "2026-13", "2026-Q5", "2026-01-01", "1066", "２０２６"])
def test_what_is_no_period_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        period_of(text)


def test_a_share_of_nothing_is_unknown() -> None:
    assert percent(1, 0) is None
    assert percent(2, 3) == Decimal("66.67")
