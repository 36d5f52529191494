-- Who wrote a version of the scoring rule, and when.
ALTER TABLE score_rule
    ADD COLUMN created_by text NOT NULL DEFAULT 'migration',
    ADD COLUMN created_at timestamptz NOT NULL DEFAULT now();
ALTER TABLE score_rule ALTER COLUMN created_by DROP DEFAULT, ALTER COLUMN created_at DROP DEFAULT;

-- The band last told of a lead, to find leads by it and to tell when decay alone changes it. What is shown is always computed anew.
CREATE TABLE lead_score (
    lead_id      uuid PRIMARY KEY REFERENCES lead,
    band         text NOT NULL CHECK (band IN ('cold', 'warm', 'hot')),
    ceiling      numeric NOT NULL,
    rule_version text NOT NULL REFERENCES score_rule,
    next_look_at timestamptz
);
COMMENT ON COLUMN lead_score.ceiling IS 'fit + engagement will not exceed this before the lead does something';
COMMENT ON COLUMN lead_score.next_look_at IS 'when decay may have changed the band; null: never';
CREATE INDEX lead_score_band ON lead_score (band, lead_id);
CREATE INDEX lead_score_ceiling ON lead_score (ceiling DESC, lead_id);
CREATE INDEX lead_score_due ON lead_score (next_look_at) WHERE next_look_at IS NOT NULL;
CREATE INDEX lead_score_rule ON lead_score (rule_version);

-- Leads that were here before are due at once.
INSERT INTO lead_score (lead_id, band, ceiling, rule_version, next_look_at)
SELECT l.id, 'cold', 1000, r.version, '2000-01-01T00:00:00Z'
FROM lead l, (SELECT version FROM score_rule ORDER BY valid_from LIMIT 1) r;
