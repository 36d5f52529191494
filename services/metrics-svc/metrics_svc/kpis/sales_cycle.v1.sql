-- name: sales_cycle
-- version: 1
-- unit: days
-- definition: Days from the opening of the opportunity to won: mean, median and 90th percentile of deals won in the window.
-- events: won
SELECT q.key, v.name, round((CASE v.name WHEN 'mean' THEN q.mean WHEN 'median' THEN q.median ELSE q.p90 END)::numeric, 4) AS value
FROM (SELECT CASE WHEN $5::text = '' THEN 'all' ELSE k.key END AS key, avg(f.days) AS mean, percentile_cont(0.5) WITHIN GROUP (ORDER BY f.days) AS median,
             percentile_cont(0.9) WITHIN GROUP (ORDER BY f.days) AS p90
      FROM (SELECT flow_id, extract(epoch FROM occurred_at - begun_at)::float8 / 86400 AS days FROM facts($3, $4)
            WHERE kind = 'won' AND occurred_at BETWEEN $1 AND $2) f
      JOIN flow_keys($3, $4, $5) k USING (flow_id) GROUP BY 1) q
CROSS JOIN (VALUES ('mean'), ('median'), ('p90')) v (name) ORDER BY 1, 2
