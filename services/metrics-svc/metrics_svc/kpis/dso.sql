-- name: dso
-- version: 1
-- unit: days
-- definition: Receivables at the end / credit sales of the window x its days; countback: days of the months, latest first, whose sales make up the receivables; best possible: on what is not yet due only.
-- all: invoiced, allocated, unapplied, credited, refunded, written_off, recovered
WITH span AS (SELECT least($2::timestamptz, $3) AS last, greatest(ceil(extract(epoch FROM least($2::timestamptz, $3) - $1::timestamptz) / 86400), 1) AS days),
keys AS (SELECT k.flow_id, CASE WHEN $5::text = '' THEN 'all' ELSE k.key END AS key FROM flow_keys($3, $4, $5) k),
owed AS (
    SELECT k.key, i.currency::text AS currency, sum(i.open) AS open, coalesce(sum(i.open) FILTER (WHERE i.due_on >= s.last::date), 0) AS not_due
    FROM span s CROSS JOIN LATERAL invoices(s.last, $4) i JOIN keys k USING (flow_id) WHERE i.gross IS NOT NULL GROUP BY 1, 2),
sales AS (
    SELECT k.key, f.currency::text AS currency, date_trunc('month', f.occurred_at) AS month, sum(f.gross) AS gross,
           sum(f.gross) FILTER (WHERE f.occurred_at >= $1) AS in_window
    FROM span s CROSS JOIN LATERAL facts(s.last, $4) f JOIN keys k USING (flow_id) WHERE f.kind = 'invoiced' GROUP BY 1, 2, 3),
months AS (
    SELECT o.key, o.currency, o.open, m.month, coalesce(t.gross, 0) AS gross,
           least(m.month + interval '1 month', s.last)::date - m.month::date
           + CASE WHEN m.month + interval '1 month' > s.last THEN 1 ELSE 0 END AS days,
           coalesce(sum(t.gross) OVER (PARTITION BY o.key, o.currency ORDER BY m.month DESC), 0) - coalesce(t.gross, 0) AS later
    FROM span s CROSS JOIN owed o
    CROSS JOIN LATERAL generate_series((SELECT min(x.month) FROM sales x), date_trunc('month', s.last), interval '1 month') AS m (month)
    LEFT JOIN sales t ON t.key = o.key AND t.currency = o.currency AND t.month = m.month),
counted AS (
    SELECT m.key, m.currency,
           sum(m.days * CASE WHEN m.open <= m.later THEN 0 WHEN m.gross = 0 THEN 1 ELSE least((m.open - m.later) / m.gross, 1) END) AS days
    FROM months m GROUP BY 1, 2),
sold AS (SELECT t.key, t.currency, sum(t.in_window) AS gross FROM sales t GROUP BY 1, 2)
SELECT d.key, d.currency || '_' || v.name AS name,
       round(CASE v.name WHEN 'standard' THEN coalesce(o.open, 0) * s.days / nullif(d.gross, 0)
                         WHEN 'best_possible' THEN coalesce(o.not_due, 0) * s.days / nullif(d.gross, 0) ELSE coalesce(c.days, 0) END, 4) AS value
FROM sold d CROSS JOIN span s LEFT JOIN owed o USING (key, currency) LEFT JOIN counted c USING (key, currency)
CROSS JOIN (VALUES ('standard'), ('countback'), ('best_possible')) v (name) ORDER BY 1, 2
