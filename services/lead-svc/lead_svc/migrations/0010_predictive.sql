-- How predictive models are made is configuration: a version is never edited, the latest one counts.
CREATE TABLE predictive_policy (
    version      integer PRIMARY KEY,
    enabled      boolean NOT NULL,
    positive     text NOT NULL CHECK (positive IN ('converted', 'won')),
    excluded     text[] NOT NULL,
    min_examples integer NOT NULL CHECK (min_examples >= 10),
    min_auc      numeric NOT NULL CHECK (min_auc BETWEEN 0.5 AND 1),
    margin       numeric NOT NULL CHECK (margin BETWEEN 0 AND 0.5),
    retrain_days integer NOT NULL CHECK (retrain_days > 0),
    max_rows     integer NOT NULL CHECK (max_rows BETWEEN 100 AND 200000),
    created_by   text NOT NULL,
    created_at   timestamptz NOT NULL
);
COMMENT ON COLUMN predictive_policy.excluded IS 'columns that were filled in after the outcome was known; * stands for any text';
INSERT INTO predictive_policy VALUES (1, true, 'converted', '{}', 50, 0.65, 0.02, 7, 50000, 'migration', now());

CREATE TABLE predictive_model (
    id             uuid PRIMARY KEY,
    version        integer NOT NULL UNIQUE,
    state          text NOT NULL CHECK (state IN ('waiting', 'candidate', 'active', 'retired', 'failed')),
    policy_version integer NOT NULL REFERENCES predictive_policy,
    requested_by   text NOT NULL,
    requested_at   timestamptz NOT NULL,
    attempts       integer NOT NULL DEFAULT 0,
    trained_at     timestamptz,
    examples       integer,
    positives      integer,
    auc            double precision,
    auc_folds      jsonb,
    brier          double precision,
    calibration    jsonb,
    body           jsonb,
    left_out       jsonb,
    note           text,
    decided_by     text,
    decided_at     timestamptz,
    CHECK ((state IN ('candidate', 'active', 'retired')) = (body IS NOT NULL))
);
CREATE UNIQUE INDEX predictive_model_waiting ON predictive_model (state) WHERE state = 'waiting';
CREATE UNIQUE INDEX predictive_model_active ON predictive_model (state) WHERE state = 'active';

-- When it is next asked whether there is enough new to learn from.
CREATE TABLE predictive_schedule (
    one     boolean PRIMARY KEY DEFAULT true CHECK (one),
    next_at timestamptz NOT NULL
);
INSERT INTO predictive_schedule (next_at) VALUES ('2000-01-01T00:00:00Z');

-- What persons say instead of the model; every value is kept.
CREATE TABLE manual_score (
    id         uuid PRIMARY KEY,
    lead_id    uuid NOT NULL REFERENCES lead,
    value      numeric NOT NULL CHECK (value BETWEEN 0 AND 100),
    reason     text NOT NULL,
    set_by     text NOT NULL,
    set_at     timestamptz NOT NULL,
    expires_at timestamptz,
    ended_at   timestamptz,
    ended_by   text,
    CHECK ((ended_at IS NULL) = (ended_by IS NULL))
);
CREATE UNIQUE INDEX manual_score_running ON manual_score (lead_id) WHERE ended_at IS NULL;
CREATE INDEX manual_score_lead ON manual_score (lead_id, id);

-- Leads may come with their history.
ALTER TABLE lead_import ADD COLUMN outcomes jsonb NOT NULL DEFAULT '{}';
