"""What an order is decided on, read in one statement; and the order with all that belongs to it, written in one."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from ltc_chassis.db import Connection
from ltc_contracts.events import Line

from order_svc.domain.credit import Account
from order_svc.domain.order import Change, NoPromiseRule, Order, PromiseRule
from order_svc.domain.placement import Placement
from order_svc.domain.process import Ended, Position
from order_svc.domain.stock import Pick, Shelf
from order_svc.store import rechecks
from order_svc.store.changes import line_columns
from order_svc.store.credit import account_of
from order_svc.store.stock import shelf_of


@dataclass(frozen=True, slots=True)
class Placed:
    """The order that an agreement or a reference has already; `fingerprint` is of what was asked for then."""

    order_id: UUID
    number: str
    fingerprint: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """The drawn number, the rule of the day, and, locked until the transaction ends, the account and the shelves concerned."""

    drawn: int
    rule: PromiseRule
    account: Account | None
    shelves: list[Shelf]
    dunned: Sequence[str] = ()


async def find_placed(conn: Connection, placement: Placement) -> Placed | None:
    """The order that this agreement or reference has already."""
    row = await conn.fetchrow(
        """
        SELECT id, number, fingerprint FROM sales_order WHERE contract_id = $1
        UNION ALL SELECT id, number, fingerprint FROM sales_order WHERE source = $2 AND external_ref = $3 LIMIT 1
        """,
        placement.contract_id,
        placement.source,
        placement.external_ref,
    )
    return None if row is None else Placed(*row)


async def draw_known(
    conn: Connection, customer_id: UUID, skus: Sequence[str], day: date, *, placement: Placement | None = None
) -> Known | Placed:
    """All that a decision needs, in one round trip; a number is drawn for a placement, and lost when the transaction rolls back.

    Where the placement has its order already, nothing is drawn or locked, and that is returned. Else locks in the order account,
    shelves: whoever decides on orders takes them in this order, the shelves sorted. Raises `NoPromiseRule`.
    """
    row = await conn.fetchrow(
        """
        WITH placed AS MATERIALIZED (
            SELECT id, number, fingerprint FROM sales_order WHERE contract_id = $4
            UNION ALL SELECT id, number, fingerprint FROM sales_order WHERE source = $5 AND external_ref = $6 LIMIT 1),
        account AS MATERIALIZED (
            SELECT customer_id, version, blocked, limits, payment_terms_days FROM credit_account
            WHERE customer_id = $1 AND NOT EXISTS (SELECT FROM placed) FOR UPDATE),
        shelf AS MATERIALIZED (
            SELECT sku, site, on_hand, as_of, reserved FROM stock
            WHERE sku = ANY($2::text[]) AND NOT EXISTS (SELECT FROM placed) AND (SELECT count(*) FROM account) >= 0
            ORDER BY sku, site FOR UPDATE)
        SELECT CASE WHEN $4::uuid IS NOT NULL AND NOT EXISTS (SELECT FROM placed) THEN nextval('order_number') ELSE 0 END AS drawn,
               (SELECT lead_days FROM promise_rule WHERE valid_from <= $3 ORDER BY valid_from DESC LIMIT 1) AS lead_days,
               (SELECT array_agg(ROW(account.*)) FROM account) AS accounts,
               (SELECT array_agg(ROW(shelf.*)) FROM shelf) AS shelves,
               (SELECT array_agg(number ORDER BY number) FROM dunning_hold WHERE customer_id = $1 AND held) AS dunned,
               (SELECT id FROM placed) AS placed_id, (SELECT number FROM placed) AS number,
               (SELECT fingerprint FROM placed) AS fingerprint
        """,
        customer_id,
        sorted(set(skus)),
        day,
        placement and placement.contract_id,
        placement and placement.source,
        placement and placement.external_ref,
    )
    assert row is not None
    if row["placed_id"] is not None:
        return Placed(row["placed_id"], row["number"], row["fingerprint"])
    if row["lead_days"] is None:
        raise NoPromiseRule(day)
    accounts = [account_of(*each) for each in row["accounts"] or ()]
    return Known(
        drawn=row["drawn"],
        rule=PromiseRule(lead_days=row["lead_days"]),
        account=accounts[0] if accounts else None,
        shelves=[shelf_of(*each) for each in row["shelves"] or ()],
        dunned=row["dunned"] or (),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownTogether:
    """`Known` of several placements: a number drawn for each, and what is placed already, by its place in what was asked."""

    drawn: Sequence[int]
    rule: PromiseRule
    accounts: Mapping[UUID, Account]
    shelves: Sequence[Shelf]
    dunned: Mapping[UUID, Sequence[str]]
    placed: Mapping[int, Placed]


async def draw_known_together(conn: Connection, placements: Sequence[Placement], day: date) -> KnownTogether:
    """As `draw_known` for placements that have no agreement yet, in one round trip; locks in the same order, accounts sorted as well.

    Raises `NoPromiseRule`.
    """
    row = await conn.fetchrow(
        """
        WITH placed AS MATERIALIZED (
            SELECT asked.place, known.id, known.number, known.fingerprint
            FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS asked (source, external_ref, place)
            CROSS JOIN LATERAL (SELECT id, number, fingerprint FROM sales_order
                                WHERE source = asked.source AND external_ref = asked.external_ref LIMIT 1) AS known),
        account AS MATERIALIZED (
            SELECT customer_id, version, blocked, limits, payment_terms_days FROM credit_account
            WHERE customer_id = ANY($3::uuid[]) ORDER BY customer_id FOR UPDATE),
        shelf AS MATERIALIZED (
            SELECT sku, site, on_hand, as_of, reserved FROM stock
            WHERE sku = ANY($4::text[]) AND (SELECT count(*) FROM account) >= 0 ORDER BY sku, site FOR UPDATE)
        SELECT (SELECT array_agg(nextval('order_number')) FROM generate_series(1, cardinality($1::text[]))) AS drawn,
               (SELECT lead_days FROM promise_rule WHERE valid_from <= $5 ORDER BY valid_from DESC LIMIT 1) AS lead_days,
               (SELECT array_agg(ROW(account.*)) FROM account) AS accounts,
               (SELECT array_agg(ROW(shelf.*)) FROM shelf) AS shelves,
               (SELECT array_agg(ROW(customer_id, number) ORDER BY number) FROM dunning_hold
                WHERE customer_id = ANY($3::uuid[]) AND held) AS dunned,
               (SELECT array_agg(ROW(placed.*)) FROM placed) AS placed
        """,
        [placement.source for placement in placements],
        [placement.external_ref for placement in placements],
        [placement.customer.customer_id for placement in placements],
        sorted({line.sku for placement in placements for line in placement.lines}),
        day,
    )
    assert row is not None
    if row["lead_days"] is None:
        raise NoPromiseRule(day)
    accounts = [account_of(*each) for each in row["accounts"] or ()]
    dunned: dict[UUID, list[str]] = {}
    for customer_id, number in row["dunned"] or ():
        dunned.setdefault(customer_id, []).append(number)
    return KnownTogether(
        drawn=row["drawn"],
        rule=PromiseRule(lead_days=row["lead_days"]),
        accounts={account.customer_id: account for account in accounts},
        shelves=[shelf_of(*each) for each in row["shelves"] or ()],
        dunned=dunned,
        placed={place - 1: Placed(order_id, number, fingerprint) for place, order_id, number, fingerprint in row["placed"] or ()},
    )


async def get_promise_rule(conn: Connection, day: date) -> PromiseRule:
    """The rule in force on a day. Raises `NoPromiseRule`."""
    lead_days = await conn.fetchval(
        "SELECT lead_days FROM promise_rule WHERE valid_from <= $1 ORDER BY valid_from DESC LIMIT 1", day
    )
    if lead_days is None:
        raise NoPromiseRule(day)
    return PromiseRule(lead_days=lead_days)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewOrder:
    """A new order with all that belongs to it."""

    order: Order
    lines: Sequence[Line]
    fingerprint: str | None
    changes: list[Change]
    picks: Sequence[Pick]
    steps: Sequence[Ended]
    position: Position


async def insert_orders(conn: Connection, made: Sequence[NewOrder], *, cause: UUID | None) -> set[UUID]:
    """The whole of new orders; returns their ids. Of one whose agreement or reference has an order already nothing is written."""
    rows = await conn.fetch(
        """
        WITH placed AS (
            INSERT INTO sales_order (
                id, flow_id, version, number, state, contract_id, customer_id, customer_name, customer_country, customer_vat_id,
                customer_email, net_amount, currency, payment_terms_days, requested_on, promised_on, percent_delivered,
                created_at, updated_at, source, external_ref, fingerprint, invoicing, ship_complete, subscription_id,
                period_from, period_until, gross_amount, hold_reasons, hold_detail, hold_wish, held_by, held_since, confirmed_at)
            SELECT o.id, o.flow_id, o.version, o.number, o.state, o.contract_id, o.customer_id, o.customer_name, o.customer_country,
                   o.customer_vat_id, o.customer_email, o.net_amount, o.currency, o.payment_terms_days, o.requested_on,
                   o.promised_on, 0, o.created_at, o.created_at, o.source, o.external_ref, o.fingerprint, o.invoicing,
                   o.ship_complete, o.subscription_id, o.period_from, o.period_until, o.gross_amount,
                   string_to_array(o.hold_reasons, ','), o.hold_detail, o.hold_wish, o.held_by, o.held_since, o.confirmed_at
            FROM unnest($1::uuid[], $2::uuid[], $3::int[], $4::text[], $5::text[], $6::uuid[], $7::uuid[], $8::text[], $9::text[],
                        $10::text[], $11::text[], $12::numeric[], $13::text[], $14::int[], $15::date[], $16::date[],
                        $17::timestamptz[], $18::text[], $19::text[], $20::text[], $21::text[], $22::boolean[], $23::uuid[],
                        $24::date[], $25::date[], $26::numeric[], $27::text[], $28::text[], $29::text[], $30::text[],
                        $31::timestamptz[], $32::timestamptz[])
                 AS o (id, flow_id, version, number, state, contract_id, customer_id, customer_name, customer_country,
                       customer_vat_id, customer_email, net_amount, currency, payment_terms_days, requested_on, promised_on,
                       created_at, source, external_ref, fingerprint, invoicing, ship_complete, subscription_id, period_from,
                       period_until, gross_amount, hold_reasons, hold_detail, hold_wish, held_by, held_since, confirmed_at)
            ON CONFLICT DO NOTHING RETURNING id, invoicing, created_at),
        line AS (
            INSERT INTO order_line (order_id, position, line_id, sku, description, quantity, unit_price, price_currency,
                                    base_quantity, discount_percent, tax_category, tax_rate, net_amount, net_currency)
            SELECT l.order_id, l.position, l.line_id, l.sku, l.description, l.quantity, l.unit_price, l.price_currency,
                   l.base_quantity, l.discount_percent, l.tax_category, l.tax_rate, l.net_amount, l.net_currency
            FROM unnest($33::uuid[], $34::int[], $35::uuid[], $36::text[], $37::text[], $38::numeric[], $39::numeric[],
                        $40::text[], $41::numeric[], $42::numeric[], $43::text[], $44::numeric[], $45::numeric[], $46::text[])
                 AS l (order_id, position, line_id, sku, description, quantity, unit_price, price_currency, base_quantity,
                       discount_percent, tax_category, tax_rate, net_amount, net_currency)
            JOIN placed ON placed.id = l.order_id),
        change AS (
            INSERT INTO state_change (order_id, version, from_state, to_state, reason, changed_at, changed_by)
            SELECT c.order_id, c.version, c.from_state, c.to_state, c.reason, placed.created_at, c.changed_by
            FROM unnest($47::uuid[], $48::int[], $49::text[], $50::text[], $51::text[], $52::text[])
                 WITH ORDINALITY AS c (order_id, version, from_state, to_state, reason, changed_by, place)
            JOIN placed ON placed.id = c.order_id ORDER BY c.place),
        pick AS (
            INSERT INTO reservation (order_id, line_id, sku, site, quantity, state)
            SELECT p.order_id, p.line_id, p.sku, p.site, p.quantity, 'reserved'
            FROM unnest($53::uuid[], $54::uuid[], $55::text[], $56::text[], $57::numeric[])
                 AS p (order_id, line_id, sku, site, quantity)
            JOIN placed ON placed.id = p.order_id
            RETURNING sku, site, quantity),
        shelf AS (
            UPDATE stock SET reserved = stock.reserved + taken.quantity
            FROM (SELECT sku, site, sum(quantity) AS quantity FROM pick GROUP BY sku, site) AS taken
            WHERE stock.sku = taken.sku AND stock.site = taken.site),
        step AS (
            INSERT INTO order_process_step (order_id, step, started_at, ended_at, outcome, cause)
            SELECT s.order_id, s.step, s.started_at, s.ended_at, s.outcome, $58
            FROM unnest($59::uuid[], $60::text[], $61::timestamptz[], $62::timestamptz[], $63::text[])
                 WITH ORDINALITY AS s (order_id, step, started_at, ended_at, outcome, place)
            JOIN placed ON placed.id = s.order_id ORDER BY s.place),
        process AS (
            INSERT INTO order_process (order_id, step, waiting_for, since, deadline, compensating, policy_id)
            SELECT p.order_id, p.step, p.waiting_for, p.since, p.since + policy.timeout, p.compensating, policy.id
            FROM unnest($1::uuid[], $64::text[], $65::text[], $66::timestamptz[], $67::boolean[])
                 AS p (order_id, step, waiting_for, since, compensating)
            JOIN placed ON placed.id = p.order_id
            LEFT JOIN LATERAL (
                SELECT id, timeout FROM process_policy WHERE step = p.step AND invoicing IN ('any', placed.invoicing)
                ORDER BY (invoicing = 'any'), version DESC LIMIT 1) AS policy ON true),
        asked AS (
            INSERT INTO recheck (customer_id, sku)
            SELECT r.customer_id, r.sku
            FROM unnest($68::uuid[], $69::uuid[], $70::text[]) WITH ORDINALITY AS r (order_id, customer_id, sku, place)
            JOIN placed ON placed.id = r.order_id ORDER BY r.place)
        SELECT id FROM placed
        """,
        *_columns(_ORDER, (_order(each) for each in made)),
        [each.order.id for each in made for _ in each.lines],
        [position for each in made for position in range(1, len(each.lines) + 1)],
        *line_columns([line for each in made for line in each.lines]),
        *_columns(
            6, ((each.order.id, c.version, c.from_state, c.to_state, c.reason, c.by) for each in made for c in each.changes)
        ),
        *_columns(5, ((each.order.id, p.line_id, p.sku, p.site, p.quantity) for each in made for p in each.picks)),
        cause,
        *_columns(5, ((each.order.id, s.step, s.started_at, s.ended_at, s.outcome) for each in made for s in each.steps)),
        *_columns(4, ((p.step, p.waiting_for, p.since, p.compensating) for p in (each.position for each in made))),
        *_columns(3, ((each.order.id, *wish) for each in made for wish in rechecks.wanted_by(each.order, each.lines))),
    )
    return {row["id"] for row in rows}


def _columns(width: int, rows: Iterable[Sequence[Any]]) -> list[Sequence[Any]]:
    """Rows as columns, which are there even when no row is."""
    return list(zip(*rows, strict=True)) or [()] * width


_ORDER = 32


def _order(made: NewOrder) -> tuple[Any, ...]:
    order, customer, hold = made.order, made.order.customer, made.order.hold
    return (
        *(order.id, order.flow_id, order.version, order.number, order.state, order.contract_id),
        *(customer.customer_id, customer.name, customer.country, customer.vat_id, customer.email),
        *(order.net.amount, order.net.currency, order.payment_terms_days, order.requested_on, order.promised_on),
        *(order.created_at, order.source, order.external_ref, made.fingerprint, order.invoicing, order.ship_complete),
        *(order.subscription_id, order.period_from, order.period_until, order.gross.amount),
        # Arrays of arrays must be as long as each other, and these are not.
        *((",".join(hold.reasons), hold.detail, hold.wish, hold.by, hold.since) if hold else (None,) * 5),
        order.milestones.confirmed_at,
    )
