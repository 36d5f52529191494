"""On time, in full, and both: hand-written orders against each version of their promise, on each day that one may ask for."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from ltc_chassis.clock import FixedClock
from ltc_chassis.ids import new_id
from ltc_chassis.testing import Deliver, FakeRecord
from ltc_contracts.examples import Example, example

from metrics_svc.consumers import consumers
from metrics_svc.tests.test_facts import record, values

LATER = datetime(2026, 12, 1, tzinfo=UTC)
JANUARY = {"from": "2026-01-01T00:00:00Z", "to": "2026-02-01T00:00:00Z"}


def at(day: float) -> datetime:
    """Noon of a day of January 2026; 32 is the first of February."""
    return datetime(2026, 1, 1, 12, tzinfo=UTC) + timedelta(days=day - 1)


def on(day: int) -> str:
    return (date(2026, 1, 1) + timedelta(days=day - 1)).isoformat()


@dataclass
class Deal:
    """An order of two lines, five pieces each unless `wants` says otherwise, confirmed on the 2nd and promised for the 20th."""

    wants: dict[str, int] = field(default_factory=lambda: {"a": 5, "b": 5})
    due: int = 20
    wished: int | None = None
    confirmed: float = 2

    def __post_init__(self) -> None:
        self.flow, self.order, self.delivery = new_id(), new_id(), new_id()
        self.ids: dict[str, UUID] = {}
        self.told: list[FakeRecord] = []
        self.tell(
            "order.confirmed",
            self.confirmed,
            lines=self.lines(self.wants),
            promised_on=on(self.due),
            requested_on=on(self.wished) if self.wished else None,
        )
        self.promise(1, self.due, self.confirmed)

    def lines(self, quantities: dict[str, int]) -> list[dict[str, Any]]:
        [line] = example("order.confirmed").data["lines"][:1]
        return [
            line | {"line_id": str(self.ids.setdefault(name, new_id())), "quantity": str(quantity)}
            for name, quantity in quantities.items()
        ]

    def tell(self, topic: str, day: float, *, recorded: float | None = None, **data: Any) -> None:
        sample = example(topic)
        ids = {"order_id": str(self.order)} | ({"delivery_id": str(self.delivery)} if "delivery_id" in sample.data else {})
        headers = {
            **sample.headers,
            "ce_id": str(new_id()),
            "ce_flowid": str(self.flow),
            "ce_time": at(day).isoformat(),
            "ce_recordedtime": at(recorded or day).isoformat(),
        }
        self.told.append(record(Example(topic, headers, str(self.flow), {**sample.data, **ids, **data})))

    def promise(self, version: int, day: int, told: float) -> None:
        self.tell("delivery.promised", told, promised_on=on(day), promise_version=version)

    def hand_over(self, day: float, last: bool = False, recorded: float | None = None, **quantities: int) -> None:
        lines = [line | {"delivered_before": "0"} for line in self.lines(quantities)]
        self.tell("delivery.handed_over", day, recorded=recorded, lines=lines, handed_over_at=at(day).isoformat(), last=last)

    def take_back(self, day: float, **quantities: int) -> None:
        lines = [line | {"delivered_before": "5", "treatment": "restock"} for line in self.lines(quantities)]
        self.tell("delivery.returned", day, lines=lines, returned_at=at(day).isoformat())

    def complete(self, day: float, *, parts_told: bool = True) -> None:
        lines = self.lines(self.wants)
        self.tell("delivery.completed", day, lines=lines, completed_at=at(day).isoformat(), parts_told=parts_told)

    def change(self, day: float, **quantities: int) -> None:
        self.tell("order.changed", day, lines=self.lines(quantities))


Ask = Callable[..., Awaitable[dict[str, str]]]


@pytest.fixture
def tell(deliver: Deliver, clock: FixedClock) -> Callable[..., Awaitable[None]]:
    """Everything that these deals told, the latest first: what came first must not matter."""
    clock.set(LATER)

    async def told(*deals: Deal) -> None:
        await deliver.records(consumers, [each for deal in deals for each in reversed(deal.told)])
        for deal in deals:
            deal.told.clear()

    return told


@pytest.fixture
def ask(client: httpx.AsyncClient) -> Ask:
    """What a KPI says of January, by default as it is known at last: the shares by version."""

    async def answer(name: str, as_of: float | None = None, **more: str) -> dict[str, str]:
        moment = {} if as_of is None else {"as_of": at(as_of).isoformat()}
        return {
            version: value.removesuffix(".0000")
            for version, value in (await values(client, name, **JANUARY, **moment, **more)).items()
        }

    return answer


Tell = Callable[..., Awaitable[None]]


async def test_on_time_in_full_is_neither_of_both_nor_their_product(tell: Tell, ask: Ask) -> None:
    both, split, short, late, never = Deal(), Deal(), Deal(), Deal(), Deal()
    both.hand_over(18, a=5)
    both.hand_over(20, b=5, last=True)
    split.hand_over(18, a=5)
    split.hand_over(21, b=5, last=True)
    short.hand_over(19, a=5, b=4, last=True)
    late.hand_over(25, a=5, b=5, last=True)
    never.hand_over(19, a=5)
    for each, day in ((both, 20), (split, 21), (short, 19), (late, 25)):
        each.complete(day)
    await tell(both, split, short, late, never)
    assert await ask("otif") == {"first": "20", "latest": "20"}
    assert await ask("on_time") == {"first": "40", "latest": "40"}
    assert await ask("in_full") == {"first": "60", "latest": "60"}
    # 40 % of 60 % would be 24 %.


async def test_an_order_counts_only_once_all_its_lines_are_there(tell: Tell, ask: Ask) -> None:
    deal = Deal(wants={"a": 5, "b": 5, "c": 1})
    deal.hand_over(10, a=5, b=3)
    deal.hand_over(12, b=2)
    await tell(deal)
    assert (await ask("otif"))["first"] == "0"
    deal.hand_over(20, c=1, last=True)
    await tell(deal)
    assert (await ask("otif"))["first"] == "100"


async def test_the_day_that_is_asked_for_changes_the_answer_and_a_window_that_is_over_stays(tell: Tell, ask: Ask) -> None:
    late, open_still = Deal(), Deal()
    late.hand_over(25, a=5, b=5, last=True)
    open_still.hand_over(35, a=5, b=5, last=True)
    await tell(late, open_still)
    # Not due yet, or the day not over; open and late; one of them there; looked at in summer.
    assert await ask("otif", as_of=20) == await ask("in_full", as_of=20) == {}
    assert (await ask("in_full", as_of=21))["first"] == "0"
    assert (await ask("in_full", as_of=26))["first"] == "50"
    assert (await ask("in_full", as_of=40))["first"] == (await ask("in_full"))["first"] == "50"
    for day in (21, 26, 40):
        assert (await ask("otif", as_of=day))["first"] == (await ask("on_time", as_of=day))["first"] == "0"


async def test_it_is_measured_against_the_day_wished_the_first_and_the_latest_promised(tell: Tell, ask: Ask) -> None:
    moved = Deal(wished=15)
    moved.promise(2, 28, told=10)
    moved.hand_over(26, a=5, b=5, last=True)
    await tell(moved)
    assert await ask("otif") == {"requested": "0", "first": "0", "latest": "100"}
    assert await ask("otif", as_of=27) == {"requested": "0", "first": "0"}


async def test_a_promise_made_when_the_day_before_it_was_over_mends_nothing(tell: Tell, ask: Ask) -> None:
    broken = Deal()
    await tell(broken)
    assert await ask("otif", as_of=21) == {"first": "0", "latest": "0"}
    broken.promise(2, 28, told=21)
    broken.hand_over(26, a=5, b=5, last=True)
    await tell(broken)
    assert await ask("otif") == {"first": "0", "latest": "0"}
    on_the_day = Deal()
    on_the_day.promise(2, 28, told=20)
    on_the_day.hand_over(26, a=5, b=5, last=True)
    await tell(on_the_day)
    assert await ask("otif") == {"first": "0", "latest": "50"}


async def test_each_order_is_counted_in_the_window_of_its_day_alone(tell: Tell, client: httpx.AsyncClient) -> None:
    deals = [Deal(due=day) for day in (1, 14, 31, 32)]
    for deal in deals:
        deal.hand_over(1, a=5, b=5, last=True)
    await tell(*deals)
    first = await values(client, "otif", **{"from": "2026-01-01T00:00:00Z", "to": "2026-01-15T00:00:00Z"}, by="country")
    assert first == {"IT.first": "100.0000", "IT.latest": "100.0000"}
    for window, due in ((("01-01", "01-15"), 2), (("01-15", "02-01"), 1), (("02-01", "02-15"), 1), (("02-02", "03-01"), 0)):
        start, end = (f"2026-{day}T00:00:00Z" for day in window)
        found = await values(client, "otif", **{"from": start, "to": end})
        assert (found.get("first") is not None) == (due > 0), window


async def test_what_is_called_off_before_its_day_was_never_late_and_after_it_was(tell: Tell, ask: Ask) -> None:
    before, after = Deal(), Deal()
    before.tell("order.cancelled", 20)
    await tell(before)
    assert await ask("otif") == {}
    after.tell("order.cancelled", 21)
    await tell(after)
    assert await ask("otif") == {"first": "0", "latest": "0"}


async def test_the_lines_that_count_are_those_ordered_when_the_day_was_over(tell: Tell, ask: Ask) -> None:
    fewer, later = Deal(), Deal()
    for deal in (fewer, later):
        deal.hand_over(12, a=5)
    fewer.change(18, a=5)
    later.change(22, a=5)
    await tell(fewer, later)
    assert await ask("otif") == {"first": "50", "latest": "50"}


async def test_what_went_back_before_all_was_there_has_to_come_again(tell: Tell, ask: Ask) -> None:
    deal, kept = Deal(wants={"a": 5}), Deal(wants={"a": 5})
    deal.hand_over(10, a=3)
    deal.take_back(11, a=3)
    deal.hand_over(12, a=2, last=True)
    kept.hand_over(10, a=5, last=True)
    kept.take_back(15, a=5)
    await tell(deal, kept)
    assert await ask("in_full") == {"first": "50", "latest": "50"}


async def test_a_delivery_that_tells_no_parts_arrives_whole_when_it_is_complete(tell: Tell, ask: Ask) -> None:
    whole, told = Deal(), Deal()
    whole.complete(19, parts_told=False)
    told.hand_over(19, a=5)
    told.complete(19)
    await tell(whole, told)
    assert await ask("otif") == {"first": "50", "latest": "50"}


async def test_a_hand_over_written_down_late_changes_only_what_is_known_later(tell: Tell, ask: Ask) -> None:
    deal = Deal()
    deal.hand_over(19, a=5, b=5, last=True, recorded=40)
    await tell(deal)
    assert (await ask("otif", known_at=at(39).isoformat()))["first"] == "0"
    assert (await ask("otif"))["first"] == "100"


async def test_a_day_wished_before_the_order_was_confirmed_was_missed(tell: Tell, ask: Ask) -> None:
    deal = Deal(wished=5, confirmed=8)
    deal.hand_over(9, a=5, b=5, last=True)
    await tell(deal)
    assert await ask("otif") == {"requested": "0", "first": "100", "latest": "100"}


async def test_processing_ends_with_the_first_hand_over(tell: Tell, client: httpx.AsyncClient) -> None:
    deal = Deal()
    deal.hand_over(5, a=1)
    deal.hand_over(20, a=4, b=5, last=True)
    deal.complete(20)
    await tell(deal)
    assert (await values(client, "order_processing_time"))["confirmed_to_first_delivery"] == "3.0000"
