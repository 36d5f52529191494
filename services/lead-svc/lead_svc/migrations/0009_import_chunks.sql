-- A file is read once, when it comes in, and kept as chunks of records that go as they are taken: reading on costs the same at row
-- 100,000 as at row 1, and nothing of the file stays when its leads are in.
DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM lead_import WHERE state <> 'done') THEN
        RAISE EXCEPTION 'an import is under way; let the version before this one finish it first';
    END IF;
END
$$;
ALTER TABLE lead_import DROP COLUMN file, ADD COLUMN header text[] NOT NULL DEFAULT '{}';
ALTER TABLE lead_import ALTER COLUMN header DROP DEFAULT;

CREATE TABLE import_chunk (
    import_id uuid NOT NULL REFERENCES lead_import,
    number    integer NOT NULL,
    records   bytea NOT NULL, -- JSON: a list of [line, cell, ...]
    PRIMARY KEY (import_id, number)
);
-- It lives for seconds: compressing it costs more than it spares.
ALTER TABLE import_chunk ALTER COLUMN records SET STORAGE EXTERNAL;
