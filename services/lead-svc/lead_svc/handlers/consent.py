"""The verbs of consent: a person said yes or no, an address gets nothing any more. A seam for all that is about a person's data."""

from datetime import datetime
from uuid import UUID

from ltc_chassis.db import Transaction
from ltc_chassis.ids import new_id
from ltc_contracts.errors import Invalid

from lead_svc.domain.consent import Consent, Purpose, Suppression, Why, address_hash
from lead_svc.domain.identity import normal_email
from lead_svc.domain.lead import require_known
from lead_svc.handlers import nurture_exit
from lead_svc.store import consent as store
from lead_svc.store import leads


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
) -> Consent:
    """A person agreed to be written to, or withdrew it, with the words and the proof; a withdrawal ends the lead's journeys."""
    said_at = said_at or tx.now
    if said_at > tx.now:
        raise Invalid("it cannot be said in the future", field="said_at")
    lead = await leads.get_lead_for_update(tx.conn, lead_id)
    require_known(lead)
    consent = Consent(new_id(), lead.id, purpose, given, said_at, wording, source, evidence, by, tx.now)
    await store.insert_consent(tx.conn, consent)
    if given and purpose == "marketing" and (hashed := address_hash(lead.contact.email if lead.contact else None)) is not None:
        # Somebody who was erased came again and agreed anew.
        await store.lift_suppression(tx.conn, hashed, by=by, now=tx.now, why="erased", since=said_at)
    if lead.id not in await store.agreed(tx.conn, [lead.id], purpose):
        await nurture_exit.leave(tx, [lead.id], "no_consent")
    return consent


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
