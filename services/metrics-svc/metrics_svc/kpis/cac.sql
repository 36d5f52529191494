-- name: cac
-- version: 2
-- unit: money
-- definition: Spend in the window / customers whose first order was confirmed in it, by the channel or campaign of that order; per currency.
-- events: spend, ordered
-- customers: ordered
-- dimensions: channel, campaign
WITH spend AS (
    SELECT CASE $5::text WHEN '' THEN 'all' WHEN 'channel' THEN f.channel WHEN 'campaign' THEN f.campaign ELSE 'unknown' END AS key, f.currency, sum(f.net) AS amount
    FROM facts($3, $4) f WHERE f.kind = 'spend' AND f.occurred_at BETWEEN $1 AND $2 GROUP BY 1, 2),
first AS (
    SELECT DISTINCT ON (f.customer_id) f.customer_id, f.flow_id, f.occurred_at FROM facts($3, $4) f
    WHERE f.kind = 'ordered' AND f.customer_id IS NOT NULL ORDER BY f.customer_id, f.occurred_at, f.event_id),
won AS (
    SELECT CASE WHEN $5::text = '' THEN 'all' ELSE k.key END AS key, count(*) AS customers
    FROM first f JOIN flow_keys($3, $4, $5) k USING (flow_id) WHERE f.occurred_at BETWEEN $1 AND $2 GROUP BY 1)
SELECT s.key, s.currency::text AS name, round(s.amount / w.customers, 2) AS value FROM spend s JOIN won w USING (key) ORDER BY 1, 2
