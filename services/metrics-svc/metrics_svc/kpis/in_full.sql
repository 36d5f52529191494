-- name: in_full
-- version: 1
-- unit: percent
-- definition: Orders of which every line arrived complete, in time or later in the window / orders due on days of the window that are over; by the day requested, first promised and latest promised, as in otif.
-- lines: due
SELECT CASE WHEN $5::text = '' THEN 'all' ELSE k.key END AS key, q.version AS name, round(100.0 * count(*) FILTER (WHERE q.in_full) / count(*), 4) AS value
FROM due_orders($1, $2, $3, $4) q JOIN flow_keys($3, $4, $5) k USING (flow_id) GROUP BY 1, 2 ORDER BY 1, 2
