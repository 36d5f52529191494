"""The verbs of a contract: draw up, sign. Lock order: the opportunity, then its quotes and contracts."""

from uuid import UUID

from ltc_chassis.db import Transaction
from ltc_chassis.ids import new_id

from sales_svc.domain import contract as rules
from sales_svc.domain import opportunity as deals
from sales_svc.domain.contract import Contract
from sales_svc.handlers import commissions
from sales_svc.handlers.numbers import next_number
from sales_svc.handlers.opportunities import emit
from sales_svc.handlers.quotes import locked
from sales_svc.store import contracts, opportunities, quotes


async def draw_up_contract(tx: Transaction, quote_id: UUID) -> Contract:
    """One contract per accepted quote; asked again, it is the same one."""
    opportunity, quote = await locked(tx, quote_id)
    existing = await contracts.find_contract_of_quote(tx.conn, quote_id)
    if existing is not None:
        return existing
    deals.require_offerable(opportunity)
    document, digest = rules.draw_up(quote)
    contract = Contract(
        id=new_id(),
        flow_id=quote.flow_id,
        opportunity_id=quote.opportunity_id,
        quote_id=quote.id,
        number=await next_number(tx, "C"),
        state="draft",
        document=document,
        document_sha256=digest,
        signed_by=None,
        signed_at=None,
        version=1,
        created_at=tx.now,
        updated_at=tx.now,
    )
    await contracts.insert_contract(tx.conn, contract)
    return contract


async def sign_contract(tx: Transaction, contract_id: UUID, signed_by: str) -> Contract:
    """Signed is won: both facts leave in one transaction."""
    known = await contracts.get_contract(tx.conn, contract_id)
    opportunity = await opportunities.get_opportunity_for_update(tx.conn, known.opportunity_id)
    contract = await contracts.get_contract_for_update(tx.conn, contract_id)
    quote = await quotes.get_quote(tx.conn, contract.quote_id)
    signed, won, change, events = rules.sign(contract, quote, opportunity, signed_by, tx.now)
    await contracts.save_contract(tx.conn, signed)
    await opportunities.save_opportunity(tx.conn, won)
    await opportunities.insert_stage_change(tx.conn, new_id(), won.id, change)
    agreed, *rest = events
    tx.emit(agreed, flow_id=signed.flow_id, sequence=signed.version)
    emit(tx, won, rest)
    await commissions.accrue(tx, signed, won, quote)
    return signed
