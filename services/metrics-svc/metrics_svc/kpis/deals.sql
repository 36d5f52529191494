-- name: deals
-- version: 1
-- unit: deals
-- definition: Deals closed in the window: won and lost by count, and their value per currency.
-- events: won, lost
WITH closed AS (
    SELECT CASE WHEN $5::text = '' THEN 'all' ELSE k.key END AS key, f.kind, f.currency::text AS currency, f.net
    FROM facts($3, $4) f JOIN flow_keys($3, $4, $5) k USING (flow_id)
    WHERE f.kind IN ('won', 'lost') AND f.occurred_at BETWEEN $1 AND $2)
SELECT key, kind AS name, count(*)::numeric AS value FROM closed GROUP BY 1, 2
UNION ALL
SELECT key, kind || '_value_' || currency, sum(net) FROM closed WHERE net IS NOT NULL GROUP BY 1, 2 ORDER BY 1, 2
