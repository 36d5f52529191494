-- name: invoiced
-- version: 1
-- unit: money
-- definition: Gross amounts of invoices issued in the window.
-- events: invoiced
SELECT CASE WHEN $5::text = '' THEN 'all' ELSE k.key END AS key, f.currency::text AS name, sum(f.gross) AS value
FROM facts($3, $4) f JOIN flow_keys($3, $4, $5) k USING (flow_id) WHERE f.kind = 'invoiced' AND f.occurred_at BETWEEN $1 AND $2 GROUP BY 1, 2 ORDER BY 1, 2
