"""Predictive models, what they learn from, how they are made, and what persons say instead."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from ltc_chassis.connection import Connection
from ltc_contracts.errors import NotFound

from lead_svc.domain.predictive import Manual, Model, Policy, of_json, raw_of, to_json
from lead_svc.domain.score import Activity
from lead_svc.store.leads import lead_of

_CHUNK = 2000
# A trained model never changes, so the one in use is parsed once per process.
_parsed: dict[UUID, Model] = {}


@dataclass(frozen=True, slots=True)
class Trained:
    """A model with what it is worth. `auc` is the mean of the folds; `left_out` says why a column is not in it."""

    model: Model
    examples: int
    positives: int
    auc: float
    auc_folds: list[float]
    brier: float
    calibration: list[dict[str, float]]
    left_out: dict[str, str]


async def get_policy(conn: Connection) -> Policy:
    """The latest version."""
    row = await conn.fetchrow(
        """
        SELECT version, enabled, positive, excluded, min_examples, min_auc, margin, retrain_days, max_rows
        FROM predictive_policy ORDER BY version DESC LIMIT 1
        """
    )
    return policy_of(row)


async def list_policies(conn: Connection) -> list[Any]:
    """The latest first, at most 200."""
    return await conn.fetch(
        """
        SELECT version, enabled, positive, excluded, min_examples, min_auc, margin, retrain_days, max_rows, created_by, created_at
        FROM predictive_policy ORDER BY version DESC LIMIT 200
        """
    )


async def insert_policy(conn: Connection, policy: Policy, *, by: str, now: datetime) -> bool:
    """False when the version is taken."""
    row = await conn.fetchrow(
        """
        INSERT INTO predictive_policy (version, enabled, positive, excluded, min_examples, min_auc, margin, retrain_days, max_rows,
                                       created_by, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING RETURNING version
        """,
        *(policy.version, policy.enabled, policy.positive, policy.excluded, policy.min_examples, policy.min_auc, policy.margin),
        *(policy.retrain_days, policy.max_rows, by, now),
    )
    return row is not None


async def insert_waiting(conn: Connection, model_id: UUID, *, policy_version: int, by: str, now: datetime) -> bool:
    """A model to be trained; False when one waits already."""
    row = await conn.fetchrow(
        """
        INSERT INTO predictive_model (id, version, state, policy_version, requested_by, requested_at)
        SELECT $1, coalesce(max(version), 0) + 1, 'waiting', $2, $3, $4 FROM predictive_model
        ON CONFLICT DO NOTHING RETURNING id
        """,
        *(model_id, policy_version, by, now),
    )
    return row is not None


async def find_next(conn: Connection) -> UUID | None:
    """The model that waits."""
    found: UUID | None = await conn.fetchval("SELECT id FROM predictive_model WHERE state = 'waiting'")
    return found


async def lock_training(conn: Connection, model_id: UUID) -> bool:
    """Until the session ends; False when another process holds it."""
    locked: bool = await conn.fetchval(
        "SELECT pg_try_advisory_lock(hashtextextended('lead.predictive_model:' || $1::text, 0))", str(model_id)
    )
    return locked


async def find_waiting(conn: Connection, model_id: UUID) -> tuple[int, Policy] | None:
    """The version of a model that still waits, and the policy it is made by."""
    row = await conn.fetchrow(
        """
        SELECT m.version AS model_version, p.version, p.enabled, p.positive, p.excluded, p.min_examples, p.min_auc, p.margin,
               p.retrain_days, p.max_rows
        FROM predictive_model m JOIN predictive_policy p ON p.version = m.policy_version
        WHERE m.id = $1 AND m.state = 'waiting'
        """,
        model_id,
    )
    if row is None:
        return None
    fields = dict(row)
    return fields.pop("model_version"), policy_of(fields)


async def count_examples(conn: Connection, policy: Policy, since: datetime | None) -> tuple[int, int]:
    """Leads of known outcome, in all and since a moment."""
    row: Any = await conn.fetchrow(
        """
        SELECT count(*) AS total, count(*) FILTER (WHERE $2::timestamptz IS NULL OR greatest(converted_at, won_at, lost_at) > $2) AS fresh
        FROM lead_outcome
        WHERE CASE $1 WHEN 'won' THEN won_at ELSE converted_at END IS NOT NULL OR lost_at IS NOT NULL
        """,
        *(policy.positive, since),
    )
    return row["total"], row["fresh"]


async def examples(conn: Connection, policy: Policy) -> tuple[list[dict[str, str]], list[int]]:
    """What was known of the latest leads before their outcome, and the outcome: 1 for what is wanted, 0 for lost."""
    rows: list[dict[str, str]] = []
    labels: list[int] = []
    after: UUID | None = None
    while len(rows) < policy.max_rows:
        chunk = await conn.fetch(
            """
            SELECT l.id, flow_id, status, captured_via, channel, source, campaign, company, country, industry, company_size, website,
                   external_ref, contact, attributes, amount, currency, owner, disqualified_reason, version, created_at, updated_at,
                   region, channel_group, segments, classified, custom,
                   CASE $1 WHEN 'won' THEN o.won_at ELSE o.converted_at END IS NOT NULL AS positive,
                   coalesce(o.qualified_at, o.converted_at, o.won_at, o.lost_at) AS decided_at
            FROM lead_outcome o JOIN lead l ON l.id = o.lead_id
            WHERE (CASE $1 WHEN 'won' THEN o.won_at ELSE o.converted_at END IS NOT NULL OR o.lost_at IS NOT NULL)
              AND l.status <> 'merged' AND ($2::uuid IS NULL OR o.lead_id < $2)
            ORDER BY o.lead_id DESC LIMIT $3
            """,
            *(policy.positive, after, min(_CHUNK, policy.max_rows - len(rows))),
        )
        done = await _activities(conn, [row["id"] for row in chunk])
        for row in chunk:
            fields = dict(row)
            positive, decided_at = fields.pop("positive"), fields.pop("decided_at")
            rows.append(raw_of(lead_of(fields), done.get(row["id"], ()), decided_at))
            labels.append(int(positive))
        if len(chunk) < _CHUNK:
            break
        after = chunk[-1]["id"]
    return rows, labels


async def fail(conn: Connection, model_id: UUID, reason: str, now: datetime) -> None:
    await conn.execute(
        "UPDATE predictive_model SET state = 'failed', note = $2, trained_at = $3 WHERE id = $1 AND state = 'waiting'",
        *(model_id, reason, now),
    )


async def count_attempt(conn: Connection, model_id: UUID) -> int:
    """How often training it has failed by now, this time included."""
    attempts: int = await conn.fetchval(
        "UPDATE predictive_model SET attempts = attempts + 1 WHERE id = $1 RETURNING attempts", model_id
    )
    return attempts


async def lock_active(conn: Connection) -> None:
    """One at a time decides which model is in use. Until the transaction ends."""
    await conn.execute("SELECT pg_advisory_xact_lock(hashtextextended('lead.predictive_model.active', 0))")


async def find_active_auc(conn: Connection) -> float | None:
    """What the present model is worth."""
    row = await conn.fetchrow("SELECT auc FROM predictive_model WHERE state = 'active'")
    return None if row is None else row["auc"]


async def save_trained(conn: Connection, found: Trained, state: str, note: str | None, now: datetime) -> None:
    """The result of a model that waited; one that becomes active takes the place of the present one."""
    if state == "active":
        await _retire_active(conn, "training", now)
    await conn.execute(
        """
        UPDATE predictive_model SET state = $2, note = $3, trained_at = $4, examples = $5, positives = $6, auc = $7, auc_folds = $8,
               brier = $9, calibration = $10, body = $11, left_out = $12, decided_by = 'training', decided_at = $4
        WHERE id = $1 AND state = 'waiting'
        """,
        *(found.model.id, state, note, now, found.examples, found.positives, found.auc, found.auc_folds, found.brier),
        *(found.calibration, to_json(found.model), found.left_out),
    )


async def get_model_for_update(conn: Connection, model_id: UUID) -> Any:
    row = await conn.fetchrow("SELECT id, state, auc FROM predictive_model WHERE id = $1 FOR UPDATE", model_id)
    if row is None:
        raise NotFound(f"no model {model_id}")
    return row


async def activate(conn: Connection, model_id: UUID, by: str, now: datetime) -> None:
    await _retire_active(conn, by, now)
    await conn.execute(
        "UPDATE predictive_model SET state = 'active', decided_by = $2, decided_at = $3 WHERE id = $1", *(model_id, by, now)
    )


async def retire(conn: Connection, model_id: UUID, by: str, now: datetime) -> None:
    await conn.execute(
        "UPDATE predictive_model SET state = 'retired', decided_by = $2, decided_at = $3 WHERE id = $1", *(model_id, by, now)
    )


async def get_model(conn: Connection, model_id: UUID) -> Any:
    row = await conn.fetchrow(
        """
        SELECT id, version, state, policy_version, requested_by, requested_at, trained_at, examples, positives, auc, auc_folds, brier,
               calibration, body, left_out, note, decided_by, decided_at
        FROM predictive_model WHERE id = $1
        """,
        model_id,
    )
    if row is None:
        raise NotFound(f"no model {model_id}")
    return row


async def list_models(conn: Connection, *, after: UUID | None, limit: int) -> list[Any]:
    return await conn.fetch(
        """
        SELECT id, version, state, policy_version, requested_by, requested_at, trained_at, examples, positives, auc, auc_folds, brier,
               note, decided_by, decided_at
        FROM predictive_model WHERE $1::uuid IS NULL OR id > $1 ORDER BY id LIMIT $2
        """,
        *(after, limit),
    )


async def find_active(conn: Connection) -> Model | None:
    """The model in use."""
    row = await conn.fetchrow("SELECT id, version FROM predictive_model WHERE state = 'active'")
    if row is None:
        return None
    if row["id"] not in _parsed:
        body = await conn.fetchval("SELECT body FROM predictive_model WHERE id = $1", row["id"])
        _parsed.clear()
        _parsed[row["id"]] = of_json(row["id"], row["version"], body)
    return _parsed[row["id"]]


async def claim_schedule(conn: Connection, now: datetime) -> bool:
    """Whether it is time to ask; locked until the transaction ends."""
    row = await conn.fetchrow("SELECT one FROM predictive_schedule WHERE next_at <= $1 FOR UPDATE SKIP LOCKED", now)
    return row is not None


async def save_schedule(conn: Connection, next_at: datetime) -> None:
    await conn.execute("UPDATE predictive_schedule SET next_at = $1", next_at)


async def last_trained_at(conn: Connection) -> datetime | None:
    moment: datetime | None = await conn.fetchval("SELECT max(trained_at) FROM predictive_model WHERE body IS NOT NULL")
    return moment


async def insert_manual(conn: Connection, made: Manual) -> None:
    """The caller has locked the lead; what was said before is over."""
    await end_manual(conn, made.lead_id, made.set_by, made.set_at)
    await conn.execute(
        """
        INSERT INTO manual_score (id, lead_id, value, reason, set_by, set_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7)
        """,
        *(made.id, made.lead_id, made.value, made.reason, made.set_by, made.set_at, made.expires_at),
    )


async def end_manual(conn: Connection, lead_id: UUID, by: str, now: datetime) -> bool:
    """The caller has locked the lead. False when there was nothing to end."""
    row = await conn.fetchrow(
        """
        UPDATE manual_score SET ended_at = $2, ended_by = $3
        WHERE lead_id = $1 AND ended_at IS NULL RETURNING expires_at IS NULL OR expires_at > $2 AS ran
        """,
        *(lead_id, now, by),
    )
    return row is not None and row["ran"]


async def manual_of(conn: Connection, lead_ids: Sequence[UUID], now: datetime) -> dict[UUID, Manual]:
    """What persons said of these leads at a moment, one value at most of each."""
    rows = await conn.fetch(
        """
        SELECT id, lead_id, value, reason, set_by, set_at, expires_at, ended_at, ended_by FROM manual_score
        WHERE lead_id = ANY($1::uuid[]) AND set_at <= $2 AND (ended_at IS NULL OR ended_at > $2) AND (expires_at IS NULL OR expires_at > $2)
        """,
        *(list(lead_ids), now),
    )
    return {row["lead_id"]: Manual(**dict(row)) for row in rows}


async def list_manual(conn: Connection, lead_id: UUID) -> list[Manual]:
    """The newest first, at most 200."""
    rows = await conn.fetch(
        """
        SELECT id, lead_id, value, reason, set_by, set_at, expires_at, ended_at, ended_by FROM manual_score
        WHERE lead_id = $1 ORDER BY id DESC LIMIT 200
        """,
        lead_id,
    )
    return [Manual(**dict(row)) for row in rows]


def policy_of(row: Any) -> Policy:
    fields = {name: row[name] for name in Policy.__dataclass_fields__}
    return Policy(**{**fields, "excluded": tuple(fields["excluded"])})


async def _retire_active(conn: Connection, by: str, now: datetime) -> None:
    await conn.execute(
        "UPDATE predictive_model SET state = 'retired', decided_by = $1, decided_at = $2 WHERE state = 'active'", *(by, now)
    )


async def _activities(conn: Connection, lead_ids: Sequence[UUID]) -> dict[UUID, list[Activity]]:
    found: dict[UUID, list[Activity]] = {}
    for row in await conn.fetch(
        "SELECT lead_id, code, occurred_at FROM activity WHERE lead_id = ANY($1::uuid[])", list(lead_ids)
    ):
        found.setdefault(row["lead_id"], []).append(Activity(row["code"], row["occurred_at"]))
    return found
