"""What came back, failed attempts, and answers to wishes for another order. All of it is only ever added."""

from datetime import datetime
from typing import Any
from uuid import UUID

from ltc_chassis.connection import Connection
from ltc_contracts.money import Money

from delivery_svc.domain.attempt import Attempt
from delivery_svc.domain.goods_return import GoodsReturn, ReturnedPart


async def insert_return(conn: Connection, made: GoodsReturn) -> None:
    await conn.execute(
        """
        INSERT INTO goods_return (id, delivery_id, returned_at, reason, replace, net_amount, currency, recorded_by, recorded_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        """,
        *(made.id, made.delivery_id, made.returned_at, made.reason, made.replace, made.net.amount, made.net.currency),
        *(made.recorded_by, made.recorded_at),
    )
    await conn.executemany(
        """
        INSERT INTO goods_return_line (return_id, line_id, quantity, delivered_before, treatment, net_amount)
        VALUES ($1, $2, $3, $4, $5, $6)
        """,
        [(made.id, part.line_id, part.quantity, part.delivered_before, part.treatment, part.net.amount) for part in made.parts],
    )


async def list_returns(conn: Connection, delivery_id: UUID, *, after: UUID | None, limit: int) -> list[GoodsReturn]:
    """Returns of a delivery in the order in which they were recorded."""
    rows = await conn.fetch(
        """
        SELECT id, delivery_id, returned_at, reason, replace, net_amount, currency, recorded_by, recorded_at FROM goods_return
        WHERE delivery_id = $1 AND ($2::uuid IS NULL OR id > $2) ORDER BY id LIMIT $3
        """,
        *(delivery_id, after, limit),
    )
    lines = await conn.fetch(
        """
        SELECT return_id, line_id, quantity, delivered_before, treatment, net_amount FROM goods_return_line
        WHERE return_id = ANY($1::uuid[]) ORDER BY return_id, line_id
        """,
        [row["id"] for row in rows],
    )
    return [_return(row, [line for line in lines if line["return_id"] == row["id"]]) for row in rows]


async def insert_attempt(conn: Connection, made: Attempt) -> None:
    await conn.execute(
        """
        INSERT INTO delivery_attempt (id, delivery_id, number, code, note, failed_at, next_attempt_on, recorded_by, recorded_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        """,
        *(made.id, made.delivery_id, made.number, made.code, made.note, made.failed_at, made.next_attempt_on),
        *(made.recorded_by, made.recorded_at),
    )


async def list_attempts(conn: Connection, delivery_id: UUID, *, after: int, limit: int) -> list[Attempt]:
    """Failed attempts of a delivery by number, those behind `after`."""
    rows = await conn.fetch(
        """
        SELECT id, delivery_id, number, code, note, failed_at, next_attempt_on, recorded_by, recorded_at FROM delivery_attempt
        WHERE delivery_id = $1 AND number > $2 ORDER BY number LIMIT $3
        """,
        *(delivery_id, after, limit),
    )
    return [Attempt(**dict(row)) for row in rows]


async def insert_change(
    conn: Connection, change_id: UUID, delivery_id: UUID, *, granted: bool, reason: str | None, now: datetime
) -> None:
    await conn.execute(
        "INSERT INTO delivery_change (change_id, delivery_id, granted, reason, decided_at) VALUES ($1, $2, $3, $4, $5)",
        *(change_id, delivery_id, granted, reason, now),
    )


async def is_decided(conn: Connection, change_id: UUID) -> bool:
    """Whether a wish was answered already. The delivery is locked."""
    row = await conn.fetchrow("SELECT change_id FROM delivery_change WHERE change_id = $1", change_id)
    return row is not None


def _return(row: Any, lines: list[Any]) -> GoodsReturn:
    currency = row["currency"]
    return GoodsReturn(
        id=row["id"],
        delivery_id=row["delivery_id"],
        returned_at=row["returned_at"],
        reason=row["reason"],
        replace=row["replace"],
        net=Money.of(row["net_amount"], currency),
        recorded_by=row["recorded_by"],
        recorded_at=row["recorded_at"],
        parts=tuple(
            ReturnedPart(
                line_id=line["line_id"],
                quantity=line["quantity"],
                delivered_before=line["delivered_before"],
                treatment=line["treatment"],
                net=Money.of(line["net_amount"], currency),
            )
            for line in lines
        ),
    )
