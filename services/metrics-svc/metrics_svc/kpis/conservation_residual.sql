-- name: conservation_residual
-- version: 3
-- unit: money
-- definition: By how much facts about the same thing disagree over all flows: offers, orders, changes, deliveries and their parts, returns, invoices, credit notes and cash; must be 0.00.
-- all: accepted, contracted, ordered, changed, handed, returned, delivered, invoiced, allocated, unapplied, credited, refunded, written_off, recovered, overdue, paid, settled, cancelled, closed, disputed, undisputed
-- measured: at the end
SELECT CASE WHEN $5::text = '' THEN 'all' ELSE k.key END AS key, f.currency::text AS name, sum(f.residual) AS value
FROM conservation($3, $4) f JOIN flow_keys($3, $4, $5) k USING (flow_id) WHERE $1::timestamptz IS NOT NULL AND $2::timestamptz IS NOT NULL GROUP BY 1, 2 ORDER BY 1, 2
