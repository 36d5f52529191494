"""Lines, steps and hand-overs of deliveries. Whoever writes them has the delivery's row locked."""

from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID

from ltc_chassis.connection import Connection
from ltc_contracts.events import Line
from ltc_contracts.money import Money

from delivery_svc.domain.delivery import Delivery
from delivery_svc.domain.handover import HandedPart, Handover
from delivery_svc.domain.plan import Allowance, Plan, PlannedLine, Step
from delivery_svc.store import deliveries


async def insert_plans(conn: Connection, made: Sequence[tuple[UUID, Plan]]) -> None:
    """Lines and steps of deliveries."""
    await insert_lines(conn, [(delivery_id, line) for delivery_id, plan in made for line in plan.lines])
    await insert_steps(conn, [(delivery_id, step) for delivery_id, plan in made for step in plan.steps])


async def insert_lines(conn: Connection, lines: Sequence[tuple[UUID, PlannedLine]]) -> None:
    await conn.executemany(
        """
        INSERT INTO delivery_line (delivery_id, position, line_id, sku, description, quantity, unit_price, price_currency,
                                   base_quantity, discount_percent, tax_category, tax_rate, net_amount, net_currency,
                                   over_percent, under_percent, charge_over, rule, rule_version)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)
        """,
        [
            (
                *(delivery_id, each.position, each.id, each.line.sku, each.line.description, each.line.quantity),
                *(each.line.unit_price.amount, each.line.unit_price.currency, each.line.base_quantity),
                *(each.line.discount_percent, each.line.tax_category, each.line.tax_rate),
                *(each.line.net.amount, each.line.net.currency),
                *(each.allowance.over_percent, each.allowance.under_percent, each.allowance.charge_over),
                *(each.rule, each.rule_version),
            )
            for delivery_id, each in lines
        ],
    )


async def insert_steps(conn: Connection, steps: Sequence[tuple[UUID, Step]]) -> None:
    await conn.executemany(
        """
        INSERT INTO delivery_step (id, delivery_id, line_id, position, kind, name, hands_over, quantity, done, state, planned_on, days,
                                   chain)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
        """,
        [
            (
                *(step.id, delivery_id, step.line_id, step.position, step.kind, step.name, step.hands_over),
                *(step.quantity, step.done, step.state, step.planned_on, step.days, step.chain),
            )
            for delivery_id, step in steps
        ],
    )


async def save_plan(conn: Connection, delivery_id: UUID, before: Plan, plan: Plan) -> None:
    """Write what changed; lines and steps that are new are inserted."""
    known_lines, known_steps = {line.id: line for line in before.lines}, {step.id: step for step in before.steps}
    await insert_lines(conn, [(delivery_id, line) for line in plan.lines if line.id not in known_lines])
    await insert_steps(conn, [(delivery_id, step) for step in plan.steps if step.id not in known_steps])
    await conn.executemany(
        """
        UPDATE delivery_line SET quantity = $3, net_amount = $4, handed_over = $5, returned = $6, replaced = $7, closed = $8,
               dropped = $9, description = $10, unit_price = $11, base_quantity = $12, discount_percent = $13, tax_category = $14,
               tax_rate = $15, sku = $16, handed_net = $17
        WHERE delivery_id = $1 AND line_id = $2
        """,
        [
            (
                *(delivery_id, each.id, each.line.quantity, each.line.net.amount, each.handed_over, each.returned, each.replaced),
                *(each.closed, each.dropped, each.line.description, each.line.unit_price.amount, each.line.base_quantity),
                *(each.line.discount_percent, each.line.tax_category, each.line.tax_rate, each.line.sku, each.handed_net),
            )
            for each in plan.lines
            if each.id in known_lines and each != known_lines[each.id]
        ],
    )
    await conn.executemany(
        "UPDATE delivery_step SET quantity = $2, done = $3, state = $4, planned_on = $5 WHERE id = $1",
        [
            (step.id, step.quantity, step.done, step.state, step.planned_on)
            for step in plan.steps
            if step.id in known_steps and step != known_steps[step.id]
        ],
    )


async def get_plan(conn: Connection, delivery_id: UUID) -> Plan:
    return (await list_plans(conn, [delivery_id]))[delivery_id]


async def list_plans(conn: Connection, delivery_ids: Sequence[UUID]) -> dict[UUID, Plan]:
    """The plans of these deliveries."""
    lines = await conn.fetch(
        """
        SELECT delivery_id, position, line_id, sku, description, quantity, unit_price, price_currency, base_quantity,
               discount_percent, tax_category, tax_rate, net_amount, net_currency, handed_over, handed_net, returned, replaced,
               closed, dropped, over_percent, under_percent, charge_over, rule, rule_version
        FROM delivery_line WHERE delivery_id = ANY($1::uuid[]) ORDER BY delivery_id, position
        """,
        list(delivery_ids),
    )
    steps = await conn.fetch(
        """
        SELECT s.id, s.delivery_id, s.line_id, s.position, s.kind, s.name, s.hands_over, s.quantity, s.done, s.state, s.planned_on,
               s.days, s.chain
        FROM delivery_step s JOIN delivery_line l USING (delivery_id, line_id)
        WHERE s.delivery_id = ANY($1::uuid[]) ORDER BY s.delivery_id, l.position, s.position
        """,
        list(delivery_ids),
    )
    found: dict[UUID, tuple[list[PlannedLine], list[Step]]] = {delivery_id: ([], []) for delivery_id in delivery_ids}
    for row in lines:
        found[row["delivery_id"]][0].append(_line(row))
    for row in steps:
        found[row["delivery_id"]][1].append(_step(row))
    return {delivery_id: Plan(lines=tuple(both[0]), steps=tuple(both[1])) for delivery_id, both in found.items()}


async def claim_periods(conn: Connection, today: date, limit: int) -> list[Delivery]:
    """Deliveries with services whose period is over, locked; those that others work on are left to them.

    What is handed over whole waits for the rest of it.
    """
    rows = await conn.fetch(
        """
        SELECT d.id FROM delivery d
        WHERE d.state IN ('planned', 'in_progress') AND d.period_until < $1
          AND EXISTS (SELECT 1 FROM delivery_step s JOIN delivery_line l USING (delivery_id, line_id)
                      WHERE s.delivery_id = d.id AND s.kind = 'period' AND s.state IN ('planned', 'in_progress') AND s.done < s.quantity
                        AND NOT l.closed AND NOT l.dropped AND l.quantity + l.replaced > l.handed_over)
          AND NOT (d.ship_complete AND EXISTS (SELECT 1 FROM delivery_step o WHERE o.delivery_id = d.id AND o.kind <> 'period'
                                                 AND o.hands_over AND o.state IN ('planned', 'in_progress')))
        ORDER BY d.period_until, d.id LIMIT $2 FOR UPDATE SKIP LOCKED
        """,
        *(today, limit),
    )
    claimed = [await deliveries.get_delivery_for_update(conn, row["id"]) for row in rows]
    return [delivery for delivery in claimed if delivery is not None]


async def insert_handover(conn: Connection, handover: Handover) -> None:
    await conn.execute(
        """
        INSERT INTO handover (id, delivery_id, number, handed_over_at, net_amount, currency, last, note, recorded_by, recorded_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        """,
        *(handover.id, handover.delivery_id, handover.number, handover.handed_over_at, handover.net.amount),
        *(handover.net.currency, handover.last, handover.note, handover.recorded_by, handover.recorded_at),
    )
    await conn.executemany(
        """
        INSERT INTO handover_line (handover_id, line_id, quantity, delivered_before, net_amount, final)
        VALUES ($1, $2, $3, $4, $5, $6)
        """,
        [
            (handover.id, part.line_id, part.quantity, part.delivered_before, part.net.amount, part.final)
            for part in handover.parts
        ],
    )


async def list_handovers(conn: Connection, delivery_id: UUID, *, after: int, limit: int) -> list[Handover]:
    """Hand-overs of a delivery by number, those behind `after`."""
    rows = await conn.fetch(
        """
        SELECT id, delivery_id, number, handed_over_at, net_amount, currency, last, note, recorded_by, recorded_at
        FROM handover WHERE delivery_id = $1 AND number > $2 ORDER BY number LIMIT $3
        """,
        *(delivery_id, after, limit),
    )
    lines = await conn.fetch(
        """
        SELECT handover_id, line_id, quantity, delivered_before, net_amount, final FROM handover_line
        WHERE handover_id = ANY($1::uuid[]) ORDER BY handover_id, line_id
        """,
        [row["id"] for row in rows],
    )
    return [_handover(row, [line for line in lines if line["handover_id"] == row["id"]]) for row in rows]


def _handover(row: Any, lines: Sequence[Any]) -> Handover:
    currency = row["currency"]
    return Handover(
        id=row["id"],
        delivery_id=row["delivery_id"],
        number=row["number"],
        handed_over_at=row["handed_over_at"],
        net=Money.of(row["net_amount"], currency),
        last=row["last"],
        note=row["note"],
        recorded_by=row["recorded_by"],
        recorded_at=row["recorded_at"],
        parts=tuple(
            HandedPart(
                line_id=line["line_id"],
                quantity=line["quantity"],
                delivered_before=line["delivered_before"],
                net=Money.of(line["net_amount"], currency),
                final=line["final"],
            )
            for line in lines
        ),
    )


def _line(row: Any) -> PlannedLine:
    return PlannedLine(
        line=Line(
            line_id=row["line_id"],
            sku=row["sku"],
            description=row["description"],
            quantity=row["quantity"],
            unit_price=Money.of(row["unit_price"], row["price_currency"]),
            base_quantity=row["base_quantity"],
            discount_percent=row["discount_percent"],
            tax_category=row["tax_category"],
            tax_rate=row["tax_rate"],
            net=Money.of(row["net_amount"], row["net_currency"]),
        ),
        position=row["position"],
        handed_over=row["handed_over"],
        handed_net=row["handed_net"],
        returned=row["returned"],
        replaced=row["replaced"],
        closed=row["closed"],
        dropped=row["dropped"],
        allowance=Allowance(over_percent=row["over_percent"], under_percent=row["under_percent"], charge_over=row["charge_over"]),
        rule=row["rule"],
        rule_version=row["rule_version"],
    )


def _step(row: Any) -> Step:
    return Step(
        id=row["id"],
        line_id=row["line_id"],
        position=row["position"],
        kind=row["kind"],
        name=row["name"],
        hands_over=row["hands_over"],
        quantity=row["quantity"],
        done=row["done"],
        state=row["state"],
        planned_on=row["planned_on"],
        days=row["days"],
        chain=row["chain"],
    )
