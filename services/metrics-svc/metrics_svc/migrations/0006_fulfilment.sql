-- What was wished, promised, ordered and handed over, line by line: the facts that on-time-in-full is computed from. Append-only.
CREATE TABLE fulfilment (
    event_id    uuid NOT NULL,
    flow_id     uuid,
    order_id    uuid NOT NULL,
    kind        text NOT NULL CHECK (kind IN ('requested', 'promised', 'ordered', 'handed_over', 'returned', 'ended', 'cancelled')),
    occurred_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL,
    line_id     uuid,
    quantity    numeric,
    day         date,
    version     integer
);
CREATE INDEX fulfilment_order ON fulfilment (order_id, kind);
CREATE INDEX fulfilment_day ON fulfilment (day) WHERE day IS NOT NULL;
CREATE TRIGGER fulfilment_kept BEFORE UPDATE OR DELETE ON fulfilment FOR EACH STATEMENT EXECUTE FUNCTION facts_are_kept();

-- Orders that were there before, by the events as they came.
INSERT INTO fulfilment (event_id, flow_id, order_id, kind, occurred_at, recorded_at, line_id, quantity, day, version)
SELECT e.id, e.flow_id, (e.data->>'order_id')::uuid, f.kind, f.at, e.recorded_at, f.line_id, f.quantity, f.day, f.version
FROM event e CROSS JOIN LATERAL (
    SELECT 'requested' AS kind, e.occurred_at AS at, NULL::uuid AS line_id, NULL::numeric AS quantity,
           (e.data->>'requested_on')::date AS day, NULL::int AS version
    WHERE e.topic = 'order.confirmed' AND e.data->>'requested_on' IS NOT NULL
    UNION ALL
    SELECT 'promised', e.occurred_at, NULL, NULL, (e.data->>'promised_on')::date, coalesce((e.data->>'promise_version')::int, 0)
    WHERE e.topic IN ('order.confirmed', 'delivery.promised')
    UNION ALL
    SELECT CASE e.topic WHEN 'delivery.completed' THEN 'handed_over' ELSE 'ordered' END,
           CASE e.topic WHEN 'delivery.completed' THEN (e.data->>'completed_at')::timestamptz ELSE e.occurred_at END,
           (l->>'line_id')::uuid, sum((l->>'quantity')::numeric), NULL, NULL
    FROM jsonb_array_elements(CASE WHEN e.topic IN ('order.confirmed', 'delivery.completed') THEN e.data->'lines' ELSE '[]' END) AS l
    GROUP BY l->>'line_id'
    UNION ALL
    SELECT 'ended', (e.data->>'completed_at')::timestamptz, NULL, NULL, NULL, NULL WHERE e.topic = 'delivery.completed'
    UNION ALL
    SELECT 'cancelled', e.occurred_at, NULL, NULL, NULL, NULL WHERE e.topic = 'order.cancelled') AS f
WHERE e.topic IN ('order.confirmed', 'order.cancelled', 'delivery.promised', 'delivery.completed');

-- What had happened by `as_of` and was written down by `known_at`.
CREATE FUNCTION fulfilled(as_of timestamptz, known_at timestamptz) RETURNS SETOF fulfilment LANGUAGE sql STABLE AS $$
    SELECT * FROM fulfilment f WHERE f.occurred_at <= $1 AND f.recorded_at <= $2
$$;

-- Orders by the day on which they were due, once for each version of that day: the one wished, the first and the latest promised.
-- Only days that lie in the window and are over count, and of what came after the window's last day nothing does: so what is said of a
-- window that is over never changes, and what is open late counts as failed on every day on which it is.
-- A promise made after the day that it replaces was over mends nothing: that day stays the latest.
-- Nobody has statistics of the sets in it, so a loop through one of them for each row of another is forbidden.
CREATE FUNCTION due_orders(since timestamptz, until timestamptz, as_of timestamptz, known_at timestamptz)
RETURNS TABLE (order_id uuid, flow_id uuid, version text, due_on date, on_time boolean, in_full boolean)
LANGUAGE sql STABLE SET enable_nestloop = off AS $$
    WITH span AS (
        SELECT $1::date AS first_day, least(($2 - interval '1 microsecond')::date, $3::date - 1) AS last_day,
               least($3, ($2 - interval '1 microsecond')::date + 1 - interval '1 microsecond') AS cut),
    told AS (
        SELECT p.order_id, p.flow_id, p.day, p.place,
               bool_or(p.late) OVER (PARTITION BY p.order_id ORDER BY p.place) AS broken
        FROM (SELECT f.order_id, f.flow_id, f.day,
                     row_number() OVER told AS place, f.occurred_at::date > lag(f.day) OVER told AS late
              FROM span, fulfilled(span.cut, $4) f WHERE f.kind = 'promised'
              WINDOW told AS (PARTITION BY f.order_id ORDER BY f.version, f.occurred_at, f.event_id)) AS p),
    due AS (
        SELECT t.order_id, t.flow_id, 'first' AS version, t.day FROM told t WHERE t.place = 1
        UNION ALL
        SELECT l.* FROM (SELECT DISTINCT ON (t.order_id) t.order_id, t.flow_id, 'latest', t.day FROM told t
                         WHERE t.broken IS NOT TRUE ORDER BY t.order_id, t.place DESC) AS l
        UNION ALL
        SELECT r.* FROM (SELECT DISTINCT ON (f.order_id) f.order_id, f.flow_id, 'requested', f.day FROM span, fulfilled(span.cut, $4) f
                         WHERE f.kind = 'requested' ORDER BY f.order_id, f.occurred_at, f.event_id) AS r),
    asked AS (SELECT d.order_id, d.flow_id, d.version, d.day FROM span JOIN due d ON d.day BETWEEN span.first_day AND span.last_day),
    f AS MATERIALIZED (
        SELECT e.event_id, e.order_id, e.kind, e.occurred_at, e.line_id, e.quantity FROM span, fulfilled(span.cut, $4) e
        WHERE e.kind IN ('ordered', 'handed_over', 'returned', 'ended', 'cancelled') AND e.order_id IN (SELECT a.order_id FROM asked a)),
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
