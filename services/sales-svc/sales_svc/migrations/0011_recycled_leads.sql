-- A lead whose deal was lost may be nurtured, qualify anew and come again: one deal at a time that is not lost, as many as it takes.
ALTER TABLE opportunity DROP CONSTRAINT opportunity_lead_id_key;
CREATE UNIQUE INDEX opportunity_lead_working ON opportunity (lead_id) WHERE stage <> 'lost';
CREATE INDEX opportunity_lead ON opportunity (lead_id) WHERE lead_id IS NOT NULL;
ALTER TABLE held_lead DROP CONSTRAINT held_lead_lead_id_key;
CREATE UNIQUE INDEX held_lead_waiting_lead ON held_lead (lead_id) WHERE state = 'waiting';
CREATE INDEX held_lead_lead ON held_lead (lead_id);
