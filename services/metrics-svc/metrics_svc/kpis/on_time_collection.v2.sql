-- name: on_time_collection
-- version: 2
-- unit: percent
-- definition: Amount paid by the due day / amount falling due in the window, each without what was credited; also by count of invoices.
-- due: invoiced
-- with: invoiced, allocated, unapplied, credited, refunded, written_off, recovered
SELECT CASE WHEN $5::text = '' THEN 'all' ELSE k.key END AS key, v.name,
       CASE v.name WHEN 'by_amount' THEN round(100.0 * sum(least(p.in_time, i.gross - i.credited)) / nullif(sum(i.gross - i.credited), 0), 4)
                   ELSE round(100.0 * count(*) FILTER (WHERE p.in_time >= i.gross - i.credited) / nullif(count(*), 0), 4) END AS value
FROM invoices($3, $4) i JOIN flow_keys($3, $4, $5) k USING (flow_id)
CROSS JOIN LATERAL (SELECT coalesce(sum(CASE a.kind WHEN 'allocated' THEN a.gross ELSE -a.gross END), 0) AS in_time FROM facts($3, $4) a
                    WHERE a.invoice_id = i.invoice_id AND a.kind IN ('allocated', 'unapplied') AND a.settled_on <= i.due_on) p
CROSS JOIN (VALUES ('by_amount'), ('by_count')) v (name)
WHERE i.gross > i.credited AND i.due_on BETWEEN $1::date AND least($2::timestamptz, $3::timestamptz)::date GROUP BY 1, 2 ORDER BY 1, 2
