-- Files that prove what was handed over: photos, signatures, papers.
CREATE TABLE delivery_proof (
    id          uuid PRIMARY KEY,
    delivery_id uuid NOT NULL REFERENCES delivery,
    handover_id uuid REFERENCES handover,
    kind        text NOT NULL CHECK (kind IN ('photo', 'signature', 'document')),
    name        text,
    media_type  text NOT NULL,
    size        integer NOT NULL CHECK (size > 0),
    sha256      text NOT NULL,
    content     bytea NOT NULL,
    uploaded_by text NOT NULL,
    uploaded_at timestamptz NOT NULL,
    UNIQUE (delivery_id, sha256)
);
-- It is compressed by what made it.
ALTER TABLE delivery_proof ALTER COLUMN content SET STORAGE EXTERNAL;
