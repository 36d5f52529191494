-- Flows whose person was erased: words about them that come later are not written down either.
CREATE TABLE erased_flow (
    flow_id   uuid PRIMARY KEY,
    erased_at timestamptz NOT NULL
);

-- A fact of an order's page without what somebody wrote about a person; that something was written stays. What belongs to the books
-- (credit notes, refunds, who signed) is kept. A test holds it against what the contracts say of each topic.
CREATE FUNCTION without_person(topic text, data jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN $1 LIKE 'delivery.%'
                THEN $2 || CASE WHEN $2->>'reason' IS NULL THEN '{}' ELSE '{"reason": "(erased)"}' END::jsonb
                        || CASE WHEN $2->>'note' IS NULL THEN '{}' ELSE '{"note": "(erased)"}' END::jsonb
                ELSE $2 END
$$;
