"""Events of payment providers: kept as they came, then worked on, each once.

`receive` commits before `work` begins: whatever ends the process in between, a timer goes on.
"""

import logging
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from ltc_chassis import secrets
from ltc_chassis.db import Transaction, is_down, is_retryable
from ltc_chassis.ids import new_id
from ltc_chassis.secrets import SecretMissing
from ltc_contracts.errors import DomainError, Invalid, NotFound, VersionConflict, WrongTransition
from ltc_contracts.events import PaymentDeclined
from ltc_contracts.money import Money

from billing_svc.domain import provider_event as rules
from billing_svc.domain.provider_event import Declined, Paid, ProviderEvent, Undone
from billing_svc.handlers import cash_application, disputes, refunds
from billing_svc.handlers.refunds import Execution
from billing_svc.store import cash_application as settings
from billing_svc.store import invoices, payments
from billing_svc.store import provider_events as store
from billing_svc.store.provider_events import Provider
from billing_svc.store.refunds import executed_of

logger = logging.getLogger(__name__)


class ProviderNotSetUp(DomainError):
    """The secret of a provider is missing, so nothing of it can be let in; providers send again for days."""

    kind = "not_found"


async def change_provider(tx: Transaction, provider: Provider) -> Provider:
    """Write a provider, at version 1 or the next. Raises `Invalid` for the name of a secret, `VersionConflict`."""
    secrets.check_name(provider.secret, field="secret")
    known = await store.find_provider(tx.conn, provider.code)
    version = known.version if known else 0
    if provider.version != version + 1 or not await store.save_provider(tx.conn, provider):
        raise VersionConflict(f"the provider {provider.code}", version)
    return provider


async def receive(tx: Transaction, code: str, header: str, body: bytes) -> bool:
    """Keep a genuine event; False when it came before. Raises `NotFound`, `ProviderNotSetUp`, and why it is not let in."""
    provider = await store.find_provider(tx.conn, code)
    if provider is None or not provider.active:
        raise NotFound("there is no such provider")
    try:
        keys = secrets.keys(tx.settings, provider.secret)
    except (SecretMissing, Invalid) as error:
        logger.warning("the secret of a payment provider is missing: %s", error.reason)
        raise ProviderNotSetUp("this provider is not set up yet: its secret is missing") from error
    rules.verify(header, body, keys, tx.now, provider.tolerance_s)
    told = rules.read(body)
    return await store.insert_event(
        tx.conn, ProviderEvent(new_id(), provider.code, told.event_id, told.type, body, "received", tx.now)
    )


async def work_due(tx: Transaction) -> int:
    """Work on the oldest event that was received; 1, or 0 when there is none."""
    event = await store.claim_received(tx.conn)
    if event is None:
        return 0
    try:
        async with tx.savepoint():
            done = await _work(tx, event)
    except Exception as error:
        if is_down(error) or is_retryable(error):
            raise
        # One event stops no other: a person sees it.
        reason = error.reason if isinstance(error, DomainError) else "a defect on our side; it is looked at by hand"
        logger.warning("an event of a payment provider waits for a person: %s", reason)
        done = replace(event, state="waiting", reason=reason[:500])
    # The words of a voucher are kept; of what books nothing, they are somebody's data without a use.
    idle = done.state == "ignored" or done.hard is not None
    done = replace(done, body=b"" if idle else done.body, settled_at=None if done.state == "waiting" else tx.now)
    await store.save_event(tx.conn, done)
    return 1


async def settle(tx: Transaction, event_id: UUID, *, by: str, why: str, now: datetime) -> ProviderEvent:
    """A person did what an event asked for. Raises `WrongTransition` for one that does not wait."""
    event = await store.get_event_for_update(tx.conn, event_id)
    if event.state != "waiting":
        raise WrongTransition(f"event {event.event_id}", event.state, "settle")
    settled = replace(
        event, state="settled", decided_by=by, reason=f"{event.reason or ''}; {why}"[:1000].strip("; "), settled_at=now
    )
    await store.save_event(tx.conn, settled)
    return settled


async def _work(tx: Transaction, event: ProviderEvent) -> ProviderEvent:
    match rules.meaning(rules.read(event.body)):
        case Paid() as paid:
            return await _paid(tx, event, paid)
        case Declined() as declined:
            return await _declined(tx, event, declined)
        case Undone() as undone:
            return await _undone(tx, event, undone)
        case _:
            return replace(event, state="ignored")


async def _paid(tx: Transaction, event: ProviderEvent, paid: Paid) -> ProviderEvent:
    """Book it; a charge and its payment intent are one payment."""
    await store.lock_object(tx.conn, event.provider, paid.object_id)
    known = await store.find_payment(tx.conn, event.provider, paid.object_id, paid.charge_id)
    event = replace(event, object_id=paid.object_id)
    if known is not None:
        await store.insert_payment(tx.conn, event.provider, known, paid.object_id, paid.charge_id)
        return replace(event, state="known", payment_id=known)
    setting = await settings.get_setting(tx.conn)
    payment = await cash_application.book(tx, paid.signals, method="card", item=None, setting=setting)
    await store.insert_payment(tx.conn, event.provider, payment.id, paid.object_id, paid.charge_id)
    # Providers keep no order: what was told of this payment before it is worked on again.
    await store.reopen(tx.conn, event.provider, paid.object_id, paid.charge_id)
    return replace(event, state="taken", payment_id=payment.id)


async def _declined(tx: Transaction, event: ProviderEvent, declined: Declined) -> ProviderEvent:
    """Say so on the flow of the invoice that was to be paid, if it is known."""
    known = await invoices.get_ids_by_number(tx.conn, [declined.number] if declined.number else [])
    invoice = await invoices.get_invoice(tx.conn, known[declined.number]) if declined.number in known else None
    told = PaymentDeclined(
        attempt_id=event.id,
        provider=event.provider,
        hard=declined.hard,
        reason=declined.reason,
        invoice_id=invoice.id if invoice else None,
        number=invoice.number if invoice else None,
        order_id=invoice.order_id if invoice else None,
        declined_on=event.received_at.date(),
    )
    tx.emit(told, flow_id=invoice.flow_id if invoice else None, sequence=1)
    return replace(event, state="taken", object_id=declined.object_id, hard=declined.hard, reason=declined.reason)


async def _gone_back(tx: Transaction, event: ProviderEvent, payment_id: UUID, in_all: Money) -> ProviderEvent:
    """Refund what is not refunded here yet: providers tell how much it is in all.

    While a refund is only asked for, a person says whether this is it.
    """
    payment = await payments.get_payment_for_update(tx.conn, payment_id)
    gone = await executed_of(tx.conn, payment)
    missing = in_all - gone
    if missing.amount <= 0:
        return replace(event, state="known")
    if gone != payment.refunded:
        aside = payment.refunded - gone
        return replace(event, reason=f"{event.reason}; a refund of {aside} is asked for: execute it, or withdraw it"[:500])
    executed = Execution(f"{event.provider} {event.event_id}", None)
    who = {"reason": event.reason or event.type, "by": f"provider {event.provider}"}
    await refunds.give_back(tx, payment_id, missing, executed, **who)
    return replace(event, state="taken")


async def _undone(tx: Transaction, event: ProviderEvent, undone: Undone) -> ProviderEvent:
    """What is disputed at the bank is disputed here, what went back is refunded here; what the provider took waits for a person."""
    await store.lock_object(tx.conn, event.provider, undone.object_id)
    payment_id = await store.find_payment(tx.conn, event.provider, undone.object_id, undone.charge_id)
    event = replace(event, state="waiting", object_id=undone.object_id, payment_id=payment_id, reason=undone.reason)
    if payment_id is None:
        return event
    if undone.refunded is not None:
        return await _gone_back(tx, event, payment_id, undone.refunded)
    if not undone.disputed:
        return event
    settled = (await payments.list_allocations(tx.conn, [payment_id])).get(payment_id, [])
    await invoices.get_invoices_for_update(tx.conn, [each.invoice_id for each in settled])
    for each in settled:
        try:
            async with tx.savepoint():
                await disputes.open_dispute(
                    tx,
                    each.invoice_id,
                    category="other",
                    amount=each.amount,
                    reason=undone.reason,
                    by=f"provider {event.provider}",
                )
        except DomainError as error:
            return replace(event, reason=f"{undone.reason}; {each.number}: {error.reason}"[:500])
    return replace(event, state="taken") if settled else event
