CREATE TABLE note (
    id         uuid PRIMARY KEY,
    flow_id    uuid NOT NULL,
    text       text NOT NULL CHECK (text <> 'unstorable'),
    cause      uuid,
    version    integer NOT NULL,
    created_at timestamptz NOT NULL
);
CREATE INDEX note_flow ON note (flow_id);
