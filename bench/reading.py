"""Events in: a domain service with effects, and the metrics service with facts."""

import json
import re
from collections.abc import Iterator
from uuid import UUID

from ltc_chassis.db import connect
from ltc_chassis.ids import new_id
from ltc_cli.stack import Stack
from ltc_contracts.examples import all_examples, example

from bench.report import Row
from bench.rig import Wire, publish, rate_until, serve

_CONTRACTS = 12_000
_DEALS = 4_000
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")


class Template:
    """A golden record whose ids are drawn anew for each copy."""

    def __init__(self, topic: str) -> None:
        found = example(topic)
        text = json.dumps({"headers": found.headers, "key": found.key, "data": found.data})
        self.topic = topic
        self._pieces, self._ids = _UUID.split(text), _UUID.findall(text)

    def copy(self, drawn: dict[str, UUID]) -> Wire:
        """One record; the same old id becomes the same new id within one `drawn`."""
        parts = [self._pieces[0]]
        for old, piece in zip(self._ids, self._pieces[1:], strict=True):
            if old not in drawn:
                drawn[old] = new_id()
            parts += [str(drawn[old]), piece]
        made = json.loads("".join(parts))
        headers = [(name, value.encode()) for name, value in made["headers"].items()]
        return self.topic, made["key"].encode(), json.dumps(made["data"]).encode(), headers


def copies(topics: list[str], count: int) -> Iterator[Wire]:
    """`count` deals, each with one record of every topic."""
    templates = [Template(topic) for topic in topics]
    for _ in range(count):
        drawn: dict[str, UUID] = {}
        for template in templates:
            yield template.copy(drawn)


async def domain(stack: Stack) -> list[Row]:
    """order-svc takes signed contracts: two events and four rows each; with its relay beside it, and without."""
    rows = []
    orders = 0
    for name, env in (("", {"LTC_RELAY": "external"}), (", relaying 2 events each", {})):
        await publish(stack, copies(["contract.signed"], _CONTRACTS))
        conn = await connect(stack.dsn("order"), application="bench")
        async with serve(stack, "order_svc", stack.dsn("order"), env):
            speed = await rate_until(conn, "SELECT count(*) FROM sales_order", _CONTRACTS, before=orders)
        orders += _CONTRACTS
        await conn.execute("TRUNCATE outbox")
        await conn.close()
        rows.append(Row(f"domain consumer (order-svc){name}", f"{speed:,.0f}/s", "", ">= 3,000/s", speed >= 3_000))
    ratio = float(rows[1].measured[:-2].replace(",", "")) / float(rows[0].measured[:-2].replace(",", ""))
    rows[1] = Row(rows[1].path, rows[1].measured, f"{ratio:.0%} of the above", rows[1].target, rows[1].reached)
    return rows


async def metrics(stack: Stack) -> list[Row]:
    """metrics-svc takes whole deals, from every topic."""
    sent, seconds = await publish(stack, list(copies([each.topic for each in all_examples()], _DEALS)))
    conn = await connect(stack.dsn("metrics"), application="bench")
    # By topic, since what other measurements left behind is taken too.
    counted = "SELECT count(*) FROM event WHERE topic NOT IN ('contract.signed', 'order.received', 'order.confirmed')"
    before: int = await conn.fetchval(counted)
    async with serve(stack, "metrics_svc", stack.dsn("metrics")):
        speed = await rate_until(conn, counted, sent - 3 * _DEALS, before=before)
    await conn.close()
    bare = sent / seconds
    return [
        Row(
            f"metrics ingest, {sent:,} events",
            f"{speed:,.0f}/s",
            f"{speed / bare:.0%} of a bare producer's sending ({bare:,.0f}/s)",
            ">= 30,000/s",
            speed >= 30_000,
        )
    ]
