-- name: outstanding
-- version: 2
-- unit: money
-- definition: Invoiced, not credited and not paid yet, whenever it was invoiced.
-- all: invoiced, allocated, unapplied, credited, refunded, written_off, recovered
-- measured: at the end
SELECT CASE WHEN $5::text = '' THEN 'all' ELSE k.key END AS key, i.currency::text AS name, sum(i.open) AS value
FROM invoices($3, $4) i JOIN flow_keys($3, $4, $5) k USING (flow_id) WHERE i.gross IS NOT NULL AND $1::timestamptz IS NOT NULL AND $2::timestamptz IS NOT NULL GROUP BY 1, 2 ORDER BY 1, 2
