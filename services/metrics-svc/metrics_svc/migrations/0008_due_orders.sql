-- Orders by the day on which they were due, as before (0006 says what counts); but only orders are read that may be due in the window.
-- They are found by the index of days, and their facts by the index of orders: as arrays, since a loop through one set for each row of
-- another stays forbidden, and a hash of all facts would read all of history.
CREATE OR REPLACE FUNCTION due_orders(since timestamptz, until timestamptz, as_of timestamptz, known_at timestamptz)
RETURNS TABLE (order_id uuid, flow_id uuid, version text, due_on date, on_time boolean, in_full boolean)
LANGUAGE sql STABLE SET enable_nestloop = off AS $$
    WITH span AS (
        SELECT $1::date AS first_day, least(($2 - interval '1 microsecond')::date, $3::date - 1) AS last_day,
               least($3, ($2 - interval '1 microsecond')::date + 1 - interval '1 microsecond') AS cut),
    -- Orders of which any day that was told lies in the window; all others are due on none of its days.
    near AS (
        SELECT ARRAY(SELECT DISTINCT f.order_id FROM fulfilment f
                     WHERE f.day BETWEEN (SELECT s.first_day FROM span s) AND (SELECT s.last_day FROM span s)
                       AND f.kind IN ('requested', 'promised')
                       AND f.occurred_at <= (SELECT s.cut FROM span s) AND f.recorded_at <= $4) AS orders),
    days AS MATERIALIZED (
        SELECT f.event_id, f.order_id, f.flow_id, f.kind, f.day, f.version, f.occurred_at FROM fulfilment f
        WHERE f.order_id = ANY ((SELECT n.orders FROM near n)::uuid[]) AND f.kind IN ('requested', 'promised')
          AND f.occurred_at <= (SELECT s.cut FROM span s) AND f.recorded_at <= $4),
    told AS (
        SELECT p.order_id, p.flow_id, p.day, p.place,
               bool_or(p.late) OVER (PARTITION BY p.order_id ORDER BY p.place) AS broken
        FROM (SELECT f.order_id, f.flow_id, f.day,
                     row_number() OVER told AS place, f.occurred_at::date > lag(f.day) OVER told AS late
              FROM days f WHERE f.kind = 'promised'
              WINDOW told AS (PARTITION BY f.order_id ORDER BY f.version, f.occurred_at, f.event_id)) AS p),
    due AS (
        SELECT t.order_id, t.flow_id, 'first' AS version, t.day FROM told t WHERE t.place = 1
        UNION ALL
        SELECT l.* FROM (SELECT DISTINCT ON (t.order_id) t.order_id, t.flow_id, 'latest', t.day FROM told t
                         WHERE t.broken IS NOT TRUE ORDER BY t.order_id, t.place DESC) AS l
        UNION ALL
        SELECT r.* FROM (SELECT DISTINCT ON (f.order_id) f.order_id, f.flow_id, 'requested', f.day FROM days f
                         WHERE f.kind = 'requested' ORDER BY f.order_id, f.occurred_at, f.event_id) AS r),
    asked AS (SELECT d.order_id, d.flow_id, d.version, d.day FROM span JOIN due d ON d.day BETWEEN span.first_day AND span.last_day),
    f AS MATERIALIZED (
        SELECT e.event_id, e.order_id, e.kind, e.occurred_at, e.line_id, e.quantity FROM fulfilment e
        WHERE e.order_id = ANY (ARRAY(SELECT DISTINCT a.order_id FROM asked a))
          AND e.kind IN ('ordered', 'handed_over', 'returned', 'ended', 'cancelled')
          AND e.occurred_at <= (SELECT s.cut FROM span s) AND e.recorded_at <= $4),
    -- When the delivery was over, whatever had arrived, and when the last of it came.
    ends AS (
        SELECT f.order_id, min(f.occurred_at) FILTER (WHERE f.kind = 'ended') AS ended_at,
               max(f.occurred_at) FILTER (WHERE f.kind = 'handed_over') AS last_at,
               min(f.occurred_at) FILTER (WHERE f.kind = 'cancelled') AS cancelled_at
        FROM f GROUP BY f.order_id),
    -- The lines as they were ordered at the end of that day; of an order confirmed later (a day wished before) as it was confirmed.
    standing AS (
        SELECT DISTINCT ON (a.order_id, a.version) a.order_id, a.version, o.event_id
        FROM asked a JOIN (SELECT DISTINCT f.order_id, f.event_id, f.occurred_at FROM f WHERE f.kind = 'ordered') AS o USING (order_id)
        CROSS JOIN LATERAL (SELECT o.occurred_at < a.day + 1 AS in_time) AS i
        ORDER BY a.order_id, a.version, i.in_time DESC, CASE WHEN i.in_time THEN o.occurred_at END DESC,
                 CASE WHEN i.in_time THEN o.event_id END DESC, o.occurred_at, o.event_id),
    there AS (
        SELECT f.order_id, f.line_id, f.occurred_at,
               sum(CASE f.kind WHEN 'handed_over' THEN f.quantity ELSE -f.quantity END)
                   OVER (PARTITION BY f.order_id, f.line_id ORDER BY f.occurred_at, f.kind) AS quantity
        FROM f WHERE f.kind IN ('handed_over', 'returned')),
    -- When the last line was complete: as much of it there as was ordered, less what had gone back. Null when one never was.
    arrived AS (
        SELECT c.order_id, c.version, CASE WHEN bool_and(c.at IS NOT NULL) THEN max(c.at) END AS at
        FROM (SELECT s.order_id, s.version, l.line_id, min(t.occurred_at) AS at
              FROM standing s JOIN f l ON l.order_id = s.order_id AND l.event_id = s.event_id AND l.kind = 'ordered'
              LEFT JOIN there t ON t.order_id = l.order_id AND t.line_id = l.line_id AND t.quantity >= l.quantity
              GROUP BY s.order_id, s.version, l.line_id) AS c
        GROUP BY c.order_id, c.version)
    SELECT a.order_id, a.flow_id, a.version, a.day,
           coalesce(r.at < a.day + 1, false) OR coalesce(x.ended_at < a.day + 1 AND x.last_at < a.day + 1, false), r.at IS NOT NULL
    FROM asked a JOIN ends x USING (order_id) JOIN arrived r USING (order_id, version)
    -- What was called off before it was due was never late.
    WHERE x.cancelled_at IS NULL OR x.cancelled_at >= a.day + 1
$$;
