"""Leads that come with their history: what became of them elsewhere is kept, and learnt from."""

from collections.abc import Sequence
from typing import Protocol

from ltc_chassis.db import Transaction
from ltc_contracts.errors import NotFound

from lead_svc.domain import disqualification
from lead_svc.domain import lead as rules
from lead_svc.domain.lead import Lead, Outcome
from lead_svc.store import disqualification as reasons
from lead_svc.store import leads, outcomes


class Arriving(Protocol):
    """One lead on its way in."""

    lead: Lead
    outcome: Outcome | None


async def settle(tx: Transaction, new: Sequence[Arriving]) -> None:
    """New leads whose outcome is known are where they got to; the others stay as they are."""
    known = [(arrival, arrival.outcome) for arrival in new if arrival.outcome is not None]
    if not known:
        return
    other = await reasons.find_reason(tx.conn, disqualification.OTHER)
    if other is None:
        raise NotFound(f"the reason '{disqualification.OTHER}' is gone from the list")
    for arrival, outcome in known:
        arrival.lead, events = rules.settled(arrival.lead, outcome, other, tx.now)
        for event in events:
            tx.emit(event, flow_id=arrival.lead.flow_id, sequence=arrival.lead.version)
    await leads.save_leads(tx.conn, [arrival.lead for arrival, _ in known])
    await outcomes.insert_history(tx.conn, [(arrival.lead.id, outcome) for arrival, outcome in known], tx.now)
