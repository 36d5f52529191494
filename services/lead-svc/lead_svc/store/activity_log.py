"""What people wrote down of a lead, and who was last on it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from ltc_chassis.connection import Connection

from lead_svc.domain.activity_log import Entry


async def insert_entry(conn: Connection, e: Entry) -> None:
    await conn.execute(
        """
        INSERT INTO lead_log (id, lead_id, activity_id, task_id, type, direction, subject, note, outcome, occurred_at, recorded_by, recorded_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
        """,
        *(e.id, e.lead_id, e.activity_id, e.task_id, e.type, e.direction, e.subject, e.note, e.outcome),
        *(e.occurred_at, e.recorded_by, e.recorded_at),
    )


async def find_last(conn: Connection, lead_id: UUID) -> Entry | None:
    """The last call, mail or meeting."""
    row = await conn.fetchrow(
        """
        SELECT id, lead_id, activity_id, task_id, type, direction, subject, note, outcome, occurred_at, recorded_by, recorded_at
        FROM lead_log WHERE lead_id = $1 AND type <> 'note' ORDER BY occurred_at DESC, id DESC LIMIT 1
        """,
        lead_id,
    )
    return None if row is None else Entry(**dict(row))


async def insert_bands(conn: Connection, bands: Mapping[UUID, str], now: datetime) -> None:
    """Note of which (locked) leads the band is about to change; the band of one that has none yet is no change."""
    await conn.execute(
        """
        INSERT INTO lead_step (lead_id, what, was, became, at)
        SELECT s.lead_id, 'band', s.band, n.band, $3 FROM unnest($1::uuid[], $2::text[]) AS n (lead_id, band)
        JOIN lead_score s ON s.lead_id = n.lead_id AND s.band <> n.band
        """,
        *(list(bands), list(bands.values()), now),
    )


async def timeline(conn: Connection, lead_id: UUID, *, before: tuple[datetime, str] | None, limit: int) -> Sequence[Any]:
    """Everything that is known of a lead, newest first: `at`, `key` (unique), `kind`, `by`, `recorded_at`, `what`."""
    at, key = before or (None, None)
    return await conn.fetch(
        """
        WITH clocks AS (SELECT * FROM response_clock WHERE lead_id = $1),
        entries AS (
            SELECT created_at AS at, 'captured:' || id AS key, 'captured' AS kind, NULL::text AS by, created_at AS recorded_at,
                   jsonb_build_object('via', captured_via, 'channel', channel, 'source', source, 'campaign', campaign) AS what
            FROM lead WHERE id = $1
            UNION ALL
            SELECT occurred_at, 'touch:' || id, 'touch', NULL, NULL,
                   jsonb_build_object('channel', channel, 'source', source, 'medium', medium, 'campaign', campaign)
            FROM touch WHERE lead_id = $1
            UNION ALL
            SELECT a.occurred_at, 'activity:' || a.id, 'activity', a.recorded_by, a.recorded_at, jsonb_build_object('activity', a.code)
            FROM activity a WHERE a.lead_id = $1 AND NOT EXISTS (SELECT 1 FROM lead_log g WHERE g.activity_id = a.id)
            UNION ALL
            SELECT occurred_at, 'log:' || id, type, recorded_by, recorded_at,
                   jsonb_build_object('direction', direction, 'subject', subject, 'note', note, 'outcome', outcome, 'task_id', task_id)
            FROM lead_log WHERE lead_id = $1
            UNION ALL
            SELECT e.at, 'mail:' || e.kind || d.id, 'mail_' || e.kind, NULL, NULL,
                   jsonb_build_object('journey', j.code, 'step', d.step, 'mail_id', d.mail_id)
            FROM nurture_delivery d JOIN nurture_journey j ON j.id = d.journey_id,
                 LATERAL (VALUES ('sent', d.sent_at), ('opened', d.opened_at), ('clicked', d.clicked_at),
                                 ('unsubscribed', d.unsubscribed_at)) AS e (kind, at)
            WHERE d.lead_id = $1 AND e.at IS NOT NULL
            UNION ALL
            SELECT received_at, 'reply:' || id, 'mail_' || kind, recorded_by, NULL, '{}' FROM mail_reply WHERE lead_id = $1
            UNION ALL
            SELECT e.at, 'journey:' || e.kind || n.id, 'journey_' || e.kind, e.by, e.at,
                   jsonb_build_object('journey', j.code, 'version', n.version, 'reason', e.why)
            FROM nurture_enrolment n JOIN nurture_journey j ON j.id = n.journey_id,
                 LATERAL (VALUES ('entered', n.enrolled_at, n.enrolled_by, NULL),
                                 ('ended', n.ended_at, NULL, n.ended_by)) AS e (kind, at, by, why)
            WHERE n.lead_id = $1 AND e.at IS NOT NULL
            UNION ALL
            SELECT assigned_at, 'assigned:' || id, 'assigned', by, assigned_at, jsonb_build_object('to', rep, 'territory', territory)
            FROM assignment WHERE lead_id = $1
            UNION ALL
            SELECT e.at, 'lease:' || e.kind || l.id, e.kind, l.owner, e.at,
                   jsonb_build_object('owner', l.owner, 'until', l.until, 'ended_by', e.why)
            FROM lease l,
                 LATERAL (VALUES ('claimed', l.claimed_at, NULL), ('protection_ended', l.ended_at, l.ended_by)) AS e (kind, at, why)
            WHERE l.lead_id = $1 AND e.at IS NOT NULL
            UNION ALL
            SELECT at, 'step:' || id, what, NULL, at, jsonb_build_object('was', was, 'became', became) FROM lead_step WHERE lead_id = $1
            UNION ALL
            SELECT decided_at, 'given_up:' || id, 'disqualified', decided_by, decided_at,
                   jsonb_build_object('code', code, 'kind', kind, 'reason', reason, 'returns_at', returns_at)
            FROM disqualification WHERE lead_id = $1
            UNION ALL
            SELECT e.at, 'task:' || e.kind || t.id, 'task_' || e.kind, e.by, e.at,
                   jsonb_build_object('task_id', t.id, 'type', t.type, 'title', t.title, 'assignee', t.assignee, 'due_at', t.due_at,
                                      'words', e.words)
            FROM task t,
                 LATERAL (VALUES ('added', t.created_at, t.created_by, t.note), ('overdue', t.overdue_at, NULL, NULL),
                                 (t.state, t.closed_at, t.closed_by, coalesce(t.outcome, t.cancel_reason))) AS e (kind, at, by, words)
            WHERE t.lead_id = $1 AND e.at IS NOT NULL
            UNION ALL
            SELECT said_at, 'consent:' || id, CASE WHEN given THEN 'consent_given' ELSE 'consent_withdrawn' END, recorded_by, recorded_at,
                   jsonb_build_object('purpose', purpose, 'source', source)
            FROM lead_consent WHERE lead_id = $1
            UNION ALL
            SELECT e.at, 'merge:' || e.kind || m.id, e.kind, e.by, e.at, jsonb_build_object('merge_id', m.id, 'merged_id', m.merged_id)
            FROM lead_merge m, LATERAL (VALUES ('merged', m.merged_at, m.merged_by), ('unmerged', m.undone_at, m.undone_by)) AS e (kind, at, by)
            WHERE (m.survivor_id = $1 OR m.merged_id = $1) AND e.at IS NOT NULL
            UNION ALL
            SELECT at, 'change:' || id, 'changed', by, at,
                   jsonb_build_object('fields', (SELECT jsonb_agg(k ORDER BY k) FROM jsonb_object_keys(changes) AS k))
            FROM lead_change WHERE lead_id = $1
            UNION ALL
            SELECT set_at, 'manual:' || id, 'score_set', set_by, set_at, jsonb_build_object('value', value)
            FROM manual_score WHERE lead_id = $1
            UNION ALL
            SELECT e.at, 'deal:' || e.kind || o.opportunity_id, 'deal_' || e.kind, NULL, NULL,
                   jsonb_build_object('opportunity_id', o.opportunity_id)
            FROM lead_opportunity o, LATERAL (VALUES ('opened', o.opened_at), (o.state, o.closed_at)) AS e (kind, at)
            WHERE o.lead_id = $1 AND e.at IS NOT NULL
            UNION ALL
            SELECT e.at, 'clock:' || e.kind || c.id, e.kind, e.by, e.recorded,
                   jsonb_build_object('policy', c.policy, 'due_at', c.due_at, 'within_target', c.within_target,
                                      'business_minutes', c.business_minutes)
            FROM clocks c, LATERAL (VALUES ('response_awaited', c.started_at, NULL, c.started_at),
                                           ('first_responded', c.responded_at, c.responded_by, c.ended_at)) AS e (kind, at, by, recorded)
            WHERE e.at IS NOT NULL
            UNION ALL
            SELECT n.due_at, 'notice:' || n.clock_id || n.level, CASE WHEN n.level = 0 THEN 'response_warned' ELSE 'response_breached' END, NULL,
                   n.told_at, jsonb_build_object('level', n.level, 'escalated_to', n.escalate_to, 'owner', n.owner, 'to_pool', n.to_pool)
            FROM response_notice n JOIN clocks c ON c.id = n.clock_id
        )
        SELECT at, key, kind, by, recorded_at, what FROM entries
        WHERE $2::timestamptz IS NULL OR (at, key COLLATE "C") < ($2, $3 COLLATE "C")
        ORDER BY at DESC, key COLLATE "C" DESC LIMIT $4
        """,
        *(lead_id, at, key, limit),
    )
