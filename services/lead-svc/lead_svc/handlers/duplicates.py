"""Duplicates at capture: what the policy makes of a new lead that is like a known one."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from ltc_chassis.db import Transaction
from ltc_contracts.errors import Invalid

from lead_svc.domain import duplicates as rules
from lead_svc.domain.duplicates import DuplicatePolicy, DuplicatePolicyExists, Match, Verdict
from lead_svc.domain.identity import Key
from lead_svc.store import duplicates as store


async def judge(tx: Transaction, keys: Mapping[UUID, frozenset[Key]]) -> dict[UUID, Verdict]:
    """The verdicts on new leads whose keys are kept already, in the order in which they came; most have none.

    Of two alike that come at once the second one sees the first, where the policy refuses or merges.
    """
    policy = await store.get_policy(tx.conn, tx.now)
    strict = [kind for kind in policy.asked if policy.answer(kind) in ("refuse", "merge")]
    if strict:
        await store.lock_keys(tx.conn, (key for some in keys.values() for key in some if key.kind in strict))
    found: dict[UUID, list[Match]] = defaultdict(list)
    equal = [kind for kind in policy.asked if kind != "name"]
    if equal and any(keys.values()):
        for match in await store.matches_of(tx.conn, list(keys), equal):
            found[match.lead_id].append(match)
    if "name" in policy.asked:
        for match in await _namesakes(tx, keys, policy):
            found[match.lead_id].append(match)
    verdicts = {lead_id: rules.judge(matches, policy) for lead_id, matches in found.items()}
    return {lead_id: verdict for lead_id, verdict in verdicts.items() if verdict is not None}


async def add_policy(tx: Transaction, policy: DuplicatePolicy, valid_from: datetime, by: str) -> None:
    """A new version of the policy, from a moment on. Raises `Invalid`, `DuplicatePolicyExists`."""
    if valid_from < tx.now:
        raise Invalid("a policy cannot begin in the past", field="valid_from")
    if not await store.insert_policy(tx.conn, policy, valid_from=valid_from, created_by=by, now=tx.now):
        raise DuplicatePolicyExists("this version, or one that begins at that moment, exists", field="version")


async def _namesakes(tx: Transaction, keys: Mapping[UUID, frozenset[Key]], policy: DuplicatePolicy) -> Sequence[Match]:
    order = {lead_id: number for number, lead_id in enumerate(keys)}
    found = []
    for lead_id, some in keys.items():
        for key in some:
            if key.kind == "name":
                others = await store.named_like(tx.conn, key.value, float(policy.likeness))
                found += [Match(lead_id, "name", other) for other in others if order.get(other, -1) < order[lead_id]]
    return found
