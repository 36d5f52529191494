"""Fields of a company's own, per service: kept here, read by handlers, managed over HTTP without a deployment.

A service lists the kinds of records that take such fields, `custom_fields.routes(entities=("lead",))`, and reads the
definitions in the transaction that uses them, so that a new field counts from its commit on.
"""

import functools
from dataclasses import asdict, replace
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter
from ltc_contracts.errors import DomainError, Invalid, NotFound, VersionConflict
from ltc_rules.custom_fields import MOST_FIELDS, FieldDef, FieldType, check_definition
from pydantic import BaseModel, ConfigDict, Field

from ltc_chassis.api import Conn, Page, PageArgs, Principal, Tx, router, scope
from ltc_chassis.connection import Connection
from ltc_chassis.db import Transaction
from ltc_chassis.ids import new_id

Action = Literal["created", "changed", "archived", "restored"]
Limit = Annotated[Decimal, Field(max_digits=20, decimal_places=6, allow_inf_nan=False)]
Choices = Annotated[list[Annotated[str, Field(max_length=100)]], Field(max_length=500)]
Label = Annotated[str, Field(min_length=1, max_length=200)]


class FieldExists(DomainError):
    """The key is taken; a field's type never changes, an archived field may be restored."""


class TooManyFields(DomainError):
    """A kind of record has at most 200 fields of a company's own, archived ones included."""


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NewField(_Body):
    """`personal` values stay out of events. Limits count for numbers, `max_length` for texts, `choices` for choices."""

    entity: Annotated[str, Field(max_length=40)]
    key: Annotated[str, Field(max_length=63)]
    label: Label
    type: FieldType
    required: bool = False
    choices: Choices = []
    max_length: int | None = None
    minimum: Limit | None = None
    maximum: Limit | None = None
    personal: bool = False


class FieldChange(_Body):
    """What is named changes; `version` is the one the caller read. The key and the type are for good."""

    version: int
    label: Label | None = None
    required: bool | None = None
    choices: Choices | None = None
    max_length: int | None = None
    minimum: Limit | None = None
    maximum: Limit | None = None
    personal: bool | None = None
    archived: bool | None = None


class FieldView(NewField):
    minimum: Limit | None
    maximum: Limit | None
    archived: bool
    version: int


class ChangeView(BaseModel):
    """One change of a definition, with what it was before."""

    id: UUID
    version: int
    action: Action
    before: dict[str, Any] | None
    after: dict[str, Any]
    changed_by: str
    changed_at: datetime


async def load(conn: Connection, entity: str) -> list[FieldDef]:
    """The fields of one kind of record, archived ones included, in the order of their creation."""
    rows = await conn.fetch(
        """
        SELECT entity, key, label, type, required, choices, max_length, minimum, maximum, personal, archived
        FROM custom_field WHERE entity = $1 ORDER BY position
        """,
        entity,
    )
    return [_definition(row) for row in rows]


@functools.cache
def routes(*, entities: tuple[str, ...]) -> APIRouter:
    """`/v1/custom-fields` for these kinds of records; scopes `fields:read` and `fields:configure`."""
    api = router(prefix="/v1/custom-fields", tags=["custom fields"])

    @api.get("", dependencies=[scope("fields:read")])
    async def list_fields(conn: Conn, entity: str | None = None, archived: bool | None = None) -> list[FieldView]:
        """The fields of a kind of record, or of all; at most 200 per kind."""
        rows = await conn.fetch(
            """
            SELECT entity, key, label, type, required, choices, max_length, minimum, maximum, personal, archived, version
            FROM custom_field WHERE ($1::text IS NULL OR entity = $1) AND ($2::boolean IS NULL OR archived = $2)
            ORDER BY entity, position
            """,
            *(entity, archived),
        )
        return [FieldView(**dict(row)) for row in rows]

    @api.post("", status_code=201, dependencies=[scope("fields:configure")])
    async def create_field(body: NewField, tx: Tx, caller: Annotated[Principal, scope("fields:configure")]) -> FieldView:
        """A new field; records take it from now on."""
        if body.entity not in entities:
            raise Invalid(f"one of {', '.join(entities)}", field="entity")
        definition = FieldDef(**{**body.model_dump(), "choices": tuple(body.choices)})
        check_definition(definition)
        await _insert(tx, definition, caller.subject)
        return _view(definition, 1)

    @api.patch("/{entity}/{key}", dependencies=[scope("fields:configure")])
    async def change_field(
        entity: str, key: str, body: FieldChange, tx: Tx, caller: Annotated[Principal, scope("fields:configure")]
    ) -> FieldView:
        """Change a field, archive it or restore it; values that are kept stay as they are."""
        given = {name: getattr(body, name) for name in body.model_fields_set - {"version"}}
        before, version = await _get_for_update(tx.conn, entity, key)
        if version != body.version:
            raise VersionConflict("the field", version)
        for name in ("label", "required", "choices", "personal", "archived"):
            if name in given and given[name] is None:
                raise Invalid("cannot be null", field=name)
        if "choices" in given:
            given["choices"] = tuple(given["choices"])
        after = replace(before, **given)
        check_definition(after)
        if after != before:
            version += 1
            await _save(tx, before, after, version, caller.subject)
        return _view(after, version)

    @api.get("/{entity}/{key}/changes", dependencies=[scope("fields:read")])
    async def list_changes(entity: str, key: str, conn: Conn, page: PageArgs) -> Page[ChangeView]:
        """Who changed a field, when, from what to what."""
        if not await conn.fetchval("SELECT EXISTS (SELECT 1 FROM custom_field WHERE entity = $1 AND key = $2)", entity, key):
            raise NotFound("no such field")
        rows = await conn.fetch(
            """
            SELECT id, version, action, before, after, changed_by, changed_at FROM custom_field_change
            WHERE entity = $1 AND key = $2 AND ($3::uuid IS NULL OR id > $3) ORDER BY id LIMIT $4
            """,
            *(entity, key, page.after, page.limit + 1),
        )
        return page.of([ChangeView(**dict(row)) for row in rows], key=lambda view: view.id)

    return api


async def _insert(tx: Transaction, made: FieldDef, by: str) -> None:
    # One creation at a time, so that the number of fields is what it says; readers do not wait.
    await tx.conn.execute("LOCK TABLE custom_field IN SHARE ROW EXCLUSIVE MODE")
    count = await tx.conn.fetchval("SELECT count(*) FROM custom_field WHERE entity = $1", made.entity)
    row = await tx.conn.fetchrow(
        """
        INSERT INTO custom_field (entity, key, label, type, required, choices, max_length, minimum, maximum, personal, archived,
                                  position, version, created_at, updated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 1, $13, $13) ON CONFLICT DO NOTHING RETURNING key
        """,
        *(made.entity, made.key, made.label, made.type, made.required, list(made.choices), made.max_length),
        *(made.minimum, made.maximum, made.personal, made.archived, count, tx.now),
    )
    if row is None:
        raise FieldExists("the key is taken; change or restore that field", field="key")
    if count >= MOST_FIELDS:
        raise TooManyFields(f"a record has at most {MOST_FIELDS} fields of your own", field="entity")
    await _log(tx, None, made, 1, "created", by)


async def _save(tx: Transaction, before: FieldDef, after: FieldDef, version: int, by: str) -> None:
    await tx.conn.execute(
        """
        UPDATE custom_field SET label = $3, required = $4, choices = $5, max_length = $6, minimum = $7, maximum = $8, personal = $9,
               archived = $10, version = $11, updated_at = $12 WHERE entity = $1 AND key = $2
        """,
        *(after.entity, after.key, after.label, after.required, list(after.choices), after.max_length),
        *(after.minimum, after.maximum, after.personal, after.archived, version, tx.now),
    )
    turned = after.archived != before.archived
    await _log(tx, before, after, version, ("archived" if after.archived else "restored") if turned else "changed", by)


async def _log(tx: Transaction, before: FieldDef | None, after: FieldDef, version: int, action: Action, by: str) -> None:
    await tx.conn.execute(
        """
        INSERT INTO custom_field_change (id, entity, key, version, action, before, after, changed_by, changed_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        """,
        *(
            new_id(),
            after.entity,
            after.key,
            version,
            action,
            None if before is None else _json(before),
            _json(after),
            by,
            tx.now,
        ),
    )


async def _get_for_update(conn: Connection, entity: str, key: str) -> tuple[FieldDef, int]:
    row = await conn.fetchrow(
        """
        SELECT entity, key, label, type, required, choices, max_length, minimum, maximum, personal, archived, version
        FROM custom_field WHERE entity = $1 AND key = $2 FOR UPDATE
        """,
        *(entity, key),
    )
    if row is None:
        raise NotFound("no such field")
    return _definition(row), row["version"]


def _definition(row: Any) -> FieldDef:
    fields = dict(row)
    fields.pop("version", None)
    return FieldDef(**{**fields, "choices": tuple(fields["choices"])})


def _json(definition: FieldDef) -> dict[str, Any]:
    def shown(value: Any) -> Any:
        return format(value, "f") if isinstance(value, Decimal) else list(value) if isinstance(value, tuple) else value

    return {name: shown(value) for name, value in asdict(definition).items()}


def _view(definition: FieldDef, version: int) -> FieldView:
    return FieldView(**{**asdict(definition), "choices": list(definition.choices)}, version=version)
