"""The verbs of terms: begin, remind, renew or end, give notice. Lock order: the contract, then its term."""

from dataclasses import replace
from datetime import UTC, datetime, time
from uuid import UUID

from ltc_chassis.db import Transaction
from ltc_chassis.mailroom.letter import check_address
from ltc_contracts.events import ContractRenewalDue

from sales_svc.domain import renewal as rules
from sales_svc.domain.contract import Contract, begin_of
from sales_svc.domain.proof import Place
from sales_svc.domain.quote import Quote
from sales_svc.domain.renewal import Policy, Reminder, Term
from sales_svc.handlers import activities, contract_mails
from sales_svc.handlers.contract_trail import note
from sales_svc.store import contracts, opportunities, quotes, renewals


async def begin(tx: Transaction, contract: Contract, quote: Quote) -> None:
    """The first term of a contract that was signed just now, where it has terms."""
    term = rules.first_term(contract.id, contract.terms, begin_of(quote, tx.now.date()))
    if term is not None:
        await _keep(tx, term)


async def remind(tx: Transaction, *, limit: int) -> int:
    """Tell of notice days that come near: each reminder once, late if need be; returns how many."""
    due = await renewals.claim_due_reminders(tx.conn, tx.now.date(), limit)
    for reminder, term in due:
        await _tell(tx, reminder, term)
        await renewals.finish_reminder(tx.conn, reminder, tx.now)
    return len(due)


async def turn_terms(tx: Transaction, *, limit: int) -> int:
    """Terms whose last day has passed renew or end; returns how many."""
    over = await renewals.list_over_for_update(tx.conn, tx.now.date(), limit)
    for term in over:
        if term.state == "running" and term.auto_renew:
            contract = await contracts.get_contract(tx.conn, term.contract_id)
            old, following = rules.renew(term, contract.terms)
            await renewals.save_term(tx.conn, old)
            await _keep(tx, following)
        else:
            await renewals.save_term(tx.conn, rules.end(term))
    return len(over)


async def give_notice(tx: Transaction, contract_id: UUID, *, side: str, reason: str | None, by: str, place: Place) -> Term:
    """The running term is the last one; nobody is reminded of it any more. Raises `NoticeTooLate`, `NotFound`."""
    contract = await contracts.get_contract_for_update(tx.conn, contract_id)
    term = await renewals.get_running_term_for_update(tx.conn, contract_id)
    given = rules.give_notice(term, tx.now.date())
    await renewals.save_term(tx.conn, given)
    detail = {"term": term.number, "ends_on": term.ends_on.isoformat(), "side": side, "reason": reason}
    await note(tx, contract, "notice_given", by, place, detail)
    return given


async def set_policy(tx: Transaction, days_before: tuple[int, ...], mail_to: tuple[str, ...], by: str) -> Policy:
    """The next version of who is reminded when; terms that run keep their days. Raises `BadAddress`."""
    for number, address in enumerate(mail_to):
        check_address(address, field=f"mail_to.{number}")
    await renewals.lock_policy(tx.conn)
    present = await renewals.get_policy(tx.conn)
    policy = replace(
        present, version=present.version + 1, days_before=days_before, mail_to=mail_to, created_by=by, created_at=tx.now
    )
    await renewals.insert_policy(tx.conn, policy)
    return policy


async def _keep(tx: Transaction, term: Term) -> None:
    policy = await renewals.get_policy(tx.conn)
    await renewals.insert_term(tx.conn, term)
    await renewals.insert_reminders(tx.conn, rules.reminders(term, policy.days_before))


async def _tell(tx: Transaction, reminder: Reminder, term: Term) -> None:
    contract = await contracts.get_contract(tx.conn, term.contract_id)
    quote = await quotes.get_quote(tx.conn, contract.quote_id)
    opportunity = await opportunities.get_opportunity(tx.conn, contract.opportunity_id)
    event = ContractRenewalDue(
        contract_id=contract.id,
        number=contract.number,
        opportunity_id=contract.opportunity_id,
        customer=quote.customer.name,
        owner=opportunity.owner,
        net=quote.net,
        term=term.number,
        ends_on=term.ends_on,
        notice_by=term.notice_by,
        days_before=reminder.days_before,
        auto_renew=term.auto_renew,
    )
    tx.emit(event, flow_id=contract.flow_id, sequence=contract.version)
    policy = await renewals.get_policy(tx.conn)
    await contract_mails.mail_reminders(tx, contract, quote.customer.name, opportunity.owner, reminder, term, policy)
    await activities.log(
        tx,
        type="task",
        subject=f"Renewal of contract {contract.number}: notice by {term.notice_by}",
        body=None,
        account_id=None,
        opportunity_id=opportunity.id,
        contact_id=None,
        by="renewals",
        occurred_at=None,
        assignee=opportunity.owner,
        due_at=datetime.combine(term.notice_by, time(), UTC),
    )
