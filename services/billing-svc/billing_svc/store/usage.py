"""SQL of usage: plans, what was used, and with which period it was invoiced."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from ltc_chassis.connection import Connection
from ltc_contracts.errors import NotFound
from ltc_contracts.events import Customer
from ltc_contracts.money import Money

from billing_svc.domain.usage import Tariff, Tier, UsagePlan


@dataclass(frozen=True, slots=True)
class Record:
    """`key` names it for ever; `counted` is what a meter of different things counts."""

    plan_id: UUID
    key: str
    quantity: Decimal
    counted: str | None
    used_at: datetime


@dataclass(frozen=True, slots=True)
class Tally:
    """Of the records that are invoiced with a period, by each meter."""

    records: int
    late: int
    sum: Decimal
    max: Decimal
    last: Decimal
    unique: Decimal


async def insert_plan(conn: Connection, p: UsagePlan, look_on: date) -> None:
    await conn.execute(
        """
        INSERT INTO usage_plan (id, customer, currency, payment_terms_days, tariff, starts_on, ends_on, grace_days, next_from,
                                parent_flow_id, created_by, version, created_at, updated_at, look_on)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
        """,
        *(p.id, p.customer.model_dump(mode="json"), p.currency, p.payment_terms_days, _written(p.tariff), p.starts_on, p.ends_on),
        *(p.grace_days, p.next_from, p.parent_flow_id, p.created_by, p.version, p.created_at, p.updated_at, look_on),
    )


async def save_next_period(conn: Connection, plan_id: UUID, next_from: date | None, look_on: date | None, now: datetime) -> None:
    """A period is invoiced; or it is not, and is looked at again."""
    await conn.execute(
        "UPDATE usage_plan SET next_from = $2, look_on = $3, version = version + 1, updated_at = $4 WHERE id = $1",
        *(plan_id, next_from, look_on, now),
    )


async def get_plan(conn: Connection, plan_id: UUID) -> UsagePlan:
    row = await conn.fetchrow(
        """
        SELECT id, customer, currency, payment_terms_days, tariff, starts_on, ends_on, grace_days, next_from, parent_flow_id, created_by,
               version, created_at, updated_at
        FROM usage_plan WHERE id = $1
        """,
        plan_id,
    )
    if row is None:
        raise NotFound(f"no usage plan {plan_id}")
    return _plan(row)


async def share_plans(conn: Connection, ids: Sequence[UUID]) -> dict[UUID, UsagePlan]:
    """Those that exist; none of their periods is invoiced while this transaction tells what was used."""
    rows = await conn.fetch(
        """
        SELECT id, customer, currency, payment_terms_days, tariff, starts_on, ends_on, grace_days, next_from, parent_flow_id, created_by,
               version, created_at, updated_at
        FROM usage_plan WHERE id = ANY($1::uuid[]) ORDER BY id FOR SHARE
        """,
        list(ids),
    )
    return {row["id"]: _plan(row) for row in rows}


async def claim_due(conn: Connection, today: date, limit: int) -> list[UsagePlan]:
    """Plans of which a period is over and its grace with it, locked; skips what another transaction works on."""
    rows = await conn.fetch(
        """
        SELECT id, customer, currency, payment_terms_days, tariff, starts_on, ends_on, grace_days, next_from, parent_flow_id, created_by,
               version, created_at, updated_at
        FROM usage_plan
        WHERE look_on <= $1 ORDER BY look_on, id LIMIT $2 FOR UPDATE SKIP LOCKED
        """,
        today,
        limit,
    )
    return [_plan(row) for row in rows]


async def insert_records(conn: Connection, records: Sequence[tuple[UUID, Record]], now: datetime) -> set[tuple[UUID, str]]:
    """Those that are new, by plan and key. No key comes twice; the plans are locked."""
    rows = await conn.fetch(
        """
        INSERT INTO usage_record (id, plan_id, key, quantity, counted, used_at, recorded_at)
        SELECT r.id, r.plan_id, r.key, r.quantity, r.counted, r.used_at, $7
        FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::numeric[], $5::text[], $6::timestamptz[])
             AS r (id, plan_id, key, quantity, counted, used_at)
        ORDER BY r.plan_id, r.key ON CONFLICT DO NOTHING RETURNING plan_id, key
        """,
        [record_id for record_id, _ in records],
        *([getattr(each, name) for _, each in records] for name in ("plan_id", "key", "quantity", "counted", "used_at")),
        now,
    )
    return {(row["plan_id"], row["key"]) for row in rows}


async def list_records(conn: Connection, keys: Sequence[tuple[UUID, str]]) -> dict[tuple[UUID, str], Record]:
    """What these said when they came first."""
    rows = await conn.fetch(
        """
        SELECT r.plan_id, r.key, r.quantity, r.counted, r.used_at
        FROM usage_record r JOIN unnest($1::uuid[], $2::text[]) AS k (plan_id, key) ON k.plan_id = r.plan_id AND k.key = r.key
        """,
        [plan_id for plan_id, _ in keys],
        [key for _, key in keys],
    )
    return {(row["plan_id"], row["key"]): Record(**dict(row)) for row in rows}


async def take_records(conn: Connection, plan_id: UUID, begin: date, end: date) -> Tally:
    """Everything that was used before the end (exclusive) of a period and is not invoiced is so with it. The plan is locked."""
    row = await conn.fetchrow(
        """
        WITH taken AS (
            UPDATE usage_record SET billed_from = $2
            WHERE plan_id = $1 AND billed_from IS NULL AND used_at < $3::date::timestamp AT TIME ZONE 'UTC'
            RETURNING id, quantity, counted, used_at)
        SELECT count(*) AS records, count(*) FILTER (WHERE used_at < $2::date::timestamp AT TIME ZONE 'UTC') AS late,
               coalesce(sum(quantity), 0) AS sum, coalesce(max(quantity), 0) AS max,
               coalesce((array_agg(quantity ORDER BY used_at DESC, id DESC))[1], 0) AS last,
               count(DISTINCT counted)::numeric AS unique
        FROM taken
        """,
        *(plan_id, begin, end),
    )
    assert row is not None, "a count has a row"
    return Tally(**dict(row))


async def unbilled_view(conn: Connection, plan_id: UUID) -> Any:
    """How many records wait to be invoiced, and what they add up to."""
    return await conn.fetchrow(
        "SELECT count(*) AS records, coalesce(sum(quantity), 0) AS quantity FROM usage_record WHERE plan_id = $1 AND billed_from IS NULL",
        plan_id,
    )


def _written(t: Tariff) -> dict[str, Any]:
    names = ("meter", "model", "sku", "description", "tax_category")
    tiers = [[None if tier.up_to is None else str(tier.up_to), str(tier.price.amount)] for tier in t.tiers]
    return {name: getattr(t, name) for name in names} | {
        "per": str(t.per),
        "minimum": str(t.minimum.amount),
        "tax_rate": str(t.tax_rate),
        "tiers": tiers,
    }


def _plan(row: Any) -> UsagePlan:
    fields = dict(row)
    told, currency = fields["tariff"], fields["currency"]
    tiers = tuple(Tier(None if up_to is None else Decimal(up_to), Money.of(price, currency)) for up_to, price in told["tiers"])
    numbers = {"per": Decimal(told["per"]), "tax_rate": Decimal(told["tax_rate"]), "minimum": Money.of(told["minimum"], currency)}
    fields["tariff"] = Tariff(**(told | numbers | {"tiers": tiers}))
    fields["customer"] = Customer.model_validate(fields["customer"])
    return UsagePlan(**fields)
