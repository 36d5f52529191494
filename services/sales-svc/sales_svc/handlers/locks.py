"""Locks that several verbs take in the same order: the opportunity, then its quote."""

from uuid import UUID

from ltc_chassis.db import Transaction

from sales_svc.domain.opportunity import Opportunity
from sales_svc.domain.quote import Quote
from sales_svc.store import opportunities, quotes


async def locked(tx: Transaction, quote_id: UUID) -> tuple[Opportunity, Quote]:
    """The quote and its opportunity, the opportunity's row locked first."""
    known = await quotes.get_quote(tx.conn, quote_id)
    opportunity = await opportunities.get_opportunity_for_update(tx.conn, known.opportunity_id)
    return opportunity, await quotes.get_quote_for_update(tx.conn, quote_id)
