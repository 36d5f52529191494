-- Which journey goes on from which other one: whoever is erased on the one is the same person on the other.
CREATE TABLE journey (
    flow_id        uuid PRIMARY KEY,
    parent_flow_id uuid NOT NULL
);
CREATE INDEX journey_parent ON journey (parent_flow_id);
INSERT INTO journey (flow_id, parent_flow_id)
    SELECT i.flow_id, d.parent_flow_id FROM invoice_draft d JOIN invoice i ON i.id = d.invoice_id WHERE d.parent_flow_id IS NOT NULL;
