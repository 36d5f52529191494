"""What came of a survey: how many were asked, reached and answered, and what they said. By the moment they were asked at."""

from datetime import datetime
from typing import Any
from uuid import UUID

from ltc_chassis.connection import Connection


async def counts_view(conn: Connection, survey: str, version: int | None, start: datetime | None, end: datetime | None) -> Any:
    """Asked, delivered (the mail server took the mail), answered, declined, expired, reminded."""
    return await conn.fetchrow(
        """
        SELECT count(*)::int AS asked, count(*) FILTER (WHERE m.state = 'sent')::int AS delivered,
               count(*) FILTER (WHERE a.state = 'answered')::int AS answered, count(*) FILTER (WHERE a.state = 'declined')::int AS declined,
               count(*) FILTER (WHERE a.state = 'expired')::int AS expired, count(a.reminded_at)::int AS reminded
        FROM survey_ask a LEFT JOIN mail m ON m.dedupe_key = 'survey/' || a.id
        WHERE a.survey = $1 AND a.asked_at IS NOT NULL AND ($2::int IS NULL OR a.survey_version = $2)
          AND ($3::timestamptz IS NULL OR a.asked_at >= $3) AND ($4::timestamptz IS NULL OR a.asked_at < $4)
        """,
        *(survey, version, start, end),
    )


async def skipped_view(
    conn: Connection, survey: str, version: int | None, start: datetime | None, end: datetime | None
) -> list[Any]:
    """How many were not asked, by reason; by the moment they would have been asked at."""
    return await conn.fetch(
        """
        SELECT reason, count(*)::int AS amount FROM survey_ask
        WHERE survey = $1 AND state = 'skipped' AND ($2::int IS NULL OR survey_version = $2)
          AND ($3::timestamptz IS NULL OR due_at >= $3) AND ($4::timestamptz IS NULL OR due_at < $4)
        GROUP BY reason ORDER BY reason
        """,
        *(survey, version, start, end),
    )


async def scores_view(
    conn: Connection, survey: str, version: int | None, start: datetime | None, end: datetime | None
) -> dict[int, int]:
    """How often each score was given."""
    rows = await conn.fetch(
        """
        SELECT score, count(*)::int AS amount FROM survey_ask
        WHERE survey = $1 AND state = 'answered' AND score IS NOT NULL AND ($2::int IS NULL OR survey_version = $2)
          AND ($3::timestamptz IS NULL OR asked_at >= $3) AND ($4::timestamptz IS NULL OR asked_at < $4)
        GROUP BY score ORDER BY score
        """,
        *(survey, version, start, end),
    )
    return {row["score"]: row["amount"] for row in rows}


async def questions_view(
    conn: Connection, survey: str, version: int | None, start: datetime | None, end: datetime | None
) -> list[Any]:
    """Per question: how many answered it; of numbers mean, least and most; of days the first and the last."""
    return await conn.fetch(
        """
        SELECT w.question, w.kind, count(*)::int AS answers, round(avg(w.number), 4) AS mean, min(w.number) AS least, max(w.number) AS most,
               min(w.day) AS first, max(w.day) AS last
        FROM survey_answer w JOIN survey_ask a ON a.id = w.ask_id
        WHERE a.survey = $1 AND ($2::int IS NULL OR a.survey_version = $2)
          AND ($3::timestamptz IS NULL OR a.asked_at >= $3) AND ($4::timestamptz IS NULL OR a.asked_at < $4)
        GROUP BY w.question, w.kind ORDER BY w.question
        """,
        *(survey, version, start, end),
    )


async def choices_view(
    conn: Connection, survey: str, version: int | None, start: datetime | None, end: datetime | None
) -> list[Any]:
    """Per question and choice, or step of a scale, how often it was taken."""
    return await conn.fetch(
        """
        SELECT w.question, c.choice, count(*)::int AS amount
        FROM survey_answer w JOIN survey_ask a ON a.id = w.ask_id
        CROSS JOIN LATERAL unnest(CASE WHEN w.kind = 'scale' THEN ARRAY[trunc(w.number)::text] ELSE w.choices END) AS c (choice)
        WHERE a.survey = $1 AND ($2::int IS NULL OR a.survey_version = $2)
          AND ($3::timestamptz IS NULL OR a.asked_at >= $3) AND ($4::timestamptz IS NULL OR a.asked_at < $4)
        GROUP BY w.question, c.choice ORDER BY w.question, c.choice
        """,
        *(survey, version, start, end),
    )


async def texts_view(conn: Connection, survey: str, question: str | None, after: UUID | None, limit: int) -> list[Any]:
    """What people wrote, by ask; `texts` by question."""
    return await conn.fetch(
        """
        SELECT a.id, jsonb_object_agg(w.question, w.text) AS texts, a.survey_version, a.score, a.language, a.number, a.order_id, a.ticket_id,
               a.ended_at AS answered_at
        FROM survey_ask a JOIN survey_answer w ON w.ask_id = a.id AND w.kind = 'text'
        WHERE a.survey = $1 AND ($2::text IS NULL OR w.question = $2) AND ($3::uuid IS NULL OR a.id > $3)
        GROUP BY a.id ORDER BY a.id LIMIT $4
        """,
        *(survey, question, after, limit),
    )


async def list_answered(
    conn: Connection, survey: str, start: datetime | None, end: datetime | None, after: UUID | None, limit: int
) -> list[Any]:
    """Those who answered, by ask."""
    return await conn.fetch(
        """
        SELECT id, survey_version, trigger, language, number, customer_id, order_id, delivery_id, ticket_id, score, asked_at,
               ended_at AS answered_at
        FROM survey_ask
        WHERE survey = $1 AND state = 'answered' AND ($2::timestamptz IS NULL OR asked_at >= $2)
          AND ($3::timestamptz IS NULL OR asked_at < $3) AND ($4::uuid IS NULL OR id > $4)
        ORDER BY id LIMIT $5
        """,
        *(survey, start, end, after, limit),
    )
