-- What customers are told of their delivery by mail. Rows are versions: never edited, the latest counts, each with who wrote it and when.
-- Where there is none, our own words are sent.
CREATE TABLE notice_template (
    kind       text NOT NULL CHECK (kind IN ('promised', 'promise_changed', 'handed_over', 'failed_attempt', 'completed')),
    language   text NOT NULL CHECK (language IN ('en', 'zh')),
    version    integer NOT NULL CHECK (version > 0),
    subject    text NOT NULL,
    text       text NOT NULL,
    active     boolean NOT NULL,
    changed_by text NOT NULL,
    changed_at timestamptz NOT NULL,
    PRIMARY KEY (kind, language, version)
);

-- One fact of a delivery that its customer is told, once: written with the fact, sent by a timer.
CREATE TABLE delivery_notice (
    id               uuid PRIMARY KEY,
    delivery_id      uuid NOT NULL REFERENCES delivery,
    kind             text NOT NULL,
    fact             text NOT NULL,
    data             jsonb NOT NULL,
    state            text NOT NULL CHECK (state IN ('waiting', 'sent', 'skipped')),
    reason           text,
    language         text,
    template_version integer,
    created_at       timestamptz NOT NULL,
    settled_at       timestamptz,
    UNIQUE (delivery_id, kind, fact),
    CHECK ((state = 'waiting') = (settled_at IS NULL)),
    CHECK ((state = 'skipped') = (reason IS NOT NULL)),
    CHECK ((state = 'sent') = (template_version IS NOT NULL))
);
COMMENT ON COLUMN delivery_notice.template_version IS '0 is our own words';
CREATE INDEX delivery_notice_waiting ON delivery_notice (id) WHERE state = 'waiting';
