-- What was handed over in parts is invoiced in parts: an invoice is of one cause, and a cause has one invoice.
ALTER TABLE invoice ADD COLUMN cause text NOT NULL DEFAULT 'delivery' CHECK (cause IN ('handover', 'delivery')),
                    ADD COLUMN cause_id uuid;
UPDATE invoice SET cause_id = delivery_id;
ALTER TABLE invoice ALTER COLUMN cause DROP DEFAULT, ALTER COLUMN cause_id SET NOT NULL,
                    DROP CONSTRAINT invoice_delivery_id_key, ADD CONSTRAINT invoice_of_one_cause UNIQUE (cause_id);
CREATE INDEX invoice_delivery ON invoice (delivery_id);

CREATE OR REPLACE FUNCTION invoice_is_final() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.id, NEW.flow_id, NEW.number, NEW.order_id, NEW.delivery_id, NEW.cause, NEW.cause_id, NEW.customer, NEW.lines, NEW.taxes,
        NEW.currency, NEW.net, NEW.tax, NEW.gross, NEW.rounding, NEW.issued_on, NEW.due_on, NEW.created_at)
       IS DISTINCT FROM
       (OLD.id, OLD.flow_id, OLD.number, OLD.order_id, OLD.delivery_id, OLD.cause, OLD.cause_id, OLD.customer, OLD.lines, OLD.taxes,
        OLD.currency, OLD.net, OLD.tax, OLD.gross, OLD.rounding, OLD.issued_on, OLD.due_on, OLD.created_at)
       OR (NEW.state <> OLD.state AND (OLD.state, NEW.state) <> ('final', 'void'))
    THEN
        RAISE EXCEPTION 'invoice % is %: correct it by a credit note', OLD.number, OLD.state USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

-- One row per order of which anything was told: the lock under which its documents are decided.
CREATE TABLE billed_order (
    order_id   uuid PRIMARY KEY,
    created_at timestamptz NOT NULL
);
