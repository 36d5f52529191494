-- As before, and of productions: why one failed or was cancelled goes, too.
CREATE OR REPLACE FUNCTION without_person(topic text, data jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN $1 LIKE 'delivery.%' OR $1 LIKE 'production.%'
                THEN $2 || CASE WHEN $2->>'reason' IS NULL THEN '{}' ELSE '{"reason": "(erased)"}' END::jsonb
                        || CASE WHEN $2->>'note' IS NULL THEN '{}' ELSE '{"note": "(erased)"}' END::jsonb
                ELSE $2 END
$$;
