-- name: conservation_residual
-- version: 1
-- unit: money
-- definition: By how much the steps of all flows disagree about the amounts they hand over; must be 0.00.
SELECT CASE WHEN $5::text = '' THEN 'all' ELSE k.key END AS key, f.currency::text AS name, sum(f.residual) AS value
FROM conservation($3, $4) f JOIN flow_keys($3, $4, $5) k USING (flow_id) WHERE $1::timestamptz IS NOT NULL AND $2::timestamptz IS NOT NULL GROUP BY 1, 2 ORDER BY 1, 2
