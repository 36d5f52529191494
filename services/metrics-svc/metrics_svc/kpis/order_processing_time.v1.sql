-- name: order_processing_time
-- version: 1
-- unit: days
-- definition: Mean days from contract signed to order confirmed, and from confirmed to delivered, of orders confirmed in the window.
-- events: ordered
-- with: contracted, delivered
SELECT CASE WHEN $5::text = '' THEN 'all' ELSE k.key END AS key, v.name,
       round((CASE v.name WHEN 'signed_to_confirmed' THEN avg(extract(epoch FROM f.occurred_at - c.occurred_at))
                          ELSE avg(extract(epoch FROM d.occurred_at - f.occurred_at)) END / 86400)::numeric, 4) AS value
FROM facts($3, $4) f JOIN flow_keys($3, $4, $5) k USING (flow_id)
LEFT JOIN facts($3, $4) c ON c.flow_id = f.flow_id AND c.kind = 'contracted'
LEFT JOIN facts($3, $4) d ON d.flow_id = f.flow_id AND d.kind = 'delivered'
CROSS JOIN (VALUES ('signed_to_confirmed'), ('confirmed_to_delivered')) v (name)
WHERE f.kind = 'ordered' AND f.occurred_at BETWEEN $1 AND $2 GROUP BY 1, 2 ORDER BY 1, 2
