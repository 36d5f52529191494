-- name: nps
-- version: 1
-- unit: points
-- definition: Percentage of 9 and 10 minus percentage of 0 to 6 among answers on the scale from 0 to 10 given in the window, with the response rate in percent of the recommendation surveys sent in it.
-- events: nps, nps_asked
-- begun: nps_answered
WITH f AS (
    SELECT CASE WHEN $5::text = '' THEN 'all' ELSE k.key END AS key, m.kind, m.score, m.occurred_at, m.begun_at
    FROM facts($3, $4) m JOIN flow_keys($3, $4, $5) k USING (flow_id) WHERE m.kind IN ('nps', 'nps_asked', 'nps_answered')),
sums AS (
    SELECT key, count(*) FILTER (WHERE kind = 'nps' AND score >= 9 AND occurred_at BETWEEN $1 AND $2) AS promoters,
           count(*) FILTER (WHERE kind = 'nps' AND score <= 6 AND occurred_at BETWEEN $1 AND $2) AS detractors,
           count(*) FILTER (WHERE kind = 'nps' AND occurred_at BETWEEN $1 AND $2) AS answers,
           -- Of those who were asked in the window, whenever they answered.
           count(*) FILTER (WHERE kind = 'nps_answered' AND begun_at BETWEEN $1 AND $2) AS answered,
           count(*) FILTER (WHERE kind = 'nps_asked' AND occurred_at BETWEEN $1 AND $2) AS asked
    FROM f GROUP BY key)
SELECT s.key, v.name,
       CASE v.name WHEN 'nps' THEN round(100.0 * (s.promoters - s.detractors) / nullif(s.answers, 0), 4)
                   ELSE round(100.0 * s.answered / nullif(s.asked, 0), 4) END AS value
FROM sums s CROSS JOIN (VALUES ('nps'), ('response_rate')) v (name) WHERE s.answers + s.asked > 0 ORDER BY 1, 2
