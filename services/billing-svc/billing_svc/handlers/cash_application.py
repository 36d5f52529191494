"""Payments of statements are booked and applied: by themselves above the threshold of the setting, else when a person says so.

Money is booked in any case: it is here, whoever it is for. Lock order: the item or review, then the payment, then invoices.
"""

import logging
from collections.abc import Sequence
from uuid import UUID

from ltc_chassis.db import Transaction, is_down, is_retryable
from ltc_chassis.ids import new_id
from ltc_contracts.errors import DomainError, VersionConflict

from billing_svc.domain import matching, review
from billing_svc.domain.allocation import Policy
from billing_svc.domain.matching import Known, Reason, Signals, Suggestion
from billing_svc.domain.payment import Method, Payment
from billing_svc.domain.review import Move, Review
from billing_svc.handlers import payments as handlers
from billing_svc.handlers import refunds
from billing_svc.handlers.payments import Wanted
from billing_svc.handlers.refunds import Execution
from billing_svc.store import cash_application as store
from billing_svc.store import invoices, payments
from billing_svc.store.cash_application import CashSetting, DueItem
from billing_svc.store.late_charges import list_charge_ids

logger = logging.getLogger(__name__)


async def apply_due(tx: Transaction, *, limit: int) -> int:
    """Book the next payments of statements; returns how many items were looked at."""
    due = await store.claim_due_items(tx.conn, limit)
    setting = await store.get_setting(tx.conn) if due else None
    for item in due:
        assert setting is not None
        try:
            async with tx.savepoint():
                await _apply(tx, item, setting)
        except Exception as error:
            if is_down(error) or is_retryable(error):
                raise
            # One item stops no other: a person sees it.
            logger.exception("an item of a statement cannot be applied")
            await _wait(tx, item, Reason("defect", "it could not be applied; it is looked at by hand"))
    return len(due)


async def suggest(tx: Transaction, signals: Signals, policy: Policy) -> Suggestion:
    """What the payment of these signals is for, as far as that can be said."""
    named = await invoices.get_ids_by_number(tx.conn, list(matching.numbers_said(signals)))
    seen = await store.get_payers(tx.conn, signals.party_account) if signals.party_account else {}
    theirs, exact = await store.list_open_ids(tx.conn, customer_ids=list(seen), exact=signals.amount)
    charges = await list_charge_ids(tx.conn, list(named.values()))
    # Locked before they are judged: what is suggested can be applied. The payment is new, so nobody waits for it.
    known = await invoices.get_invoices_for_update(tx.conn, sorted({*named.values(), *theirs, *exact, *charges}))
    return matching.suggest(
        signals,
        Known(
            {number: known[invoice_id] for number, invoice_id in named.items() if invoice_id in known},
            [known[each] for each in theirs],
            seen,
            [known[each] for each in exact],
            [known[each] for each in charges],
        ),
        policy,
    )


async def book(tx: Transaction, signals: Signals, *, method: Method, item: DueItem | None, setting: CashSetting) -> Payment:
    """Book money in; apply what is certain, and queue the rest for a person."""
    suggestion = await suggest(tx, signals, setting.policy)
    reference = " ".join((*signals.references, signals.text)).strip() or signals.end_to_end_id or signals.party or "no reference"
    received_on = min(item.booked_on, tx.now.date()) if item else None
    payment = await handlers.book_payment(
        tx, amount=signals.amount, method=method, reference=reference[:200].strip(), received_on=received_on
    )
    await store.insert_origin(tx.conn, payment.id, item.id if item else None, signals)
    if suggestion.parts and suggestion.confidence >= setting.automatic:
        return await _settle(tx, payment, _wanted(suggestion), signals.party_account, fresh=True)
    await store.insert_review(tx.conn, Review(new_id(), payment.id, item.id if item else None, suggestion, "waiting", 1, tx.now))
    return payment


async def decide(
    tx: Transaction, review_id: UUID, move: Move, *, by: str, why: str | None, wanted: Sequence[Wanted] = ()
) -> Review:
    """A person decides: as suggested, otherwise, or not at all, so that it stays on account. Raises what `allocate_payment` raises."""
    found = await store.get_review_for_update(tx.conn, review_id)
    decided = review.decide(found, move, by=by, why=why, now=tx.now)
    await store.save_review(tx.conn, decided)
    if decided.payment_id is None:
        assert decided.item_id is not None
        await store.save_item(tx.conn, decided.item_id, "settled")
    elif move != "reject":
        payment = await payments.get_payment_for_update(tx.conn, decided.payment_id)
        account = await store.get_account_of(tx.conn, payment.id)
        await _settle(tx, payment, _wanted(decided.suggestion) if move == "accept" else wanted, account, fresh=False)
        # Without what was said of a person who was erased.
        return await store.get_review(tx.conn, review_id)
    return decided


async def change_setting(tx: Transaction, setting: CashSetting) -> CashSetting:
    """Write the next version. Raises `VersionConflict` when another was written meanwhile."""
    now = await store.get_setting(tx.conn)
    if setting.version != now.version + 1 or not await store.insert_setting(tx.conn, setting):
        raise VersionConflict("the setting of cash application", now.version)
    return setting


async def _apply(tx: Transaction, item: DueItem, setting: CashSetting) -> None:
    if item.signals.amount.amount == 0:
        await store.save_item(tx.conn, item.id, "settled")
    elif not item.credit and (item.return_reason or item.reversal):
        await _undo(tx, item)
    elif not item.credit:
        await _wait(tx, item, Reason("debit", "money went out"))
    elif item.reversal or item.return_reason:
        await _wait(tx, item, Reason("returned", "money of ours came back: it pays no invoice"))
    elif not item.detailed:
        await _wait(tx, item, Reason("batch", "the bank tells only the sum of a batch; its payments may come by camt.054"))
    else:
        try:
            async with tx.savepoint():
                await book(tx, item.signals, method="bank_transfer", item=item, setting=setting)
        except DomainError as error:
            await _wait(tx, item, Reason("refused", error.reason))
        else:
            await store.save_item(tx.conn, item.id, "applied")


async def _undo(tx: Transaction, item: DueItem) -> None:
    """The bank takes a payment back: what it settled is claimed again. Where it is not certain which one, a person says so."""
    why = f"returned: {item.return_reason}" if item.return_reason else "a payment was undone"
    found = await store.list_returned_payments(tx.conn, item.id)
    if len(found) != 1:
        await _wait(
            tx, item, Reason("debit", f"{why}; {'several payments' if found else 'no payment that is here'} can be meant")
        )
        return
    payment = await payments.get_payment_for_update(tx.conn, found[0])
    on = min(max(item.booked_on, payment.received_on), tx.now.date())
    try:
        async with tx.savepoint():
            await refunds.give_back(tx, payment.id, payment.amount, Execution(f"bank {item.id}", on), reason=why, by="bank")
    except DomainError as error:
        await _wait(tx, item, Reason("refused", f"{why}; {error.reason}"))
        return
    kept = item.signals.amount - payment.amount
    if kept.amount:
        await _wait(tx, item, Reason("charges", f"{why}; the payment is undone, the bank's charges of {kept} are to be booked"))
    else:
        await store.save_item(tx.conn, item.id, "applied")


async def _wait(tx: Transaction, item: DueItem, reason: Reason) -> None:
    await store.save_item(tx.conn, item.id, "waiting")
    nothing = Suggestion(matching.NOTHING, (reason,), ())
    await store.insert_review(tx.conn, Review(new_id(), None, item.id, nothing, "waiting", 1, tx.now))


async def _settle(tx: Transaction, payment: Payment, wanted: Sequence[Wanted], account: str, *, fresh: bool) -> Payment:
    """Apply, and remember for whom this account pays. `fresh`: the payer's word came with the money, so it counts from the receipt."""
    payment, settled = await handlers.apply(tx, payment, wanted, on=payment.received_on if fresh else tx.now.date())
    if account:
        await store.remember_payer(tx.conn, account, {each.customer.customer_id: each.flow_id for each in settled}, tx.now)
    return payment


def _wanted(suggestion: Suggestion) -> list[Wanted]:
    return [Wanted(invoice_id=invoice_id, amount=part.amount) for invoice_id, part in suggestion.parts]
