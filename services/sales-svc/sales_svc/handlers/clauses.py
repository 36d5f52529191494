"""The verbs of the clause library and of templates: versions are added and approved, never edited."""

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from ltc_chassis.db import Transaction
from ltc_chassis.ids import new_id
from ltc_contracts.errors import DomainError, Invalid

from sales_svc.domain import clause as rules
from sales_svc.domain import contract_template as templates
from sales_svc.domain.clause import Clause, ClauseApproved
from sales_svc.domain.contract_template import Template
from sales_svc.store import clauses


class TemplateExists(DomainError):
    """A version of the template begins at that moment already; versions are never edited."""


async def add_clause(
    tx: Transaction, *, code: str, language: str, title: str, text: str, valid_from: datetime, by: str
) -> Clause:
    """The next version of a clause in a language; no contract uses it until it is approved."""
    rules.require_fillable(text, field="text")
    await clauses.lock_series(tx.conn, "clause", f"{code}.{language}")
    version = await clauses.next_clause_version(tx.conn, code, language)
    made = Clause(new_id(), code, language, version, title, text, valid_from, by, tx.now, None, None)
    await clauses.insert_clause(tx.conn, made)
    return made


async def approve_clause(tx: Transaction, clause_id: UUID, by: str) -> Clause:
    """From now on contracts may use it."""
    clause = await clauses.get_clause_for_update(tx.conn, clause_id)
    if clause.approved_by is not None:
        raise ClauseApproved(f"clause '{clause.code}' version {clause.version} was approved by {clause.approved_by}")
    await clauses.approve_clause(tx.conn, clause_id, by=by, now=tx.now)
    return replace(clause, approved_by=by, approved_at=tx.now)


async def add_template(tx: Transaction, template: Template, by: str) -> Template:
    """A new template, or the next version of one; every clause it names is there in its language."""
    if template.valid_from < tx.now:
        raise Invalid("a template cannot begin in the past", field="valid_from")
    templates.require_sound(template)
    known = await clauses.clauses_of(tx.conn, [item.code for item in template.items], template.language)
    there = {(each.code, each.version) for each in known} | {(each.code, None) for each in known}
    for number, item in enumerate(template.items):
        if (item.code, item.version) not in there:
            raise Invalid(f"no such clause in '{template.language}'", field=f"clauses.{number}")
    await clauses.lock_series(tx.conn, "template", template.code)
    numbered = replace(template, version=await clauses.next_template_version(tx.conn, template.code))
    if not await clauses.insert_template(tx.conn, numbered, by=by, now=tx.now):
        raise TemplateExists(f"a version of '{template.code}' begins at that moment already", field="valid_from")
    return numbered
