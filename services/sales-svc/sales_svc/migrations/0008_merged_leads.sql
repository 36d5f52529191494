-- Leads that lead-svc found to be one. Events of merges, of their undoing and of the leads themselves come in any order, so what is kept
-- is the merges; to which lead a deal belongs now follows from those that stand.
CREATE TABLE merged_lead (
    merge_id    uuid NOT NULL,
    lead_id     uuid NOT NULL,
    survivor_id uuid NOT NULL,
    undone      boolean NOT NULL,
    PRIMARY KEY (merge_id, lead_id)
);
CREATE INDEX merged_lead_lead ON merged_lead (lead_id, merge_id);
CREATE INDEX merged_lead_survivor ON merged_lead (survivor_id);

ALTER TABLE opportunity ADD COLUMN living_lead_id uuid;
COMMENT ON COLUMN opportunity.living_lead_id IS 'the lead that lead_id is part of, where it was merged';
CREATE INDEX opportunity_living_lead ON opportunity (coalesce(living_lead_id, lead_id));
