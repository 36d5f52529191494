"""Surveys and the rule for all of them, as versions; and how far the rounds of those by schedule are."""

from dataclasses import asdict
from datetime import date, datetime
from typing import Any, NamedTuple
from uuid import UUID

from ltc_chassis.connection import Connection

from delivery_svc.domain.survey import Choice, Question, Rule, Survey

_NOBODY = UUID(int=0)


class Round(NamedTuple):
    """The customers of a day up to `after` have been gone through."""

    survey: str
    day: date
    after: UUID


class Candidate(NamedTuple):
    """A customer to whom something was delivered: the latest delivery, and the day of the first."""

    customer_id: UUID
    email: str
    name: str
    country: str
    delivery_id: UUID
    order_id: UUID
    order_number: str
    flow_id: UUID
    first_at: datetime


async def lock_surveys(conn: Connection) -> None:
    """Surveys and their rule are written one at a time. Until the transaction ends."""
    await conn.execute("SELECT pg_advisory_xact_lock(hashtextextended('survey', 0))")


async def insert_survey(conn: Connection, s: Survey, *, by: str, now: datetime) -> None:
    texts = {name: dict(each) for name, each in s.texts.items()}
    await conn.execute(
        """
        INSERT INTO survey (code, version, kind, trigger, name, texts, questions, delay_hours, every_days, sample_percent, customer_days,
                            valid_days, remind_days, active, active_since, changed_by, changed_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
        """,
        *(s.code, s.version, s.kind, s.trigger, s.name, texts, [asdict(each) for each in s.questions], s.delay_hours),
        *(s.every_days, s.sample_percent, s.customer_days, s.valid_days, s.remind_days, s.active, s.active_since, by, now),
    )


async def find_survey(conn: Connection, code: str, version: int | None = None) -> Survey | None:
    """The latest version, or a certain one."""
    row = await conn.fetchrow(
        """
        SELECT code, version, kind, trigger, name, texts, questions, delay_hours, every_days, sample_percent, customer_days, valid_days,
               remind_days, active, active_since
        FROM survey WHERE code = $1 AND ($2::int IS NULL OR version = $2) ORDER BY version DESC LIMIT 1
        """,
        *(code, version),
    )
    return None if row is None else _survey(row)


async def list_surveys(conn: Connection) -> list[Survey]:
    """The latest version of each; at most 200."""
    rows = await conn.fetch(
        """
        SELECT DISTINCT ON (code) code, version, kind, trigger, name, texts, questions, delay_hours, every_days, sample_percent,
               customer_days, valid_days, remind_days, active, active_since
        FROM survey ORDER BY code, version DESC LIMIT 200
        """
    )
    return [_survey(row) for row in rows]


async def list_survey_versions(conn: Connection, code: str) -> list[tuple[Survey, str, datetime]]:
    """With who wrote them and when, the newest first; at most 200."""
    rows = await conn.fetch(
        """
        SELECT code, version, kind, trigger, name, texts, questions, delay_hours, every_days, sample_percent, customer_days, valid_days,
               remind_days, active, active_since, changed_by, changed_at
        FROM survey WHERE code = $1 ORDER BY version DESC LIMIT 200
        """,
        code,
    )
    return [(_survey(row), row["changed_by"], row["changed_at"]) for row in rows]


async def insert_rule(conn: Connection, rule: Rule, *, by: str, now: datetime) -> None:
    await conn.execute(
        "INSERT INTO survey_rule (version, quiet_days, changed_by, changed_at) VALUES ($1, $2, $3, $4)",
        *(rule.version, rule.quiet_days, by, now),
    )


async def get_rule(conn: Connection) -> Rule:
    """What holds now."""
    row = await conn.fetchrow("SELECT version, quiet_days FROM survey_rule ORDER BY version DESC LIMIT 1")
    assert row is not None, "the migration brings the first version"
    return Rule(**dict(row))


async def list_rule_versions(conn: Connection) -> list[Any]:
    """With who wrote them, the newest first; at most 200."""
    return await conn.fetch("SELECT version, quiet_days, changed_by, changed_at FROM survey_rule ORDER BY version DESC LIMIT 200")


async def start_rounds(conn: Connection, codes: list[str], today: date) -> None:
    """A round of today for each of these; one of an earlier day ends, since today's goes through the same customers."""
    await conn.execute(
        """
        INSERT INTO survey_round (survey, day, after, done) SELECT code, $2, $3, FALSE FROM unnest($1::text[]) AS code ORDER BY code
        ON CONFLICT (survey) DO UPDATE SET day = excluded.day, after = excluded.after, done = FALSE WHERE survey_round.day < excluded.day
        """,
        *(codes, today, _NOBODY),
    )


async def claim_round(conn: Connection, codes: list[str]) -> Round | None:
    """A round that is not done, locked; one that another works on is left to it."""
    row = await conn.fetchrow(
        """
        SELECT survey, day, after FROM survey_round WHERE survey = ANY($1::text[]) AND NOT done
        ORDER BY survey LIMIT 1 FOR UPDATE SKIP LOCKED
        """,
        codes,
    )
    return None if row is None else Round(*row)


async def save_round(conn: Connection, survey: str, after: UUID, *, done: bool) -> None:
    await conn.execute("UPDATE survey_round SET after = $2, done = $3 WHERE survey = $1", survey, after, done)


async def list_candidates(conn: Connection, *, after: UUID, since: datetime, limit: int) -> list[Candidate]:
    """Customers with an address to whom something was delivered since then, by their ids."""
    rows = await conn.fetch(
        """
        SELECT DISTINCT ON (d.customer_id) d.customer_id, d.customer_email, d.customer_name, d.customer_country, d.id, d.order_id,
               d.order_number, d.flow_id,
               (SELECT min(f.completed_at) FROM delivery f WHERE f.customer_id = d.customer_id AND f.completed_at IS NOT NULL)
        FROM delivery d
        WHERE d.customer_id > $1 AND d.completed_at >= $2 AND d.customer_email IS NOT NULL
        ORDER BY d.customer_id, d.completed_at DESC LIMIT $3
        """,
        *(after, since, limit),
    )
    return [Candidate(*row) for row in rows]


async def find_candidate(conn: Connection, *, customer_id: UUID | None, email: str | None) -> Candidate | None:
    """A customer by id or by address, with the latest delivery, completed or not."""
    row = await conn.fetchrow(
        """
        SELECT customer_id, customer_email, customer_name, customer_country, id, order_id, order_number, flow_id, created_at FROM delivery
        WHERE customer_id = $1 AND customer_email IS NOT NULL AND ($2::text IS NULL OR lower(customer_email) = lower($2))
        ORDER BY id DESC LIMIT 1
        """
        if customer_id is not None
        else """
        SELECT customer_id, customer_email, customer_name, customer_country, id, order_id, order_number, flow_id, created_at FROM delivery
        WHERE $1::uuid IS NULL AND lower(customer_email) = lower($2)
        ORDER BY id DESC LIMIT 1
        """,
        *(customer_id, email),
    )
    return None if row is None else Candidate(*row)


def _survey(row: Any) -> Survey:
    names = (
        "code",
        "version",
        "kind",
        "trigger",
        "name",
        "texts",
        "delay_hours",
        "every_days",
        "sample_percent",
        "customer_days",
    )
    given = {name: row[name] for name in (*names, "valid_days", "remind_days", "active", "active_since")}
    return Survey(**given, questions=[_question(each) for each in row["questions"]])


def _question(given: dict[str, Any]) -> Question:
    return Question(**{**given, "choices": tuple(Choice(**choice) for choice in given["choices"])})
