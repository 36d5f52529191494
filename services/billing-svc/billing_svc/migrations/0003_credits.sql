-- Prepaid orders are invoiced whole, and credit notes take back what was invoiced.
ALTER TABLE invoice DROP CONSTRAINT invoice_cause_check,
                    ADD CONSTRAINT invoice_cause_check CHECK (cause IN ('handover', 'delivery', 'order', 'change')),
                    ADD COLUMN credited numeric NOT NULL DEFAULT 0 CHECK (credited >= 0),
                    -- The day on which nothing was open first; what was paid by then may become the customer's again.
                    ADD COLUMN settled_on date;
UPDATE invoice SET settled_on = greatest(issued_on, last_received_on) WHERE paid = gross;
-- Nothing is claimed twice: neither from who paid, nor what was taken back.
ALTER TABLE invoice DROP CONSTRAINT invoice_check3, DROP CONSTRAINT invoice_check4,
                    ADD CONSTRAINT invoice_open CHECK (paid >= 0 AND paid + credited <= gross),
                    ADD CONSTRAINT invoice_settled CHECK (settled_on IS NOT NULL OR paid + credited < gross),
                    ADD CONSTRAINT invoice_received CHECK (paid = 0 OR last_received_on IS NOT NULL);
DROP INDEX invoice_falls_overdue;
CREATE INDEX invoice_falls_overdue ON invoice (due_on)
    WHERE state = 'final' AND paid + credited < gross AND called_overdue_on IS NULL;

CREATE TABLE credit_note (
    id             uuid PRIMARY KEY,
    flow_id        uuid NOT NULL,
    number         text NOT NULL UNIQUE,
    invoice_id     uuid NOT NULL REFERENCES invoice,
    invoice_number text NOT NULL,
    order_id       uuid NOT NULL,
    cause          text NOT NULL CHECK (cause IN ('return', 'change', 'cancellation', 'manual')),
    cause_id       uuid CHECK ((cause_id IS NULL) = (cause = 'manual')),
    customer       jsonb NOT NULL,
    lines          jsonb NOT NULL,
    taxes          jsonb NOT NULL,
    currency       char(3) NOT NULL,
    net            numeric NOT NULL,
    tax            numeric NOT NULL,
    gross          numeric NOT NULL CHECK (gross > 0),
    released       numeric NOT NULL CHECK (released >= 0 AND released <= gross),
    rounding       text NOT NULL DEFAULT 'line-half-up',
    reason         text NOT NULL,
    credited_on    date NOT NULL,
    created_at     timestamptz NOT NULL,
    CHECK (net + tax = gross)
);
CREATE INDEX credit_note_invoice ON credit_note (invoice_id);
CREATE INDEX credit_note_order ON credit_note (order_id);
CREATE INDEX credit_note_flow ON credit_note (flow_id);
-- What came back, and an order that was cancelled, are credited once.
CREATE UNIQUE INDEX credit_note_once ON credit_note (cause_id, invoice_id) WHERE cause IN ('return', 'cancellation');
CREATE TRIGGER credit_note_kept BEFORE UPDATE OR DELETE ON credit_note FOR EACH ROW EXECUTE FUNCTION kept_for_ever();
CREATE TRIGGER credit_note_not_emptied BEFORE TRUNCATE ON credit_note EXECUTE FUNCTION kept_for_ever();

-- Below zero: money that had settled what was taken back is credit on account again.
ALTER TABLE allocation DROP CONSTRAINT allocation_amount_check,
                       ADD COLUMN credit_id uuid REFERENCES credit_note,
                       ADD CONSTRAINT allocation_amount_check CHECK (amount <> 0 AND (amount < 0) = (credit_id IS NOT NULL));

ALTER TABLE ledger_entry DROP CONSTRAINT ledger_entry_kind_check,
                         ADD COLUMN credit_id uuid REFERENCES credit_note,
                         ADD CONSTRAINT ledger_entry_kind_check
                             CHECK (kind IN ('invoice', 'payment', 'allocation', 'credit', 'release'));

-- Of prepaid orders what was confirmed is kept until they are invoiced; of all orders, which delivery they have.
ALTER TABLE billed_order ADD COLUMN flow_id uuid, ADD COLUMN confirmed jsonb, ADD COLUMN delivery_id uuid;

-- What was told of an order and may change what is invoiced of it, in the order in which it came. Without `settled_at` it waits for
-- something else, or for ever.
CREATE TABLE order_fact (
    seq        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    order_id   uuid NOT NULL REFERENCES billed_order,
    cause_id   uuid NOT NULL UNIQUE,
    topic      text NOT NULL,
    data       jsonb NOT NULL,
    told_at    timestamptz NOT NULL,
    settled_at timestamptz
);
CREATE INDEX order_fact_order ON order_fact (order_id);
