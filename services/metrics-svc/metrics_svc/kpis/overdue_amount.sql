-- name: overdue_amount
-- version: 2
-- unit: money
-- definition: Open amounts of invoices, less what was credited, whose due day lies before the day asked for.
-- all: invoiced, allocated, unapplied, credited, refunded, written_off, recovered
-- measured: at the end
SELECT CASE WHEN $5::text = '' THEN 'all' ELSE k.key END AS key, i.currency::text AS name, sum(i.open) AS value
FROM invoices($3, $4) i JOIN flow_keys($3, $4, $5) k USING (flow_id)
WHERE i.due_on < $3::date AND $1::timestamptz IS NOT NULL AND $2::timestamptz IS NOT NULL GROUP BY 1, 2 ORDER BY 1, 2
