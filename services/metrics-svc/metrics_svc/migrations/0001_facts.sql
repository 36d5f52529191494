-- Every event as it came, and the facts KPIs are computed from. Both are append-only: a number of yesterday, as it was known
-- yesterday, can be computed for ever.
CREATE TABLE event (
    seq            bigint GENERATED ALWAYS AS IDENTITY,
    id             uuid PRIMARY KEY,
    topic          text NOT NULL,
    flow_id        uuid,
    parent_flow_id uuid,
    subject        text NOT NULL,
    sequence       bigint NOT NULL,
    source         text NOT NULL,
    occurred_at    timestamptz NOT NULL,
    recorded_at    timestamptz NOT NULL,
    causation_id   uuid,
    correlation_id text,
    trace_id       text,
    partition      integer NOT NULL,
    "offset"       bigint NOT NULL,
    published_at   timestamptz NOT NULL,
    ingested_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    data           jsonb NOT NULL
);
CREATE INDEX event_flow ON event (flow_id);
CREATE INDEX event_latest ON event (seq);
CREATE INDEX event_subject ON event (subject);
CREATE INDEX event_number ON event ((data->>'number')) WHERE data->>'number' IS NOT NULL;

CREATE TABLE milestone (
    event_id    uuid PRIMARY KEY,
    flow_id     uuid,
    kind        text NOT NULL,
    occurred_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL,
    currency    char(3),
    net         numeric,
    gross       numeric,
    open_after  numeric,
    due_on      date,
    settled_on  date,
    on_time     boolean,
    begun_at    timestamptz,
    channel     text,
    source      text,
    owner       text,
    country     text
);
CREATE INDEX milestone_kind ON milestone (kind, occurred_at);
CREATE INDEX milestone_flow ON milestone (flow_id, kind);

CREATE FUNCTION facts_are_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER event_kept BEFORE UPDATE OR DELETE ON event FOR EACH STATEMENT EXECUTE FUNCTION facts_are_kept();
CREATE TRIGGER milestone_kept BEFORE UPDATE OR DELETE ON milestone FOR EACH STATEMENT EXECUTE FUNCTION facts_are_kept();

-- What had happened by `as_of` and was written down by `known_at`.
CREATE FUNCTION facts(as_of timestamptz, known_at timestamptz) RETURNS SETOF milestone LANGUAGE sql STABLE AS $$
    SELECT * FROM milestone m WHERE m.occurred_at <= $1 AND m.recorded_at <= $2
$$;

-- The dimension of a flow, as far as its events told it.
CREATE FUNCTION flow_keys(as_of timestamptz, known_at timestamptz, dimension text)
RETURNS TABLE (flow_id uuid, key text) LANGUAGE sql STABLE AS $$
    SELECT f.flow_id, coalesce(min(CASE $3 WHEN 'channel' THEN f.channel WHEN 'source' THEN f.source
                                           WHEN 'owner' THEN f.owner WHEN 'country' THEN f.country END), 'unknown')
    FROM facts($1, $2) f WHERE f.flow_id IS NOT NULL GROUP BY f.flow_id
$$;

-- Per flow and currency: what each step that happened says the deal is worth, and by how much the steps disagree.
-- A step that has not happened yet is in transit, never a residual.
CREATE FUNCTION conservation(as_of timestamptz, known_at timestamptz)
RETURNS TABLE (flow_id uuid, currency char(3), quoted numeric, contracted numeric, ordered numeric, delivered numeric,
               invoiced numeric, gross numeric, paid numeric, open numeric, cancelled numeric, residual numeric)
LANGUAGE sql STABLE AS $$
    WITH s AS (
        SELECT f.flow_id, f.currency,
               sum(f.net) FILTER (WHERE f.kind = 'accepted') AS quoted,
               sum(f.net) FILTER (WHERE f.kind = 'contracted') AS contracted,
               sum(f.net) FILTER (WHERE f.kind = 'ordered') AS ordered,
               sum(f.net) FILTER (WHERE f.kind = 'delivered') AS delivered,
               sum(f.net) FILTER (WHERE f.kind = 'invoiced') AS invoiced,
               sum(f.gross) FILTER (WHERE f.kind = 'invoiced') AS gross,
               sum(f.gross) FILTER (WHERE f.kind = 'allocated') AS paid,
               min(f.open_after) FILTER (WHERE f.kind = 'allocated') AS open_after,
               sum(f.net) FILTER (WHERE f.kind = 'cancelled') AS cancelled,
               -- of an invoice, open_after is net + tax as said apart: both must be the gross
               sum(f.gross - f.open_after) FILTER (WHERE f.kind = 'invoiced') AS unexplained
        FROM facts($1, $2) f
        WHERE f.flow_id IS NOT NULL AND f.currency IS NOT NULL
          AND f.kind IN ('accepted', 'contracted', 'ordered', 'delivered', 'invoiced', 'allocated', 'cancelled')
        GROUP BY f.flow_id, f.currency)
    SELECT s.flow_id, s.currency, s.quoted, s.contracted, s.ordered, s.delivered, s.invoiced, s.gross, coalesce(s.paid, 0),
           s.gross - coalesce(s.paid, 0), s.cancelled,
           coalesce(abs(s.quoted - s.contracted), 0) + coalesce(abs(s.contracted - s.ordered), 0)
           + coalesce(abs(s.ordered - s.delivered), 0) + coalesce(abs(s.delivered - s.invoiced), 0)
           + coalesce(abs(s.ordered - s.cancelled), 0) + coalesce(abs(s.unexplained), 0)
           + coalesce(abs(s.gross - s.paid - s.open_after), 0)
           + CASE WHEN s.cancelled IS NULL THEN 0 ELSE coalesce(s.delivered, 0) + coalesce(s.gross, 0) END
    FROM s
$$;
