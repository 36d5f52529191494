"""The verbs of outcomes: lose a deal, say why it is won."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from ltc_chassis.db import Transaction
from ltc_contracts.errors import Invalid

from sales_svc.domain import opportunity as rules
from sales_svc.domain.opportunity import Opportunity
from sales_svc.handlers import contracts
from sales_svc.handlers import opportunities as deals
from sales_svc.handlers.reasons import settle
from sales_svc.store import contracts as store
from sales_svc.store import opportunities


async def lose(
    tx: Transaction,
    opportunity_id: UUID,
    by: str,
    *,
    reason_code: str | None,
    reason: str | None,
    competitors: Sequence[str],
    occurred_at: datetime | None,
) -> Opportunity:
    """The deal is lost, with a reason (RULES 2): one of the list, or in words, which find their code where they say just that.

    A contract that was not signed yet is taken back, so that nobody is asked to sign it any more.
    """
    code, text, against = await settle(tx, "lost", reason_code, reason, competitors)
    if text is None:
        raise Invalid("a loss needs a reason", field="reason")
    lost = await deals.lose(tx, opportunity_id, text, by, reason_code=code, competitors=against, occurred_at=occurred_at)
    contract = await store.find_open_contract(tx.conn, opportunity_id)
    if contract is not None and contract.is_open:
        await contracts.decline_contract(tx, contract.id, "the deal was lost", by=by)
    return lost


async def give_win_reason(
    tx: Transaction,
    opportunity_id: UUID,
    by: str,
    *,
    reason_code: str | None,
    reason: str | None,
    competitors: Sequence[str],
) -> Opportunity:
    """Why the deal is won: before the signature, so that the event tells it, or after it, for the report."""
    opportunity = await opportunities.get_opportunity_for_update(tx.conn, opportunity_id)
    code, text, against = await settle(tx, "won", reason_code, reason, competitors)
    changed = rules.give_win_reason(opportunity, code, text, against, tx.now)
    await opportunities.save_opportunity(tx.conn, changed)
    await deals.log(
        tx, changed, by, {"won_reason": [opportunity.won_reason, text], "reason_code": [opportunity.reason_code, code]}
    )
    return changed
