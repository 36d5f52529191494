"""Customers are told by mail what happens to their delivery: each fact once, however often and late anything runs."""

import re
from collections.abc import Sequence
from dataclasses import replace

from ltc_chassis import mailroom
from ltc_chassis.db import Transaction
from ltc_chassis.mailroom import Mail, check_address
from ltc_contracts.errors import DomainError, Invalid, VersionConflict
from ltc_contracts.events import Event

from delivery_svc.domain import notice as rules
from delivery_svc.domain.delivery import Delivery
from delivery_svc.domain.notice import Notice, Template
from delivery_svc.handlers import tracking_links
from delivery_svc.store import deliveries
from delivery_svc.store import notices as store

_CONTROL = re.compile(r"[\x00-\x1f\x7f\u0085\u2028\u2029]")


async def note(tx: Transaction, delivery: Delivery, events: Sequence[Event]) -> None:
    """Put down what the customer is to be told of these events; nothing where no address is known, or no mail server is.

    A mail about a promise is of use while it is fresh: what happened before there was a server is never told.
    """
    email = delivery.customer.email
    if not email or not tx.settings.smtp_host or not _is_address(email):
        return
    facts = rules.facts_of(events)
    if facts:
        await store.insert_notices(tx.conn, delivery.id, facts, tx.now)


async def tell_waiting(tx: Transaction, *, limit: int) -> int:
    """Write the mails that wait; returns how many facts were settled."""
    waiting = await store.claim_waiting(tx.conn, limit)
    if not waiting:
        return 0
    own = {(template.kind, template.language): template for template in await store.list_templates(tx.conn)}
    for each in waiting:
        delivery = await deliveries.get_delivery(tx.conn, each.delivery_id)
        language = rules.language_of(delivery.customer.country)
        template = own.get((each.kind, language)) or rules.ours(each.kind, language)
        reason = rules.why_not(each, template, delivery.state, tx.now)
        if reason is None:
            await _send(tx, each, delivery, template)
        await store.settle_notice(
            tx.conn,
            each.id,
            reason=reason,
            language=language,
            template_version=None if reason else template.version,
            now=tx.now,
        )
    return len(waiting)


async def put_template(tx: Transaction, template: Template, by: str, *, expected: int | None) -> Template:
    """A new version of the words; what was told stays told. Raises `VersionConflict`, `Invalid`."""
    await store.lock_templates(tx.conn)
    known = [
        each for each in await store.list_templates(tx.conn) if (each.kind, each.language) == (template.kind, template.language)
    ]
    version = known[0].version if known else 0
    if (expected or 0) != version:
        raise VersionConflict(f"the notice '{template.kind}' in {template.language}", version)
    if version >= rules.MOST_VERSIONS:
        raise Invalid(f"at most {rules.MOST_VERSIONS} versions", field="version")
    rules.check(template)
    made = replace(template, version=version + 1)
    await store.insert_template(tx.conn, made, by=by, now=tx.now)
    return made


async def _send(tx: Transaction, notice: Notice, delivery: Delivery, template: Template) -> None:
    assert delivery.customer.email is not None
    link = tracking_links.address_of(tx, delivery.id)[0] if tx.settings.public_url else None
    name = _CONTROL.sub(" ", delivery.customer.name)
    subject, text = rules.fill(template, notice.data, order=delivery.order_number, customer=name, link=link)
    mail = Mail(
        to=delivery.customer.email,
        to_name=name[:200],
        subject=_CONTROL.sub(" ", subject)[:300],
        text=text,
        kind=f"delivery-{notice.kind.replace('_', '-')}",
        dedupe_key=f"delivery-notice/{notice.id}",
        about=f"delivery/{delivery.id}",
        flow_id=delivery.flow_id,
    )
    await mailroom.post(tx, mail)


def _is_address(email: str) -> bool:
    try:
        check_address(email)
    except DomainError:
        return False
    return True
