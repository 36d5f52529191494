"""The verbs of consent: a person said yes or no, an address gets nothing any more. A seam for all that is about a person's data."""

from datetime import datetime
from uuid import UUID

from ltc_chassis.db import Transaction
from ltc_chassis.ids import new_id
from ltc_contracts.errors import Invalid

from lead_svc.domain.consent import Consent, Purpose, Suppression, Why, address_hash
from lead_svc.domain.identity import normal_email
from lead_svc.domain.lead import LeadErased, require_known
from lead_svc.handlers import nurture_exit
from lead_svc.store import consent as store
from lead_svc.store import feedback, leads


async def record(
    tx: Transaction,
    lead_id: UUID,
    *,
    given: bool,
    said_at: datetime | None,
    wording: str,
    source: str,
    evidence: dict[str, str],
    by: str,
    purpose: Purpose = "marketing",
    wording_version: str | None = None,
) -> Consent:
    """A person agreed to something, or withdrew it, with the words and the proof. A yes is for this lead; a no is the person's, for all
    leads with the address: it ends their journeys, and what ad platforms get of them."""
    said_at = said_at or tx.now
    if said_at > tx.now:
        raise Invalid("it cannot be said in the future", field="said_at")
    known = await leads.get_lead(tx.conn, lead_id)
    require_known(known)
    normal = normal_email(known.contact.email) if known.contact and known.contact.email else None
    same = [] if given or normal is None else await store.leads_at(tx.conn, normal)
    consents = {}
    for each in sorted({lead_id, *same}):
        lead = await leads.get_lead_for_update(tx.conn, each)
        if lead.erased_at is None:
            consents[each] = Consent(
                new_id(), lead.id, purpose, given, said_at, wording, source, evidence, by, tx.now, wording_version
            )
            await store.insert_consent(tx.conn, consents[each])
    if lead_id not in consents:
        raise LeadErased(f"the person of the lead {lead_id} was erased")
    await _settle(tx, list(consents), purpose)
    if given and purpose == "marketing" and (hashed := address_hash(normal)) is not None:
        # Somebody who was erased came again and agreed anew.
        await store.lift_suppression(tx.conn, hashed, by=by, now=tx.now, why="erased", since=said_at)
    return consents[lead_id]


async def _settle(tx: Transaction, lead_ids: list[UUID], purpose: Purpose) -> None:
    agreed = await store.agreed(tx.conn, lead_ids, purpose)
    silent = [lead_id for lead_id in lead_ids if lead_id not in agreed]
    if purpose == "marketing":
        await nurture_exit.leave(tx, silent, "no_consent")
    elif purpose == "ad_sharing":
        await feedback.forget_persons(tx.conn, silent)


async def suppress(tx: Transaction, hashed: bytes, *, why: Why, source: str, by: str, email: str | None = None) -> bool:
    """An address gets nothing any more; `email`, where it is known, ends the journeys of every lead that has it.

    False when it was so already. The caller holds no lock on other leads.
    """
    fresh = await store.insert_suppression(tx.conn, Suppression(hashed, why, source, by, tx.now))
    normal = normal_email(email) if email else None
    if normal is not None:
        for lead_id in await store.leads_at(tx.conn, normal):
            await leads.get_lead_for_update(tx.conn, lead_id)
            await nurture_exit.leave(tx, [lead_id], "unsubscribed" if why == "unsubscribed" else "suppressed")
    return fresh


async def suppress_address(tx: Transaction, email: str, *, why: Why, source: str, by: str) -> bytes:
    """The same for an address as it is written. Raises `Invalid`."""
    hashed = address_hash(email)
    if hashed is None:
        raise Invalid("this is not an e-mail address", field="email")
    await suppress(tx, hashed, why=why, source=source, by=by, email=email)
    return hashed
