-- name: first_response_in_time
-- version: 1
-- unit: percent
-- definition: First responses within the target / those and the waits whose target passed without one, by the moment that decided, in the window.
-- events: responded, breached
-- with: responded
SELECT CASE WHEN $5::text = '' THEN 'all' ELSE k.key END AS key, 'rate' AS name,
       round(100.0 * count(*) FILTER (WHERE f.kind = 'responded') / nullif(count(*), 0), 4) AS value
FROM facts($3, $4) f JOIN flow_keys($3, $4, $5) k USING (flow_id)
-- A response in time that was written down after the breach was told undoes it.
WHERE (f.kind = 'responded' AND f.on_time
       OR f.kind = 'breached' AND NOT EXISTS (SELECT 1 FROM facts($3, $4) r WHERE r.flow_id = f.flow_id AND r.kind = 'responded' AND r.on_time
                                              AND r.begun_at = f.begun_at))
  AND f.occurred_at BETWEEN $1 AND $2 GROUP BY 1, 2 ORDER BY 1, 2
