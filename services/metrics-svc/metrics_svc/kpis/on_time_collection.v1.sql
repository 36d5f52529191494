-- name: on_time_collection
-- version: 1
-- unit: percent
-- definition: Amount paid by the due day / amount falling due in the window; also by count of invoices.
-- due: invoiced
-- with: invoiced, allocated
SELECT CASE WHEN $5::text = '' THEN 'all' ELSE k.key END AS key, v.name,
       CASE v.name WHEN 'by_amount' THEN round(100.0 * sum(p.in_time) / nullif(sum(f.gross), 0), 4)
                   ELSE round(100.0 * count(*) FILTER (WHERE p.in_time >= f.gross) / nullif(count(*), 0), 4) END AS value
FROM facts($3, $4) f JOIN flow_keys($3, $4, $5) k USING (flow_id)
CROSS JOIN LATERAL (SELECT coalesce(sum(a.gross), 0) AS in_time FROM facts($3, $4) a
                    WHERE a.flow_id = f.flow_id AND a.kind = 'allocated' AND a.settled_on <= f.due_on) p
CROSS JOIN (VALUES ('by_amount'), ('by_count')) v (name)
WHERE f.kind = 'invoiced' AND f.due_on BETWEEN $1::date AND least($2::timestamptz, $3::timestamptz)::date GROUP BY 1, 2 ORDER BY 1, 2
