-- name: survey_response_rate
-- version: 1
-- unit: percent
-- definition: Surveys sent in the window that were answered, whenever that was / surveys sent in the window: all of them and per kind.
-- events: csat_asked, nps_asked, research_asked
-- begun: csat_answered, nps_answered, research_answered
WITH f AS (
    SELECT CASE WHEN $5::text = '' THEN 'all' ELSE k.key END AS key, split_part(m.kind, '_', 1) AS kind, m.kind LIKE '%answered' AS answered
    FROM facts($3, $4) m JOIN flow_keys($3, $4, $5) k USING (flow_id)
    WHERE m.kind IN ('csat_asked', 'nps_asked', 'research_asked') AND m.occurred_at BETWEEN $1 AND $2
       OR m.kind IN ('csat_answered', 'nps_answered', 'research_answered') AND m.begun_at BETWEEN $1 AND $2)
SELECT key, coalesce(kind, 'total') AS name, round(100.0 * count(*) FILTER (WHERE answered) / nullif(count(*) FILTER (WHERE NOT answered), 0), 4) AS value
FROM f GROUP BY GROUPING SETS ((key, kind), (key)) ORDER BY 1, 2
