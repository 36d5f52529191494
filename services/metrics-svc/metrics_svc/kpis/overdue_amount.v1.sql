-- name: overdue_amount
-- version: 1
-- unit: money
-- definition: Open amounts of invoices whose due day lies before the day asked for.
-- all: invoiced, allocated
-- measured: at the end
SELECT CASE WHEN $5::text = '' THEN 'all' ELSE k.key END AS key, f.currency::text AS name, sum(f.gross - coalesce(p.paid, 0)) AS value
FROM facts($3, $4) f JOIN flow_keys($3, $4, $5) k USING (flow_id)
CROSS JOIN LATERAL (SELECT sum(a.gross) AS paid FROM facts($3, $4) a WHERE a.flow_id = f.flow_id AND a.kind = 'allocated') p
WHERE f.kind = 'invoiced' AND f.due_on < $3::date AND $1::timestamptz IS NOT NULL AND $2::timestamptz IS NOT NULL GROUP BY 1, 2 ORDER BY 1, 2
