-- name: order_processing_time
-- version: 2
-- unit: days
-- definition: Mean days from contract signed to order confirmed, and from confirmed to the first hand-over, of orders confirmed in the window.
-- events: ordered
-- with: contracted
-- lines: handed_over
WITH first AS (
    SELECT h.flow_id, min(h.occurred_at) AS at FROM fulfilled($3, $4) h WHERE h.kind = 'handed_over' GROUP BY h.flow_id)
SELECT CASE WHEN $5::text = '' THEN 'all' ELSE k.key END AS key, v.name,
       round((CASE v.name WHEN 'signed_to_confirmed' THEN avg(extract(epoch FROM f.occurred_at - c.occurred_at))
                          ELSE avg(extract(epoch FROM d.at - f.occurred_at)) END / 86400)::numeric, 4) AS value
FROM facts($3, $4) f JOIN flow_keys($3, $4, $5) k USING (flow_id)
LEFT JOIN facts($3, $4) c ON c.flow_id = f.flow_id AND c.kind = 'contracted'
LEFT JOIN first d ON d.flow_id = f.flow_id
CROSS JOIN (VALUES ('signed_to_confirmed'), ('confirmed_to_first_delivery')) v (name)
WHERE f.kind = 'ordered' AND f.occurred_at BETWEEN $1 AND $2 GROUP BY 1, 2 ORDER BY 1, 2
