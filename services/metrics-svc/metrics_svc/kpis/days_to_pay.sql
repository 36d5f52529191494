-- name: days_to_pay
-- version: 1
-- unit: days
-- definition: Days from the issue of an invoice to the day on which it was paid: mean, weighted by amount, median and 90th percentile of invoices paid in the window.
-- settled: paid
-- with: invoiced
SELECT q.key, v.name, round((CASE v.name WHEN 'mean' THEN q.mean WHEN 'weighted' THEN q.weighted WHEN 'median' THEN q.median ELSE q.p90 END)::numeric, 4) AS value
FROM (SELECT CASE WHEN $5::text = '' THEN 'all' ELSE k.key END AS key, avg(p.days) AS mean, sum(p.days * p.gross) / nullif(sum(p.gross), 0) AS weighted,
             percentile_cont(0.5) WITHIN GROUP (ORDER BY p.days) AS median, percentile_cont(0.9) WITHIN GROUP (ORDER BY p.days) AS p90
      FROM (SELECT f.flow_id, f.gross, f.settled_on - i.issued_on AS days
            FROM facts($3, $4) f
            JOIN (SELECT x.invoice_id, min(x.occurred_at)::date AS issued_on FROM facts($3, $4) x WHERE x.kind = 'invoiced' GROUP BY 1) i USING (invoice_id)
            WHERE f.kind = 'paid' AND f.settled_on BETWEEN $1::date AND least($2::timestamptz, $3)::date) p
      JOIN flow_keys($3, $4, $5) k USING (flow_id) GROUP BY 1) q
CROSS JOIN (VALUES ('mean'), ('weighted'), ('median'), ('p90')) v (name) ORDER BY 1, 2
