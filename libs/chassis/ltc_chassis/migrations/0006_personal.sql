-- A person's rows, whatever the table. `ltc_chassis/personal.py` says which rows and what becomes of each column; the texts come from
-- there alone, the values of the person come as parameters: $1 to $3 ids, $4 and $5 texts, $6 hashes.
CREATE FUNCTION personal_look(
    tab regclass, wanted text, cells text, a uuid[], b uuid[], c uuid[], d text[], e text[], f bytea[], OUT amount bigint, OUT digest text
) LANGUAGE plpgsql STABLE AS $$
BEGIN
    EXECUTE format(
        'SELECT count(*), md5(coalesce(string_agg(cell, '''' ORDER BY cell), ''''))
         FROM (SELECT md5(jsonb_build_array(%s)::text) AS cell FROM %s t WHERE %s) AS cells', cells, tab, wanted)
        INTO amount, digest USING a, b, c, d, e, f;
END $$;

CREATE FUNCTION personal_lines(
    tab regclass, wanted text, hidden text[], a uuid[], b uuid[], c uuid[], d text[], e text[], f bytea[], most integer
) RETURNS SETOF jsonb LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN QUERY EXECUTE format('SELECT to_jsonb(t) - $8 FROM %s t WHERE %s ORDER BY 1 LIMIT $7', tab, wanted)
        USING a, b, c, d, e, f, most, hidden;
END $$;

-- `changes` is a list of assignments; empty: the rows go. `pending` leaves out rows in which nothing is left to do.
CREATE FUNCTION personal_erase(
    tab regclass, wanted text, changes text, pending text, a uuid[], b uuid[], c uuid[], d text[], e text[], f bytea[]
) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    done bigint;
BEGIN
    IF changes = '' THEN
        EXECUTE format('DELETE FROM %s t WHERE %s', tab, wanted) USING a, b, c, d, e, f;
    ELSE
        EXECUTE format('UPDATE %s t SET %s WHERE (%s) AND (%s)', tab, changes, wanted, pending) USING a, b, c, d, e, f;
    END IF;
    GET DIAGNOSTICS done = ROW_COUNT;
    RETURN done;
END $$;
