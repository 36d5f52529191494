-- name: on_time_delivery
-- version: 1
-- unit: percent
-- definition: Deliveries completed on or before the promised day / deliveries completed in the window.
-- events: delivered
SELECT CASE WHEN $5::text = '' THEN 'all' ELSE k.key END AS key, 'rate' AS name, round(100.0 * count(*) FILTER (WHERE f.on_time) / nullif(count(*), 0), 4) AS value
FROM facts($3, $4) f JOIN flow_keys($3, $4, $5) k USING (flow_id) WHERE f.kind = 'delivered' AND f.occurred_at BETWEEN $1 AND $2 GROUP BY 1, 2 ORDER BY 1, 2
