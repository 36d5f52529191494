-- What numbers can be cut by is carried into the facts: what an order tells where no deal did, whose lead it is, and which customer.
ALTER TABLE milestone ADD COLUMN customer_id uuid;

-- What a fact tells of a dimension. The rep is the owner.
CREATE FUNCTION dimension_of(fact milestone, dimension text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE $2 WHEN 'channel' THEN ($1).channel WHEN 'source' THEN ($1).source WHEN 'campaign' THEN ($1).campaign
                   WHEN 'rep' THEN ($1).owner WHEN 'owner' THEN ($1).owner WHEN 'team' THEN ($1).team WHEN 'region' THEN ($1).region
                   WHEN 'product' THEN ($1).product WHEN 'segment' THEN ($1).segment WHEN 'country' THEN ($1).country END
$$;

-- The dimension of a flow: as it was told latest by its lead or its deal, else by its order. A maximum needs no sorting of facts.
CREATE OR REPLACE FUNCTION flow_keys(as_of timestamptz, known_at timestamptz, dimension text)
RETURNS TABLE (flow_id uuid, key text) LANGUAGE sql STABLE AS $$
    SELECT f.flow_id,
           coalesce((max(ARRAY[CASE f.kind WHEN 'ordered' THEN '0' ELSE '1' END,
                               to_char(f.occurred_at AT TIME ZONE 'UTC', 'YYYYMMDDHH24MISSUS'), f.event_id::text, dimension_of(f, $3)])
                     FILTER (WHERE dimension_of(f, $3) IS NOT NULL))[4], 'unknown')
    FROM facts($1, $2) f WHERE f.flow_id IS NOT NULL GROUP BY f.flow_id
$$;

-- Facts that were there before, by the events as they came.
ALTER TABLE milestone DISABLE TRIGGER milestone_kept;
UPDATE milestone m SET customer_id = (e.data->'customer'->>'customer_id')::uuid
FROM event e WHERE e.id = m.event_id AND e.topic IN ('order.confirmed', 'invoice.issued');
UPDATE milestone m SET customer_id = (e.data->>'customer_id')::uuid
FROM event e WHERE e.id = m.event_id AND e.topic = 'subscription.revenue_moved';
UPDATE milestone m SET country = e.data->'customer'->>'country', product = e.data->'lines'->0->>'sku',
                       channel = nullif(coalesce(e.data->>'source', 'contract'), 'contract')
FROM event e WHERE e.id = m.event_id AND e.topic = 'order.confirmed';
UPDATE milestone m SET segment = e.data->'segments'->>0
FROM event e WHERE e.id = m.event_id AND e.topic IN ('lead.captured', 'lead.qualified');
UPDATE milestone m SET begun_at = (e.data->'touches'->0->>'occurred_at')::timestamptz
FROM event e WHERE e.id = m.event_id AND e.topic = 'lead.captured';
ALTER TABLE milestone ENABLE TRIGGER milestone_kept;
INSERT INTO milestone (event_id, flow_id, kind, occurred_at, recorded_at, sequence, owner, country, region, segment, minutes, on_time)
SELECT e.id, e.flow_id,
       CASE e.topic WHEN 'lead.assigned' THEN 'assigned' WHEN 'lead.changed' THEN 'lead_changed'
                    WHEN 'ticket.responded' THEN 'ticket_responded' ELSE 'ticket_resolved' END,
       e.occurred_at, e.recorded_at, e.sequence, CASE e.topic WHEN 'lead.assigned' THEN e.data->>'owner' END,
       CASE e.topic WHEN 'lead.changed' THEN e.data->>'country' END, CASE e.topic WHEN 'lead.changed' THEN e.data->>'region' END,
       CASE e.topic WHEN 'lead.changed' THEN e.data->'segments'->>0 END, (e.data->>'business_minutes')::int,
       (e.data->>'within_target')::boolean
FROM event e
WHERE e.topic IN ('lead.assigned', 'lead.changed')
   OR e.topic IN ('ticket.responded', 'ticket.resolved') AND e.data->>'business_minutes' IS NOT NULL;
