-- A lead whose person was erased: the row stays, so that flows and numbers are whole, and nobody can put the person back.
ALTER TABLE lead ADD COLUMN erased_at timestamptz;
ALTER TABLE lead ADD CONSTRAINT lead_erased CHECK (erased_at IS NULL OR
    (contact IS NULL AND company IS NULL AND website IS NULL AND external_ref IS NULL AND attributes = '{}'));

-- References and browsers of erased persons, as SHA-256: what comes late under one of them brings nobody back.
CREATE TABLE erased_ref (
    kind      text NOT NULL CHECK (kind IN ('external_ref', 'visitor')),
    hash      bytea NOT NULL,
    erased_at timestamptz NOT NULL,
    PRIMARY KEY (kind, hash)
);

-- What persons ask for. `emails` and `phones` are here only while it is open; `subject`, keyed hashes of them, stays as the proof.
CREATE TABLE privacy_request (
    id           uuid PRIMARY KEY,
    kind         text NOT NULL CHECK (kind IN ('export', 'erase')),
    state        text NOT NULL CHECK (state IN ('received', 'previewed', 'confirmed', 'done', 'refused')),
    emails       text[] NOT NULL,
    phones       text[] NOT NULL,
    lead_ids     uuid[] NOT NULL,
    subject      bytea[] NOT NULL,
    reason       text NOT NULL,
    channel      text NOT NULL,
    reference    text,
    received_by  text NOT NULL,
    received_at  timestamptz NOT NULL,
    due_on       date NOT NULL,
    preview      jsonb,
    digest       text,
    identity     text,
    confirmed_by text,
    next_at      timestamptz,
    outcome      jsonb,
    refusal      text,
    closed_at    timestamptz,
    CHECK ((state IN ('done', 'refused')) = (closed_at IS NOT NULL)),
    CHECK (closed_at IS NULL OR (emails = '{}' AND phones = '{}')),
    CHECK ((state = 'refused') = (refusal IS NOT NULL)),
    CHECK ((state IN ('confirmed', 'done')) = (confirmed_by IS NOT NULL AND identity IS NOT NULL))
);
CREATE INDEX privacy_request_subject ON privacy_request USING gin (subject);
CREATE INDEX privacy_request_work ON privacy_request (next_at) WHERE state = 'confirmed';
CREATE INDEX privacy_request_due ON privacy_request (due_on, id) WHERE closed_at IS NULL;

-- Who did what with a request; never edited, and nothing personal in it.
CREATE TABLE privacy_move (
    id         uuid PRIMARY KEY,
    request_id uuid NOT NULL REFERENCES privacy_request,
    move       text NOT NULL,
    by         text NOT NULL,
    at         timestamptz NOT NULL,
    detail     text
);
CREATE INDEX privacy_move_request ON privacy_move (request_id, id);

-- What an export found, until it expires.
CREATE TABLE privacy_file (
    request_id uuid PRIMARY KEY REFERENCES privacy_request,
    content    bytea NOT NULL,
    sha256     text NOT NULL,
    made_at    timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX privacy_file_expires ON privacy_file (expires_at);
ALTER TABLE privacy_file ALTER COLUMN content SET STORAGE EXTERNAL;
