-- name: tickets_in_time
-- version: 1
-- unit: percent
-- definition: First responses, and resolutions, of tickets within their target / those with a target, in the window.
-- events: ticket_responded, ticket_resolved
SELECT CASE WHEN $5::text = '' THEN 'all' ELSE k.key END AS key, CASE f.kind WHEN 'ticket_responded' THEN 'first_response' ELSE 'resolution' END AS name,
       round(100.0 * count(*) FILTER (WHERE f.on_time) / count(*), 4) AS value
FROM facts($3, $4) f JOIN flow_keys($3, $4, $5) k USING (flow_id)
WHERE f.kind IN ('ticket_responded', 'ticket_resolved') AND f.on_time IS NOT NULL AND f.occurred_at BETWEEN $1 AND $2 GROUP BY 1, 2 ORDER BY 1, 2
