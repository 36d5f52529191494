-- name: ageing
-- version: 1
-- unit: amount
-- definition: Open amounts of invoices by days overdue on the day asked for: not yet due, 1-30, 31-60, 61-90, 91 and more; they add up to what is outstanding.
-- all: invoiced, allocated, unapplied, credited, refunded, written_off, recovered
-- measured: at the end
SELECT CASE WHEN $5::text = '' THEN 'all' ELSE k.key END AS key, i.currency::text || '_' || b.name AS name,
       coalesce(sum(i.open) FILTER (WHERE $3::date - i.due_on BETWEEN b.least AND b.most), 0) AS value
FROM invoices($3, $4) i JOIN flow_keys($3, $4, $5) k USING (flow_id)
CROSS JOIN (VALUES ('not_due', -1000000, 0), ('1-30', 1, 30), ('31-60', 31, 60), ('61-90', 61, 90), ('91+', 91, 1000000)) b (name, least, most)
WHERE i.gross IS NOT NULL AND i.open > 0 AND $1::timestamptz IS NOT NULL AND $2::timestamptz IS NOT NULL GROUP BY 1, 2 ORDER BY 1, 2
