"""The verbs of approval: set the policy, ask, approve, disapprove. Lock order: the opportunity, then the quote."""

from collections.abc import Sequence
from typing import Literal
from uuid import UUID

from ltc_chassis.db import Connection, Transaction

from sales_svc.domain import approval as rules
from sales_svc.domain import opportunity as deals
from sales_svc.domain import quote as offers
from sales_svc.domain.approval import ApprovalNeeded, Level, NothingToApprove, Policy, Round
from sales_svc.domain.quote import Quote
from sales_svc.domain.versions import require_version
from sales_svc.handlers.locks import locked
from sales_svc.store import approvals, quotes


async def set_policy(tx: Transaction, levels: Sequence[Level], *, by: str, expected: int | None) -> Policy:
    """The next version of the policy; what was approved before stays approved. Raises `VersionConflict`, `Invalid`."""
    rules.check_policy(levels)
    await approvals.lock_policy(tx.conn)
    present = await approvals.get_policy(tx.conn)
    if present.version:
        require_version("the approval policy", present.version, expected)
    made = Policy(present.version + 1, tuple(levels))
    await approvals.insert_policy(tx.conn, made, by=by, now=tx.now)
    return made


async def require_authority(tx: Transaction, quote: Quote, seller: str) -> None:
    """A draft goes out only when it is within its author's own authority. Raises `ApprovalNeeded`, `BeyondAuthority`."""
    chain = await needed_for(tx.conn, quote, seller)
    if chain:
        reasons = "; ".join(reason for _, why in chain[:1] for reason in why)
        roles = ", then ".join(level.role for level, _ in chain)
        raise ApprovalNeeded(f"{reasons}: it needs the approval of {roles}")


async def needed_for(conn: Connection, quote: Quote, seller: str) -> list[tuple[Level, list[str]]]:
    """The levels that have to approve this offer, each with the reasons; the author's authority counts, else the caller's."""
    policy = await approvals.get_policy(conn)
    return rules.needed(policy, rules.figures_of(quote), quote.edited_by or quote.created_by or seller)


async def request_approval(tx: Transaction, quote_id: UUID, *, by: str) -> tuple[Quote, Round]:
    """Ask for approval of a draft as it is. Raises `NothingToApprove` when its author may send it as it is."""
    opportunity, quote = await locked(tx, quote_id)
    deals.require_offerable(opportunity)
    pending = offers.turn(quote, "request_approval", tx.now)
    policy = await approvals.get_policy(tx.conn)
    chain = rules.needed(policy, rules.figures_of(quote), quote.edited_by or quote.created_by or by)
    if not chain:
        raise NothingToApprove("this offer is within its author's authority; send it")
    number = len(await approvals.list_rounds(tx.conn, quote_id)) + 1
    made, event = rules.request(quote, chain, policy, number, by, tx.now)
    await approvals.insert_round(tx.conn, made)
    await quotes.save_quote(tx.conn, pending)
    tx.emit(event, flow_id=pending.flow_id, sequence=pending.version)
    return pending, made


async def decide(
    tx: Transaction, quote_id: UUID, move: Literal["approve", "disapprove"], *, by: str, comment: str | None
) -> Quote:
    """Take the step that waits. The last approval approves the offer; a no sends it back to its author.

    Raises `NotYourStep`, `OwnQuote`, `NothingToApprove`.
    """
    _, quote = await locked(tx, quote_id)
    rounds = await approvals.list_rounds(tx.conn, quote_id)
    if quote.state != "pending_approval" or not rounds:
        raise NothingToApprove(f"quote {quote.number} is {quote.state} and waits for no approval")
    found = rounds[-1]
    step = rules.decide(found, quote, move, by, comment, tx.now)
    await approvals.save_step(tx.conn, step)
    if move == "disapprove":
        back = offers.turn(quote, "disapprove", tx.now)
        await quotes.save_quote(tx.conn, back)
        for each in rules.withdrawn(found, by, tx.now):
            if each.position != step.position:
                await approvals.save_step(tx.conn, each)
        tx.emit(offers.rejection(quote, "approver", comment), flow_id=back.flow_id, sequence=back.version)
        return back
    if step.position < len(found.steps):
        return quote
    approved = offers.turn(quote, "approve", tx.now)
    await quotes.save_quote(tx.conn, approved)
    tx.emit(rules.approved(quote, found, tx.now), flow_id=approved.flow_id, sequence=approved.version)
    return approved


async def withdraw(tx: Transaction, quote: Quote, by: str) -> None:
    """The offer changed while it waited: nobody needs to look at what it was."""
    rounds = await approvals.list_rounds(tx.conn, quote.id)
    for step in rules.withdrawn(rounds[-1], by, tx.now) if rounds else []:
        await approvals.save_step(tx.conn, step)
