"""The verbs of a person's requests: received, previewed, confirmed, refused; and the erasure. Lock order: the request, then leads by id."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, NamedTuple
from uuid import UUID

from ltc_chassis import mailroom, personal, secrets
from ltc_chassis.db import Connection, Transaction
from ltc_chassis.ids import new_id
from ltc_chassis.personal import Found, Who
from ltc_contracts.errors import Invalid
from ltc_contracts.events import PersonErased

from lead_svc.domain import merge as merging
from lead_svc.domain import privacy as rules
from lead_svc.domain.consent import Suppression, address_hash
from lead_svc.domain.identity import normal_email
from lead_svc.domain.phone import normal_phone
from lead_svc.domain.privacy import Kind, NobodyKnown, Person, Request, RequestOpen, TooManyLeads
from lead_svc.handlers import first_response, nurture_exit, protection
from lead_svc.store import consent as consents
from lead_svc.store import leads
from lead_svc.store import merge as merges
from lead_svc.store import privacy as store
from lead_svc.store import protection as protections
from lead_svc.store.personal import ELSEWHERE, TABLES, TRANSIENT

KEY = "person-key"
_AGAIN = timedelta(seconds=5)
# Shorter ones stand in any text.
_SHORTEST = 6


class Known(NamedTuple):
    """A person and how the registry's conditions name it."""

    person: Person
    who: Who


async def receive(
    tx: Transaction,
    *,
    kind: Kind,
    email: str | None,
    phone: str | None,
    country: str | None,
    lead_ids: Sequence[UUID],
    reason: str,
    channel: str,
    reference: str | None,
    by: str,
) -> Request:
    """A person asks for a copy or to be forgotten. Raises `Invalid`, `NobodyKnown`, `RequestOpen`, `TooManyLeads`."""
    emails, phones = _identifiers(email, phone, country)
    if not (emails or phones or lead_ids):
        raise Invalid("say who it is: an e-mail address, a phone number or a lead", field="email")
    await store.lock_receiving(tx.conn)
    person = await find_person(tx.conn, emails, phones, lead_ids)
    known_ids = {lead.id for lead in person.leads}
    if unknown := [lead_id for lead_id in lead_ids if lead_id not in known_ids]:
        raise NobodyKnown(f"no lead {unknown[0]}", field="lead_ids")
    # Of a lead that is named, its address is the person's from now on; of one that is merged or erased nothing is known any more.
    emails = sorted({*emails, *(found for lead in person.leads if (found := rules.email_of(lead)))})
    subject = subject_of(tx, emails, phones) or [rules.hash_of(_keys(tx)[0], "lead", str(each)) for each in lead_ids]
    for other in await store.list_of_subject(tx.conn, subject):
        if other.kind == kind and other.closed_at is None:
            raise RequestOpen(f"the request {other.id} is about the same and is {other.state}")
    request = Request(
        id=new_id(),
        kind=kind,
        state="received",
        emails=emails,
        phones=phones,
        lead_ids=list(lead_ids),
        subject=subject,
        reason=reason,
        channel=channel,
        reference=reference,
        received_by=by,
        received_at=tx.now,
        due_on=rules.due_on(tx.now.date()),
    )
    await store.insert_request(tx.conn, request)
    await store.insert_move(tx.conn, request.id, "receive", by=by, now=tx.now)
    return request


async def preview(tx: Transaction, request_id: UUID, by: str) -> Request:
    """What would be shown or erased, by table; what stays and why. Nothing changes."""
    request = await store.get_request_for_update(tx.conn, request_id)
    rules.turn(request, "preview")
    known = await who_of(tx, request)
    found = await personal.look(tx.conn, TABLES, known.who)
    request = rules.previewed(request, await _told(tx.conn, known, found), _digest(known, found))
    await store.save_request(tx.conn, request)
    await store.insert_move(tx.conn, request.id, "preview", by=by, now=tx.now)
    return request


async def confirm(tx: Transaction, request_id: UUID, *, digest: str | None, identity: str, by: str) -> Request:
    """Whoever checked who asks says that it shall be done; said again with the same digest, nothing changes. Raises `DataChanged`."""
    request = await store.get_request_for_update(tx.conn, request_id)
    if request.state in ("confirmed", "done") and request.digest == digest:
        return request
    present = ""
    if request.kind == "erase" and request.state == "previewed":
        known = await who_of(tx, request)
        present = _digest(known, await personal.look(tx.conn, TABLES, known.who))
    request = rules.confirmed(request, digest=digest, present=present, identity=identity, by=by, now=tx.now)
    await store.save_request(tx.conn, request)
    await store.insert_move(tx.conn, request.id, "confirm", by=by, now=tx.now, detail=identity)
    return request


async def extend(tx: Transaction, request_id: UUID, *, reason: str, by: str) -> Request:
    """It takes longer, by two months at most; the person is to be told within the first month. Raises `AlreadyExtended`."""
    request = rules.extended(await store.get_request_for_update(tx.conn, request_id))
    await store.save_request(tx.conn, request)
    await store.insert_move(tx.conn, request.id, "extend", by=by, now=tx.now, detail=reason)
    return request


async def refuse(tx: Transaction, request_id: UUID, *, reason: str, by: str) -> Request:
    """It is not done, for this reason, which the person is to be told."""
    request = rules.closed(await store.get_request_for_update(tx.conn, request_id), "refuse", tx.now, refusal=reason)
    await store.save_request(tx.conn, request)
    await store.insert_move(tx.conn, request.id, "refuse", by=by, now=tx.now, detail=reason)
    return request


async def erase_due(tx: Transaction) -> int:
    """The next confirmed erasure, whole or not at all: a kill leaves it confirmed, and it is taken up again. 0 at rest."""
    request = await store.claim_confirmed(tx.conn, "erase", tx.now)
    if request is None:
        return 0
    known = await _locked(tx, request)
    found = {each.table: each.rows for each in await personal.look(tx.conn, TABLES, known.who)}
    if "import_chunk" in found:
        # A file that is being read would bring the person back.
        await store.save_request(tx.conn, _later(tx, request))
        return 1
    outcome = await _erase(tx, request, known)
    ids = [lead.id for lead in known.person.leads]
    if ids:
        tx.emit(PersonErased(erasure_id=request.id, lead_ids=tuple(ids), flow_ids=tuple(known.who.flows)), flow_id=None)
    request = rules.closed(request, "finish", tx.now, outcome={"leads": len(ids), "rows": outcome})
    await store.save_request(tx.conn, request)
    await store.insert_move(tx.conn, request.id, "finish", by="timer", now=tx.now)
    return 1


async def requests_of(tx: Transaction, *, email: str | None, phone: str | None, country: str | None) -> list[Request]:
    """What a person asked for before, also when it is long done: by the keyed hashes, with the key before as well."""
    emails, phones = _identifiers(email, phone, country)
    if not (emails or phones):
        raise Invalid("say who it is: an e-mail address or a phone number", field="email")
    return await store.list_of_subject(tx.conn, subject_of(tx, emails, phones, every_key=True))


async def find_person(conn: Connection, emails: Sequence[str], phones: Sequence[str], named: Sequence[UUID]) -> Person:
    """All leads of a person, merged ones and duplicates too. Raises `TooManyLeads`.

    By a phone alone, it is the person whose address all leads with it have, if it is one.
    """
    found = await _found(conn, emails, phones, named)
    ours = {rules.email_of(lead) for lead in found if lead.id in named} - {None}
    wanted = {*emails, *(each for each in ours if each)}
    if not wanted:
        addresses = {rules.email_of(lead) for lead in found} - {None}
        wanted = {each for each in addresses if each} if len(addresses) == 1 else set()
    if wanted != set(emails):
        found = await _found(conn, sorted(wanted), phones, named)
    return rules.sort_out(found, named=set(named), emails=wanted, phones=set(phones))


async def who_of(tx: Transaction, request: Request) -> Known:
    """The person of a request as it is known now."""
    person = await find_person(tx.conn, request.emails, request.phones, request.lead_ids)
    ids = [lead.id for lead in person.leads]
    emails = sorted(each for each in person.emails if len(each) >= _SHORTEST)
    hashes = {found for each in emails if (found := address_hash(each)) is not None}
    who = Who(
        leads=ids,
        others=await store.visitors_of(tx.conn, ids),
        flows=[lead.flow_id for lead in person.leads],
        emails=emails,
        phones=sorted(each for each in person.phones if len(each) >= _SHORTEST),
        hashes=sorted({*hashes, *request.subject}),
    )
    return Known(person, who)


def subject_of(tx: Transaction, emails: Sequence[str], phones: Sequence[str], *, every_key: bool = False) -> list[bytes]:
    """The keyed hashes of a person's identifiers. Raises `SecretMissing`."""
    keys = _keys(tx) if every_key else _keys(tx)[:1]
    return [
        *(rules.hash_of(key, "email", each) for key in keys for each in emails),
        *(rules.hash_of(key, "phone", each) for key in keys for each in phones),
    ]


async def _found(conn: Connection, emails: Sequence[str], phones: Sequence[str], named: Sequence[UUID]) -> list[Any]:
    ids = await store.find_leads(conn, emails, phones, named)
    if len(ids) > rules.MOST_LEADS:
        raise TooManyLeads(f"more than {rules.MOST_LEADS} leads have these; name the person's leads instead", field="lead_ids")
    return await leads.get_leads(conn, ids)


async def _locked(tx: Transaction, request: Request) -> Known:
    """The person with its leads locked, however many came in while the locks were waited for."""
    known = await who_of(tx, request)
    while True:
        locked = {*known.who.leads, *known.person.doubtful}
        await protections.lock_leads(tx.conn, locked)
        again = await who_of(tx, request)
        if {*again.who.leads, *again.person.doubtful} <= locked:
            return again
        known = again


async def _erase(tx: Transaction, request: Request, known: Known) -> dict[str, int]:
    person, who = known
    await nurture_exit.leave(tx, who.leads, "erased")
    await first_response.leave(tx, who.leads, "erased", by="timer")
    mails = 0
    for address in await store.recipients(tx.conn, who.emails, who.flows):
        mails += await mailroom.forget(tx, address)
    # An old list may be imported again; the person gets no mail by that.
    for hashed in {found for each in who.emails if (found := address_hash(each)) is not None}:
        await consents.insert_suppression(
            tx.conn, Suppression(hashed, "erased", f"request {request.id}", request.confirmed_by or "", tx.now)
        )
    refs = [rules.ref_hash(lead.external_ref) for lead in person.leads if lead.external_ref]
    await store.insert_erased_refs(tx.conn, "external_ref", refs, tx.now)
    await store.insert_erased_refs(tx.conn, "visitor", [rules.ref_hash(str(each)) for each in who.others], tx.now)
    await _give_back(tx, who.leads, person.doubtful)
    await tx.flush()
    events = await personal.redact_events(tx.conn, who.flows)
    done = await personal.erase(tx.conn, TABLES, who)
    await store.mark_erased(tx.conn, who.leads, tx.now)
    await _forget_keys(tx, person.doubtful)
    return {**done, **({"mail": mails} if mails else {}), **({"outbox and parked": events} if events else {})}


async def _give_back(tx: Transaction, erased: Sequence[UUID], doubtful: Sequence[UUID]) -> None:
    """What somebody else's lead took from one of the person by a merge is not theirs, unless it was changed since."""
    for merge_id in await store.merges_between(tx.conn, doubtful, erased):
        merge = await merges.get_merge_for_update(tx.conn, merge_id)
        survivor = await leads.get_lead(tx.conn, merge.survivor_id)
        await merges.save_facts(tx.conn, merging.without(survivor, merge, tx.now))


async def _forget_keys(tx: Transaction, doubtful: Sequence[UUID]) -> None:
    """Somebody else's lead into which one of the person was merged is not found by the person's address and name any more."""
    rule = await leads.get_rule(tx.conn, tx.now)
    for lead in await leads.get_leads(tx.conn, doubtful):
        if lead.merged_into is None:
            await protection.recognise_anew(tx, lead, rule)


async def _told(conn: Connection, known: Known, found: Sequence[Found]) -> dict[str, Any]:
    ids = [lead.id for lead in known.person.leads]
    return {
        "leads": [str(each) for each in ids],
        "doubtful": [str(each) for each in known.person.doubtful],
        "deals": await store.open_deals_of(conn, ids),
        "tables": [
            {
                "table": each.table,
                "rows": each.rows,
                "columns": {name: treatment.how for name, treatment in TABLES[each.table].personal.items()},
                "deleted": TABLES[each.table].delete or None,
                "kept": {
                    name: treatment.why for name, treatment in TABLES[each.table].personal.items() if treatment.how == "keep"
                },
            }
            for each in found
        ],
        "elsewhere": dict(ELSEWHERE),
    }


def _digest(known: Known, found: Sequence[Found]) -> str:
    ids = [lead.id for lead in known.person.leads]
    lasting = [(each.table, each.rows, each.digest) for each in found if each.table not in TRANSIENT]
    return rules.digest_of(ids, known.person.doubtful, lasting)


def _later(tx: Transaction, request: Request) -> Request:
    return replace(request, next_at=tx.now + _AGAIN)


def _identifiers(email: str | None, phone: str | None, country: str | None) -> tuple[list[str], list[str]]:
    mail = normal_email(email) if email else None
    if email and mail is None:
        raise Invalid("this is not an e-mail address", field="email")
    number = normal_phone(phone, country) if phone else None
    if phone and number is None:
        raise Invalid("this is not a phone number; give the country where it has no +", field="phone")
    return ([mail] if mail else []), ([number] if number else [])


def _keys(tx: Transaction) -> tuple[bytes, ...]:
    return secrets.keys(tx.settings, KEY)
