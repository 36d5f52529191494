"""A lead is written to step by step: what is due is decided and posted, and what became of the mails is taken over."""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from ltc_chassis import links, mailroom
from ltc_chassis.db import Transaction
from ltc_chassis.ids import new_id
from ltc_chassis.mailroom import Mail
from ltc_contracts.errors import Invalid
from ltc_contracts.events import NurtureStepSent
from ltc_rules import conditions
from ltc_rules.calendar import Calendar

from lead_svc.domain import nurture as rules
from lead_svc.domain.lead import Lead
from lead_svc.domain.nurture import Ending, Plan, Refusal, Template
from lead_svc.domain.score import Rule
from lead_svc.handlers import nurture_exit, nurture_text
from lead_svc.handlers.nurture_facts import calendar_of, custom_of, hash_of, known_of, reactions, refusals, sent_to
from lead_svc.store import journeys, leads
from lead_svc.store import nurture as store
from lead_svc.store.journeys import Version
from lead_svc.store.nurture import Delivery, Enrolment

logger = logging.getLogger(__name__)
# A link in a mail works for as long as somebody may find the mail again; the way to unsubscribe for longer still.
_LINKS_LAST = timedelta(days=400)
_UNSUBSCRIBE_LASTS = timedelta(days=3650)


@dataclass(frozen=True, slots=True)
class Preview:
    """The mail of a step as a lead would get it, whether it would, and when."""

    mail: Template | None
    text: str | None
    html: str | None
    fits: bool
    reasons: list[str]
    refusal: Refusal | None
    leaves_at: datetime


async def step_due(tx: Transaction, *, limit: int) -> int:
    """The next step of leads for whom one is due; returns how many."""
    due = await store.claim_due(tx.conn, tx.now, limit)
    rule = await leads.get_rule(tx.conn, tx.now) if due else None
    plans: dict[tuple[str, int], Plan] = {}
    for enrolment in due:
        key = enrolment.code, enrolment.version
        if key not in plans:
            plans[key] = rules.plan_of((await journeys.get_version(tx.conn, *key)).body)
        assert rule is not None
        await _step(tx, enrolment, plans[key], rule)
    return len(due)


async def settle_mails(tx: Transaction, *, limit: int) -> int:
    """Take over what became of the mails: a sent one is told; who cannot be reached is not written to again."""
    rows = await store.claim_settled(tx.conn, limit)
    for row in rows:
        await store.save_outcome(tx.conn, row["id"], row["state"], row["sent_at"])
        if row["state"] == "sent":
            event = NurtureStepSent(
                enrolment_id=row["enrolment_id"],
                lead_id=row["lead_id"],
                journey=row["code"],
                version=row["version"],
                step=row["step"],
            )
            tx.emit(event, flow_id=row["flow_id"], sequence=2, occurred_at=row["sent_at"])
        elif row["state"] == "failed":
            ended = await store.end_enrolments(tx.conn, "undeliverable", tx.now, enrolment_id=row["enrolment_id"])
            await nurture_exit.settle(tx, ended)
    return len(rows)


async def preview(tx: Transaction, version: Version, step: str, lead_id: UUID) -> Preview:
    """What a step would do for a lead now; nothing is sent. Raises `Invalid` for an unknown step."""
    plan = rules.plan_of(version.body)
    if step not in [each.key for each in plan.steps]:
        raise Invalid(f"the steps are {', '.join(each.key for each in plan.steps)}", field="step")
    chosen = plan.steps[plan.position_of(step)]
    lead = await leads.get_lead(tx.conn, lead_id)
    rule = await leads.get_rule(tx.conn, tx.now)
    known = await known_of(tx, lead, rule, {})
    reasons = [] if chosen.when is None else conditions.failing(chosen.when, known)
    filled = None if chosen.mail is None else nurture_text.fill(chosen.mail, lead, custom_of(lead))
    text, html = None, None
    if filled is not None:
        shown = {url: url for url in nurture_text.links_of(filled.html or "")}
        text, html = nurture_text.finish(filled, plan, unsubscribe="https://unsubscribe.example", pixel="", clicks=shown)
    leaves_at = rules.may_leave_at(plan, calendar_of(plan, lead), await sent_to(tx, plan, lead), tx.now)
    refusal = (await refusals(tx, [lead])).get(lead.id)
    return Preview(filled, text, html, not reasons, reasons, refusal, leaves_at)


async def _step(tx: Transaction, enrolment: Enrolment, plan: Plan, rule: Rule) -> None:
    lead = await leads.get_lead(tx.conn, enrolment.lead_id)
    refusal = (await refusals(tx, [lead])).get(lead.id)
    if refusal is not None:
        await _end(tx, enrolment, refusal)
        return
    known = await known_of(tx, lead, rule, await reactions(tx, enrolment))
    if plan.goal is not None and conditions.holds(plan.goal, known):
        await _end(tx, enrolment, "goal")
        return
    decision = rules.decide(plan, enrolment.position, known)
    mails = enrolment.mails
    if decision.mail is not None:
        calendar = calendar_of(plan, lead)
        leaves_at = rules.may_leave_at(plan, calendar, await sent_to(tx, plan, lead), tx.now)
        if leaves_at > tx.now:
            # The condition is asked again then: what counts is how things are when the mail leaves.
            await store.save_progress(tx.conn, enrolment.id, position=enrolment.position, due_at=leaves_at, mails=mails)
            return
        try:
            await _post(tx, enrolment, plan, lead, decision.mail, calendar)
        except nurture_text.Unwritable:
            logger.warning("step %s of journey %s cannot be written for lead %s", enrolment.position, enrolment.code, lead.id)
            await _end(tx, enrolment, "undeliverable")
            return
        mails += 1
    if decision.position is None:
        await store.save_progress(tx.conn, enrolment.id, position=enrolment.position, due_at=tx.now, mails=mails)
        await _finish(tx, enrolment)
        return
    due_at = rules.due_at(plan, decision.position, tx.now)
    await store.save_progress(tx.conn, enrolment.id, position=decision.position, due_at=due_at, mails=mails)


async def _post(
    tx: Transaction, enrolment: Enrolment, plan: Plan, lead: Lead, template: Template, calendar: Calendar | None
) -> None:
    """The mail leaves with this transaction's commit, within the hours; the delivery is there once per enrolment and step."""
    assert lead.contact is not None
    assert lead.contact.email is not None
    delivery_id, step = new_id(), plan.steps[enrolment.position]
    filled = nurture_text.fill(template, lead, custom_of(lead))
    targets = nurture_text.links_of(filled.html or "")
    unsubscribe = _link(tx, "u", "nurture.unsubscribe", delivery_id, _UNSUBSCRIBE_LASTS)
    text, html = nurture_text.finish(
        filled,
        plan,
        unsubscribe=unsubscribe,
        pixel=_link(tx, "o", "nurture.open", delivery_id, _LINKS_LAST),
        clicks={
            target: _link(tx, "c", "nurture.click", delivery_id, _LINKS_LAST, {"n": number})
            for number, target in enumerate(targets)
        },
    )
    mail = Mail(
        to=lead.contact.email,
        subject=filled.subject,
        text=text,
        html=html,
        kind="nurture",
        to_name=None,
        from_name=plan.from_name,
        reply_to=plan.reply_to,
        dedupe_key=f"nurture/{delivery_id}",
        about=nurture_exit.about(enrolment.id),
        flow_id=enrolment.flow_id,
        unsubscribe_url=unsubscribe,
        windows=[] if calendar is None else calendar.open_between(tx.now, tx.now + rules.HORIZON),
    )
    posted = await mailroom.post(tx, mail)
    hashed = hash_of(lead)
    assert hashed is not None
    nothing = dict.fromkeys(
        ("sent_at", "opened_at", "opened_by_bot", "clicked_at", "clicked_by_bot", "replied_at", "unsubscribed_at")
    )
    delivery = Delivery(
        id=delivery_id,
        enrolment_id=enrolment.id,
        lead_id=lead.id,
        journey_id=enrolment.journey_id,
        version=enrolment.version,
        step=step.key,
        position=enrolment.position,
        mail_id=posted.id,
        message_id=posted.message_id,
        address_hash=hashed,
        links=targets,
        outcome="waiting",
        posted_at=tx.now,
        **nothing,
    )
    await store.insert_delivery(tx.conn, delivery)


def _link(
    tx: Transaction, place: str, purpose: str, delivery_id: UUID, lasts: timedelta, claims: dict[str, int] | None = None
) -> str:
    token = links.sign(
        links.keys(tx.settings), purpose=purpose, subject=str(delivery_id), expires_at=tx.now + lasts, claims=claims
    )
    return links.address(tx.settings, f"/{place}/{token}")


async def _end(tx: Transaction, enrolment: Enrolment, by: Ending) -> None:
    await nurture_exit.settle(tx, await store.end_enrolments(tx.conn, by, tx.now, enrolment_id=enrolment.id))


async def _finish(tx: Transaction, enrolment: Enrolment) -> None:
    """The last mail may still be on its way; a finished journey does not take it back."""
    await nurture_exit.tell(tx, await store.end_enrolments(tx.conn, "finished", tx.now, enrolment_id=enrolment.id))
