"""Leads that became one have one customer to talk to: their deals belong to the lead that is left, and two open ones are linked."""

from collections.abc import Sequence
from uuid import UUID

from ltc_chassis.db import Transaction
from ltc_chassis.ids import new_id

from sales_svc.store import changes
from sales_svc.store import merged_leads as store


async def merged(tx: Transaction, merge_id: UUID, survivor_id: UUID, lead_ids: Sequence[UUID]) -> None:
    """Deals of the merged leads belong to the survivor."""
    await store.lock_merges(tx.conn)
    await store.save_merge(tx.conn, merge_id, survivor_id, lead_ids, undone=False)
    await settle(tx, lead_ids, "lead.merged")


async def unmerged(tx: Transaction, merge_id: UUID, survivor_id: UUID, lead_ids: Sequence[UUID]) -> None:
    """They are on their own again."""
    await store.lock_merges(tx.conn)
    await store.save_merge(tx.conn, merge_id, survivor_id, lead_ids, undone=True)
    await settle(tx, lead_ids, "lead.unmerged")


async def opened(tx: Transaction, lead_id: UUID) -> None:
    """A lead got a deal: it belongs to the lead that is left, where the merge was told first."""
    await store.lock_opening(tx.conn)
    await settle(tx, [lead_id], "lead.merged")


async def settle(tx: Transaction, lead_ids: Sequence[UUID], by: str) -> None:
    """Let every deal of these leads, and of those merged into them, belong to the lead that is left. Told again, nothing changes."""
    for deal in await store.deals_of(tx.conn, await store.touched(tx.conn, lead_ids)):
        living = await store.living(tx.conn, deal["lead_id"])
        wanted = None if living == deal["lead_id"] else living
        if wanted == deal["living_lead_id"]:
            continue
        await store.attach(tx.conn, deal["id"], wanted)
        linked = (await store.belonging_of(tx.conn, [deal["id"]])).get(deal["id"])
        before = str(deal["living_lead_id"] or deal["lead_id"])
        what: dict[str, list[str | None]] = {"belongs_to_lead": [before, str(living)]}
        if linked is not None and linked.linked:
            what |= {"linked_with": [None, ", ".join(str(other) for other in linked.linked)]}
        await changes.insert_change(
            tx.conn,
            "opportunity",
            deal["id"],
            change_id=new_id(),
            version=deal["version"],
            by=by,
            at=tx.now,
            changes=what,
        )
