"""Trains one predictive model, in a process of its own (ADR 13): `python -m lead_svc.training <model id> <business time>`.

The service starts it and waits; nothing that learns is ever imported where requests are served. It reads its examples from the service's
database and keeps the result there, in one transaction. A session lock keeps a second process from training the same model, and is gone
with the process, however that ends: what was not kept is trained again.
"""

import asyncio
import os
import sys
import warnings
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from ltc_chassis import db
from ltc_chassis.connection import DirectConnection
from ltc_chassis.settings import ChassisSettings

from lead_svc.domain import predictive as rules
from lead_svc.domain.predictive import Column, Model, NothingToLearn, Policy, Raw
from lead_svc.store import predictive as store
from lead_svc.store.predictive import Trained

_FOLDS = 5
_SEED = 20260101


async def train(conn: DirectConnection, model_id: UUID, now: datetime) -> None:
    """Train a model that waits; when another process does or did, nothing happens."""
    if not await store.lock_training(conn, model_id):
        return
    waiting = await store.find_waiting(conn, model_id)
    if waiting is None:
        return
    version, policy = waiting
    rows, labels = await store.examples(conn, policy)
    few = min(sum(labels), len(labels) - sum(labels))
    if few < policy.min_examples:
        reason = f"there are {sum(labels)} converted and {len(labels) - sum(labels)} lost leads; {policy.min_examples} of each are needed"
        await store.fail(conn, model_id, reason, now)
        return
    try:
        found = learn(model_id, version, rows, labels, policy)
    except NothingToLearn as error:
        await store.fail(conn, model_id, error.reason, now)
        return
    async with conn.transaction():
        await store.lock_active(conn)
        present = await store.find_active_auc(conn)
        state, note = rules.verdict(found.auc, present, policy)
        await store.save_trained(conn, found, state, note, now)


def learn(model_id: UUID, version: int, rows: Sequence[Raw], labels: Sequence[int], policy: Policy) -> Trained:
    """The model of all examples, and what it is worth: area under the ROC curve and Brier score on leads it had not seen, in five folds.

    Buckets are learnt anew in each fold, from its own part, so that nothing of the measured part is known beforehand.
    """
    import numpy as np
    from sklearn.metrics import brier_score_loss, roc_auc_score
    from sklearn.model_selection import StratifiedKFold

    truth = np.array(labels)
    predicted = np.zeros(len(rows))
    aucs: list[float] = []
    for known, unknown in StratifiedKFold(_FOLDS, shuffle=True, random_state=_SEED).split(truth, truth):
        model, _ = _fit(model_id, version, [rows[i] for i in known], truth[known], policy)
        log_odds = [rules.chance(model, rows[i]).log_odds for i in unknown]
        predicted[unknown] = 1 / (1 + np.exp(-np.array(log_odds)))
        aucs.append(float(roc_auc_score(truth[unknown], predicted[unknown])))
    model, left_out = _fit(model_id, version, rows, truth, policy)
    return Trained(
        model=model,
        examples=len(rows),
        positives=int(truth.sum()),
        auc=sum(aucs) / len(aucs),
        auc_folds=aucs,
        brier=float(brier_score_loss(truth, predicted)),
        calibration=_calibration(predicted, truth),
        left_out=left_out,
    )


def _fit(model_id: UUID, version: int, rows: Sequence[Raw], truth: Any, policy: Policy) -> tuple[Model, dict[str, str]]:
    import numpy as np
    from scipy.sparse import csr_matrix
    from sklearn.linear_model import LogisticRegression

    columns, left_out = rules.learn_columns(rows, policy.excluded)
    starts = np.cumsum([0, *(column.size for column in columns)])
    places = (
        np.array([rules.buckets_of(columns, row) for row in rows], dtype=np.int64).reshape(len(rows), len(columns)) + starts[:-1]
    )
    ends = np.arange(len(rows) + 1) * len(columns)
    table = csr_matrix((np.ones(places.size), places.ravel(), ends), shape=(len(rows), int(starts[-1])))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a fit that stops at its last step is measured like any other
        fitted = LogisticRegression(C=1.0, max_iter=500).fit(table, truth)
    shares = np.asarray(table.mean(axis=0)).ravel()
    return (
        rules.model_of(
            model_id,
            version,
            columns,
            float(fitted.intercept_[0]),
            _per_column(columns, starts, fitted.coef_[0]),
            _per_column(columns, starts, shares),
        ),
        left_out,
    )


def _per_column(columns: Sequence[Column], starts: Any, values: Any) -> list[list[float]]:
    return [[float(value) for value in values[starts[place] : starts[place + 1]]] for place in range(len(columns))]


def _calibration(predicted: Any, truth: Any) -> list[dict[str, float]]:
    """Ten parts of equally many leads, by rising chance: what was said, what came, how many."""
    import numpy as np

    parts = np.array_split(np.argsort(predicted, kind="stable"), 10)
    return [
        {
            "predicted": round(float(predicted[part].mean()), 4),
            "observed": round(float(truth[part].mean()), 4),
            "leads": len(part),
        }
        for part in parts
        if len(part)
    ]


async def main(model_id: UUID, now: datetime) -> None:
    # Settings come from the environment, as for the service itself.
    conn = await db.connect(ChassisSettings().direct_dsn, application="lead-svc training")
    try:
        await train(conn, model_id, now)
    finally:
        await conn.close()


if __name__ == "__main__":
    os.nice(10)
    asyncio.run(main(UUID(sys.argv[1]), datetime.fromisoformat(sys.argv[2])))
