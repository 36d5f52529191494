-- Leads whose person was erased: an event of theirs that comes late must not bring the person back.
CREATE TABLE erased_lead (
    lead_id   uuid PRIMARY KEY,
    erased_at timestamptz NOT NULL
);
