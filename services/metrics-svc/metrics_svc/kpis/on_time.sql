-- name: on_time
-- version: 1
-- unit: percent
-- definition: Orders of which all that came had come by the end of the day, short or not / orders due on days of the window that are over; by the day requested, first promised and latest promised, as in otif.
-- lines: due
SELECT CASE WHEN $5::text = '' THEN 'all' ELSE k.key END AS key, q.version AS name, round(100.0 * count(*) FILTER (WHERE q.on_time) / count(*), 4) AS value
FROM due_orders($1, $2, $3, $4) q JOIN flow_keys($3, $4, $5) k USING (flow_id) GROUP BY 1, 2 ORDER BY 1, 2
