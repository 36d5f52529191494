-- name: sales_velocity
-- version: 1
-- unit: amount
-- definition: Money won per day: deals opened in the window x win rate by count x average value of won deals / mean days from opening to won, of deals closed in it; per currency.
-- events: opportunity, won, lost
WITH f AS (
    SELECT CASE WHEN $5::text = '' THEN 'all' ELSE k.key END AS key, m.kind, m.currency::text AS currency, m.net,
           extract(epoch FROM m.occurred_at - m.begun_at) / 86400 AS days
    FROM facts($3, $4) m JOIN flow_keys($3, $4, $5) k USING (flow_id)
    WHERE m.kind IN ('opportunity', 'won', 'lost') AND m.occurred_at BETWEEN $1 AND $2),
deals AS (
    SELECT key, count(*) FILTER (WHERE kind = 'opportunity') AS opened, count(*) FILTER (WHERE kind = 'won') AS won,
           count(*) FILTER (WHERE kind <> 'opportunity') AS closed, avg(days) FILTER (WHERE kind = 'won') AS days
    FROM f GROUP BY key),
-- Of all won deals, so that currencies share the deals among them.
worth AS (SELECT key, currency, sum(net) AS net FROM f WHERE kind = 'won' GROUP BY 1, 2)
SELECT d.key, w.currency AS name, round(d.opened * (d.won::numeric / d.closed) * (w.net / d.won) / nullif(d.days, 0), 2) AS value
FROM deals d JOIN worth w USING (key) ORDER BY 1, 2
