"""The reference MES on the real broker: orders in, progress out, whatever happens to its process."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from ltc_chassis.ids import new_id
from ltc_chassis.testing import FakeRecord, record_of
from ltc_chassis.tests.broker import create_topics, eventually, publish, read_all
from ltc_contracts.envelope import Envelope, readable_headers
from ltc_contracts.events import Event, MesProductionProgressed, ProductionCancelled, ProductionChanged, ProductionOrdered
from typer.testing import CliRunner

from ltc_cli.main import app
from ltc_cli.mes.connector import SOURCE
from ltc_cli.tests.test_shop_floor import an_order

TOPICS = ("production.ordered", "production.changed", "production.cancelled", "mes.production_progressed")
START = datetime(2026, 1, 5, 6, tzinfo=UTC)


class Plant:
    """Topics of its own, and the MES as a process on them. An hour of business time is a third of a second."""

    def __init__(self, bootstrap: str, log: Path) -> None:
        self.bootstrap, self.prefix, self._log = bootstrap, f"mes-{new_id().hex[-12:]}-", log
        self._anchor = datetime.now(UTC).isoformat()

    async def tell(self, event: Event, *, sequence: int = 1) -> None:
        """Put an event on its topic."""
        record = record_of(event, flow_id=new_id(), sequence=sequence, occurred_at=START, source="/delivery-svc")
        await publish(self.bootstrap, [replace(record, topic=self.prefix + record.topic)])

    async def reports(self, production_id: UUID) -> list[tuple[Envelope, MesProductionProgressed]]:
        """What is told of a job, in the order in which it lies on the topic."""
        found = []
        for record in await read_all(self.bootstrap, self.prefix + "mes.production_progressed"):
            report = MesProductionProgressed.model_validate_json(record.value)
            if report.production_id == production_id:
                found.append((Envelope.from_headers(readable_headers(record.headers)), report))
        return found

    async def state(self, production_id: UUID) -> str | None:
        told = await self.reports(production_id)
        return told[-1][1].state if told else None

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """The MES, until it is killed."""
        arguments = (self.bootstrap, self.prefix, "2026-01-05T06:00Z@10800", self._anchor)
        with self._log.open("ab") as output:
            child = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "ltc_cli.tests.mes_child", *arguments, stdout=output, stderr=output
            )
            try:
                yield
                assert child.returncode is None, self._log.read_text()
            finally:
                if child.returncode is None:
                    child.kill()
                await child.wait()


@pytest.fixture
async def plant(kafka_bootstrap: str, tmp_path: Path) -> Plant:
    made = Plant(kafka_bootstrap, tmp_path / "mes.log")
    await create_topics(kafka_bootstrap, [made.prefix + name for name in TOPICS])
    return made


def job(**more: Any) -> ProductionOrdered:
    return an_order(production_id=new_id(), **more)


def cancelled(order: ProductionOrdered) -> ProductionCancelled:
    return ProductionCancelled(
        production_id=order.production_id,
        number=order.number,
        delivery_id=order.delivery_id,
        order_id=order.order_id,
        reason="fewer are wanted",
    )


@pytest.mark.broker
async def test_what_is_ordered_comes_back_as_progress_though_the_mes_is_killed_in_the_middle(plant: Plant) -> None:
    first, second, unwanted = job(), job(), job()
    async with plant.working():
        await plant.tell(first)

        async def in_the_middle() -> bool:
            return any(0 < report.quantity_good < 20 for _, report in await plant.reports(first.production_id))

        await eventually(in_the_middle)
    # Nobody is there, and something comes.
    await plant.tell(cancelled(unwanted), sequence=2)
    await plant.tell(unwanted)
    await plant.tell(second)
    await publish(
        plant.bootstrap,
        [FakeRecord(plant.prefix + "production.ordered", b"\xff{", b"x", [("ce_type", None), ("ce_id", b"\xff")])],
    )
    async with plant.working():
        await eventually(lambda: _is(plant, second, "Ended"))
    for order in (first, second):
        told = await plant.reports(order.production_id)
        assert [report.sequence for _, report in told] == list(range(1, len(told) + 1))
        assert [report.as_of for _, report in told] == sorted(report.as_of for _, report in told)
        assert len({envelope.id for envelope, _ in told}) == len(told)
        envelope, last = told[-1]
        assert last.state == "Ended"
        assert last.quantity_good == Decimal(20)
        assert (envelope.source, envelope.type, envelope.flow_id) == (SOURCE, "ltc.mes.production_progressed.v1", None)
        assert envelope.partition_key == envelope.subject == str(order.production_id)
    # One work center: the second began when the first had ended.
    assert (await plant.reports(second.production_id))[-1][1].actual_start == (await plant.reports(first.production_id))[-1][
        1
    ].actual_end
    assert await plant.reports(unwanted.production_id) == []


@pytest.mark.broker
async def test_a_job_is_changed_and_another_cancelled_while_they_run(plant: Plant) -> None:
    fewer, dropped = job(sku="A", quantity=Decimal(10_000)), job(sku="B", quantity=Decimal(10_000))
    async with plant.working():
        await plant.tell(fewer)
        await plant.tell(dropped)
        await eventually(lambda: _is(plant, fewer, "Running"))
        await eventually(lambda: _is(plant, dropped, "Running"))
        await plant.tell(cancelled(dropped), sequence=2)
        await plant.tell(ProductionChanged.model_validate(fewer.model_dump() | {"quantity": Decimal(20)}), sequence=2)
        await eventually(lambda: _is(plant, dropped, "Aborted"))
        await eventually(lambda: _is(plant, fewer, "Ended"))
    assert (await plant.reports(fewer.production_id))[-1][1].quantity_good >= 20


async def _is(plant: Plant, order: ProductionOrdered, state: str) -> bool:
    return await plant.state(order.production_id) == state


def test_without_a_stack_it_says_how_to_start_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LTC_HOME", str(tmp_path))
    monkeypatch.delenv("LTC_KAFKA_BOOTSTRAP", raising=False)
    result = CliRunner().invoke(app, ["mes"])
    assert (result.exit_code, "`ltc up` starts one" in result.output) == (1, True)
