-- name: sales_cycle
-- version: 2
-- unit: days
-- definition: Days from the first touch of the lead, or else the opening of the deal, to won: mean, median and 90th percentile of deals won in the window.
-- events: won
-- with: lead
SELECT q.key, v.name, round((CASE v.name WHEN 'mean' THEN q.mean WHEN 'median' THEN q.median ELSE q.p90 END)::numeric, 4) AS value
FROM (SELECT CASE WHEN $5::text = '' THEN 'all' ELSE k.key END AS key, avg(f.days) AS mean, percentile_cont(0.5) WITHIN GROUP (ORDER BY f.days) AS median,
             percentile_cont(0.9) WITHIN GROUP (ORDER BY f.days) AS p90
      FROM (SELECT w.flow_id, extract(epoch FROM w.occurred_at - least(w.begun_at, l.touched_at))::float8 / 86400 AS days
            FROM facts($3, $4) w
            LEFT JOIN (SELECT x.flow_id, min(coalesce(x.begun_at, x.occurred_at)) AS touched_at FROM facts($3, $4) x
                       WHERE x.kind = 'lead' GROUP BY 1) l USING (flow_id)
            WHERE w.kind = 'won' AND w.occurred_at BETWEEN $1 AND $2) f
      JOIN flow_keys($3, $4, $5) k USING (flow_id) GROUP BY 1) q
CROSS JOIN (VALUES ('mean'), ('median'), ('p90')) v (name) ORDER BY 1, 2
