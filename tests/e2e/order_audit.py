"""Whether every order ended legally: judged from what is on Kafka and in the databases, by rules written here a second time."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from uuid import UUID

from ltc_cli.company.suite import Json

from .order_log import Books, Log, Request, Row, by

NONE = Decimal(0)
# order-svc README, "The order's states".
LEGAL = {
    (None, "received"),
    *(("received", to) for to in ("confirmed", "held")),
    *(("held", to) for to in ("held", "confirmed", "cancelled")),
    *(("confirmed", to) for to in ("in_progress", "fulfilled", "cancelling", "cancelled")),
    *(("in_progress", to) for to in ("fulfilled", "cancelling", "cancelled")),
    *(("cancelling", to) for to in ("confirmed", "in_progress", "cancelled")),
    ("fulfilled", "closed"),
}


@dataclass(slots=True)
class Findings:
    """What is wrong, in words."""

    faults: list[str] = field(default_factory=list)

    def check(self, holds: bool, *what: object) -> None:
        if not holds:
            self.faults.append(" ".join(str(each) for each in what))

    def same(self, what: str, *values: Any) -> None:
        """The same thing told in several places."""
        self.check(all(value == values[0] for value in values), what, *values)


def rounded(amount: Decimal) -> Decimal:
    return amount.quantize(Decimal("0.01"), ROUND_HALF_UP)


def money(told: Mapping[str, str] | None) -> Decimal:
    return NONE if told is None else Decimal(told["amount"])


def worth(line: Json, quantity: Decimal) -> Decimal:
    """So many pieces of a line (RULES 4)."""
    if quantity >= Decimal(line["quantity"]):
        return money(line["net"])
    exact = quantity * money(line["unit_price"]) * (100 - Decimal(line["discount_percent"])) / 100
    return rounded(exact / Decimal(line["base_quantity"]))


def by_line(events: Iterable[Json], name: str = "quantity") -> dict[str, Decimal]:
    """A figure of the lines of several events, added up by line."""
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for event in events:
        for line in event["lines"]:
            sums[line["line_id"]] += money(line["net"]) if name == "net" else Decimal(line[name])
    return sums


def added(rows: Iterable[Row], column: str = "quantity") -> dict[str, Decimal]:
    """A column of rows, added up by line; without those that cancel out."""
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for row in rows:
        sums[str(row["line_id"])] += row[column]
    return _some(sums)


def _some(sums: Mapping[str, Decimal]) -> dict[str, Decimal]:
    return {key: value for key, value in sums.items() if value}


@dataclass(slots=True)
class Ending:
    """How an order ended: its lines as ordered at last, and of each what was handed over, replaced and kept."""

    order: Row
    lines: dict[str, Json]
    handed: dict[str, Decimal]
    replaced: dict[str, Decimal]
    kept: dict[str, Decimal]


async def audit_orders(log: Log, books: Books, mine: set[UUID], found: Findings) -> list[Ending]:
    """States, lines and quantities of these orders, in order-svc, in delivery-svc and on Kafka."""
    orders = await books.rows("order", "SELECT * FROM sales_order WHERE id = ANY($1)", mine)
    found.same("orders", len(orders), len(mine))
    tables: dict[str, dict[UUID, list[Row]]] = {}
    for service, sql in (
        ("order", "SELECT * FROM state_change WHERE order_id = ANY($1) ORDER BY order_id, version"),
        ("order", "SELECT * FROM order_line WHERE order_id = ANY($1) ORDER BY position"),
        ("order", "SELECT * FROM line_delivery WHERE order_id = ANY($1)"),
        ("order", "SELECT * FROM order_process WHERE order_id = ANY($1)"),
        ("delivery", "SELECT * FROM delivery WHERE order_id = ANY($1)"),
        (
            "delivery",
            "SELECT l.*, d.order_id FROM delivery_line l JOIN delivery d ON d.id = l.delivery_id WHERE order_id = ANY($1)",
        ),
        (
            "delivery",
            "SELECT c.*, d.order_id FROM delivery_change c JOIN delivery d ON d.id = c.delivery_id WHERE order_id = ANY($1)",
        ),
        (
            "delivery",
            "SELECT l.*, d.order_id FROM handover_line l JOIN handover h ON h.id = l.handover_id "
            "JOIN delivery d ON d.id = h.delivery_id WHERE order_id = ANY($1)",
        ),
        (
            "delivery",
            "SELECT l.*, r.replace, r.recorded_at, d.order_id FROM goods_return_line l JOIN goods_return r ON r.id = l.return_id "
            "JOIN delivery d ON d.id = r.delivery_id WHERE order_id = ANY($1)",
        ),
    ):
        tables[sql.split(" FROM ")[1].split()[0]] = by(await books.rows(service, sql, mine), "order_id")
    topics = {topic: log.of(topic, "order_id") for topic in log.by_topic if topic.startswith(("order.", "delivery."))}
    endings = []
    for order in orders:
        rows = {name: table.get(order["id"], []) for name, table in tables.items()}
        told = {topic: events.get(str(order["id"]), []) for topic, events in topics.items()}
        endings.append(_audit(order, rows, defaultdict(list, told), found))
    return endings


def _audit(order: Row, rows: dict[str, list[Row]], told: dict[str, list[Json]], found: Findings) -> Ending:
    number, state = order["number"], order["state"]
    found.check(state in ("closed", "cancelled"), number, "ended as", state)
    _path(order, rows["state_change"], found)
    found.check(order["change_id"] is None and order["cancellation_state"] != "requested", number, "waits for an answer")
    found.check([row["waiting_for"] for row in rows["order_process"]] == [None], number, "has a process that waits")
    once = {topic: len(told[topic]) for topic in ("order.received", "order.confirmed")}
    found.check(set(once.values()) == {1}, number, once)
    ends = Counter({topic: len(told[topic]) for topic in ("order.closed", "order.cancelled", "order.fulfilled")})
    expected = {"order.closed": 1, "order.fulfilled": 1} if state == "closed" else {"order.cancelled": 1}
    found.check(+ends == Counter(expected), number, "is", state, "and told", dict(ends))
    ended = (len(told["delivery.completed"]), len(told["delivery.cancelled"]))
    found.check(ended == ((1, 0) if state == "closed" else (0, 1)), number, "delivery completed, cancelled:", ended)

    lines = _lines(order, told, found)
    final = {key: Decimal(line["quantity"]) for key, line in lines.items()}
    found.same(f"{number} lines of the order, of its row", final, added(rows["order_line"]))
    found.same(f"{number} net", sum((money(line["net"]) for line in lines.values()), NONE), order["net_amount"])
    planned = [row for row in rows["delivery_line"] if not row["dropped"]]
    found.same(f"{number} lines of the order, of its delivery", final, added(planned))

    handed, returned = _some(by_line(told["delivery.handed_over"])), _some(by_line(told["delivery.returned"]))
    found.same(
        f"{number} handed over: told, kept", handed, added(rows["handover_line"]), added(rows["delivery_line"], "handed_over")
    )
    found.same(
        f"{number} returned: told, kept", returned, added(rows["goods_return_line"]), added(rows["delivery_line"], "returned")
    )
    kept = {key: quantity - returned.get(key, NONE) for key, quantity in handed.items()}
    found.same(f"{number} kept: told, known to the order", _some(kept), added(rows["line_delivery"]))
    replaced = _replaced(rows, told["order.changed"])
    wanted = {key: quantity + replaced.get(key, NONE) for key, quantity in final.items()} if state == "closed" else {}
    found.same(f"{number} handed over, and ordered or replaced", handed, wanted)
    numbers = sorted(event["number"] for event in told["delivery.handed_over"])
    found.same(f"{number} hand-overs", numbers, list(range(1, len(numbers) + 1)))
    for completed in told["delivery.completed"]:
        found.same(f"{number} hand-overs told, counted", completed["handovers"], len(numbers), order["handovers"])
    handed_net, returned_net = (by_line(told[topic], "net") for topic in ("delivery.handed_over", "delivery.returned"))
    for key, quantity in kept.items():
        worth_kept = worth(lines[key], quantity) if key in lines else NONE
        found.same(f"{number} line {key} worth of what is kept", handed_net[key] - returned_net[key], worth_kept)
    return Ending(order, lines, handed, replaced, kept)


def _replaced(rows: dict[str, list[Row]], changes: list[Json]) -> dict[str, Decimal]:
    """What came back and is to be delivered again: as the return said, or since a change named another quantity of the line after it."""
    named: dict[str, datetime] = {}
    decided = {str(row["change_id"]): row["decided_at"] for row in rows["delivery_change"]}
    for change in changes:
        before = {line["line_id"]: line["quantity"] for line in change["before"]}
        for line in change["lines"]:
            if before.get(line["line_id"], line["quantity"]) != line["quantity"]:
                named[line["line_id"]] = decided[change["change_id"]]
    never = datetime.min.replace(tzinfo=UTC)
    back = rows["goods_return_line"]
    return added(row for row in back if row["replace"] or row["recorded_at"] <= named.get(str(row["line_id"]), never))


def _path(order: Row, changes: list[Row], found: Findings) -> None:
    """Every move was legal and followed on the one before; an end was reached once."""
    state = None
    for change in changes:
        found.check(change["from_state"] == state, order["number"], "moved from", change["from_state"], "and was", state)
        found.check(
            (change["from_state"], change["to_state"]) in LEGAL, order["number"], change["from_state"], "->", change["to_state"]
        )
        state = change["to_state"]
    found.same(f"{order['number']} state, and the last move", order["state"], state)
    ends = [change["to_state"] for change in changes if change["to_state"] in ("closed", "cancelled")]
    found.check(len(ends) == 1, order["number"], "ended", ends)


def _lines(order: Row, told: dict[str, list[Json]], found: Findings) -> dict[str, Json]:
    """As confirmed, and then as each change left them; each change begins where the one before ended."""
    lines = {line["line_id"]: line for event in told["order.confirmed"] for line in event["lines"]}
    for change in told["order.changed"]:
        before = {line["line_id"]: line for line in change["before"]}
        found.check(before == lines, order["number"], "was changed from what it was not:", change["change_id"])
        lines = {line["line_id"]: line for line in change["lines"]}
        nets = [sum((money(line["net"]) for line in side.values()), NONE) for side in (before, lines)]
        found.same(
            f"{order['number']} worth of a change", (money(change["net"]), money(change["delta"])), (nets[1], nets[1] - nets[0])
        )
    return lines


async def audit_stock(books: Books, endings: Sequence[Ending], counted: Mapping[str, Decimal], found: Findings) -> None:
    """Of what was counted before, each piece that was delivered is gone, once, and nothing is reserved any more.

    A piece that replaces another leaves the count as it was, until the ERP counts anew.
    """
    gone: dict[str, Decimal] = defaultdict(Decimal)
    for each in endings:
        for line_id, quantity in each.handed.items():
            gone[each.lines[line_id]["sku"]] += quantity - each.replaced.get(line_id, NONE)
    for row in await books.rows("order", "SELECT * FROM stock WHERE sku = ANY($1)", list(counted)):
        left = counted[row["sku"]] - gone[row["sku"]]
        found.same(f"{row['sku']} on hand, reserved", (row["on_hand"], row["reserved"]), (left, NONE))
    reserved = await books.rows("order", "SELECT * FROM reservation WHERE state = 'reserved'")
    found.check(not reserved, "still reserved:", [tuple(row) for row in reserved])


async def audit_requests(log: Log, books: Books, accepted: list[Request], new_orders: set[UUID], found: Findings) -> Counter[str]:
    """Everything that was accepted is there, once, and nothing that nobody asked for. Returns how many of each were accepted."""
    by_verb: dict[str, list[Request]] = defaultdict(list)
    for request in accepted:
        by_verb[f"{request.service} {request.path.rpartition('/')[2]}"].append(request)
    placed = {UUID(each.answer["id"]) for each in by_verb["order checkout"]}
    found.same("orders of carts", placed, {row["id"] for row in await books.rows(
        "order", "SELECT id FROM sales_order WHERE id = ANY($1) AND source = 'checkout'", new_orders)})  # fmt: skip
    for verb, table, topic, key in (
        ("handovers", "handover", "delivery.handed_over", "handover_id"),
        ("returns", "goods_return", "delivery.returned", "return_id"),
    ):
        ids = sorted(each.answer["id"] for each in by_verb[f"delivery {verb}"])
        sql = {
            "handover": "SELECT h.id FROM handover h JOIN delivery d ON d.id = h.delivery_id WHERE d.order_id = ANY($1)",
            "goods_return": "SELECT r.id FROM goods_return r JOIN delivery d ON d.id = r.delivery_id WHERE d.order_id = ANY($1)",
        }[table]
        kept = sorted(str(row["id"]) for row in await books.rows("delivery", sql, placed))
        told = sorted(event[key] for event in log.by_topic[topic] if UUID(event["order_id"]) in placed)
        found.check(
            ids == kept == told,
            verb,
            "accepted, kept, told:",
            len(ids),
            len(kept),
            len(told),
            set(kept) ^ set(ids),
            set(told) ^ set(ids),
        )
    await _changes(log, books, by_verb["order confirm"], placed, found)
    await _cancellations(books, by_verb["order cancel"], found)
    return Counter({verb: len(requests) for verb, requests in by_verb.items()})


async def _changes(log: Log, books: Books, confirmed: list[Request], placed: set[UUID], found: Findings) -> None:
    """Each confirmed change was decided once, and the order was changed by those that were granted, once."""
    kept = {row["id"]: row for row in await books.rows("order", "SELECT * FROM order_change WHERE order_id = ANY($1)", placed)}
    decided, changed = log.of("delivery.change_decided", "change_id"), log.of("order.changed", "change_id")
    for request in confirmed:
        change_id = request.path.split("/")[-2]
        row = kept.get(UUID(change_id))
        found.check(row is not None and row["state"] in ("granted", "refused"), "change", change_id, "is", row and row["state"])
        granted = row is not None and row["state"] == "granted"
        found.same(f"answers to change {change_id}", [answer["granted"] for answer in decided[change_id]], [granted])
        found.same(f"order.changed of {change_id}", len(changed[change_id]), int(granted))
    asked = {str(key) for key, row in kept.items() if row["state"] != "assessed"}
    nobody = {key for key in decided if UUID(decided[key][0]["order_id"]) in placed} - asked
    found.check(not nobody, "changes that nobody confirmed:", nobody)


async def _cancellations(books: Books, cancelled: list[Request], found: Findings) -> None:
    ids = [UUID(request.path.split("/")[-2]) for request in cancelled if "/orders/" in request.path]
    sql = (
        "SELECT o.number, o.state, o.cancellation_state, EXISTS (SELECT FROM order_change c WHERE c.order_id = o.id "
        "AND c.wish ->> 'kind' = 'cancel' AND c.state IN ('granted', 'refused')) AS of_the_rest FROM sales_order o WHERE o.id = ANY($1)"
    )
    for row in await books.rows("order", sql, ids):
        answered = row["cancellation_state"] in ("granted", "refused") or row["of_the_rest"]
        found.check(answered, row["number"], "was to be cancelled and nobody answered; it is", row["state"])
