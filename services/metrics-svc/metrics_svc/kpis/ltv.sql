-- name: ltv
-- version: 1
-- unit: amount
-- definition: Expected: recurring revenue per customer and month at the end of the window / share of customers lost per month in it, null when none was; observed: net invoiced less credited up to then per customer; revenue stands for margin, since no event tells a cost.
-- all: mrr_new, mrr_expansion, mrr_contraction, mrr_churn, mrr_reactivation, invoiced, credited
WITH span AS (
    SELECT least($2::timestamptz, $3) AS last,
           greatest(extract(epoch FROM least($2::timestamptz, $3) - $1::timestamptz) / 86400 / 30.4375, 0.01) AS months),
f AS (
    SELECT CASE WHEN $5::text = '' THEN 'all' ELSE k.key END AS key, m.currency::text AS currency, m.kind, m.net, m.customer_id, m.occurred_at
    FROM span s CROSS JOIN LATERAL facts(s.last, $4) m JOIN flow_keys($3, $4, $5) k USING (flow_id)
    WHERE m.kind IN ('mrr_new', 'mrr_expansion', 'mrr_contraction', 'mrr_churn', 'mrr_reactivation', 'invoiced', 'credited')),
each AS (
    SELECT key, currency, customer_id, coalesce(sum(net) FILTER (WHERE occurred_at < $1), 0) AS before, sum(net) AS after
    FROM f WHERE kind LIKE 'mrr%' GROUP BY 1, 2, 3),
recurring AS (
    SELECT e.key, e.currency, sum(e.after) / nullif(count(*) FILTER (WHERE e.after > 0), 0) AS monthly,
           count(*) FILTER (WHERE e.before > 0 AND e.after <= 0) / nullif(count(*) FILTER (WHERE e.before > 0), 0)::numeric / s.months AS churn
    FROM each e CROSS JOIN span s GROUP BY 1, 2, s.months),
billed AS (
    SELECT key, currency, sum(CASE kind WHEN 'invoiced' THEN net ELSE -net END) / nullif(count(DISTINCT customer_id) FILTER (WHERE kind = 'invoiced'), 0) AS net
    FROM f WHERE kind IN ('invoiced', 'credited') GROUP BY 1, 2)
SELECT key, currency || '_expected' AS name, round(monthly / nullif(churn, 0), 2) AS value FROM recurring
UNION ALL
SELECT key, currency || '_observed', round(net, 2) FROM billed ORDER BY 1, 2
