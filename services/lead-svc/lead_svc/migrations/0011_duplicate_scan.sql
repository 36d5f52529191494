-- A scan of all leads for duplicates, a chunk at a time in the order of their keys; `at_*` is the last key that was looked at.
CREATE TABLE duplicate_scan (
    id          uuid PRIMARY KEY,
    kinds       text[] NOT NULL CHECK (kinds <@ '{email,phone,domain,name}' AND cardinality(kinds) > 0),
    likeness    numeric NOT NULL CHECK (likeness BETWEEN 0.7 AND 1),
    state       text NOT NULL CHECK (state IN ('running', 'done', 'cancelled')),
    at_kind     text NOT NULL,
    at_value    text NOT NULL,
    at_lead     uuid NOT NULL,
    total       bigint NOT NULL,
    processed   bigint NOT NULL,
    created_by  text NOT NULL,
    created_at  timestamptz NOT NULL,
    finished_at timestamptz,
    CHECK ((state = 'running') = (finished_at IS NULL))
);
CREATE UNIQUE INDEX duplicate_scan_one_runs ON duplicate_scan ((true)) WHERE state = 'running';
CREATE INDEX duplicate_scan_created ON duplicate_scan (created_at);

-- Who belongs together; a group is named by one of its leads. `likeness` is how sure it is of this lead.
CREATE TABLE duplicate_member (
    scan_id    uuid NOT NULL REFERENCES duplicate_scan ON DELETE CASCADE,
    lead_id    uuid NOT NULL REFERENCES lead,
    group_id   uuid NOT NULL,
    matched_on text[] NOT NULL,
    likeness   numeric NOT NULL,
    PRIMARY KEY (scan_id, lead_id)
);
CREATE INDEX duplicate_member_group ON duplicate_member (scan_id, group_id, lead_id);
CREATE INDEX duplicate_member_lead ON duplicate_member (lead_id);
