"""A lead follows what sales makes of it: opportunities opened, won, lost."""

from datetime import datetime
from uuid import UUID

from ltc_chassis.db import Transaction
from ltc_contracts.errors import NotYet
from ltc_contracts.events import OpportunityLost, OpportunityOpened, OpportunityWon

from lead_svc.domain import disqualification as rules
from lead_svc.domain.lead import Lead
from lead_svc.handlers import disqualification, first_response, leads
from lead_svc.store import disqualification as reasons
from lead_svc.store import leads as leads_store
from lead_svc.store import outcomes as store


async def opportunity_opened(tx: Transaction, event: OpportunityOpened, at: datetime) -> None:
    """A lead that sales works on is converted, wherever it was; told again, nothing changes."""
    if event.lead_id is None:
        return
    lead = await leads.convert(tx, event.lead_id)
    if await store.insert_opportunity(tx.conn, event.opportunity_id, lead.id, at):
        await store.mark_converted(tx.conn, lead.id, at)
        await reasons.end_running(tx.conn, lead.id, tx.now)


async def opportunity_won(tx: Transaction, event: OpportunityWon, flow_id: UUID | None, at: datetime) -> None:
    """The lead has become a customer."""
    lead = await _lead_of(tx, event.opportunity_id, flow_id)
    if lead is not None:
        await store.close_opportunity(tx.conn, event.opportunity_id, "won", None, at)
        await store.mark_won(tx.conn, lead.id, at)
        await first_response.drop(tx, [lead.id], "won")


async def opportunity_lost(tx: Transaction, event: OpportunityLost, flow_id: UUID | None, at: datetime) -> None:
    """The lead is lost, or sent back to be nurtured again where the reason says so and sales has nothing else for it."""
    lead = await _lead_of(tx, event.opportunity_id, flow_id)
    if lead is None:
        return
    await store.close_opportunity(tx.conn, event.opportunity_id, "lost", None if lead.erased_at else event.reason, at)
    if any(row["state"] != "lost" for row in await store.list_opportunities(tx.conn, lead.id)):
        return
    await store.mark_lost(tx.conn, lead.id, at)
    await first_response.drop(tx, [lead.id], "lost")
    reason = rules.recycling(await reasons.list_reasons(tx.conn), event.reason)
    if reason is not None and lead.status == "converted" and lead.erased_at is None:
        by = event.owner or "sales"
        returns_at = rules.return_of(reason, tx.now)
        await disqualification.decide(tx, lead, reason, event.reason, by, returns_at, event.opportunity_id)


async def _lead_of(tx: Transaction, opportunity_id: UUID, flow_id: UUID | None) -> Lead | None:
    """The lead of an opportunity, locked; None for a deal that began without one."""
    lead_id = await store.find_lead_of(tx.conn, opportunity_id)
    if lead_id is not None:
        return await leads_store.get_living_for_update(tx.conn, lead_id)
    if flow_id is not None and await store.find_lead_of_flow(tx.conn, flow_id) is not None:
        raise NotYet(f"the opportunity {opportunity_id} of a known lead is not known yet")
    return None
