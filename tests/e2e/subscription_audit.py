"""Whether subscriptions were served and charged right: a period after the other, each ordered once, parts of them to the cent."""

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from ltc_cli.company.subscribers import Subscribed
from ltc_cli.company.suite import Json

from .order_audit import NONE, Findings, money, rounded
from .order_log import Books, Log, Request, by

WEEK = 7


async def audit_subscriptions(
    log: Log, books: Books, played: Sequence[Subscribed], accepted: Sequence[Request], found: Findings
) -> set[UUID]:
    """What was told of these subscriptions, and their orders. Returns the ids of the orders."""
    ids = [UUID(each.subscription["id"]) for each in played]
    rows = {row["id"]: row for row in await books.rows("order", "SELECT * FROM subscription WHERE id = ANY($1)", ids)}
    orders = by(
        await books.rows("order", "SELECT * FROM subscription_order WHERE subscription_id = ANY($1) ORDER BY position", ids),
        "subscription_id",
    )
    topics = {topic: log.of(topic, "subscription_id") for topic in log.by_topic if topic.startswith("subscription.")}
    confirmed = log.of("order.confirmed", "order_id")
    for each in played:
        subscription_id = each.subscription["id"]
        row, ordered = rows[UUID(subscription_id)], orders[UUID(subscription_id)]
        told = {topic.partition(".")[2]: events[subscription_id] for topic, events in topics.items()}
        changes = [one for one in accepted if one.path == f"/v1/subscriptions/{subscription_id}/changes"]
        found.check(row["state"] == "ended" and row["trouble"] is None, row["number"], row["state"], row["trouble"])
        once = [len(told.get(what, [])) for what in ("started", "cancelled", "ended", "changed")]
        found.same(f"{row['number']} started, cancelled, ended, changed", once, [1, 1, 1, len(changes)])
        periods = _periods(row["number"], told, found)
        for change in told.get("changed", []):
            _change(row["number"], change, periods, found)
        _account(row["number"], told, found)
        moved = told.get("revenue_moved", [])
        found.same(f"{row['number']} revenue at last", sum((money(one["delta"]) for one in moved), NONE), row["mrr"], NONE)
        ids_told = [
            one["order_id"]
            for what in ("started", "renewed", "changed")
            for one in told.get(what, [])
            if one["order_id"] is not None
        ]
        found.same(f"{row['number']} orders: told, kept", sorted(ids_told), sorted(str(one["order_id"]) for one in ordered))
        for one in ordered:
            nets = [money(event["net"]) for event in confirmed[str(one["order_id"])]]
            found.same(f"{row['number']} order for {one['period_from']}", nets, [one["charged"] - one["credit_used"]])
        found.same(f"{row['number']} orders shown", len(each.orders), len(ordered))
    return {one["order_id"] for of_it in orders.values() for one in of_it}


def _periods(number: str, told: dict[str, list[Json]], found: Findings) -> list[tuple[date, date]]:
    """Weeks that follow each other without a gap, each told once."""
    [started] = told["started"]
    periods = [(_day(started["starts_on"]), _day(started["period_until"]))]
    for term, renewed in enumerate(told.get("renewed", []), 2):
        periods.append((_day(renewed["period_from"]), _day(renewed["period_until"])))
        found.same(f"{number} term", renewed["term"], term)
        found.same(f"{number} period {term}", periods[-1][0], periods[-2][1] + timedelta(1))
    found.check(all((last - first).days == WEEK - 1 for first, last in periods), number, "periods are no weeks:", periods)
    return periods


def _change(number: str, change: Json, periods: list[tuple[date, date]], found: Findings) -> None:
    """What comes on top for the rest of the period is charged, what becomes less is credited (ADR 18)."""
    day = _day(change["effective_on"])
    whole = [(first, last) for first, last in periods if first <= day <= last]
    found.check(len(whole) == 1, number, "was changed on", day, "outside of", periods)
    if len(whole) != 1:
        return
    used = (day - whole[0][0]).days
    before, after = ({line["line_id"]: _rest(line, used) for line in change[side]} for side in ("before", "lines"))
    differences = [after.get(key, NONE) - before.get(key, NONE) for key in before.keys() | after.keys()]
    expected = sum((max(each, NONE) for each in differences), NONE), sum((max(-each, NONE) for each in differences), NONE)
    found.same(f"{number} change of {day}: charged, credited", (money(change["charged"]), money(change["credited"])), expected)
    found.same(
        f"{number} change of {day}: ordered", money(change["ordered"]), money(change["charged"]) - money(change["credit_used"])
    )


def _rest(line: Json, used: int) -> Decimal:
    net = money(line["net"])
    return net - rounded(net * used / WEEK)


def _account(number: str, told: dict[str, list[Json]], found: Findings) -> None:
    """Credit only comes from what is told, and what is used or left is all of it."""
    events: list[Any] = [one for what in ("started", "renewed", "changed", "ended") for one in told.get(what, [])]
    credited = sum((money(one.get("credited")) for one in events), NONE)
    used = sum((money(one.get("credit_used")) for one in events), NONE)
    [ended] = told["ended"]
    found.same(f"{number} credit left", money(ended["credit_left"]), credited - used)
    charged = sum((money(one["charged"]) for one in events if "charged" in one), NONE)
    ordered = sum((money(one["ordered"]) for one in events if "charged" in one), NONE)
    found.same(f"{number} ordered", ordered, charged - used)


def _day(told: str) -> date:
    return date.fromisoformat(told)
