"""Nobody comes back by what was on its way when a person was erased; apart from the other verbs, since capture and visits call it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from ltc_chassis.db import Transaction

from lead_svc.domain.lead import LeadErased
from lead_svc.domain.privacy import ref_hash
from lead_svc.store import privacy as store

if TYPE_CHECKING:
    from lead_svc.handlers.capture import Arrival


async def keep_away(tx: Transaction, arrivals: Sequence["Arrival"]) -> list["Arrival"]:
    """A step of capture: a lead that comes once more under the reference of an erased one is left out, and an erased browser is
    a stranger's. A person who comes again comes under a new reference."""
    refs = {arrival.lead.external_ref for arrival in arrivals} - {None}
    gone = await store.erased_refs(tx.conn, "external_ref", [ref_hash(each) for each in refs if each]) if refs else set()
    visitors = [arrival.visitor_id for arrival in arrivals if arrival.visitor_id is not None]
    strangers = await store.erased_refs(tx.conn, "visitor", [ref_hash(str(each)) for each in visitors]) if visitors else set()
    for arrival in arrivals:
        if arrival.visitor_id is not None and ref_hash(str(arrival.visitor_id)) in strangers:
            arrival.visitor_id = None
    return [each for each in arrivals if each.lead.external_ref is None or ref_hash(each.lead.external_ref) not in gone]


async def refuse(tx: Transaction, arrival: "Arrival") -> None:
    """Raise `LeadErased` where this is why a lead was not captured."""
    ref = arrival.lead.external_ref
    if ref is not None and await store.erased_refs(tx.conn, "external_ref", [ref_hash(ref)]):
        raise LeadErased("the person of this external_ref was erased; whoever comes again is a new lead", field="external_ref")


async def unless_erased(tx: Transaction, visitor_id: UUID | None) -> UUID | None:
    """The browser, unless its person was erased: then it is anybody's."""
    if visitor_id is None or await store.erased_refs(tx.conn, "visitor", [ref_hash(str(visitor_id))]):
        return None
    return visitor_id
