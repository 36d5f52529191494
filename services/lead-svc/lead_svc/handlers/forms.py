"""The verbs of who makes forms: draft, publish, switch on and off, retire."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ltc_chassis import custom_fields
from ltc_chassis.db import Transaction
from ltc_contracts.errors import Invalid, VersionConflict

from lead_svc.domain import form as rules
from lead_svc.domain import form_answers
from lead_svc.domain.form import Action, Form, FormExists, FormRetired, FormVersion, NotPublished
from lead_svc.store import forms as store
from lead_svc.store import visits


async def create(tx: Transaction, key: str, name: str, draft: Mapping[str, Any], *, by: str) -> Form:
    """A form that nobody sees yet. Raises `FormExists`, `Invalid`."""
    form = Form(key, name, False, 1, None, draft, by, tx.now, by, tx.now)
    await _check(tx, draft)
    if not await store.insert_form(tx.conn, form):
        raise FormExists("another form has this key, or had it", field="key")
    await _log(tx, form, "created")
    return form


async def change(
    tx: Transaction, key: str, *, version: int, name: str | None, draft: Mapping[str, Any] | None, active: bool | None, by: str
) -> Form:
    """Change the draft or the name, or show or hide what was published. Raises `VersionConflict`, `FormRetired`, `NotPublished`."""
    known = await _open(tx, key, version)
    if draft is not None:
        await _check(tx, draft)
    if active and known.published is None:
        raise NotPublished("publish it first", field="active")
    changed = replace(
        known,
        name=name or known.name,
        draft=known.draft if draft is None else draft,
        active=known.active if active is None else active,
    )
    return await _save(tx, changed, "changed", by) if changed != known else known


async def publish(tx: Transaction, key: str, *, version: int, by: str) -> Form:
    """The draft becomes the version that is shown, word by word and for good. Pages that are open already stay valid.

    Raises `VersionConflict`, `FormRetired`, `Invalid`.
    """
    known = await _open(tx, key, version)
    await _check(tx, known.draft)
    number = (known.published or 0) + 1
    await store.insert_version(tx.conn, FormVersion(key, number, known.draft, by, tx.now))
    return await _save(tx, replace(known, published=number, active=True), "published", by)


async def retire(tx: Transaction, key: str, *, version: int, by: str) -> Form:
    """Nobody fills it in any more, for good; what came in by it stays. Raises `VersionConflict`, `FormRetired`."""
    known = await _open(tx, key, version)
    return await _save(tx, replace(known, active=False, retired_at=tx.now), "retired", by)


async def _open(tx: Transaction, key: str, version: int) -> Form:
    known = await store.get_form_for_update(tx.conn, key)
    if known.version != version:
        raise VersionConflict("the form", known.version)
    if known.retired_at is not None:
        raise FormRetired("the form was retired; make a new one")
    return known


async def _check(tx: Transaction, draft: Mapping[str, Any]) -> None:
    plan = rules.plan_of(draft)
    own = await custom_fields.load(tx.conn, "lead")
    rules.check_plan(plan, own)
    form_answers.check_hidden(plan, own)
    if plan.site is not None and await visits.find_site(tx.conn, plan.site) is None:
        raise Invalid("no such site", field="site")


async def _save(tx: Transaction, form: Form, action: Action, by: str) -> Form:
    saved = replace(form, version=form.version + 1, updated_by=by, updated_at=tx.now)
    await store.save_form(tx.conn, saved)
    await _log(tx, saved, action)
    return saved


async def _log(tx: Transaction, form: Form, action: Action) -> None:
    body = {"name": form.name, "active": form.active, "published": form.published, "draft": dict(form.draft)}
    await store.insert_change(tx.conn, form.key, form.version, action, body, by=form.updated_by, now=tx.now)
