"""The verbs of visits: a page is seen, a visitor becomes a lead, a browser is forgotten. Lock order: the lead, then its visitors."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from ltc_chassis.db import Transaction
from ltc_chassis.ids import new_id
from ltc_contracts.errors import Invalid, NotFound
from ltc_contracts.events import LeadTouched, Touch

from lead_svc.domain import visit as rules
from lead_svc.domain.score import Activity
from lead_svc.domain.visit import Kind, PageRule, RuleExists, Site, SiteChanged, SiteExists, SiteUnknown
from lead_svc.handlers import erased
from lead_svc.handlers import leads as lead_handlers
from lead_svc.store import leads, visits

if TYPE_CHECKING:
    from lead_svc.handlers.capture import Arrival


async def add_site(tx: Transaction, site: Site) -> None:
    """A web site whose pages carry the script. Raises `SiteExists`."""
    if not await visits.insert_site(tx.conn, site):
        raise SiteExists(f"there is a site '{site.key}' already", field="key")


async def change_site(
    tx: Transaction, key: str, *, version: int, name: str | None, hosts: Sequence[str] | None, active: bool | None, by: str
) -> Site:
    """Change what is given. Raises `SiteChanged` for an old version."""
    known = await visits.get_site_for_update(tx.conn, key)
    if known.version != version:
        raise SiteChanged(f"the site is at version {known.version}, you changed {version}", field="version")
    changed = replace(
        known,
        name=name or known.name,
        hosts=known.hosts if hosts is None else hosts,
        active=known.active if active is None else active,
        version=version + 1,
        updated_by=by,
        updated_at=tx.now,
    )
    await visits.save_site(tx.conn, changed)
    return changed


async def add_page_rule(tx: Transaction, rule: PageRule) -> None:
    """Pages that mean something. Raises `NotFound`, `RuleExists`."""
    await visits.get_site_for_update(tx.conn, rule.site)
    if not await visits.insert_page_rule(tx.conn, rule):
        raise RuleExists("a rule for these pages is in force; retire it first", field="path_prefix")


async def retire_page_rule(tx: Transaction, site: str, rule_id: UUID, by: str) -> None:
    """The pages mean nothing any more; what was counted stays."""
    if not await visits.retire_page_rule(tx.conn, site, rule_id, by=by, now=tx.now):
        raise NotFound(f"no rule {rule_id} is in force on this site")


async def see(tx: Transaction, *, site_key: str, url: str, referrer: str, kind: Kind, visitor_id: UUID | None) -> Site:
    """Somebody sees a page. Recognised only with a visitor's id, which a browser has after consent. Raises `SiteUnknown`.

    A touch of a lead that is known is told, and a page that means something is an activity of the lead, once a session.
    """
    site = await visits.find_site(tx.conn, site_key)
    if site is None or not site.active:
        raise SiteUnknown("no such site", field="site")
    await see_touch(tx, site, rules.touch_of(url, referrer, site, tx.now), kind=kind, visitor_id=visitor_id)
    return site


async def see_touch(tx: Transaction, site: Site, touch: Touch, *, kind: Kind, visitor_id: UUID | None) -> None:
    """The same, of a page that is known to be of the site."""
    visitor_id = await erased.unless_erased(tx, visitor_id)
    if visitor_id is not None:
        await _recognise(tx, site, visitor_id, touch)
    await visits.insert_page_view(tx.conn, site=site.key, visitor_id=visitor_id, kind=kind, touch=touch, occurred_at=tx.now)


async def forget(tx: Transaction, visitor_id: UUID) -> None:
    """The browser withdrew its consent; asked again, nothing changes."""
    known = await visits.find_visitor(tx.conn, visitor_id)
    if known is not None and known.lead_id is not None:
        await leads.get_lead_for_update(tx.conn, known.lead_id)
    await visits.lock_visitors(tx.conn, [visitor_id])
    await visits.forget_visitor(tx.conn, visitor_id)


async def stitch(tx: Transaction, new: Sequence["Arrival"]) -> None:
    """A step of capture: what visitors did before they said who they are is the lead's from now on, and so are given touches.

    A visitor that is another lead already goes over to the new one; the other keeps its touches, and the latest one counts for both.
    """
    given = [(new_id(), None, arrival.lead.id, touch) for arrival in new for touch in arrival.touches]
    by_visitor = {arrival.visitor_id: arrival for arrival in new if arrival.visitor_id is not None}
    known = await visits.lock_visitors(tx.conn, list(by_visitor)) if by_visitor else {}
    if known:
        latest = await visits.latest_touches(tx.conn, [each.id for each in known.values() if each.lead_id is not None])
        given += [(new_id(), None, by_visitor[visitor_id].lead.id, touch) for visitor_id, touch in latest.items()]
        await visits.give_visitors(tx.conn, {visitor_id: by_visitor[visitor_id].lead.id for visitor_id in known})
        await _count_pages(tx, {visitor_id: by_visitor[visitor_id] for visitor_id in known})
    if given:
        await visits.insert_touches(tx.conn, given)
    touched = [arrival for arrival in new if arrival.touches or arrival.visitor_id in known]
    if touched:
        found = await visits.touches_of(tx.conn, [arrival.lead.id for arrival in touched])
        for arrival in touched:
            arrival.touches = found[arrival.lead.id]


async def forget_old(tx: Transaction, *, keep_days: int, limit: int) -> int:
    """Views and strangers older than so many days; returns how many rows went."""
    return await visits.forget_old(tx.conn, tx.now - timedelta(days=keep_days), limit)


async def _recognise(tx: Transaction, site: Site, visitor_id: UUID, touch: Touch) -> None:
    before = await visits.find_visitor(tx.conn, visitor_id)
    lead = None
    if before is not None and before.lead_id is not None:
        lead = await leads.get_lead_for_update(tx.conn, before.lead_id)
    visitor, fresh = await visits.meet_visitor(tx.conn, visitor_id, tx.now)
    if lead is not None and visitor.lead_id != lead.id:
        lead = None  # captured anew or merged at this very moment: the next page finds the right one
    latest = (await visits.latest_touches(tx.conn, [visitor_id])).get(visitor_id)
    if rules.is_new(touch, latest, None if fresh else visitor.last_seen_at):
        touch_id = new_id()
        await visits.insert_touches(tx.conn, [(touch_id, visitor_id, visitor.lead_id, touch)])
        if lead is not None:
            tx.emit(LeadTouched(lead_id=lead.id, touch_id=touch_id, touch=touch), flow_id=lead.flow_id, sequence=lead.version)
    await visits.save_seen(tx.conn, visitor_id, tx.now)
    fitting = [
        rule for rule in await visits.list_page_rules(tx.conn, site.key) if (touch.page or "").startswith(rule.path_prefix)
    ]
    activity = rules.activity_of(touch.page or "", fitting)
    if lead is not None and activity is not None:
        prefix = max((rule.path_prefix for rule in fitting), key=len)
        if not await visits.saw_lately(tx.conn, visitor_id, prefix, tx.now - rules.SESSION):
            await lead_handlers.add_activity(tx, lead.id, Activity(activity, tx.now))


async def _count_pages(tx: Transaction, by_visitor: dict[UUID, "Arrival"]) -> None:
    """Pages seen before capture become activities at the time they were seen, each kind once a session."""
    page_rules = await visits.list_page_rules(tx.conn, None)
    if not page_rules:
        return
    found: dict[UUID, list[Activity]] = {visitor_id: [] for visitor_id in by_visitor}
    for row in reversed(await visits.pages_of_visitors(tx.conn, list(by_visitor))):
        code = rules.activity_of(row["path"], [rule for rule in page_rules if rule.site == row["site"]])
        known = found[row["visitor_id"]]
        if code is not None and not any(
            each.code == code and row["occurred_at"] - each.occurred_at < rules.SESSION for each in known
        ):
            known.append(Activity(code, row["occurred_at"]))
    await leads.insert_activities(
        tx.conn,
        [(by_visitor[visitor_id].lead.id, each) for visitor_id, activities in found.items() for each in activities],
        now=tx.now,
    )
    for visitor_id, activities in found.items():
        by_visitor[visitor_id].activities = [*by_visitor[visitor_id].activities, *activities]


def check_touches(touches: Sequence[Touch], now: datetime) -> None:
    """Raises `Invalid` for a touch in the future."""
    if any(touch.occurred_at > now for touch in touches):
        raise Invalid("a touch cannot lie in the future", field="touches")
