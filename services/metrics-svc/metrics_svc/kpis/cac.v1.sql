-- name: cac
-- version: 1
-- unit: money
-- definition: Marketing spend in the window / flows whose order was confirmed in it; per currency, by channel or campaign.
-- events: spend, ordered
-- dimensions: channel, campaign
WITH spend AS (
    SELECT CASE $5::text WHEN '' THEN 'all' WHEN 'channel' THEN f.channel WHEN 'campaign' THEN f.campaign ELSE 'unknown' END AS key, f.currency, sum(f.net) AS amount
    FROM facts($3, $4) f WHERE f.kind = 'spend' AND f.occurred_at BETWEEN $1 AND $2 GROUP BY 1, 2),
won AS (
    SELECT CASE WHEN $5::text = '' THEN 'all' ELSE k.key END AS key, count(DISTINCT f.flow_id) AS customers
    FROM facts($3, $4) f JOIN flow_keys($3, $4, $5) k USING (flow_id)
    WHERE f.kind = 'ordered' AND f.occurred_at BETWEEN $1 AND $2 GROUP BY 1)
SELECT s.key, s.currency::text AS name, round(s.amount / w.customers, 2) AS value FROM spend s JOIN won w USING (key) ORDER BY 1, 2
