-- A merged lead stays as a row that says where it went.
ALTER TABLE lead ADD COLUMN merged_into uuid REFERENCES lead;
ALTER TABLE lead ADD CONSTRAINT lead_merged_into CHECK ((status = 'merged') = (merged_into IS NOT NULL));
CREATE INDEX lead_merged_into ON lead (merged_into) WHERE merged_into IS NOT NULL;

-- What a new lead was found to be like, where the policy says to link.
ALTER TABLE lead ADD COLUMN duplicate_of uuid REFERENCES lead;
CREATE INDEX lead_duplicate_of ON lead (duplicate_of) WHERE duplicate_of IS NOT NULL;

ALTER TABLE lease DROP CONSTRAINT lease_ended_by_check;
ALTER TABLE lease ADD CONSTRAINT lease_ended_by_check CHECK (ended_by IN ('expired', 'released', 'qualified', 'disqualified', 'merged'));

-- One merge, with all it takes to undo it: both leads before and after, the keys of the rows that moved, and the rows that could not
-- move, since the survivor had the same. `before`, `after` and `dropped` hold personal data; an erasure empties them.
CREATE TABLE lead_merge (
    id          uuid PRIMARY KEY,
    survivor_id uuid NOT NULL REFERENCES lead,
    merged_id   uuid NOT NULL REFERENCES lead,
    before      jsonb NOT NULL,
    after       jsonb NOT NULL,
    moved       jsonb NOT NULL,
    dropped     jsonb NOT NULL,
    merged_by   text NOT NULL,
    merged_at   timestamptz NOT NULL,
    undone_by   text,
    undone_at   timestamptz,
    erased      boolean NOT NULL DEFAULT false,
    CHECK ((undone_by IS NULL) = (undone_at IS NULL)),
    CHECK (survivor_id <> merged_id)
);
CREATE INDEX lead_merge_survivor ON lead_merge (survivor_id, id);
CREATE INDEX lead_merge_merged ON lead_merge (merged_id, id);

-- Gives a lead's rows in one table to another lead and returns their keys. A row stays where it is when the new owner has one with the
-- same values in `same`: there may be only one of them.
CREATE FUNCTION move_lead_rows(tab regclass, col name, keys name[], same name[], from_lead uuid, to_lead uuid) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
    key_list  text := (SELECT string_agg(format('t.%I', k), ', ') FROM unnest(keys) AS k);
    same_list text := (SELECT string_agg(format('o.%1$I IS NOT DISTINCT FROM t.%1$I', s), ' AND ') FROM unnest(same) AS s);
    moved     jsonb;
BEGIN
    EXECUTE format(
        'WITH moved AS (UPDATE %1$s t SET %2$I = $2 WHERE %2$I = $1 %3$s RETURNING jsonb_build_array(%4$s) AS key)
         SELECT coalesce(jsonb_agg(key), ''[]'') FROM moved',
        tab, col, CASE WHEN same_list IS NULL THEN '' ELSE format('AND NOT EXISTS (SELECT 1 FROM %s o WHERE o.%I = $2 AND %s)', tab, col, same_list) END,
        key_list) INTO moved USING from_lead, to_lead;
    RETURN moved;
END $$;

-- The way back: those of the rows with these keys that still are where they went. Returns how many.
CREATE FUNCTION return_lead_rows(tab regclass, col name, keys name[], wanted jsonb, from_lead uuid, to_lead uuid) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    key_list text := (SELECT string_agg(format('t.%I', k), ', ') FROM unnest(keys) AS k);
    returned bigint;
BEGIN
    EXECUTE format('UPDATE %1$s t SET %2$I = $2 WHERE %2$I = $1 AND jsonb_build_array(%3$s) IN (SELECT jsonb_array_elements($3))', tab, col, key_list)
        USING from_lead, to_lead, wanted;
    GET DIAGNOSTICS returned = ROW_COUNT;
    RETURN returned;
END $$;

-- Rows that stayed because the survivor has the same are taken away (and returned, to be put back by an undo).
CREATE FUNCTION drop_lead_rows(tab regclass, col name, lead_id uuid) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    dropped jsonb;
BEGIN
    EXECUTE format('WITH gone AS (DELETE FROM %1$s t WHERE %2$I = $1 RETURNING to_jsonb(t) AS line) SELECT coalesce(jsonb_agg(line), ''[]'') FROM gone', tab, col)
        INTO dropped USING lead_id;
    RETURN dropped;
END $$;

CREATE FUNCTION restore_lead_rows(tab regclass, lines jsonb) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('INSERT INTO %1$s SELECT * FROM jsonb_populate_recordset(NULL::%1$s, $1) ON CONFLICT DO NOTHING', tab) USING lines;
END $$;

-- Names are found by words and parts of words that both have, then compared by trigrams: a trigram index reads a tenth of a million rows
-- for one name of common syllables. `^` marks a beginning, `$` an end; `domain/identity.py` says which of them are asked for.
CREATE FUNCTION name_tokens(name text) RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT array_agg(token) FROM unnest(string_to_array(name, ' ')) AS word,
           LATERAL (VALUES (word), ('^' || left(word, 3)), ('^' || left(word, 5)), (right(word, 3) || '$')) AS parts (token)
$$;
CREATE INDEX lead_key_tokens ON lead_key USING gin (name_tokens(value)) WHERE kind = 'name';
DROP INDEX lead_key_like;
DROP FUNCTION leads_named_like;

-- What happens to a new lead that is like a known one, by what they share: a version is never edited, a new one begins on its day.
CREATE TABLE duplicate_policy (
    version    text PRIMARY KEY,
    valid_from timestamptz NOT NULL UNIQUE,
    email      text NOT NULL CHECK (email IN ('allow', 'link', 'refuse', 'merge')),
    phone      text NOT NULL CHECK (phone IN ('allow', 'link', 'refuse')),
    domain     text NOT NULL CHECK (domain IN ('allow', 'link')),
    name       text NOT NULL CHECK (name IN ('allow', 'link')),
    likeness   numeric NOT NULL CHECK (likeness BETWEEN 0.7 AND 1),
    created_by text NOT NULL,
    created_at timestamptz NOT NULL
);
COMMENT ON COLUMN duplicate_policy.likeness IS 'names are alike from this share of common trigrams on';
INSERT INTO duplicate_policy VALUES ('v1', '2000-01-01T00:00:00Z', 'link', 'link', 'allow', 'allow', 0.7, 'migration', now());
