-- name: ticket_response_time
-- version: 1
-- unit: minutes
-- definition: Minutes of business hours to the first response to a ticket: mean, median and 90th percentile of first responses in the window.
-- events: ticket_responded
SELECT q.key, v.name, round((CASE v.name WHEN 'mean' THEN q.mean WHEN 'median' THEN q.median ELSE q.p90 END)::numeric, 4) AS value
FROM (SELECT CASE WHEN $5::text = '' THEN 'all' ELSE k.key END AS key, avg(f.minutes) AS mean, percentile_cont(0.5) WITHIN GROUP (ORDER BY f.minutes) AS median,
             percentile_cont(0.9) WITHIN GROUP (ORDER BY f.minutes) AS p90
      FROM facts($3, $4) f JOIN flow_keys($3, $4, $5) k USING (flow_id)
      WHERE f.kind = 'ticket_responded' AND f.occurred_at BETWEEN $1 AND $2 GROUP BY 1) q
CROSS JOIN (VALUES ('mean'), ('median'), ('p90')) v (name) ORDER BY 1, 2
