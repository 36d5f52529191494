"""Fulfilment rules and working calendars, as versions."""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from ltc_chassis.connection import Connection
from ltc_rules.calendar import Calendar, calendar_of

from delivery_svc.domain.fulfilment import Rule, StepSpec


async def lock_rules(conn: Connection) -> None:
    """Rules and calendars are written one at a time. Until the transaction ends."""
    await conn.execute("SELECT pg_advisory_xact_lock(hashtextextended('fulfilment_rule', 0))")


async def insert_rule(conn: Connection, r: Rule, *, by: str, now: datetime) -> None:
    await conn.execute(
        """
        INSERT INTO fulfilment_rule (code, version, match, pattern, valid_from, steps, over_percent, under_percent, charge_over,
                                     calendar, active, changed_by, changed_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
        """,
        *(r.code, r.version, r.match, r.pattern, r.valid_from, steps_json(r.steps), r.over_percent, r.under_percent),
        *(r.charge_over, r.calendar, r.active, by, now),
    )


async def find_rule(conn: Connection, code: str) -> Rule | None:
    """The version that was written last."""
    row = await conn.fetchrow(
        """
        SELECT code, version, match, pattern, valid_from, steps, over_percent, under_percent, charge_over, calendar, active
        FROM fulfilment_rule WHERE code = $1 ORDER BY version DESC LIMIT 1
        """,
        code,
    )
    return None if row is None else rule_of(row)


async def list_rules(conn: Connection) -> list[Rule]:
    """The version that was written last of each; at most 500."""
    rows = await conn.fetch(
        """
        SELECT DISTINCT ON (code) code, version, match, pattern, valid_from, steps, over_percent, under_percent, charge_over, calendar,
               active
        FROM fulfilment_rule ORDER BY code, version DESC LIMIT 500
        """
    )
    return [rule_of(row) for row in rows]


async def list_rules_in_force(conn: Connection, day: date) -> list[Rule]:
    """Of each code the version that holds on a day, where that is active."""
    rows = await conn.fetch(
        """
        SELECT code, version, match, pattern, valid_from, steps, over_percent, under_percent, charge_over, calendar, active
        FROM (SELECT DISTINCT ON (code) code, version, match, pattern, valid_from, steps, over_percent, under_percent, charge_over,
                     calendar, active
              FROM fulfilment_rule WHERE valid_from <= $1 ORDER BY code, valid_from DESC, version DESC) AS latest
        WHERE active LIMIT 500
        """,
        day,
    )
    return [rule_of(row) for row in rows]


async def list_rule_versions(conn: Connection, code: str) -> list[Any]:
    """With who wrote them, the newest first; at most 200."""
    return await conn.fetch(
        """
        SELECT code, version, match, pattern, valid_from, steps, over_percent, under_percent, charge_over, calendar, active, changed_by,
               changed_at
        FROM fulfilment_rule WHERE code = $1 ORDER BY version DESC LIMIT 200
        """,
        code,
    )


async def insert_calendar(
    conn: Connection, code: str, version: int, name: str, calendar: dict[str, Any], *, by: str, now: datetime
) -> None:
    await conn.execute(
        """
        INSERT INTO working_calendar (code, version, name, calendar, changed_by, changed_at) VALUES ($1, $2, $3, $4, $5, $6)
        """,
        *(code, version, name, calendar, by, now),
    )


async def list_calendars(conn: Connection) -> list[Any]:
    """The latest version of each; at most 100."""
    return await conn.fetch(
        """
        SELECT DISTINCT ON (code) code, version, name, calendar FROM working_calendar ORDER BY code, version DESC LIMIT 100
        """
    )


async def list_calendar_versions(conn: Connection, code: str) -> list[Any]:
    """With who wrote them, the newest first; at most 200."""
    return await conn.fetch(
        """
        SELECT code, version, name, calendar, changed_by, changed_at FROM working_calendar WHERE code = $1
        ORDER BY version DESC LIMIT 200
        """,
        code,
    )


async def get_calendars(conn: Connection) -> dict[str, Calendar]:
    return {row["code"]: calendar_of(row["calendar"]) for row in await list_calendars(conn)}


def steps_json(steps: Sequence[StepSpec]) -> list[dict[str, Any]]:
    return [
        {
            "kind": step.kind,
            "name": step.name,
            "days": step.days,
            "share": None if step.share is None else format(step.share, "f"),
        }
        for step in steps
    ]


def rule_of(row: Any) -> Rule:
    """From the columns of `fulfilment_rule`."""
    steps = tuple(
        StepSpec(
            kind=step["kind"],
            name=step["name"],
            days=step["days"],
            share=None if step["share"] is None else Decimal(step["share"]),
        )
        for step in row["steps"]
    )
    names = ("code", "version", "match", "pattern", "valid_from", "over_percent", "under_percent", "charge_over", "calendar")
    return Rule(**{name: row[name] for name in names}, active=row["active"], steps=steps)
