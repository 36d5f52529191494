-- name: marketing_spend
-- version: 1
-- unit: money
-- definition: What campaigns cost on the days of the window, corrections included as far as known; by channel, campaign, or source of the figure.
-- events: spend
-- dimensions: channel, source, campaign
SELECT CASE $5::text WHEN '' THEN 'all' WHEN 'channel' THEN f.channel WHEN 'source' THEN f.source WHEN 'campaign' THEN f.campaign ELSE 'unknown' END AS key,
       f.currency::text AS name, sum(f.net) AS value
FROM facts($3, $4) f WHERE f.kind = 'spend' AND f.occurred_at BETWEEN $1 AND $2 GROUP BY 1, 2 ORDER BY 1, 2
