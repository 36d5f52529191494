"""Dunning: steps are taken by the calendar, each once; who pays, disputes or promises stops them in the same transaction."""

import logging
import re
from dataclasses import replace
from datetime import date, timedelta
from uuid import UUID

from ltc_chassis import mailroom
from ltc_chassis.db import Transaction, is_down, is_retryable
from ltc_chassis.ids import new_id
from ltc_chassis.mailroom import Attachment, Mail, check_address
from ltc_contracts.errors import DomainError, Invalid, NotFound, VersionConflict

from billing_svc.domain import dunning as rules
from billing_svc.domain import dunning_letter as letters
from billing_svc.domain import late_charge as late_charges
from billing_svc.domain.dunning import Case, Notice, Policy, Promise, Step
from billing_svc.domain.instalment import dunned
from billing_svc.domain.invoice import Invoice
from billing_svc.handlers import erasure
from billing_svc.handlers.dunning_papers import print_letter
from billing_svc.handlers.journal import issue
from billing_svc.store import dunning as store
from billing_svc.store import erasure as erasures
from billing_svc.store import instalments, invoices
from billing_svc.store import late_charges as charge_store
from billing_svc.store.dunning import CustomerRule, Known

logger = logging.getLogger(__name__)
_CONTROL = re.compile(r"[\x00-\x1f\x7f\u0085\u2028\u2029]")


async def take_steps(tx: Transaction, *, limit: int) -> int:
    """Look at the invoices whose day has come; returns how many."""
    due = await store.claim_due(tx.conn, tx.now.date(), limit)
    if not due:
        return 0
    locked = await invoices.get_invoices_for_update(tx.conn, due)
    # Before anything is written about them, so that an erasure and this never wait for each other.
    await erasures.share_flows(tx.conn, [invoice.flow_id for invoice in locked.values()])
    plans = await instalments.list_plans(tx.conn, due)
    known = await store.get_known(tx.conn, due)
    policies = {policy.name: policy for policy in await store.list_policies(tx.conn)}
    customers = await store.get_customer_rules(tx.conn, [invoice.customer.customer_id for invoice in locked.values()])
    for invoice_id in due:
        invoice, number = dunned(locked[invoice_id], plans.get(invoice_id))
        rule = customers.get(invoice.customer.customer_id)
        policy = policies[rule.policy if rule else rules.STANDARD]
        try:
            async with tx.savepoint():
                await _look(tx, invoice, await _turned(tx, invoice, known[invoice_id], number), policy, rule)
        except Exception as error:
            if is_down(error) or is_retryable(error):
                raise
            # A letter that cannot be printed must not keep all the others waiting: it is tried again tomorrow.
            logger.exception("no step of dunning about invoice %s", invoice_id)
            await store.save_looked(tx.conn, invoice_id, tx.now.date() + timedelta(days=1), ended=known[invoice_id].ended)
    return len(due)


async def _turned(tx: Transaction, invoice: Invoice, known: Known, number: int) -> Known:
    """What is known of the instalment that is the oldest open one now. The reminders of the one before it have ended."""
    if number == known.instalment:
        return known
    if known.taken and not known.ended:
        ended = rules.end(invoice, known.holding is not None, tx.now.date())
        tx.emit(ended, flow_id=invoice.flow_id, sequence=invoice.version)
    await store.turn_to_instalment(tx.conn, invoice.id, number)
    return (await store.get_known(tx.conn, [invoice.id]))[invoice.id]


async def _look(tx: Transaction, invoice: Invoice, known: Known, policy: Policy, rule: CustomerRule | None) -> None:
    today = tx.now.date()
    promise = await _judge_promise(tx, invoice, known.promise)
    case = Case(
        invoice=invoice,
        taken=known.taken,
        exclusion=rule.exclusion if rule else None,
        promised_on=promise.promised_on if promise else None,
    )
    nothing_owed = invoice.open.amount == 0
    if nothing_owed and known.taken and not known.ended:
        tx.emit(rules.end(invoice, known.holding is not None, today), flow_id=invoice.flow_id, sequence=invoice.version)
    if not nothing_owed and known.ended and known.holding is not None:
        tx.emit(rules.hold_again(invoice, known.holding, today), flow_id=invoice.flow_id, sequence=invoice.version)
    following = rules.next_step(case, policy, today)
    if following.step is not None:
        await _take(tx, case, policy, following.step, known)
    await store.save_looked(tx.conn, invoice.id, following.look_on, ended=nothing_owed and bool(known.taken))


async def _take(tx: Transaction, case: Case, policy: Policy, step: Step, known: Known) -> None:
    """Write to the customer, and invoice what is claimed for being late."""
    invoice, today, notice_id = case.invoice, tx.now.date(), new_id()
    booked = await charge_store.list_booked(tx.conn, invoice.id)
    claimed = late_charges.beside(invoice, step, policy.interest_percent, booked, told_fees=known.fees, today=today)
    charges: list[Invoice] = []
    for nature, occasion in late_charges.occasions(invoice, claimed, notice_id=notice_id, step=step.name, today=today):
        charge = await issue(tx, occasion, None, parent=invoice.flow_id)
        assert charge is not None, "a step is taken once"
        await charge_store.insert_charge(tx.conn, charge, about=invoice.id, step_id=notice_id, nature=nature)
        charges.append(charge)
    notice, event = rules.take(
        *(case, policy, step),
        notice_id=notice_id,
        today=today,
        fee=claimed.fee,
        late=claimed.interest,
        charges=[charge.id for charge in charges],
    )
    mailed = notice.letter and await _write(tx, invoice, notice, known.instalment)
    await store.insert_step(tx.conn, notice, mailed=mailed, now=tx.now)
    tx.emit(event, flow_id=invoice.flow_id, sequence=invoice.version)


async def _judge_promise(tx: Transaction, invoice: Invoice, promise: Promise | None) -> Promise | None:
    """The promise that still stands."""
    if promise is None:
        return None
    if invoice.open.amount == 0:
        await store.end_promise(tx.conn, promise.id, "kept")
        return None
    if tx.now.date() <= promise.promised_on:
        return promise
    await store.end_promise(tx.conn, promise.id, "broken")
    tx.emit(rules.broken(invoice, promise), flow_id=invoice.flow_id, sequence=invoice.version)
    return None


async def _write(tx: Transaction, invoice: Invoice, notice: Notice, instalment: int) -> bool:
    """Mail the letter where an address is known and a mail server is; else it lies ready to be printed.

    Nor is it mailed to a person who was erased: the claim stays, and what is claimed goes by post.
    """
    email = invoice.customer.email
    if not email or not tx.settings.smtp_host or not _is_address(email) or await erasure.is_erased(tx, invoice.flow_id):
        return False
    name = _CONTROL.sub(" ", invoice.customer.name)[:200]
    subject, text = letters.words(notice, invoice.number, notice.due_on, name, letters.language_of(invoice.customer.country))
    pdf = await print_letter(tx.conn, invoice, notice)
    mail = Mail(
        to=email,
        to_name=name,
        subject=subject,
        text=text,
        kind="dunning",
        dedupe_key=f"dunning/{invoice.id}/{notice.step}" + (f"/{instalment}" if instalment else ""),
        about=f"dunning/{invoice.id}",
        flow_id=invoice.flow_id,
        attachments=(Attachment(f"{invoice.number}-{notice.taken_on}.pdf", "application/pdf", pdf),),
    )
    await mailroom.post(tx, mail)
    return True


async def put_policy(tx: Transaction, policy: Policy, *, expected: int, reason: str, by: str) -> Policy:
    """A new version of a policy; open invoices are looked at by it. Raises `VersionConflict`, `Invalid`."""
    rules.check(policy.steps, policy.interest_percent)
    await store.lock_rules(tx.conn)
    known = {each.name: each.version for each in await store.list_policies(tx.conn)}.get(policy.name, 0)
    if known != expected:
        raise VersionConflict(f"dunning policy '{policy.name}'", known)
    made = replace(policy, version=known + 1)
    await store.insert_policy(tx.conn, made, reason=reason, by=by, now=tx.now)
    await store.look_again(tx.conn, tx.now.date())
    return made


async def put_customer_rule(tx: Transaction, rule: CustomerRule, *, expected: int, by: str) -> CustomerRule:
    """How a customer is dunned from now on. Raises `VersionConflict`, `Invalid` for an unknown policy."""
    await store.lock_rules(tx.conn)
    if rule.policy not in {each.name for each in await store.list_policies(tx.conn)}:
        raise Invalid(f"no dunning policy '{rule.policy}'", field="policy")
    if rule.excluded_until is not None and not (rule.excluded and rule.excluded_until <= tx.now.date() + rules.FURTHEST):
        raise Invalid("who is excluded is so within ten years, or for good", field="excluded_until")
    known = (await store.get_customer_rules(tx.conn, [rule.customer_id])).get(rule.customer_id)
    if (known.version if known else 0) != expected:
        raise VersionConflict(f"how customer {rule.customer_id} is dunned", known.version if known else 0)
    made = replace(rule, version=expected + 1, reason=await erasure.said_of_customer(tx, rule.customer_id, rule.reason))
    await store.insert_customer_rule(tx.conn, made, by=by, now=tx.now)
    await store.look_again(tx.conn, tx.now.date(), customer_id=rule.customer_id)
    return made


async def note_promise(tx: Transaction, invoice_id: UUID, *, promised_on: date, note: str, by: str) -> Promise:
    """The customer promised to pay: no step until the day after. Raises `NotFound`, `NothingToPromise`, `Invalid`."""
    invoice = (await invoices.get_invoices_for_update(tx.conn, [invoice_id])).get(invoice_id)
    if invoice is None:
        raise NotFound(f"no invoice {invoice_id}")
    note = await erasure.said(tx, invoice.flow_id, note)
    made = Promise(id=new_id(), invoice_id=invoice_id, promised_on=promised_on, state="open", note=note, noted_by=by)
    event = rules.promise(invoice, await store.list_promises(tx.conn, invoice_id), made, tx.now.date())
    await store.insert_promise(tx.conn, made, tx.now)
    tx.emit(event, flow_id=invoice.flow_id, sequence=invoice.version)
    await store.look_at(tx.conn, invoice_id, tx.now.date())
    return made


def _is_address(email: str) -> bool:
    try:
        check_address(email)
    except DomainError:
        return False
    return True
