-- name: lead_conversion_rate
-- version: 1
-- unit: percent
-- definition: Leads captured in the window that ever became an opportunity / leads captured in the window.
-- events: lead
-- with: opportunity
SELECT CASE WHEN $5::text = '' THEN 'all' ELSE k.key END AS key, 'rate' AS name, round(100.0 * count(DISTINCT o.flow_id) / nullif(count(DISTINCT f.flow_id), 0), 4) AS value
FROM facts($3, $4) f JOIN flow_keys($3, $4, $5) k USING (flow_id)
LEFT JOIN facts($3, $4) o ON o.flow_id = f.flow_id AND o.kind = 'opportunity'
WHERE f.kind = 'lead' AND f.occurred_at BETWEEN $1 AND $2 GROUP BY 1, 2 ORDER BY 1, 2
