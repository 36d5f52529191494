-- Segments and classifications are configuration: a version is never edited, a new one begins on its day; one that is not active ends
-- the code.
CREATE TABLE segment_rule (
    kind       text NOT NULL CHECK (kind IN ('segment', 'classify')),
    code       text NOT NULL,
    version    integer NOT NULL CHECK (version > 0),
    label      text NOT NULL,
    condition  jsonb NOT NULL,
    sets       jsonb NOT NULL,
    priority   integer NOT NULL,
    active     boolean NOT NULL,
    valid_from timestamptz NOT NULL,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (kind, code, version),
    CHECK ((kind = 'classify') = (sets <> '{}'))
);
CREATE INDEX segment_rule_begin ON segment_rule (kind, code, valid_from DESC, version DESC);

-- Where a new version begins, every lead is looked at again, some at a time.
CREATE TABLE segment_run (
    id        uuid PRIMARY KEY,
    due_at    timestamptz NOT NULL,
    after     uuid,
    looked_at integer NOT NULL DEFAULT 0,
    changed   integer NOT NULL DEFAULT 0,
    done_at   timestamptz
);
CREATE INDEX segment_run_due ON segment_run (due_at, id) WHERE done_at IS NULL;
