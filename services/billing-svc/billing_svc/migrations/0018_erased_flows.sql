-- Flows whose person was erased: words about them that come later are not written down either, and no mail goes to them.
CREATE TABLE erased_flow (
    flow_id   uuid PRIMARY KEY,
    erased_at timestamptz NOT NULL
);
