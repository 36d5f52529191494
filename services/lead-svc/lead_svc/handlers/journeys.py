"""The verbs of a journey as a company's configuration: a new one, a new version, a version's moves."""

from typing import Any

from ltc_chassis import custom_fields, links, mailroom
from ltc_chassis.db import Transaction
from ltc_chassis.ids import new_id
from ltc_contracts.errors import Invalid

from lead_svc.domain import nurture as rules
from lead_svc.domain.fields import fields
from lead_svc.domain.nurture import JourneyExists, Plan
from lead_svc.handlers import nurture_exit, nurture_text
from lead_svc.store import journeys as store
from lead_svc.store import nurture
from lead_svc.store.journeys import Journey, Version

_MOST_VERSIONS = 1000


async def add_journey(tx: Transaction, code: str, name: str, body: dict[str, Any], by: str) -> Version:
    """A journey with its first version, a draft. Raises `Invalid`, `JourneyExists`."""
    journey = Journey(new_id(), code, name, by, tx.now)
    await _check(tx, body)
    if not await store.insert_journey(tx.conn, journey):
        raise JourneyExists(f"there is a journey '{code}' already; change it by a new version", field="code")
    return await store.get_version(tx.conn, code, await store.insert_version(tx.conn, journey.id, body, by=by, now=tx.now))


async def add_version(tx: Transaction, code: str, body: dict[str, Any], by: str) -> Version:
    """The next version, a draft; the one that is active goes on as it is. Raises `Invalid`, `NotFound`."""
    journey = await store.get_journey_for_update(tx.conn, code)
    await _check(tx, body)
    number = await store.insert_version(tx.conn, journey.id, body, by=by, now=tx.now)
    if number > _MOST_VERSIONS:
        raise Invalid(f"at most {_MOST_VERSIONS} versions", field="code")
    return await store.get_version(tx.conn, code, number)


async def move(tx: Transaction, code: str, number: int, to: str, by: str, *, end_running: bool = False) -> Version:
    """Activate, pause or retire a version. The one that was active before is retired, and its leads go on to its end.

    Raises `WrongTransition`; and what is missing to send mails: `SecretMissing`, `PublicAddressMissing`.
    """
    journey = await store.get_journey_for_update(tx.conn, code)
    running = await store.find_running(tx.conn, journey.id)
    version = await store.get_version(tx.conn, code, number)
    state = rules.turn(version.state, to)
    if to == "activate":
        links.keys(tx.settings)
        links.address(tx.settings, "/")
        if running is not None and running != number:
            await _retire(tx, await store.get_version(tx.conn, code, running), by, end_running=end_running)
    if to == "retire":
        await _retire(tx, version, by, end_running=end_running)
    else:
        await store.save_state(tx.conn, version, state, move=to, by=by, now=tx.now)
        await _hold(tx, version, held=to == "pause")
        if to == "activate":
            await store.begin_scan(tx.conn, journey.id, tx.now)
    return await store.get_version(tx.conn, code, number)


async def _retire(tx: Transaction, version: Version, by: str, *, end_running: bool) -> None:
    await store.save_state(tx.conn, version, "retired", move="retire", by=by, now=tx.now)
    if end_running:
        ended = await nurture.end_enrolments(tx.conn, "retired", tx.now, version=(version.journey_id, version.version))
        await nurture_exit.settle(tx, ended)
    else:
        await _hold(tx, version, held=False)


async def _hold(tx: Transaction, version: Version, *, held: bool) -> None:
    """Paused, nothing leaves any more, not even what waits for the mail server; later its steps are due again."""
    affected = await nurture.hold(tx.conn, version.journey_id, version.version, held=held)
    if held:
        taken_back = await mailroom.withdraw(
            tx, about=[nurture_exit.about(enrolment_id) for enrolment_id in affected], reason="the journey was paused"
        )
        await nurture.step_back(tx.conn, taken_back, tx.now)


async def _check(tx: Transaction, body: dict[str, Any]) -> Plan:
    plan = rules.check(body, fields(await custom_fields.load(tx.conn, "lead")))
    for number, step in enumerate(plan.steps):
        if step.mail is not None:
            nurture_text.check(step.mail, at=f"steps.{number}.mail")
    # Whatever becomes a header is tried now, not when the first lead is due.
    mailroom.Mail(to="check@example.com", subject="x", text="x", kind="nurture", from_name=plan.from_name, reply_to=plan.reply_to)
    return plan
