"""What an order is decided on, read in one statement; and the order with all that belongs to it, written in one."""

from collections.abc import Sequence
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
    )


async def get_promise_rule(conn: Connection, day: date) -> PromiseRule:
    """The rule in force on a day. Raises `NoPromiseRule`."""
    lead_days = await conn.fetchval(
        "SELECT lead_days FROM promise_rule WHERE valid_from <= $1 ORDER BY valid_from DESC LIMIT 1", day
    )
    if lead_days is None:
        raise NoPromiseRule(day)
    return PromiseRule(lead_days=lead_days)


async def insert_order(
    conn: Connection,
    order: Order,
    lines: Sequence[Line],
    *,
    fingerprint: str | None,
    changes: Sequence[Change],
    picks: Sequence[Pick],
    steps: Sequence[Ended],
    position: Position,
    cause: UUID | None,
) -> bool:
    """The whole of a new order, or, where the agreement or the reference has one already, False and nothing of it."""
    placed = await conn.fetchval(
        """
        WITH placed AS (
            INSERT INTO sales_order (
                id, flow_id, version, number, state, contract_id, customer_id, customer_name, customer_country, customer_vat_id,
                customer_email, net_amount, currency, payment_terms_days, requested_on, promised_on, percent_delivered,
                created_at, updated_at, source, external_ref, fingerprint, invoicing, ship_complete, subscription_id,
                period_from, period_until, gross_amount, hold_reasons, hold_detail, hold_wish, held_by, held_since, confirmed_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, 0, $17, $17, $18, $19, $20, $21, $22,
                    $23, $24, $25, $26, $27, $28, $29, $30, $31, $32)
            ON CONFLICT DO NOTHING RETURNING id),
        line AS (
            INSERT INTO order_line (order_id, position, line_id, sku, description, quantity, unit_price, price_currency,
                                    base_quantity, discount_percent, tax_category, tax_rate, net_amount, net_currency)
            SELECT placed.id, l.position, l.line_id, l.sku, l.description, l.quantity, l.unit_price, l.price_currency,
                   l.base_quantity, l.discount_percent, l.tax_category, l.tax_rate, l.net_amount, l.net_currency
            FROM placed, unnest($33::uuid[], $34::text[], $35::text[], $36::numeric[], $37::numeric[], $38::text[], $39::numeric[],
                                $40::numeric[], $41::text[], $42::numeric[], $43::numeric[], $44::text[]) WITH ORDINALITY
                 AS l (line_id, sku, description, quantity, unit_price, price_currency, base_quantity, discount_percent,
                       tax_category, tax_rate, net_amount, net_currency, position)),
        change AS (
            INSERT INTO state_change (order_id, version, from_state, to_state, reason, changed_at, changed_by)
            SELECT placed.id, c.version, c.from_state, c.to_state, c.reason, $17, c.changed_by
            FROM placed, unnest($45::int[], $46::text[], $47::text[], $48::text[], $49::text[])
                 AS c (version, from_state, to_state, reason, changed_by)),
        pick AS (
            INSERT INTO reservation (order_id, line_id, sku, site, quantity, state)
            SELECT placed.id, p.line_id, p.sku, p.site, p.quantity, 'reserved'
            FROM placed, unnest($50::uuid[], $51::text[], $52::text[], $53::numeric[]) AS p (line_id, sku, site, quantity)
            RETURNING sku, site, quantity),
        shelf AS (
            UPDATE stock SET reserved = stock.reserved + taken.quantity
            FROM (SELECT sku, site, sum(quantity) AS quantity FROM pick GROUP BY sku, site) AS taken
            WHERE stock.sku = taken.sku AND stock.site = taken.site),
        step AS (
            INSERT INTO order_process_step (order_id, step, started_at, ended_at, outcome, cause)
            SELECT placed.id, s.step, s.started_at, s.ended_at, s.outcome, $54
            FROM placed, unnest($55::text[], $56::timestamptz[], $57::timestamptz[], $58::text[])
                 AS s (step, started_at, ended_at, outcome)),
        process AS (
            INSERT INTO order_process (order_id, step, waiting_for, since, deadline, compensating, policy_id)
            SELECT placed.id, $59::text, $60::text, $61::timestamptz, $61::timestamptz + policy.timeout, $62::boolean, policy.id
            FROM placed LEFT JOIN LATERAL (
                SELECT id, timeout FROM process_policy WHERE step = $59 AND invoicing IN ('any', $21)
                ORDER BY (invoicing = 'any'), version DESC LIMIT 1) AS policy ON true),
        asked AS (
            INSERT INTO recheck (customer_id, sku)
            SELECT r.customer_id, r.sku FROM placed, unnest($63::uuid[], $64::text[]) AS r (customer_id, sku))
        SELECT id FROM placed
        """,
        *(order.id, order.flow_id, order.version, order.number, order.state, order.contract_id),
        *(order.customer.customer_id, order.customer.name, order.customer.country, order.customer.vat_id, order.customer.email),
        *(
            order.net.amount,
            order.net.currency,
            order.payment_terms_days,
            order.requested_on,
            order.promised_on,
            order.created_at,
        ),
        *(order.source, order.external_ref, fingerprint, order.invoicing, order.ship_complete, order.subscription_id),
        *(order.period_from, order.period_until, order.gross.amount),
        *_hold(order),
        order.milestones.confirmed_at,
        *line_columns(lines),
        *_changes(changes),
        *_picks(picks),
        cause,
        [step.step for step in steps],
        [step.started_at for step in steps],
        [step.ended_at for step in steps],
        [step.outcome for step in steps],
        *(position.step, position.waiting_for, position.since, position.compensating),
        *rechecks.wanted_by(order, lines),
    )
    return placed is not None


def _hold(order: Order) -> tuple[Any, ...]:
    hold = order.hold
    return (list(hold.reasons), hold.detail, hold.wish, hold.by, hold.since) if hold else (None,) * 5


def _changes(changes: Sequence[Change]) -> tuple[list[Any], ...]:
    return (
        [change.version for change in changes],
        [change.from_state for change in changes],
        [change.to_state for change in changes],
        [change.reason for change in changes],
        [change.by for change in changes],
    )


def _picks(picks: Sequence[Pick]) -> tuple[list[Any], ...]:
    return (
        [pick.line_id for pick in picks],
        [pick.sku for pick in picks],
        [pick.site for pick in picks],
        [pick.quantity for pick in picks],
    )
