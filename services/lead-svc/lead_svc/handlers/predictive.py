"""The verbs of predictive models: have one trained in a process of its own, use it or not; and what a person says instead."""

import asyncio
import logging
import os
import sys
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from ltc_chassis.connection import Connection
from ltc_chassis.db import Transaction
from ltc_chassis.ids import new_id
from ltc_contracts.errors import DomainError, Invalid, NotFound, WrongTransition

from lead_svc.domain import predictive as rules
from lead_svc.domain.lead import Lead, require_known
from lead_svc.domain.predictive import Chance, Manual, NotGoodEnough, Policy, TrainingRuns
from lead_svc.domain.score import Activity
from lead_svc.store import leads
from lead_svc.store import predictive as store

logger = logging.getLogger(__name__)
_LONGEST_S = 1800.0
_KEEP_ALIVE_S = 10.0
_MOST_ATTEMPTS = 3
_FEWEST_FRESH = 20


class PolicyExists(DomainError):
    """Somebody added a version in the meantime; read the latest again."""


async def request(tx: Transaction, by: str) -> UUID:
    """Have a model trained now, by the latest policy. Raises `TrainingRuns`."""
    model_id = new_id()
    policy = await store.get_policy(tx.conn)
    if not await store.insert_waiting(tx.conn, model_id, policy_version=policy.version, by=by, now=tx.now):
        raise TrainingRuns("a model waits to be trained already")
    return model_id


async def schedule(tx: Transaction) -> int:
    """Ask whether there is enough new to learn from, and have a model trained then; returns 1 when it was time to ask."""
    if not await store.claim_schedule(tx.conn, tx.now):
        return 0
    policy = await store.get_policy(tx.conn)
    last = await store.last_trained_at(tx.conn)
    total, fresh = await store.count_examples(tx.conn, policy, last)
    enough = total >= 2 * policy.min_examples and (last is None or fresh >= max(_FEWEST_FRESH, total // 20))
    if policy.enabled and enough:
        await store.insert_waiting(tx.conn, new_id(), policy_version=policy.version, by="schedule", now=tx.now)
    await store.save_schedule(tx.conn, tx.now + timedelta(days=policy.retrain_days if enough else 1))
    return 1


async def train_due(tx: Transaction) -> int:
    """Start the process that trains the model that waits, and wait for its end; 0 when none waits, or another replica trains it.

    The transaction reads only, so it keeps nobody and nothing back; it is kept awake, since the server ends idle ones.
    """
    model_id = await store.find_next(tx.conn)
    if model_id is None:
        return 0
    code, error = await _run(tx, model_id)
    if code == 0:
        return 0 if await store.find_next(tx.conn) == model_id else 1
    attempts = await store.count_attempt(tx.conn, model_id)
    logger.error("training model %s ended with code %s (%s), attempt %d", model_id, code, error, attempts)
    if attempts < _MOST_ATTEMPTS:
        return 0
    await store.fail(tx.conn, model_id, f"the training process failed {attempts} times ({error or code})", tx.now)
    return 1


async def add_policy(tx: Transaction, policy: Policy, by: str) -> None:
    """How models are made from now on. Raises `PolicyExists` when it is not the version after the latest."""
    latest = await store.get_policy(tx.conn)
    if policy.version != latest.version + 1 or not await store.insert_policy(tx.conn, policy, by=by, now=tx.now):
        raise PolicyExists(f"the latest version is {latest.version}; a new one is the next", field="version")


async def activate(tx: Transaction, model_id: UUID, by: str) -> None:
    """A person puts a candidate, or a model of before, into use. Raises `NotGoodEnough` below the floor, `WrongTransition`."""
    await store.lock_active(tx.conn)
    row = await store.get_model_for_update(tx.conn, model_id)
    if (row["state"], "activate") not in rules.TRANSITIONS:
        raise WrongTransition("the model", row["state"], "activate")
    floor = (await store.get_policy(tx.conn)).min_auc
    if row["auc"] < floor:
        raise NotGoodEnough(f"its AUC of {row['auc']:.4f} is below the floor of {floor}")
    await store.activate(tx.conn, model_id, by, tx.now)


async def retire(tx: Transaction, model_id: UUID, by: str) -> None:
    """The model in use is used no longer; leads have no predictive score until another one is. Raises `WrongTransition`."""
    await store.lock_active(tx.conn)
    row = await store.get_model_for_update(tx.conn, model_id)
    if (row["state"], "retire") not in rules.TRANSITIONS:
        raise WrongTransition("the model", row["state"], "retire")
    await store.retire(tx.conn, model_id, by, tx.now)


async def set_manual(tx: Transaction, lead_id: UUID, value: Decimal, reason: str, expires_at: datetime | None, by: str) -> Manual:
    """A person's own value for a lead counts instead of the model's, until it expires or is withdrawn."""
    if expires_at is not None and expires_at <= tx.now:
        raise Invalid("must be in the future", field="expires_at")
    lead = await leads.get_lead_for_update(tx.conn, lead_id)
    require_known(lead)
    made = Manual(new_id(), lead.id, value, reason, by, tx.now, expires_at, None, None)
    await store.insert_manual(tx.conn, made)
    return made


async def withdraw_manual(tx: Transaction, lead_id: UUID, by: str) -> None:
    """The model's value counts again. Raises `NotFound` when no value of a person counts."""
    await leads.get_lead_for_update(tx.conn, lead_id)
    if not await store.end_manual(tx.conn, lead_id, by, tx.now):
        raise NotFound(f"the lead {lead_id} has no manual score")


async def chances_of(conn: Connection, given: Sequence[tuple[Lead, Sequence[Activity]]], now: datetime) -> dict[UUID, Chance]:
    """What the model in use says of leads as of a moment; empty when there is none."""
    model = await store.find_active(conn)
    if model is None:
        return {}
    return {lead.id: rules.chance(model, rules.raw_of(lead, done, now)) for lead, done in given}


async def expected(conn: Connection, given: Sequence[tuple[Lead, Sequence[Activity]]], now: datetime) -> dict[UUID, Decimal]:
    """The chance that counts, per cent: a person's value, else the model's."""
    manual = await store.manual_of(conn, [lead.id for lead, _ in given], now)
    chances = await chances_of(conn, given, now)
    return {lead_id: chance.percent for lead_id, chance in chances.items()} | {
        lead_id: said.value for lead_id, said in manual.items()
    }


async def _run(tx: Transaction, model_id: UUID) -> tuple[int, str]:
    """The exit code, and the kind of error that ended it; no text of it, since it may repeat what a lead said."""
    settings = tx.settings
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "lead_svc.training", str(model_id), tx.now.isoformat()),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        env={
            **os.environ,
            "LTC_POSTGRES_DSN": settings.postgres_dsn,
            "LTC_POSTGRES_DIRECT_DSN": settings.postgres_direct_dsn,
            "LTC_AUTH_PUBLIC_KEY": str(settings.auth_public_key),
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
        },
    )
    ended = asyncio.ensure_future(process.communicate())
    try:
        async with asyncio.timeout(_LONGEST_S):
            while not (await asyncio.wait({ended}, timeout=_KEEP_ALIVE_S))[0]:
                await tx.conn.execute("SELECT 1")
    except TimeoutError:
        return -1, f"longer than {_LONGEST_S:.0f} s"
    finally:
        if process.returncode is None:
            process.kill()
        _, errors = await ended
    last = errors.decode(errors="replace").strip().rpartition("\n")[2]
    return process.returncode or 0, last.partition(":")[0][:100] if process.returncode else ""
