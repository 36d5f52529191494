-- name: csat
-- version: 1
-- unit: percent
-- definition: Answers of 4 and 5 / answers on the scale from 1 to 5 given in the window, with the response rate of the satisfaction surveys sent in it.
-- events: csat, csat_asked
-- begun: csat_answered
WITH f AS (
    SELECT CASE WHEN $5::text = '' THEN 'all' ELSE k.key END AS key, m.kind, m.score, m.occurred_at, m.begun_at
    FROM facts($3, $4) m JOIN flow_keys($3, $4, $5) k USING (flow_id) WHERE m.kind IN ('csat', 'csat_asked', 'csat_answered')),
sums AS (
    SELECT key, count(*) FILTER (WHERE kind = 'csat' AND score >= 4 AND occurred_at BETWEEN $1 AND $2) AS satisfied,
           count(*) FILTER (WHERE kind = 'csat' AND occurred_at BETWEEN $1 AND $2) AS answers,
           -- Of those who were asked in the window, whenever they answered.
           count(*) FILTER (WHERE kind = 'csat_answered' AND begun_at BETWEEN $1 AND $2) AS answered,
           count(*) FILTER (WHERE kind = 'csat_asked' AND occurred_at BETWEEN $1 AND $2) AS asked
    FROM f GROUP BY key)
SELECT s.key, v.name,
       CASE v.name WHEN 'csat' THEN round(100.0 * s.satisfied / nullif(s.answers, 0), 4)
                   ELSE round(100.0 * s.answered / nullif(s.asked, 0), 4) END AS value
FROM sums s CROSS JOIN (VALUES ('csat'), ('response_rate')) v (name) WHERE s.answers + s.asked > 0 ORDER BY 1, 2
