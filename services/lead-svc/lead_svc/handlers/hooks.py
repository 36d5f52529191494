"""The verbs of deliveries: one comes in and is kept, its leads are captured, a person tries it again, its bytes go.

`receive` commits before `work` begins: whatever ends the process in between, a timer goes on. Lock order: the delivery, then leads.
"""

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from ltc_chassis import custom_fields, secrets
from ltc_chassis.db import Transaction, is_down, is_refused, is_retryable
from ltc_chassis.ids import new_id
from ltc_chassis.secrets import SecretMissing
from ltc_chassis.settings import ChassisSettings
from ltc_contracts.errors import DomainError, Invalid
from ltc_contracts.events import Contact

from lead_svc.domain import hook as rules
from lead_svc.domain.hook import (
    Delivery,
    Endpoint,
    EndpointClosed,
    Item,
    Notice,
    NotSetUp,
    Proof,
    Push,
    SignatureReplayed,
    Unreadable,
)
from lead_svc.domain.hook_answers import Facts, facts_of, without_starred
from lead_svc.domain.hook_platforms import PLATFORMS
from lead_svc.domain.lead import DuplicateLead, Lead, LeadErased, blank
from lead_svc.domain.score import Activity
from lead_svc.handlers import consent
from lead_svc.handlers.capture import Arrival, capture_lead
from lead_svc.store import hook_deliveries as store
from lead_svc.store import hooks as endpoints
from lead_svc.store import leads

logger = logging.getLogger(__name__)
# The request itself works on what it took; only when it does not come to that, somebody else does.
HOLD = timedelta(seconds=60)
_LONGEST_PAUSE = timedelta(hours=6)
MOST_ATTEMPTS = 12


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a push at the door: `delivery_id` where it is kept, `refusal` where it is not let in, `known` where the same
    bytes came before."""

    delivery_id: UUID | None
    refusal: DomainError | None = None
    known: bool = False


def keys(settings: ChassisSettings, name: str | None) -> tuple[bytes, ...]:
    """The secret of this name and, while it is rotated, the one before. Raises `NotSetUp`."""
    try:
        return secrets.keys(settings, name or "")
    except (SecretMissing, Invalid) as error:
        logger.warning("a secret of a capture endpoint is missing: %s", error.reason)
        raise NotSetUp("this endpoint is not set up yet: its secret is missing") from error


def prove(settings: ChassisSettings, endpoint: Endpoint, push: Push, now: datetime) -> Proof:
    """Raises `NotSetUp`, `WrongSignature`, `ClockSkew`, `Unreadable`."""
    return PLATFORMS[endpoint.kind].verify(push, keys(settings, endpoint.secret), now, endpoint.skew_s)


async def receive(tx: Transaction, endpoint: Endpoint, push: Push, client: str) -> Receipt:
    """Keep what came in, before anything is made of it. What is not genuine, or tells nothing new, is kept as far as the budget of the
    hour goes, so that nobody can fill the disk."""
    delivery = Delivery(
        id=new_id(),
        endpoint_id=endpoint.id,
        received_at=tx.now,
        client=client[:100],
        headers=push.headers,
        query=push.query,
        body=push.body,
        size=len(push.body),
        sha256=hashlib.sha256(push.body).digest(),
        nonce=None,
        genuine=False,
        state="received",
        next_attempt_at=tx.now + HOLD,
    )
    try:
        proof = prove(tx.settings, endpoint, push, tx.now)
    except DomainError as error:
        return await _turn_away(tx, delivery, error)
    delivery = _starred(delivery, proof)
    same = await store.find_same(tx.conn, endpoint.id, delivery.sha256)
    if not endpoint.active:
        return await _turn_away(tx, delivery, EndpointClosed("this endpoint takes nothing at present"), fresh=same is None)
    if same is not None and (same[1], "retry") in rules.TRANSITIONS:
        # The platform tries again by itself what was refused: the same delivery, no further one.
        await _reopen(tx, await store.get_delivery_for_update(tx.conn, same[0]), f"{endpoint.kind} itself")
        return Receipt(same[0])
    if same is not None:
        # The bytes are there already.
        kept = await _afford(tx, replace(delivery, body=None, state="known", next_attempt_at=None, settled_at=tx.now))
        return Receipt(kept, known=True)
    if not await store.insert_delivery(tx.conn, replace(delivery, nonce=proof.nonce)):
        return await _turn_away(tx, delivery, SignatureReplayed("this signature was used before", field="nonce"))
    return Receipt(delivery.id)


async def work(tx: Transaction, delivery_id: UUID, answers: Mapping[str, bytes] | None = None) -> Delivery:
    """Make leads of a delivery that was taken in; done before, nothing changes. `answers` are those fetched before, by external id."""
    delivery = await store.get_delivery_for_update(tx.conn, delivery_id)
    if delivery.state != "received":
        return delivery
    endpoint = await endpoints.get_endpoint(tx.conn, delivery.endpoint_id)
    try:
        notices = PLATFORMS[endpoint.kind].notices(delivery.push)
    except DomainError as error:
        return await _settle(tx, delivery, "refused", error)
    there = {item.external_id for item in (await store.items_of(tx.conn, [delivery.id]))[delivery.id]}
    # In one order, so that two deliveries that tell of the same leads wait for each other and do not deadlock.
    for notice in sorted(notices, key=lambda notice: notice.external_id):
        if notice.external_id not in there:
            await _take(tx, endpoint, delivery, notice, (answers or {}).get(notice.external_id))
    return await settle(tx, delivery)


async def settle(tx: Transaction, delivery: Delivery) -> Delivery:
    """The state of a (locked) delivery is that of its leads. What tells of an erased person once more is not kept."""
    if await store.tells_of_erased(tx.conn, delivery.id):
        delivery = replace(delivery, body=None, query="")
    items = (await store.items_of(tx.conn, [delivery.id]))[delivery.id]
    state = rules.state_of(items)
    worst = next((item for item in items if item.state == state and item.problem is not None), None)
    problem = (worst.problem, worst.field, worst.reason) if worst else (None, None, None)
    return await _save(tx, delivery, state, problem)


async def settle_item(tx: Transaction, endpoint: Endpoint, item: Item, notice: Notice) -> Item:
    """What a lead of a delivery comes to: captured, known, only a test, or refused with the reason."""
    if notice.test:
        return await _end(tx, item, "test")
    try:
        async with tx.savepoint():
            lead = await _capture(tx, endpoint, item, notice)
    except DuplicateLead:
        return await _end(tx, item, "known", lead_id=await leads.find_lead_id(tx.conn, _reference(endpoint, item)))
    except LeadErased as error:
        return await refuse_item(tx, replace(item, answers=None), error)
    except DomainError as error:
        return await refuse_item(tx, item, error)
    except Exception as error:
        if not is_refused(error):
            raise
        return await refuse_item(tx, item, Unreadable("holds a value that cannot be kept", field="answers"))
    return await _end(tx, item, "taken", lead_id=lead.merged_into or lead.id)


async def refuse_item(tx: Transaction, item: Item, error: DomainError, *, failed: bool = False) -> Item:
    """A lead of a delivery is not taken, and why."""
    problem, field, reason = rules.told(error)
    return await _end(tx, item, "failed" if failed else "refused", problem=problem, field=field, reason=reason)


async def work_due(tx: Transaction) -> int:
    """A delivery that was taken in by somebody who then ended; 1, or 0 when there is none."""
    delivery_id = await store.claim_received(tx.conn, tx.now)
    if delivery_id is None:
        return 0
    try:
        async with tx.savepoint():
            await work(tx, delivery_id)
    except Exception as error:
        if is_down(error) or is_retryable(error):
            raise
        logger.exception("a delivery cannot be worked on")
        delivery = await store.get_delivery(tx.conn, delivery_id)
        attempts = delivery.attempts + 1
        if attempts >= MOST_ATTEMPTS:
            await _settle(
                tx, replace(delivery, attempts=attempts), "failed", Unreadable("a defect on our side keeps it from being taken")
            )
        else:
            await store.save_delivery(tx.conn, replace(delivery, attempts=attempts, next_attempt_at=tx.now + pause(attempts)))
    return 1


async def retry(tx: Transaction, delivery_id: UUID, by: str) -> Delivery:
    """A person tries a delivery again that was refused or failed; any other stays as it is. One that was not genuine is only taken when
    it is by the secrets of now and the clock of then. Raises what `prove` raises, `BodyGone`."""
    delivery = await store.get_delivery_for_update(tx.conn, delivery_id)
    if (delivery.state, "retry") not in rules.TRANSITIONS:
        return delivery
    push = delivery.push
    if not delivery.genuine:
        endpoint = await endpoints.get_endpoint(tx.conn, delivery.endpoint_id)
        delivery = _starred(delivery, prove(tx.settings, endpoint, push, delivery.received_at))
    answers = await store.answers_of(tx.conn, delivery.id)
    await _reopen(tx, delivery, by)
    return await work(tx, delivery.id, answers)


async def forget_old(tx: Transaction, limit: int = 500) -> int:
    """Bytes and answers are kept for a while only; returns how many rows were emptied."""
    setting = await endpoints.get_setting(tx.conn)
    return await store.empty_old(tx.conn, tx.now - timedelta(days=setting.keep_days), limit)


def pause(attempts: int) -> timedelta:
    """How long to wait after so many attempts: half a minute, doubled each time, at most six hours."""
    return min(timedelta(seconds=30 * 2 ** min(attempts - 1, 20)), _LONGEST_PAUSE)


async def _reopen(tx: Transaction, delivery: Delivery, by: str) -> None:
    """A (locked) delivery is as it was before it was worked on; one that is already stays it."""
    if (delivery.state, "retry") not in rules.TRANSITIONS:
        return
    await store.delete_settled_items(tx.conn, delivery.id)
    state = rules.turn("the delivery", delivery.state, "retry")
    again = replace(delivery, state=state, problem=None, field=None, reason=None, attempts=0, retried_by=by)
    await store.save_delivery(tx.conn, replace(again, next_attempt_at=tx.now + HOLD, settled_at=None))


async def _take(tx: Transaction, endpoint: Endpoint, delivery: Delivery, notice: Notice, answers: bytes | None) -> None:
    item = Item(new_id(), delivery.id, endpoint.id, notice.external_id, "waiting", answers, next_attempt_at=tx.now)
    if not await store.insert_item(tx.conn, item):
        other = await store.find_taken(tx.conn, endpoint.id, notice.external_id)
        known = replace(item, state="known", next_attempt_at=None, settled_at=tx.now, lead_id=other.lead_id if other else None)
        await store.insert_item(tx.conn, known)
        return
    if notice.answers is not None or notice.test:
        await settle_item(tx, endpoint, item, notice)
    elif answers is not None:
        await read_answers(tx, endpoint, item, answers)


async def read_answers(tx: Transaction, endpoint: Endpoint, item: Item, answers: bytes) -> Item:
    """The answers of a lead were fetched; they stay with it."""
    fetch = PLATFORMS[endpoint.kind].fetch
    assert fetch is not None
    item = replace(item, answers=answers)
    try:
        notice = fetch.read(answers, item.external_id)
    except DomainError as error:
        return await refuse_item(tx, item, error)
    return await settle_item(tx, endpoint, item, notice)


async def _capture(tx: Transaction, endpoint: Endpoint, item: Item, notice: Notice) -> Lead:
    own = await custom_fields.load(tx.conn, "lead")
    campaigns = await endpoints.known_campaigns(tx.conn, list(notice.places)) if notice.places else set()
    facts = facts_of(notice, endpoint, own, campaigns, tx.now)
    given = dict(facts.row.facts)
    contact = given.pop("contact", None)
    lead = blank(
        **given,
        id=new_id(),
        flow_id=new_id(),
        captured_via="webhook",
        external_ref=_reference(endpoint, item),
        contact=Contact(**contact) if contact else None,
        attributes=facts.row.attributes,
        created_at=tx.now,
        updated_at=tx.now,
    )
    captured = await capture_lead(tx, Arrival(lead, [Activity("form", facts.touch.occurred_at)], [facts.touch]))
    await _agree(tx, endpoint, item, captured, facts)
    return captured


async def _agree(tx: Transaction, endpoint: Endpoint, item: Item, lead: Lead, facts: Facts) -> None:
    if not facts.agreed or endpoint.consent is None:
        return
    await consent.record(
        tx,
        lead.merged_into or lead.id,
        given=True,
        said_at=facts.touch.occurred_at,
        wording=endpoint.consent.wording,
        source=f"lead form of {endpoint.kind}: {endpoint.name}",
        evidence={"question": endpoint.consent.question, "delivery": str(item.delivery_id), "platform_id": item.external_id},
        by=f"endpoint {endpoint.id}",
        purpose=endpoint.consent.purpose,
    )


def _reference(endpoint: Endpoint, item: Item) -> str:
    return f"{endpoint.kind}:{item.external_id}"


def _starred(delivery: Delivery, proof: Proof) -> Delivery:
    """The delivery, genuine; a key that was sent along is not kept."""
    assert delivery.body is not None
    body = without_starred(delivery.body, proof.starred)
    query = without_starred(delivery.query.encode(), proof.starred).decode()
    return replace(delivery, body=body, query=query, genuine=True)


async def _turn_away(tx: Transaction, delivery: Delivery, error: DomainError, *, fresh: bool = False) -> Receipt:
    """`fresh` is genuine and not there yet: it is kept in any case."""
    problem, field, reason = rules.told(error)
    logger.warning("a delivery to the endpoint %s is refused: %s", delivery.endpoint_id, problem)
    refused = replace(
        delivery, state="refused", problem=problem, field=field, reason=reason, next_attempt_at=None, settled_at=tx.now
    )
    if fresh:
        await store.insert_delivery(tx.conn, refused)
        return Receipt(delivery.id, error)
    return Receipt(await _afford(tx, refused), error)


async def _afford(tx: Transaction, delivery: Delivery) -> UUID | None:
    """Keep a delivery as far as the budget of the hour goes; its id, where it is kept."""
    setting = await endpoints.get_setting(tx.conn)
    hour = tx.now.replace(minute=0, second=0, microsecond=0)
    size = len(delivery.body or b"")
    most = {"most": setting.bad_per_hour, "most_bytes": setting.bad_bytes}
    if not await store.spend(tx.conn, delivery.endpoint_id, hour, size, **most):
        return None
    await store.insert_delivery(tx.conn, delivery)
    return delivery.id


async def _settle(tx: Transaction, delivery: Delivery, state: rules.State, error: DomainError) -> Delivery:
    return await _save(tx, delivery, state, rules.told(error))


async def _save(
    tx: Transaction, delivery: Delivery, state: rules.State, problem: tuple[str | None, str | None, str | None]
) -> Delivery:
    settled = replace(
        delivery,
        state=rules.moved(delivery, state),
        problem=problem[0],
        field=problem[1],
        reason=problem[2],
        next_attempt_at=None,
        settled_at=None if state == "waiting" else tx.now,
    )
    await store.save_delivery(tx.conn, settled)
    return settled


async def _end(
    tx: Transaction,
    item: Item,
    state: rules.State,
    *,
    lead_id: UUID | None = None,
    problem: str | None = None,
    field: str | None = None,
    reason: str | None = None,
) -> Item:
    ended = replace(
        item,
        state=rules.turn("the lead of a delivery", item.state, rules.MOVES[state]),
        lead_id=lead_id,
        problem=problem,
        field=field,
        reason=reason,
        next_attempt_at=None,
        settled_at=tx.now,
    )
    await store.save_item(tx.conn, ended)
    return ended
