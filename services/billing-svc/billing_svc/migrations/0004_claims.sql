-- Claims that are not held on to: what is disputed, what is written off, a document that is void; and what of a payment went back.
ALTER TABLE invoice ADD COLUMN written_off numeric NOT NULL DEFAULT 0 CHECK (written_off >= 0),
                    -- The part of it that is tax, where the country gives back the tax on bad debts.
                    ADD COLUMN written_off_tax numeric NOT NULL DEFAULT 0 CHECK (written_off_tax >= 0 AND written_off_tax <= written_off),
                    ADD COLUMN disputed boolean NOT NULL DEFAULT false,
                    ADD COLUMN voided_on date,
                    DROP CONSTRAINT invoice_open,
                    DROP CONSTRAINT invoice_settled,
                    ADD CONSTRAINT invoice_open CHECK (paid >= 0 AND paid + credited + written_off <= gross),
                    ADD CONSTRAINT invoice_settled CHECK (state <> 'final' OR settled_on IS NOT NULL OR paid + credited + written_off < gross),
                    ADD CONSTRAINT invoice_void CHECK ((state = 'void') = (voided_on IS NOT NULL)
                                                       AND (state <> 'void' OR (paid + credited + written_off = 0 AND NOT disputed)));
DROP INDEX invoice_falls_overdue;
CREATE INDEX invoice_falls_overdue ON invoice (due_on)
    WHERE state = 'final' AND paid + credited + written_off < gross AND called_overdue_on IS NULL AND NOT disputed;

ALTER TABLE payment ADD COLUMN refunded numeric NOT NULL DEFAULT 0 CHECK (refunded >= 0),
                    DROP CONSTRAINT payment_check,
                    ADD CONSTRAINT payment_whole CHECK (applied + unapplied + refunded = amount);

-- What a customer does not accept of an invoice; one at a time. It is only resolved, never changed otherwise.
CREATE TABLE dispute (
    id          uuid PRIMARY KEY,
    flow_id     uuid NOT NULL,
    invoice_id  uuid NOT NULL REFERENCES invoice,
    number      text NOT NULL,
    order_id    uuid NOT NULL,
    category    text NOT NULL CHECK (category IN ('price', 'quantity', 'quality', 'not_received', 'duplicate', 'other')),
    reason      text NOT NULL,
    currency    char(3) NOT NULL,
    amount      numeric NOT NULL CHECK (amount > 0),
    whole       boolean NOT NULL,
    opened_by   text NOT NULL,
    opened_on   date NOT NULL,
    state       text NOT NULL CHECK (state IN ('open', 'upheld', 'rejected')),
    credit_id   uuid REFERENCES credit_note,
    resolution  text,
    resolved_by text,
    resolved_on date,
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL,
    CHECK ((state = 'upheld') = (credit_id IS NOT NULL)),
    CHECK ((state = 'open') = (resolved_on IS NULL) AND (state = 'open') = (resolution IS NULL) AND (state = 'open') = (resolved_by IS NULL))
);
CREATE UNIQUE INDEX dispute_open ON dispute (invoice_id) WHERE state = 'open';
CREATE INDEX dispute_invoice ON dispute (invoice_id);
