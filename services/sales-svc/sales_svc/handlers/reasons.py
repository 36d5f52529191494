"""The lists of reasons and competitors: kept by the company, looked up by who closes a deal."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ltc_chassis.db import Transaction
from ltc_chassis.ids import new_id
from ltc_contracts.errors import Invalid, VersionConflict

from sales_svc.domain import outcome as rules
from sales_svc.domain.outcome import Competitor, Outcome, Reason
from sales_svc.domain.versions import require_version
from sales_svc.store import changes, outcomes


async def put_reason(
    tx: Transaction, outcome: Outcome, code: str, given: dict[str, Any], by: str, *, expected: int | None
) -> Reason:
    """A reason more, or a change of one; deals keep the code they were closed with."""
    known = await outcomes.find_reason_for_update(tx.conn, outcome, code)
    if known is None:
        _require_new(expected)
        reason = Reason(outcome, code, **given, version=1)
        if not await outcomes.insert_reason(tx.conn, reason):
            raise VersionConflict("the reason", 1)
    else:
        require_version("the reason", known.version, expected)
        reason = replace(known, **given, version=known.version + 1)
        await outcomes.save_reason(tx.conn, reason)
    await _log(tx, "outcome_reason", f"{outcome}.{code}", reason.version, by, known, given)
    return reason


async def put_competitor(tx: Transaction, name: str, given: dict[str, Any], by: str, *, expected: int | None) -> Competitor:
    """A competitor more, or a change of one (also how it is spelled); deals keep the name they have."""
    known = await outcomes.find_competitor_for_update(tx.conn, name)
    if known is None:
        _require_new(expected)
        competitor = Competitor(new_id(), name, **given, version=1)
        if not await outcomes.insert_competitor(tx.conn, competitor):
            raise VersionConflict("the competitor", 1)
    else:
        require_version("the competitor", known.version, expected)
        competitor = replace(known, name=name, **given, version=known.version + 1)
        await outcomes.save_competitor(tx.conn, competitor)
    await _log(tx, "competitor", str(competitor.id), competitor.version, by, known, given)
    return competitor


async def settle(
    tx: Transaction, outcome: Outcome, code: str | None, text: str | None, competitors: Sequence[str]
) -> tuple[str | None, str | None, tuple[str, ...]]:
    """The reason's code and text, and the competitors as the list has them. Raises `Invalid` for what is in no list."""
    reason_code, reason = rules.settle(await outcomes.list_reasons(tx.conn, outcome), code, text)
    return reason_code, reason, await listed_competitors(tx, competitors)


async def listed_competitors(tx: Transaction, names: Sequence[str]) -> tuple[str, ...]:
    """The names as the list has them. Raises `Invalid` for one that is not in it."""
    return rules.known_competitors(await outcomes.find_competitors(tx.conn, list(names)), names) if names else ()


def _require_new(expected: int | None) -> None:
    if expected is not None:
        raise Invalid("what is new has no version", field="version")


async def _log(
    tx: Transaction, entity: str, entity_id: str, version: int, by: str, known: Reason | Competitor | None, given: dict[str, Any]
) -> None:
    what = {name: [getattr(known, name) if known else None, value] for name, value in given.items()}
    await changes.insert_change(tx.conn, entity, entity_id, change_id=new_id(), version=version, by=by, at=tx.now, changes=what)
