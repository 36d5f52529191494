"""The verbs of planning: say what a period will bring, set a quota, take the day's snapshot."""

from datetime import timedelta

from ltc_chassis.db import Transaction
from ltc_chassis.ids import new_id
from ltc_contracts.errors import Invalid, VersionConflict
from ltc_contracts.money import Money

from sales_svc.domain.forecast import Call, Kind
from sales_svc.domain.period import Period
from sales_svc.domain.pipeline import Category
from sales_svc.store import forecasts, snapshots


async def call(
    tx: Transaction,
    period: Period,
    kind: Kind,
    name: str,
    category: Category,
    *,
    currency: str,
    value: Money | None,
    note: str | None,
    by: str,
) -> Call:
    """A person says what a category will bring, instead of what is computed; without a value the computed one counts again."""
    if value is not None and value.amount < 0:
        raise Invalid("what is expected cannot be negative", field="value")
    amount = None if value is None else value.amount
    made = Call(period.code, kind, name, category, currency, amount, note, by, tx.now)
    await forecasts.insert_call(tx.conn, new_id(), made)
    return made


async def set_quota(
    tx: Transaction, period: Period, kind: Kind, name: str, value: Money, by: str, *, expected: int | None
) -> int:
    """What a rep or a team should win in the period; returns the version. A change names the version that was read."""
    if value.amount < 0:
        raise Invalid("a quota cannot be negative", field="value")
    known = await forecasts.latest_quota(tx.conn, period.code, kind, name, value.currency)
    present = 0 if known is None else known[0]
    if (expected or 0) != present:
        raise VersionConflict("the quota", present)
    inserted = await forecasts.insert_quota(
        tx.conn,
        quota_id=new_id(),
        period=period.code,
        kind=kind,
        name=name,
        currency=value.currency,
        amount=value.amount,
        version=present + 1,
        by=by,
        now=tx.now,
    )
    if not inserted:
        raise VersionConflict("the quota", present + 1)
    return present + 1


async def take_snapshot(tx: Transaction) -> int:
    """The next day that is over and has none, the first time yesterday; returns how many were taken (0 or 1)."""
    yesterday = tx.now.date() - timedelta(days=1)
    last = await snapshots.last_day(tx.conn)
    day = yesterday if last is None else last + timedelta(days=1)
    if day > yesterday or not await snapshots.insert_snapshot(tx.conn, day, tx.now):
        return 0
    await snapshots.insert_snapshot_deals(tx.conn, day)
    return 1
