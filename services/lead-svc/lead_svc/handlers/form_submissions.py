"""The verbs of who fills in a form: it is seen, it comes in. What comes in takes the one path of capture."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from ltc_chassis.db import Transaction
from ltc_chassis.ids import new_id
from ltc_contracts.errors import NotFound
from ltc_contracts.events import Contact, Touch

from lead_svc.domain import visit
from lead_svc.domain.form import Form, FormClosed, FormVersion, Happening, Outcome, Plan
from lead_svc.domain.form_answers import Answers
from lead_svc.domain.identity import normal_email
from lead_svc.domain.lead import Lead, blank
from lead_svc.domain.score import Activity
from lead_svc.handlers import consent, partners, visits
from lead_svc.handlers import leads as lead_handlers
from lead_svc.handlers.capture import Arrival, capture_leads
from lead_svc.store import forms as store
from lead_svc.store import leads as leads_store
from lead_svc.store import visits as visits_store

_LONGEST_AGENT = 500


@dataclass(frozen=True, slots=True)
class Sender:
    """What a browser tells beside the answers. `query` is how it came (utm_*, click ids, partner); `visitor_id` is there after consent only."""

    instance: UUID
    language: str
    query: Mapping[str, str]
    referrer: str
    visitor_id: UUID | None
    address: str
    user_agent: str


async def open_form(tx: Transaction, key: str) -> tuple[Form, FormVersion]:
    """The form and the version that is shown. Raises `NotFound` for one that was never published, `FormClosed`."""
    form = await store.find_form(tx.conn, key)
    version = await store.find_version(tx.conn, key, form.published) if form is not None and form.published else None
    if form is None or version is None:
        raise NotFound("no such form")
    if not form.active:
        raise FormClosed("this form is closed")
    return form, version


async def view(
    tx: Transaction, version: FormVersion, *, query: Mapping[str, str], referrer: str, visitor_id: UUID | None, tracked: bool
) -> None:
    """A person looks at the form. Where it belongs to a site it is a page of it that was seen, recognised only with a visitor's id;
    of who does not want to be `tracked` only the count is kept."""
    plan = version.plan
    site = await visits_store.find_site(tx.conn, plan.site) if plan.site and tracked else None
    if site is not None and site.active:
        touch = visit.touch_by(query, referrer, site.hosts, page_of(version), tx.now)
        await visits.see_touch(tx, site, touch, kind="form", visitor_id=visitor_id)
    await count(tx, version.form, "view")


async def count(tx: Transaction, key: str, what: Happening) -> None:
    """It happened once more today."""
    await store.count(tx.conn, key, what, tx.now.date())


async def submit(tx: Transaction, version: FormVersion, answers: Answers, sender: Sender) -> bool:
    """A form comes in and is a lead, with the proof of what its sender agreed to. False when this very page came in before."""
    plan = version.plan
    if not await store.claim_submission(tx.conn, sender.instance, version.form, version.version, sender.language, now=tx.now):
        return False
    arrival = await _arrival(tx, version, plan, answers, sender)
    lead_id, outcome = await _capture(tx, arrival)
    await store.save_submission(tx.conn, sender.instance, lead_id, outcome)
    if outcome != "refused":
        await _prove(tx, lead_id, version, answers, sender)
    await count(tx, version.form, "submission")
    return True


def page_of(version: FormVersion) -> str:
    """Where the form is, as a page of a site."""
    return f"/f/{version.form}"


async def _arrival(tx: Transaction, version: FormVersion, plan: Plan, answers: Answers, sender: Sender) -> Arrival:
    touches: list[Touch] = []
    if sender.visitor_id is None or await visits_store.find_visitor(tx.conn, sender.visitor_id) is None:
        # A browser that is recognised has its touches already.
        touch = visit.touch_by(sender.query, sender.referrer, (), page_of(version), tx.now)
        if touch.channel == "direct":
            touch = touch.model_copy(update={"channel": plan.channel, "source": plan.source, "campaign": plan.campaign})
        touches = [touch]
    attributes = {"form": version.form, **({"message": answers.message} if answers.message else {})}
    lead = blank(
        **answers.facts,
        id=new_id(),
        flow_id=new_id(),
        captured_via="form",
        channel=plan.channel,
        source=plan.source,
        campaign=plan.campaign or visit.clean(sender.query.get("utm_campaign", ""), 200),
        contact=Contact(**answers.contact) if answers.contact else None,
        custom=answers.custom,
        attributes=attributes,
        created_at=tx.now,
        updated_at=tx.now,
    )
    arrival = Arrival(lead, [Activity(plan.activity, tx.now)], touches, sender.visitor_id)
    arrival.partner_code = sender.query.get("partner")
    # Who fills in a form cannot mend the link that led to it: a code that counts not (any more) is as good as none.
    await partners.introduce(tx, [arrival])
    return arrival


async def _capture(tx: Transaction, arrival: Arrival) -> tuple[UUID, Outcome]:
    """The lead that it is, and how it became it."""
    given, [activity] = arrival.lead, arrival.activities
    if await capture_leads(tx, [arrival]):
        merged = arrival.lead.merged_into
        return (merged, "merged") if merged else (arrival.lead.id, "captured")
    # The policy refuses it, which its sender is not told: the lead it is like is nobody's business.
    assert arrival.verdict is not None
    other = await leads_store.get_lead(tx.conn, arrival.verdict.other_id)
    if not _same_person(given, other):
        return other.id, "refused"
    engaged = await lead_handlers.add_activity(tx, other.id, activity)
    return engaged.id, "known"


def _same_person(one: Lead, other: Lead) -> bool:
    """Whether they have one address: only then does what one agrees to count for the other."""
    emails = [normal_email(each.contact.email) if each.contact and each.contact.email else None for each in (one, other)]
    return emails[0] is not None and emails[0] == emails[1]


async def _prove(tx: Transaction, lead_id: UUID, version: FormVersion, answers: Answers, sender: Sender) -> None:
    for agreed in answers.agreed:
        await consent.record(
            tx,
            lead_id,
            given=True,
            said_at=None,
            wording=agreed.wording[sender.language],
            source=f"form {version.form}",
            evidence={
                "form": version.form,
                "version": str(version.version),
                "consent": agreed.key,
                "language": sender.language,
                "submission": str(sender.instance),
                "address": truncated(sender.address),
                "user_agent": visit.clean(sender.user_agent, _LONGEST_AGENT) or "",
            },
            by=f"form {version.form}",
            purpose=agreed.purpose,
            wording_version=f"{version.form}/{version.version}",
        )


def truncated(address: str) -> str:
    """The network of an address (of IPv4 its /24, of IPv6 its /48): enough to make a proof likely, too little to find a person."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return ""
    return str(ipaddress.ip_network((found, 24 if found.version == 4 else 48), strict=False))
