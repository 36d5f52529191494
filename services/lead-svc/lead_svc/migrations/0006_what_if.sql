-- A proposed scoring rule, run over the leads and activities that are here, without any effect on them.
CREATE TABLE what_if (
    id           uuid PRIMARY KEY,
    rule         jsonb NOT NULL,
    base_version text NOT NULL REFERENCES score_rule,
    population   jsonb NOT NULL,
    as_of        timestamptz NOT NULL,
    state        text NOT NULL CHECK (state IN ('waiting', 'running', 'done')),
    total        integer NOT NULL,
    processed    integer NOT NULL DEFAULT 0,
    matched      integer NOT NULL DEFAULT 0,
    listed       integer NOT NULL DEFAULT 0,
    last_lead_id uuid,
    matrix       jsonb NOT NULL,
    newly        integer NOT NULL DEFAULT 0,
    no_longer    integer NOT NULL DEFAULT 0,
    created_by   text NOT NULL,
    created_at   timestamptz NOT NULL,
    finished_at  timestamptz,
    CHECK ((state = 'done') = (finished_at IS NOT NULL))
);
COMMENT ON COLUMN what_if.matrix IS 'band before -> band after -> number of leads';
CREATE INDEX what_if_unfinished ON what_if (id) WHERE state <> 'done';

-- Those for whom something would change.
CREATE TABLE what_if_lead (
    what_if_id   uuid NOT NULL REFERENCES what_if ON DELETE CASCADE,
    lead_id      uuid NOT NULL REFERENCES lead,
    from_band    text NOT NULL,
    to_band      text NOT NULL,
    from_total   numeric NOT NULL,
    to_total     numeric NOT NULL,
    newly        boolean NOT NULL,
    no_longer    boolean NOT NULL,
    qualifies_at timestamptz,
    PRIMARY KEY (what_if_id, lead_id)
);
CREATE INDEX what_if_lead_lead ON what_if_lead (lead_id);
