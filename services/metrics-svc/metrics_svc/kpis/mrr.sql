-- name: mrr
-- version: 1
-- unit: money
-- definition: Monthly recurring revenue of all subscriptions at the end of the window: the sum of every movement up to then.
-- all: mrr_new, mrr_expansion, mrr_contraction, mrr_churn, mrr_reactivation
SELECT CASE WHEN $5::text = '' THEN 'all' ELSE k.key END AS key, f.currency::text AS name, sum(f.net) AS value
FROM facts($3, $4) f JOIN flow_keys($3, $4, $5) k USING (flow_id)
WHERE f.kind IN ('mrr_new', 'mrr_expansion', 'mrr_contraction', 'mrr_churn', 'mrr_reactivation')
  AND f.occurred_at <= $2 AND $1::timestamptz IS NOT NULL GROUP BY 1, 2 ORDER BY 1, 2
