ALTER TABLE lead DROP CONSTRAINT lead_status_check;
ALTER TABLE lead ADD CONSTRAINT lead_status_check
    CHECK (status IN ('new', 'contacted', 'nurturing', 'qualified', 'converted', 'disqualified', 'junk', 'merged'));
ALTER TABLE lead DROP CONSTRAINT lead_check;
ALTER TABLE lead ADD CONSTRAINT lead_reason_check CHECK ((status IN ('disqualified', 'junk')) = (disqualified_reason IS NOT NULL));

-- Why leads are not pursued is a list that a company keeps itself; every version of a reason is kept with who wrote it.
CREATE TABLE disqualification_reason (
    code          text PRIMARY KEY,
    kind          text NOT NULL CHECK (kind IN ('disqualified', 'junk', 'recycle')),
    label         text NOT NULL,
    wait_days     integer CHECK (wait_days >= 0),
    sales_reasons text[] NOT NULL,
    active        boolean NOT NULL,
    version       integer NOT NULL,
    changed_by    text NOT NULL,
    changed_at    timestamptz NOT NULL,
    CHECK ((kind = 'recycle') = (wait_days IS NOT NULL))
);
COMMENT ON COLUMN disqualification_reason.wait_days IS 'after so many days the lead is nurtured again';
COMMENT ON COLUMN disqualification_reason.sales_reasons IS 'reasons of a lost opportunity that recycle the lead, in lower case';
CREATE TABLE disqualification_reason_version (
    code       text NOT NULL REFERENCES disqualification_reason,
    version    integer NOT NULL,
    body       jsonb NOT NULL,
    changed_by text NOT NULL,
    changed_at timestamptz NOT NULL,
    PRIMARY KEY (code, version)
);
INSERT INTO disqualification_reason VALUES
    ('no_budget', 'disqualified', 'No budget', NULL, '{}', true, 1, 'migration', now()),
    ('no_need', 'disqualified', 'No need', NULL, '{}', true, 1, 'migration', now()),
    ('competitor', 'disqualified', 'Uses a competitor', NULL, '{}', true, 1, 'migration', now()),
    ('unreachable', 'disqualified', 'Cannot be reached', NULL, '{}', true, 1, 'migration', now()),
    ('other', 'disqualified', 'Another reason', NULL, '{}', true, 1, 'migration', now()),
    ('spam', 'junk', 'Spam', NULL, '{}', true, 1, 'migration', now()),
    ('false_contact', 'junk', 'False name or address', NULL, '{}', true, 1, 'migration', now()),
    ('test', 'junk', 'A test', NULL, '{}', true, 1, 'migration', now()),
    ('not_now', 'recycle', 'Not now', 90, '{not_now,not now,no decision}', true, 1, 'migration', now()),
    ('no_answer', 'recycle', 'Does not answer', 30, '{no_answer,no answer}', true, 1, 'migration', now());
INSERT INTO disqualification_reason_version
SELECT code, version, jsonb_build_object('kind', kind, 'label', label, 'wait_days', wait_days, 'sales_reasons', sales_reasons, 'active', active),
       changed_by, changed_at
FROM disqualification_reason;

-- Each time a lead left the way to sales, and when it came back; a row with `returns_at` is due then.
CREATE TABLE disqualification (
    id             uuid PRIMARY KEY,
    lead_id        uuid NOT NULL REFERENCES lead,
    code           text NOT NULL REFERENCES disqualification_reason,
    kind           text NOT NULL CHECK (kind IN ('disqualified', 'junk', 'recycle')),
    reason         text NOT NULL,
    from_status    text NOT NULL,
    opportunity_id uuid,
    decided_by     text NOT NULL,
    decided_at     timestamptz NOT NULL,
    returns_at     timestamptz,
    ended_at       timestamptz,
    CHECK (returns_at IS NULL OR kind = 'recycle')
);
CREATE INDEX disqualification_lead ON disqualification (lead_id, id);
CREATE UNIQUE INDEX disqualification_running ON disqualification (lead_id) WHERE ended_at IS NULL;
CREATE INDEX disqualification_due ON disqualification (returns_at) WHERE ended_at IS NULL AND returns_at IS NOT NULL;

-- What became of a lead: sales' opportunities for it, and the first time it got so far. A lead that waits to come back has lost nothing for good.
CREATE TABLE lead_opportunity (
    opportunity_id uuid PRIMARY KEY,
    lead_id        uuid NOT NULL REFERENCES lead,
    state          text NOT NULL CHECK (state IN ('open', 'won', 'lost')),
    reason         text,
    opened_at      timestamptz NOT NULL,
    closed_at      timestamptz,
    CHECK ((state = 'open') = (closed_at IS NULL))
);
CREATE INDEX lead_opportunity_lead ON lead_opportunity (lead_id, opportunity_id);
CREATE TABLE lead_outcome (
    lead_id      uuid PRIMARY KEY REFERENCES lead,
    qualified_at timestamptz,
    converted_at timestamptz,
    won_at       timestamptz,
    lost_at      timestamptz
);
COMMENT ON COLUMN lead_outcome.lost_at IS 'not pursued or lost by sales; null again when the lead is nurtured once more';
