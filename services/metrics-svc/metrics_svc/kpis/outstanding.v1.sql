-- name: outstanding
-- version: 1
-- unit: money
-- definition: Invoiced and not yet paid, whenever it was invoiced.
-- all: invoiced, allocated
-- measured: at the end
SELECT CASE WHEN $5::text = '' THEN 'all' ELSE k.key END AS key, f.currency::text AS name, sum(CASE WHEN f.kind = 'invoiced' THEN f.gross ELSE -f.gross END) AS value
FROM facts($3, $4) f JOIN flow_keys($3, $4, $5) k USING (flow_id) WHERE f.kind IN ('invoiced', 'allocated') AND $1::timestamptz IS NOT NULL AND $2::timestamptz IS NOT NULL GROUP BY 1, 2 ORDER BY 1, 2
