"""What a partner's own system registers: a deal of its own, unless somebody works on it already."""

from ltc_chassis.db import Transaction
from ltc_contracts.errors import DomainError

from lead_svc.domain.duplicates import PossibleDuplicate
from lead_svc.domain.lead import DuplicateLead
from lead_svc.domain.partner import AlreadyKnown, DuplicateReferral, Introduced, Partner, Referral
from lead_svc.handlers.capture import Arrival, capture_lead
from lead_svc.handlers.partners import introduce_by
from lead_svc.handlers.protection import keys_of_lead, shared_domains
from lead_svc.store import duplicates as duplicates_store
from lead_svc.store import leads, partners


async def register(tx: Transaction, partner: Partner, arrival: Arrival, reference: str | None) -> Referral:
    """The lead is the partner's referral. Raises `AlreadyKnown` where a rep, sales or another partner works on it or on a duplicate,
    `DuplicateReferral` for a reference of before.

    Of two partners that register the same at once the second one sees the first.
    """
    introduce_by(arrival, Introduced(partner.id, partner.name, None, reference))
    if reference is not None:
        known = await partners.find_referral(tx.conn, partner.id, reference)
        if known is not None:
            raise DuplicateReferral(known)
    keys = keys_of_lead(arrival.lead, shared_domains(await leads.get_rule(tx.conn, tx.now)))
    await duplicates_store.lock_keys(tx.conn, keys)
    likeness = float((await duplicates_store.get_policy(tx.conn, tx.now)).likeness)
    namesakes = [
        other for key in keys if key.kind == "name" for other in await duplicates_store.named_like(tx.conn, key.value, likeness)
    ]
    if await partners.is_worked_on(tx.conn, keys, namesakes, partner_id=partner.id, now=tx.now):
        raise _known()
    try:
        await capture_lead(tx, arrival)
    except PossibleDuplicate as error:
        raise _known() from error
    except DuplicateLead as error:
        # The same reference at the same moment: the other one has committed by now.
        found = await partners.find_referral(tx.conn, partner.id, reference or "")
        raise (_known() if found is None else DuplicateReferral(found)) from error
    return await partners.get_referral(tx.conn, partner.id, referral_id=None, lead_id=arrival.lead.id)


def _known() -> DomainError:
    return AlreadyKnown("this company or person is known already, and worked on")
