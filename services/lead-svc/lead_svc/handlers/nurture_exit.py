"""Leads leave their journeys; apart from the other verbs, since every verb that ends the nurturing of a lead calls it."""

from collections.abc import Collection, Sequence
from uuid import UUID

from ltc_chassis import mailroom
from ltc_chassis.db import Transaction
from ltc_contracts.events import NurtureEnded

from lead_svc.domain.nurture import Ending
from lead_svc.store import nurture as store
from lead_svc.store.nurture import Enrolment


async def leave(tx: Transaction, lead_ids: Collection[UUID], by: Ending) -> int:
    """(Locked) leads are not written to any more by any journey, and mails that have not left are taken back. Returns how many."""
    ended = await store.end_enrolments(tx.conn, by, tx.now, lead_ids=lead_ids)
    # Also the last mail of a journey that is finished, which may still be waiting for its hours or for the server.
    on_its_way = await store.waiting_of(tx.conn, lead_ids)
    await mailroom.withdraw(tx, about=[about(enrolment_id) for enrolment_id in on_its_way], reason=f"the lead left: {by}")
    await tell(tx, ended)
    return len(ended)


async def settle(tx: Transaction, ended: Sequence[Enrolment]) -> None:
    """Tell of enrolments that have just ended, and take back their mails."""
    if not ended:
        return
    await mailroom.withdraw(tx, about=[about(each.id) for each in ended], reason="the journey ended before it left")
    await tell(tx, ended)


async def tell(tx: Transaction, ended: Sequence[Enrolment]) -> None:
    """Tell of enrolments that have just ended."""
    for each in ended:
        event = NurtureEnded(
            enrolment_id=each.id,
            lead_id=each.lead_id,
            journey=each.code,
            version=each.version,
            reason=each.ended_by or "",
            mails=each.mails,
        )
        tx.emit(event, flow_id=each.flow_id, sequence=each.mails + 2)


def about(enrolment_id: UUID) -> str:
    """By which the mails of an enrolment are known to the mailroom."""
    return f"nurture/{enrolment_id}"
