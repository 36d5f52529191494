"""The verbs of pipelines, reps and the sales policy: configuration, each change a version with who and when."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ltc_chassis import custom_fields
from ltc_chassis.db import Transaction
from ltc_chassis.ids import new_id
from ltc_chassis.mailroom import check_address
from ltc_contracts.errors import Invalid, VersionConflict
from ltc_rules import custom_fields as fields

from sales_svc.domain import pipeline as rules
from sales_svc.domain.pipeline import Pipeline, PipelineExists, Stage
from sales_svc.domain.versions import require_version
from sales_svc.store import changes, pipelines, policy, reps
from sales_svc.store.policy import Policy
from sales_svc.store.reps import Rep


async def create_pipeline(tx: Transaction, code: str, name: str, stages: Sequence[Stage], by: str) -> Pipeline:
    """Another way that deals go."""
    pipeline = Pipeline(code, 1, name, tuple(stages))
    await _check(tx, pipeline)
    if not await pipelines.insert_pipeline(tx.conn, code):
        raise PipelineExists("a pipeline has this code", field="code")
    await pipelines.insert_version(tx.conn, pipeline, by, tx.now)
    return pipeline


async def change_pipeline(
    tx: Transaction, code: str, name: str, stages: Sequence[Stage], by: str, *, expected: int | None
) -> Pipeline:
    """The next version; deals that run keep theirs. Raises `VersionConflict`."""
    latest, _, _ = await pipelines.lock_pipeline(tx.conn, code)
    require_version("the pipeline", latest, expected)
    pipeline = Pipeline(code, latest + 1, name, tuple(stages))
    await _check(tx, pipeline)
    await pipelines.insert_version(tx.conn, pipeline, by, tx.now)
    return pipeline


async def set_state(tx: Transaction, code: str, by: str, *, is_default: bool, archived: bool) -> None:
    """Which pipeline new deals take where none is named, and which take none any more; deals that run go on."""
    await pipelines.lock_default(tx.conn)
    latest, was_default, was_archived = await pipelines.lock_pipeline(tx.conn, code)
    if archived and (is_default or was_default):
        raise Invalid("the default pipeline cannot be archived; make another one the default first", field="archived")
    if was_default and not is_default:
        raise Invalid("there is always a default; make another one the default", field="is_default")
    if archived != was_archived:
        await pipelines.set_archived(tx.conn, code, archived)
    if is_default and not was_default:
        await pipelines.set_default(tx.conn, code)
    await changes.insert_change(
        *(tx.conn, "pipeline", code),
        change_id=new_id(),
        version=latest,
        by=by,
        at=tx.now,
        changes={"is_default": [was_default, is_default], "archived": [was_archived, archived]},
    )


async def put_rep(tx: Transaction, name: str, given: dict[str, Any], by: str, *, expected: int | None) -> Rep:
    """Enter a rep, or change what is known of one; deals keep the team they have."""
    if given.get("email") is not None:
        check_address(given["email"], field="email")
    known = await reps.find_rep_for_update(tx.conn, name)
    if known is not None:
        require_version("the rep", known.version, expected)
    elif expected is not None:
        raise Invalid("a new rep has no version", field="version")
    if known is not None:
        rep = replace(known, **given, version=known.version + 1)
        await reps.save_rep(tx.conn, rep)
    else:
        rep = Rep(new_id(), name, **given, version=1)
        if not await reps.insert_rep(tx.conn, rep):
            raise VersionConflict("the rep", 1)
    changed: dict[str, Any] = {
        field: [getattr(known, field) if known else None, value] for field, value in given.items() if field != "email"
    }
    if rep.email != (known.email if known else None):
        changed["email"] = True
    await changes.insert_change(
        tx.conn, "rep", rep.id, change_id=new_id(), version=rep.version, by=by, at=tx.now, changes=changed
    )
    return rep


async def set_policy(tx: Transaction, given: dict[str, Any], by: str, *, expected: int | None) -> Policy:
    """The next version of the sales policy."""
    present = await policy.get_policy(tx.conn)
    require_version("the policy", present.version, expected)
    made = replace(present, **given, version=present.version + 1, created_by=by, created_at=tx.now)
    if not await policy.insert_policy(tx.conn, made):
        raise VersionConflict("the policy", made.version)
    return made


async def _check(tx: Transaction, pipeline: Pipeline) -> None:
    rules.check(pipeline, fields.kinds(await custom_fields.load(tx.conn, "opportunity")))
