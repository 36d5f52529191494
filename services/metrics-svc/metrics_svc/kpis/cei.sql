-- name: cei
-- version: 1
-- unit: percent
-- definition: Collection effectiveness: (opening receivables + credit sales - closing receivables) / (opening + credit sales - closing not yet due) of the window.
-- all: invoiced, allocated, unapplied, credited, refunded, written_off, recovered
WITH span AS (SELECT least($2::timestamptz, $3) AS last),
keys AS (SELECT k.flow_id, CASE WHEN $5::text = '' THEN 'all' ELSE k.key END AS key FROM flow_keys($3, $4, $5) k),
parts AS (
    SELECT k.key, i.currency::text AS currency, sum(i.open) AS opening, 0::numeric AS sold, 0::numeric AS closing, 0::numeric AS not_due
    FROM invoices(least($1::timestamptz - interval '1 microsecond', $3), $4) i JOIN keys k USING (flow_id) WHERE i.gross IS NOT NULL GROUP BY 1, 2
    UNION ALL
    SELECT k.key, i.currency::text, 0, 0, sum(i.open), coalesce(sum(i.open) FILTER (WHERE i.due_on >= s.last::date), 0)
    FROM span s CROSS JOIN LATERAL invoices(s.last, $4) i JOIN keys k USING (flow_id) WHERE i.gross IS NOT NULL GROUP BY 1, 2
    UNION ALL
    SELECT k.key, f.currency::text, 0, sum(f.gross), 0, 0
    FROM span s CROSS JOIN LATERAL facts(s.last, $4) f JOIN keys k USING (flow_id) WHERE f.kind = 'invoiced' AND f.occurred_at >= $1 GROUP BY 1, 2)
SELECT p.key, p.currency AS name,
       round(100 * (sum(p.opening) + sum(p.sold) - sum(p.closing)) / nullif(sum(p.opening) + sum(p.sold) - sum(p.not_due), 0), 4) AS value
FROM parts p GROUP BY 1, 2 ORDER BY 1, 2
