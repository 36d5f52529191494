"""A person who was erased in lead-svc is forgotten here, too. Documents, statements of the bank and books stay, as the law wants."""

from collections.abc import Sequence
from uuid import UUID

from ltc_chassis import mailroom, personal
from ltc_chassis.connection import Connection
from ltc_chassis.db import Transaction
from ltc_chassis.personal import Who
from ltc_contracts.errors import NotYet
from ltc_contracts.events import PersonErased

from billing_svc.domain.invoice import Invoice
from billing_svc.store import dunning, erasure
from billing_svc.store.personal import OF_PAYMENTS, TABLES

# Shorter ones stand in any text.
_SHORTEST = 6
# As the contracts say it of events.
GONE = "(erased)"
# Of each table; the copy says where there are more.
MOST_LINES = 1_000


async def erase_person(tx: Transaction, event: PersonErased) -> None:
    """What people noted about the person, mails to them, and what was learnt of the accounts that they pay from.

    An invoice is the person's when it is on the flow of one of their leads. Words that come later are not written down (`said`), and those
    that are just being written are waited for. Raises `NotYet` while an import that names the person is under way.
    """
    if not event.flow_ids:
        return
    # In this order: who changes a rule looks at invoices then, and who looks at invoices shares their flows.
    await dunning.lock_rules(tx.conn)
    await erasure.lock_flows(tx.conn, event.flow_ids)
    await _forget(tx, await erasure.list_journeys(tx.conn, event.flow_ids), event.lead_ids)


async def follow(tx: Transaction, flow_id: UUID, parent_flow_id: UUID) -> None:
    """A journey that goes on from another is the same person's: an order of a subscription, an invoice by hand."""
    await erasure.share_flows(tx.conn, [parent_flow_id])
    await erasure.insert_journey(tx.conn, flow_id, parent_flow_id)
    if await erasure.list_erased(tx.conn, [parent_flow_id]):
        await _forget(tx, await erasure.list_journeys(tx.conn, [flow_id]), ())


async def _forget(tx: Transaction, flows: Sequence[UUID], lead_ids: Sequence[UUID]) -> None:
    await erasure.lock_flows(tx.conn, flows)
    await erasure.insert_erased_flows(tx.conn, flows, tx.now)
    found = await erasure.get_traces(tx.conn, flows)
    who = Who(
        leads=[*lead_ids, *found.ids],
        flows=flows,
        emails=[each for each in found.emails if len(each) >= _SHORTEST],
    )
    if await personal.look(tx.conn, {"import_chunk": TABLES["import_chunk"]}, who):
        raise NotYet("an import that names the person is under way")
    for address in found.recipients:
        await mailroom.forget(tx, address)
    await tx.flush()
    await personal.redact_events(tx.conn, who.flows)
    await personal.erase(tx.conn, TABLES, who)


async def said(tx: Transaction, flow_id: UUID, words: str) -> str:
    """What somebody noted about an invoice of this flow; only that it was noted when its person was erased. Call it before you write."""
    return GONE if await is_erased(tx, flow_id) else words


async def is_erased(tx: Transaction, flow_id: UUID) -> bool:
    """Whether nobody is to be noted or written to on this flow any more; stays so until the transaction ends."""
    await erasure.share_flows(tx.conn, [flow_id])
    return bool(await erasure.list_erased(tx.conn, [flow_id]))


async def said_of_customer(tx: Transaction, customer_id: UUID, words: str) -> str:
    """As `said`, of a customer, with the rules of dunning locked."""
    return GONE if await erasure.is_erased_customer(tx.conn, customer_id) else words


async def forget_payers(tx: Transaction, settled: Sequence[Invoice]) -> None:
    """Nothing is learnt of a payment that settled an invoice of a person who was erased. Its flow is shared."""
    erased = await erasure.list_erased(tx.conn, [invoice.flow_id for invoice in settled])
    if erased:
        await personal.erase(tx.conn, OF_PAYMENTS, Who(flows=erased))


async def copy_person(conn: Connection, email: str) -> dict[str, tuple[list[dict[str, object]], bool]]:
    """Every row about who is billed at this address, by table, and whether these are all; without what is about others, too."""
    address = email.strip().lower()
    who = Who(emails=[address], flows=await erasure.list_flows_of_address(conn, address))
    found = {}
    for name, table in TABLES.items():
        if table.rows and (lines := await personal.lines(conn, name, table, who, limit=MOST_LINES + 1)):
            found[name] = (lines[:MOST_LINES], len(lines) <= MOST_LINES)
    return found
