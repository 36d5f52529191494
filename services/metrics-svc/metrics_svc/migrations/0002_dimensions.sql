-- Further ways to cut a number: whose team and region a deal is of, which product, customer segment and campaign.
ALTER TABLE milestone ADD COLUMN team text, ADD COLUMN region text, ADD COLUMN product text, ADD COLUMN segment text, ADD COLUMN campaign text;

CREATE OR REPLACE FUNCTION flow_keys(as_of timestamptz, known_at timestamptz, dimension text)
RETURNS TABLE (flow_id uuid, key text) LANGUAGE sql STABLE AS $$
    SELECT f.flow_id, coalesce(min(CASE $3 WHEN 'channel' THEN f.channel WHEN 'source' THEN f.source WHEN 'owner' THEN f.owner
                                           WHEN 'country' THEN f.country WHEN 'team' THEN f.team WHEN 'region' THEN f.region
                                           WHEN 'product' THEN f.product WHEN 'segment' THEN f.segment
                                           WHEN 'campaign' THEN f.campaign END), 'unknown')
    FROM facts($1, $2) f WHERE f.flow_id IS NOT NULL GROUP BY f.flow_id
$$;
