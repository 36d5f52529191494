-- name: campaign_return
-- version: 1
-- unit: ratio
-- definition: Cash that settles invoices, collected in the window on flows that came by a channel or campaign / its spend in the window; per currency.
-- events: spend
-- all: invoiced, allocated, unapplied, credited, refunded, written_off, recovered
-- dimensions: channel, campaign
WITH spend AS (
    SELECT CASE WHEN $5::text = '' THEN 'all' ELSE coalesce(dimension_of(f, $5), 'unknown') END AS key, f.currency::text AS currency, sum(f.net) AS amount
    FROM facts($3, $4) f WHERE f.kind = 'spend' AND f.occurred_at BETWEEN $1 AND $2 GROUP BY 1, 2),
cash AS (
    SELECT CASE WHEN $5::text = '' THEN 'all' ELSE k.key END AS key, i.currency::text AS currency, sum(i.applied - coalesce(b.applied, 0)) AS amount
    FROM invoices(least($2::timestamptz, $3), $4) i JOIN flow_keys($3, $4, $5) k USING (flow_id)
    LEFT JOIN invoices(least($1::timestamptz - interval '1 microsecond', $3), $4) b USING (invoice_id, currency) GROUP BY 1, 2)
SELECT s.key, s.currency AS name, round(coalesce(c.amount, 0) / nullif(s.amount, 0), 4) AS value
FROM spend s LEFT JOIN cash c USING (key, currency) ORDER BY 1, 2
