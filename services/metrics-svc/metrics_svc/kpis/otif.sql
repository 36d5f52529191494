-- name: otif
-- version: 1
-- unit: percent
-- definition: Orders of which every line had arrived complete by the end of the day (UTC) / orders due on days of the window that are over, cancelled ones aside; by the day requested, the first promised and the latest promised before the day it replaced was over; an order in parts counts when all parts came in time, open late ones fail, and nothing after the window's last day counts.
-- lines: due
SELECT CASE WHEN $5::text = '' THEN 'all' ELSE k.key END AS key, q.version AS name, round(100.0 * count(*) FILTER (WHERE q.on_time AND q.in_full) / count(*), 4) AS value
FROM due_orders($1, $2, $3, $4) q JOIN flow_keys($3, $4, $5) k USING (flow_id) GROUP BY 1, 2 ORDER BY 1, 2
