"""What of a database is about persons: every column of every table is named, with what an erasure makes of it.

A service has `TABLES` in its `store/personal.py`, made of `Table`s and of `CHASSIS`; `unnamed` is what its test asks. Preview, export
and erasure of a person are driven by it, so that no table can be forgotten.

    "lead_note": Table(
        rows="t.lead_id = ANY(:leads)",                       # how a person's rows are found; "" where they are nobody's
        plain="id lead_id pinned created_at",                 # says nothing about a person
        staff="created_by",                                   # about the company's own people, whose record it is
        personal={"text": replace("'(erased)'")},             # about the person, and what becomes of it
    )

In `rows`, `t` is the table, and these are the person: `:leads`, `:others` and `:flows` (ids; `:others` is the service's own: visitors,
contacts), `:emails` and `:phones` (texts, addresses in lower case), `:hashes` (of addresses). What is said here is part of statements:
it is literal text of the code, never input.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple
from uuid import UUID

import orjson
from ltc_contracts.personal import redact

from ltc_chassis.connection import Connection

How = Literal["empty", "replace", "delete", "keep", "own"]
_PLACES = {":leads": "$1", ":others": "$2", ":flows": "$3", ":emails": "$4", ":phones": "$5", ":hashes": "$6"}


@dataclass(frozen=True, slots=True)
class Treatment:
    """What becomes of a column: `sql` is its new value; `why` it is kept, or which function takes care (`own`).

    A column that is not `shown` is left out of an export, since it repeats what is shown elsewhere or is about others, too.
    """

    how: How
    sql: str = ""
    why: str = ""
    shown: bool = True


EMPTY = Treatment("empty", "NULL")


def replace(sql: str, *, shown: bool = True) -> Treatment:
    """Becomes the value of this expression, which may read the row as `t`. Twice must be the same as once."""
    return Treatment("replace", sql, shown=shown)


def keep(why: str) -> Treatment:
    """Stays as it is, for this reason."""
    return Treatment("keep", why=why)


def own(who: str, *, shown: bool = True) -> Treatment:
    """A function of the service, named here, takes care of it in the same transaction."""
    return Treatment("own", why=who, shown=shown)


@dataclass(frozen=True, slots=True)
class Table:
    """One table. `delete` tells why the whole row goes; then no column needs a treatment."""

    plain: str
    rows: str = ""
    staff: str = ""
    personal: Mapping[str, Treatment] = field(default_factory=dict)
    delete: str = ""

    @property
    def names(self) -> list[str]:
        """Every column that is named, as often as it is."""
        return [*self.plain.split(), *self.staff.split(), *self.personal]


class Who(NamedTuple):
    """A person as the conditions know them."""

    leads: Sequence[UUID] = ()
    others: Sequence[UUID] = ()
    flows: Sequence[UUID] = ()
    emails: Sequence[str] = ()
    phones: Sequence[str] = ()
    hashes: Sequence[bytes] = ()


class Found(NamedTuple):
    """How many rows of a table are about a person; `digest` changes with what is in their personal columns."""

    table: str
    rows: int
    digest: str


_MENTIONED = """
    EXISTS (SELECT 1 FROM unnest(:emails || :phones || :leads::text[]) AS said WHERE position(convert_to(said, 'UTF8') IN t.body) > 0)
"""
CHASSIS: Mapping[str, Table] = {
    "custom_field": Table(
        plain="entity key label type required choices max_length minimum maximum personal archived position version created_at updated_at"
    ),
    "custom_field_change": Table(plain="id entity key version action before after changed_at", staff="changed_by"),
    "idempotency_key": Table(
        rows=_MENTIONED,
        plain="key fingerprint status headers created_at",
        staff="principal",
        # The row stays: it keeps an old request from being done again.
        personal={"body": replace("''::bytea", shown=False)},
    ),
    "inbox": Table(plain="day event_id"),
    "letterhead": Table(
        plain="version name address email phone website tax_id registration bank footer colour font logo set_at", staff="set_by"
    ),
    "mail": Table(
        rows="lower(t.recipient) = ANY(:emails) OR t.flow_id = ANY(:flows) AND t.recipient <> 'erased@erased.invalid'",
        plain="id kind dedupe_key about flow_id message_id state attempts not_before created_at sent_at emptied_at next_attempt_at "
        "taken_by taken_until windows sender_name",
        staff="decided_by",
        personal={
            **dict.fromkeys(
                ("recipient", "recipient_name", "reply_to", "subject", "text", "html", "reason"), own("mailroom.forget")
            ),
            **dict.fromkeys(("headers", "unsubscribe_url"), own("mailroom.forget", shown=False)),
        },
    ),
    "mail_attachment": Table(
        rows="""t.mail_id IN (SELECT m.id FROM mail m
                WHERE lower(m.recipient) = ANY(:emails) OR m.flow_id = ANY(:flows) AND m.recipient <> 'erased@erased.invalid')""",
        plain="mail_id position",
        personal=dict.fromkeys(("name", "media_type", "content"), own("mailroom.forget")),
    ),
    "outbox": Table(
        rows="t.flowid = ANY(:flows)",
        plain="seq id aggregatetype aggregateid type shard source subject sequence time recordedtime dataschema flowid parentflowid "
        "causationid correlationid traceparent tracestate created_at",
        personal={"payload": own("personal.redact_events", shown=False)},
    ),
    "parked": Table(
        rows="t.flow_id = ANY(:flows)",
        plain="id topic partition offset published_at key header_names header_values event_id flow_id type state reason attempts "
        "first_parked_at next_attempt_at",
        personal=dict.fromkeys(("value", "error"), own("personal.redact_events", shown=False)),
    ),
    "schema_migration": Table(plain="component version name checksum applied_at"),
}


async def unnamed(conn: Connection, tables: Mapping[str, Table]) -> list[str]:
    """What is wrong with a service's registry: a line per column or table that is not named, named twice, or not there."""
    rows = await conn.fetch(
        """
        SELECT c.relname AS name, array_agg(a.attname::text ORDER BY a.attnum) AS columns
        FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
        GROUP BY c.relname ORDER BY c.relname
        """
    )
    there = {row["name"]: list(row["columns"]) for row in rows}
    wrong = [f"{name}: there is no such table" for name in tables if name not in there]
    for name, columns in there.items():
        table = tables.get(name)
        if table is None:
            wrong.append(f"{name}: not named; its columns are {' '.join(columns)}")
            continue
        named = table.names
        wrong += [f"{name}.{column}: not named" for column in columns if column not in named]
        wrong += [f"{name}.{column}: there is no such column" for column in dict.fromkeys(named) if column not in columns]
        wrong += [f"{name}.{column}: named twice" for column in dict.fromkeys(named) if named.count(column) > 1]
        if table.personal and not table.rows:
            wrong.append(f"{name}: it has personal columns, but `rows` does not say how a person's rows are found")
    return wrong


async def look(conn: Connection, tables: Mapping[str, Table], who: Who) -> list[Found]:
    """How much there is about a person, by table; tables with nothing are left out."""
    found = []
    for name, table in tables.items():
        if table.rows:
            cells = _list(f"t.{_quoted(column)}" for column in (table.names if table.delete else table.personal)) or "''"
            row = await conn.fetchrow(
                "SELECT amount, digest FROM personal_look($1::text::regclass, $2, $3, $4, $5, $6, $7, $8, $9)",
                *(name, _placed(table.rows), cells, *_person(who)),
            )
            assert row is not None
            if row["amount"]:
                found.append(Found(name, row["amount"], row["digest"]))
    return found


async def lines(conn: Connection, name: str, table: Table, who: Who, *, limit: int) -> list[dict[str, object]]:
    """A person's rows of a table as JSON, without what is about the company's own people or not shown."""
    hidden = [*table.staff.split(), *(column for column, treatment in table.personal.items() if not treatment.shown)]
    rows = await conn.fetch(
        "SELECT line FROM personal_lines($1::text::regclass, $2, $3::text[], $4, $5, $6, $7, $8, $9, $10) AS line",
        *(name, _placed(table.rows), hidden, *_person(who), limit),
    )
    return [row["line"] for row in rows]


async def erase(conn: Connection, tables: Mapping[str, Table], who: Who) -> dict[str, int]:
    """Empty, replace or delete what the registry says, in its order; how many rows of which table were changed.

    What is `own` to a function is that function's.
    """
    done = {}
    for name, table in tables.items():
        if not table.rows:
            continue
        changes = {column: each.sql for column, each in table.personal.items() if each.how in ("empty", "replace")}
        if not table.delete and not changes:
            continue
        rows: int = await conn.fetchval(
            "SELECT personal_erase($1::text::regclass, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
            name,
            _placed(table.rows),
            "" if table.delete else _list(f"{_quoted(column)} = {sql}" for column, sql in changes.items()),
            " OR ".join(f"t.{_quoted(column)} IS DISTINCT FROM ({sql})" for column, sql in changes.items()),
            *_person(who),
        )
        if rows:
            done[name] = rows
    return done


async def redact_events(conn: Connection, flows: Sequence[UUID]) -> int:
    """Events of these flows that have not left, and records that could not be processed yet, go on without the person; how many.

    What cannot be read is emptied: its effect is lost, and it stays parked for somebody to look at.
    """
    changed = 0
    for row in await conn.fetch("SELECT seq, aggregatetype, payload FROM outbox WHERE flowid = ANY($1::uuid[])", list(flows)):
        redacted = _redacted(row["aggregatetype"], row["payload"].encode())
        if redacted is not None:
            await conn.execute("UPDATE outbox SET payload = $2 WHERE seq = $1", row["seq"], redacted.decode())
            changed += 1
    for row in await conn.fetch("SELECT id, topic, value FROM parked WHERE flow_id = ANY($1::uuid[]) FOR UPDATE", list(flows)):
        redacted = _redacted(row["topic"], row["value"])
        # The error may quote what is in the record.
        await conn.execute(
            "UPDATE parked SET value = $2, error = '(erased)' WHERE id = $1",
            row["id"],
            row["value"] if redacted is None else redacted,
        )
        changed += 1
    return changed


def _redacted(topic: str, value: bytes) -> bytes | None:
    """None where nothing of it is about a person."""
    try:
        payload = orjson.loads(value)
    except orjson.JSONDecodeError:
        return b"" if value else None
    if not isinstance(payload, dict):
        return b""
    redacted = orjson.dumps(redact(topic, payload))
    return None if redacted == orjson.dumps(orjson.loads(value)) else redacted


def _person(who: Who) -> tuple[list[object], ...]:
    return tuple(list(part) for part in who)


def _placed(rows: str) -> str:
    for name, place in _PLACES.items():
        rows = rows.replace(name, place)
    return rows


def _list(parts: Iterable[str]) -> str:
    return ", ".join(parts)


def _quoted(column: str) -> str:
    return f'"{column}"'
