-- Money that came in (or went back) for a lead's flow, as billing told it; refunds are negative.
CREATE TABLE lead_cash (
    id          uuid PRIMARY KEY,
    lead_id     uuid NOT NULL REFERENCES lead,
    amount      numeric NOT NULL,
    currency    char(3) NOT NULL,
    invoice_id  uuid NOT NULL,
    occurred_at timestamptz NOT NULL
);
CREATE INDEX lead_cash_lead ON lead_cash (lead_id);
CREATE INDEX lead_cash_time ON lead_cash (occurred_at);
CREATE INDEX lead_outcome_qualified ON lead_outcome (qualified_at) WHERE qualified_at IS NOT NULL;
CREATE INDEX disqualification_junk ON disqualification (decided_at) WHERE kind = 'junk' AND ended_at IS NULL;

-- How an ad platform calls what we tell it; a version is never edited, the latest one counts. No name: it is not told.
CREATE TABLE feedback_setting (
    platform    text NOT NULL CHECK (platform IN ('google', 'microsoft', 'meta', 'baidu')),
    version     integer NOT NULL,
    qualified   text,
    collected   text,
    junk        text,
    landing_url text,
    created_by  text NOT NULL,
    created_at  timestamptz NOT NULL,
    PRIMARY KEY (platform, version)
);
INSERT INTO feedback_setting VALUES
    ('google', 1, 'Qualified lead', 'Collected cash', NULL, NULL, 'migration', now()),
    ('microsoft', 1, 'Qualified lead', 'Collected cash', NULL, NULL, 'migration', now()),
    ('meta', 1, 'QualifiedLead', 'Purchase', 'JunkLead', NULL, 'migration', now()),
    ('baidu', 1, NULL, NULL, NULL, NULL, 'migration', now());

CREATE TABLE feedback_export (
    id              uuid PRIMARY KEY,
    platform        text NOT NULL,
    setting_version integer NOT NULL,
    period_from     date NOT NULL,
    period_until    date NOT NULL,
    state           text NOT NULL CHECK (state IN ('waiting', 'running', 'done')),
    examined        integer NOT NULL DEFAULT 0,
    conversions     integer NOT NULL DEFAULT 0,
    adjustments     integer NOT NULL DEFAULT 0,
    left_out        integer NOT NULL DEFAULT 0,
    last_lead_id    uuid,
    complete        boolean NOT NULL DEFAULT true,
    created_by      text NOT NULL,
    created_at      timestamptz NOT NULL,
    finished_at     timestamptz,
    FOREIGN KEY (platform, setting_version) REFERENCES feedback_setting,
    CHECK (period_from < period_until),
    CHECK ((state = 'done') = (finished_at IS NOT NULL))
);
CREATE INDEX feedback_export_unfinished ON feedback_export (id) WHERE state <> 'done';

-- A line that was given out. `person` is what the platform knows the person by (click id, hashes); an erasure empties it.
CREATE TABLE feedback_item (
    id          uuid PRIMARY KEY,
    export_id   uuid NOT NULL REFERENCES feedback_export,
    platform    text NOT NULL,
    lead_id     uuid NOT NULL REFERENCES lead,
    what        text NOT NULL CHECK (what IN ('qualified', 'collected', 'junk')),
    kind        text NOT NULL CHECK (kind IN ('conversion', 'restate', 'retract')),
    original_id uuid NOT NULL,
    name        text NOT NULL,
    occurred_at timestamptz NOT NULL,
    told_at     timestamptz NOT NULL,
    amount      numeric,
    currency    char(3),
    person      jsonb,
    CHECK ((amount IS NULL) = (currency IS NULL)),
    CHECK ((kind = 'conversion') = (original_id = id))
);
COMMENT ON COLUMN feedback_item.original_id IS 'the conversion that an adjustment is of; itself for a conversion';
CREATE INDEX feedback_item_export ON feedback_item (export_id, id);
CREATE INDEX feedback_item_lead ON feedback_item (lead_id, platform);
