-- name: mrr_movements
-- version: 1
-- unit: money
-- definition: By how much monthly recurring revenue moved in the window: new, expansion, contraction, churn and reactivation, per currency.
-- events: mrr_new, mrr_expansion, mrr_contraction, mrr_churn, mrr_reactivation
SELECT CASE WHEN $5::text = '' THEN 'all' ELSE k.key END AS key, substr(f.kind, 5) || '_' || f.currency AS name, sum(f.net) AS value
FROM facts($3, $4) f JOIN flow_keys($3, $4, $5) k USING (flow_id)
WHERE f.kind IN ('mrr_new', 'mrr_expansion', 'mrr_contraction', 'mrr_churn', 'mrr_reactivation')
  AND f.occurred_at BETWEEN $1 AND $2 GROUP BY 1, 2 ORDER BY 1, 2
