-- name: win_rate
-- version: 1
-- unit: percent
-- definition: Won / (won + lost) among deals closed in the window; also by value.
-- events: won, lost
SELECT CASE WHEN $5::text = '' THEN 'all' ELSE k.key END AS key, v.name,
       CASE v.name WHEN 'by_count' THEN round(100.0 * count(*) FILTER (WHERE f.kind = 'won') / nullif(count(*), 0), 4)
                   ELSE round(100.0 * coalesce(sum(f.net) FILTER (WHERE f.kind = 'won'), 0) / nullif(sum(f.net), 0), 4) END AS value
FROM facts($3, $4) f JOIN flow_keys($3, $4, $5) k USING (flow_id) CROSS JOIN (VALUES ('by_count'), ('by_value')) v (name)
WHERE f.kind IN ('won', 'lost') AND f.occurred_at BETWEEN $1 AND $2 GROUP BY 1, 2 ORDER BY 1, 2
