-- name: stage_conversion
-- version: 1
-- unit: percent
-- definition: Distinct flows that ever reached a stage / those that ever reached the one before it, of flows that entered in the window, by entry cohort.
-- events: lead, opportunity
-- with: lead, qualified, opportunity, quoted, won, ordered, delivered, invoiced, paid
WITH entered AS (SELECT DISTINCT flow_id FROM facts($3, $4) WHERE kind IN ('lead', 'opportunity') AND occurred_at BETWEEN $1 AND $2),
stages (place, stage) AS (
    VALUES (1, 'lead'), (2, 'qualified'), (3, 'opportunity'), (4, 'quoted'), (5, 'won'), (6, 'ordered'), (7, 'delivered'), (8, 'invoiced'), (9, 'paid')),
reached AS (
    SELECT DISTINCT CASE WHEN $5::text = '' THEN 'all' ELSE k.key END AS key, f.flow_id, s.place
    FROM facts($3, $4) f JOIN entered e USING (flow_id) JOIN flow_keys($3, $4, $5) k USING (flow_id) JOIN stages s ON s.stage = f.kind)
SELECT r.key, a.stage || '_to_' || b.stage AS name, round(100.0 * count(n.flow_id) / count(*), 4) AS value
FROM reached r JOIN stages a USING (place) JOIN stages b ON b.place = a.place + 1
LEFT JOIN reached n ON n.key = r.key AND n.flow_id = r.flow_id AND n.place = b.place GROUP BY 1, 2 ORDER BY 1, 2
