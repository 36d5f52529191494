"""A person who was erased in lead-svc is erased here, too. Deals, their values and dates stay, so that the numbers still add up."""

from ltc_chassis.db import Transaction
from ltc_contracts.events import PersonErased

from sales_svc.handlers.contacts import erase_contact
from sales_svc.store import erasure


async def erase_person(tx: Transaction, event: PersonErased) -> None:
    """Contacts, words written about them, and names of deals of private persons. What is signed keeps its parties."""
    await erasure.insert_erased_leads(tx.conn, event.lead_ids, tx.now)
    await erasure.erase_names_of_deals(tx.conn, event.lead_ids, tx.now)
    for contact_id in await erasure.list_contacts_of_leads(tx.conn, event.lead_ids):
        await erase_contact(tx, contact_id, "person.erased")
