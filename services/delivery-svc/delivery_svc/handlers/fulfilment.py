"""Rules by which products are delivered, and the calendars they count on, as versions."""

from dataclasses import replace
from typing import Any

from ltc_chassis.db import Transaction
from ltc_chassis.ids import new_id
from ltc_contracts.errors import Invalid, VersionConflict
from ltc_rules.calendar import calendar_of, json_of

from delivery_svc.domain import fulfilment as rules
from delivery_svc.domain import working_days
from delivery_svc.domain.fulfilment import Book, CalendarNotFound, Rule
from delivery_svc.store import fulfilment as store


async def open_book(tx: Transaction) -> Book:
    """The rules in force today."""
    today = tx.now.date()
    return Book(await store.list_rules_in_force(tx.conn, today), await store.get_calendars(tx.conn), today, new_id)


async def put_rule(tx: Transaction, rule: Rule, by: str, *, expected: int | None) -> Rule:
    """A new version of a rule; deliveries that are planned keep theirs. Raises `VersionConflict`, `Invalid`, `CalendarNotFound`."""
    await store.lock_rules(tx.conn)
    known = await store.find_rule(tx.conn, rule.code)
    _expect(f"fulfilment rule '{rule.code}'", known.version if known else 0, expected)
    everything = [each for each in await store.list_rules(tx.conn) if each.code != rule.code]
    if len(everything) >= rules.MOST_RULES:
        raise Invalid(f"at most {rules.MOST_RULES} rules", field="code")
    rules.check(rule)
    if rule.active and any(each.active and (each.match, each.pattern) == (rule.match, rule.pattern) for each in everything):
        raise Invalid("another rule is of the same products", field="pattern")
    calendars = await store.get_calendars(tx.conn)
    if rule.calendar is not None and rule.calendar not in calendars:
        raise CalendarNotFound(f"there is no working calendar '{rule.calendar}'", field="calendar")
    # A calendar on which the steps never end is found now, not when an order comes.
    calendar = calendars.get(rule.calendar or "default", working_days.WEEKDAYS)
    rules.forward([step.days for step in rule.steps], calendar, max(tx.now.date(), rule.valid_from))
    made = replace(rule, version=known.version + 1 if known else 1)
    await store.insert_rule(tx.conn, made, by=by, now=tx.now)
    return made


async def put_calendar(
    tx: Transaction, code: str, name: str, body: dict[str, Any], by: str, *, expected: int | None
) -> tuple[int, dict[str, Any]]:
    """A new version of a working calendar; its number, and the calendar as it is kept. Raises `VersionConflict`, `Invalid`."""
    await store.lock_rules(tx.conn)
    known = {row["code"]: row["version"] for row in await store.list_calendars(tx.conn)}
    _expect(f"working calendar '{code}'", known.get(code, 0), expected)
    if code not in known and len(known) >= rules.MOST_CALENDARS:
        raise Invalid(f"at most {rules.MOST_CALENDARS} calendars", field="code")
    calendar = calendar_of(body)
    working_days.later(calendar, tx.now.date(), 1)
    kept = json_of(calendar)
    await store.insert_calendar(tx.conn, code, known.get(code, 0) + 1, name, kept, by=by, now=tx.now)
    return known.get(code, 0) + 1, kept


def _expect(what: str, version: int, expected: int | None) -> None:
    if (expected or 0) != version:
        raise VersionConflict(what, version)
