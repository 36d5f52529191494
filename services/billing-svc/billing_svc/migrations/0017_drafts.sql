-- Invoices by hand. A draft is no document: it has no number and nothing is booked of it, so it lies beside the invoices.
CREATE TABLE invoice_draft (
    id                 uuid PRIMARY KEY,
    state              text NOT NULL CHECK (state IN ('open', 'final', 'discarded')),
    customer           jsonb NOT NULL,
    lines              jsonb NOT NULL,
    due_on             date,
    payment_terms_days int NOT NULL CHECK (payment_terms_days >= 0),
    parent_flow_id     uuid,
    invoice_id         uuid UNIQUE REFERENCES invoice,
    created_by         text NOT NULL,
    changed_by         text NOT NULL,
    version            int NOT NULL,
    created_at         timestamptz NOT NULL,
    updated_at         timestamptz NOT NULL,
    CHECK ((state = 'final') = (invoice_id IS NOT NULL))
);
CREATE INDEX invoice_draft_open ON invoice_draft (id) WHERE state = 'open';

CREATE FUNCTION draft_is_over() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'draft % is %', OLD.id, OLD.state USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER invoice_draft_over BEFORE UPDATE ON invoice_draft
    FOR EACH ROW WHEN (OLD.state <> 'open') EXECUTE FUNCTION draft_is_over();

ALTER TABLE invoice DROP CONSTRAINT invoice_cause_check,
                    ADD CONSTRAINT invoice_cause_check
                        CHECK (cause IN ('handover', 'delivery', 'order', 'change', 'import', 'late_charge', 'manual'));
