-- name: funnel
-- version: 1
-- unit: flows
-- definition: Distinct flows captured in the window that ever reached each stage, by entry cohort.
-- events: lead, opportunity
-- with: lead, qualified, disqualified, opportunity, quoted, won, lost, ordered, cancelled, delivered, invoiced, paid
SELECT CASE WHEN $5::text = '' THEN 'all' ELSE k.key END AS key, f.kind AS name, count(DISTINCT f.flow_id)::numeric AS value
FROM facts($3, $4) f JOIN flow_keys($3, $4, $5) k USING (flow_id)
JOIN (SELECT DISTINCT flow_id FROM facts($3, $4) WHERE kind IN ('lead', 'opportunity') AND occurred_at BETWEEN $1 AND $2) e USING (flow_id)
WHERE f.kind IN ('lead', 'qualified', 'opportunity', 'quoted', 'won', 'lost', 'disqualified', 'ordered', 'cancelled', 'delivered', 'invoiced', 'paid')
GROUP BY 1, 2 ORDER BY 1, 2
