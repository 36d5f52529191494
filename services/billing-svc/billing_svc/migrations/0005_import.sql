-- Receivables of another system on their way in, kept as chunks of records that go as they are taken.
CREATE TABLE import (
    id          uuid PRIMARY KEY,
    file_name   text NOT NULL,
    header      text[] NOT NULL,
    layout      jsonb NOT NULL,
    state       text NOT NULL CHECK (state IN ('waiting', 'running', 'done')),
    total       integer NOT NULL,
    processed   integer NOT NULL DEFAULT 0,
    imported    integer NOT NULL DEFAULT 0,
    duplicates  integer NOT NULL DEFAULT 0,
    refused     integer NOT NULL DEFAULT 0,
    created_by  text NOT NULL,
    created_at  timestamptz NOT NULL,
    finished_at timestamptz,
    CHECK (processed = imported + duplicates + refused AND processed <= total)
);
CREATE INDEX import_unfinished ON import (id) WHERE state <> 'done';

CREATE TABLE import_chunk (
    import_id uuid NOT NULL REFERENCES import,
    number    integer NOT NULL,
    records   bytea NOT NULL, -- JSON: a list of [line, cell, ...]
    PRIMARY KEY (import_id, number)
);

CREATE TABLE import_error (
    id        uuid PRIMARY KEY,
    import_id uuid NOT NULL REFERENCES import,
    line      integer NOT NULL,
    field     text NOT NULL,
    reason    text NOT NULL
);
CREATE INDEX import_error_import ON import_error (import_id, id);

-- What a document was called in the system that it was taken over from; by that it is known again.
CREATE TABLE past_invoice (
    system     text NOT NULL,
    number     text NOT NULL,
    invoice_id uuid NOT NULL UNIQUE REFERENCES invoice,
    customer   text NOT NULL,
    disputed   boolean NOT NULL,
    import_id  uuid NOT NULL REFERENCES import,
    PRIMARY KEY (system, number)
);
ALTER TABLE invoice DROP CONSTRAINT invoice_cause_check,
                    ADD CONSTRAINT invoice_cause_check CHECK (cause IN ('handover', 'delivery', 'order', 'change', 'import'));
