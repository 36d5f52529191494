-- Fees of dunning and interest are invoices of their own, on an account of their own.
ALTER TABLE invoice DROP CONSTRAINT invoice_cause_check,
                    ADD CONSTRAINT invoice_cause_check
                        CHECK (cause IN ('handover', 'delivery', 'order', 'change', 'import', 'late_charge'));

CREATE TABLE late_charge (
    invoice_id uuid PRIMARY KEY REFERENCES invoice,
    -- The invoice that was late, and the step of dunning.
    about      uuid NOT NULL REFERENCES invoice,
    step_id    uuid NOT NULL,
    nature     text NOT NULL CHECK (nature IN ('cost', 'interest')),
    UNIQUE (step_id, nature)
);
CREATE INDEX late_charge_about ON late_charge (about);
CREATE TRIGGER late_charge_kept BEFORE UPDATE OR DELETE ON late_charge FOR EACH ROW EXECUTE FUNCTION kept_for_ever();

-- A company may have opened an account of this code before; then it keeps what it is called.
INSERT INTO ledger_account (code, type, control, made_by, created_at)
VALUES ('late_charges', 'income', false, 'billing-svc', '1970-01-01T00:00:00Z') ON CONFLICT (code) DO NOTHING;
INSERT INTO account_name (account, number, name, valid_from, made_by, created_at)
SELECT 'late_charges', '4900', 'Reminder fees and late interest', '1970-01-01', 'billing-svc', '1970-01-01T00:00:00Z'
WHERE NOT EXISTS (SELECT FROM account_name WHERE account = 'late_charges');
