"""A person who was erased in lead-svc is erased here, too. Deals, their values and dates stay, so that the numbers still add up."""

from ltc_chassis import mailroom, personal
from ltc_chassis.db import Transaction
from ltc_chassis.personal import Who
from ltc_contracts.errors import NotYet
from ltc_contracts.events import PersonErased

from sales_svc.domain.account import account_key
from sales_svc.handlers.contacts import erase_contact
from sales_svc.store import activities, erasure
from sales_svc.store.personal import TABLES

# Shorter ones stand in any text.
_SHORTEST = 6


async def erase_person(tx: Transaction, event: PersonErased) -> None:
    """Contacts, words written about them, names of deals of private persons, mails. What was sent or signed keeps its parties, as the
    law wants (docs/privacy.md). Raises `NotYet` while an import that names the person is under way."""
    ids = event.lead_ids
    await erasure.insert_erased_leads(tx.conn, ids, tx.now)
    contacts = await erasure.list_contacts_of_leads(tx.conn, ids)
    emails = {row["email"].strip().lower() for row in contacts if row["email"]} | set(await erasure.links_mailed_to(tx.conn, ids))
    phones = {row["phone"].strip().lower() for row in contacts if row["phone"]}
    who = Who(
        leads=ids,
        others=[row["id"] for row in contacts],
        flows=await erasure.flows_of(tx.conn, ids),
        emails=sorted(each for each in emails if len(each) >= _SHORTEST),
        phones=sorted(each for each in phones if len(each) >= _SHORTEST),
    )
    if await personal.look(tx.conn, {"import_chunk": TABLES["import_chunk"]}, who):
        raise NotYet("an import that names the person is under way")
    names = {account_key(row["name"]) for row in contacts}
    await erasure.erase_accounts(tx.conn, await erasure.list_private_accounts(tx.conn, ids, sorted(names)), tx.now)
    for contact_id in who.others:
        await erase_contact(tx, contact_id, "person.erased")
    await activities.erase_of_persons(tx.conn, who.others, ids, tx.now)
    for address in await erasure.recipients(tx.conn, who.emails):
        await mailroom.forget(tx, address)
    await tx.flush()
    await personal.redact_events(tx.conn, who.flows)
    await personal.erase(tx.conn, TABLES, who)
    await erasure.erase_deals(tx.conn, ids, tx.now)
