-- name: collected
-- version: 2
-- unit: money
-- definition: Cash that settles invoices at the end of the window less what did before it: without what went back, or settled what was credited since.
-- all: invoiced, allocated, unapplied, credited, refunded, written_off, recovered
SELECT CASE WHEN $5::text = '' THEN 'all' ELSE k.key END AS key, i.currency::text AS name, sum(i.applied - coalesce(b.applied, 0)) AS value
FROM invoices(least($2::timestamptz, $3), $4) i JOIN flow_keys($3, $4, $5) k USING (flow_id)
LEFT JOIN invoices(least($1::timestamptz - interval '1 microsecond', $3), $4) b USING (invoice_id, currency)
GROUP BY 1, 2 HAVING bool_or(i.allocated <> coalesce(b.allocated, 0) OR i.applied <> coalesce(b.applied, 0)) ORDER BY 1, 2
