-- The company's own fields, and where a lead belongs by rule. `classified` names the facts that a rule has set, so that a later rule
-- may set them anew and never touches what somebody gave.
ALTER TABLE lead
    ADD COLUMN region        text,
    ADD COLUMN channel_group text,
    ADD COLUMN segments      text[] NOT NULL DEFAULT '{}',
    ADD COLUMN classified    text[] NOT NULL DEFAULT '{}' CHECK (classified <@ '{region,industry,channel_group}'),
    ADD COLUMN custom        jsonb NOT NULL DEFAULT '{}';
-- Partial: leads without them, which may be most, cost an index nothing.
CREATE INDEX lead_custom ON lead USING gin (custom jsonb_path_ops) WHERE custom <> '{}';
CREATE INDEX lead_segments ON lead USING gin (segments) WHERE segments <> '{}';

-- Who changed what is known of a lead: name to [before, after]; null for personal data, of which only the change is kept.
CREATE TABLE lead_change (
    id      uuid PRIMARY KEY,
    lead_id uuid NOT NULL REFERENCES lead,
    version integer NOT NULL,
    by      text NOT NULL,
    at      timestamptz NOT NULL,
    changes jsonb NOT NULL
);
CREATE INDEX lead_change_lead ON lead_change (lead_id, id);
