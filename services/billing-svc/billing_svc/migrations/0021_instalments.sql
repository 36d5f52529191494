-- Invoices that are paid in instalments. The document stays as it is; what is open of each instalment follows from what is open of it.
CREATE TABLE instalment_plan (
    invoice_id          uuid PRIMARY KEY REFERENCES invoice,
    rest_due_after_days int CHECK (rest_due_after_days >= 0),
    agreed_on           date NOT NULL,
    agreed_by           text NOT NULL,
    reason              text NOT NULL,
    called_in_on        date CHECK (called_in_on IS NULL OR called_in_on >= agreed_on AND rest_due_after_days IS NOT NULL),
    created_at          timestamptz NOT NULL
);
CREATE TABLE instalment (
    invoice_id uuid NOT NULL REFERENCES instalment_plan,
    number     int NOT NULL CHECK (number >= 1),
    due_on     date NOT NULL,
    amount     numeric NOT NULL CHECK (amount > 0),
    -- The sum of those after it: so much of the invoice is open before something of this one is.
    later      numeric NOT NULL CHECK (later >= 0),
    PRIMARY KEY (invoice_id, number)
);
CREATE TRIGGER instalment_kept BEFORE UPDATE OR DELETE ON instalment FOR EACH ROW EXECUTE FUNCTION kept_for_ever();
CREATE TRIGGER instalment_plan_kept BEFORE DELETE ON instalment_plan FOR EACH ROW EXECUTE FUNCTION kept_for_ever();

-- At commit the instalments are the invoice, to the cent.
CREATE FUNCTION instalments_add_up() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (SELECT sum(amount) FROM instalment WHERE invoice_id = NEW.invoice_id) IS DISTINCT FROM
       (SELECT gross FROM invoice WHERE id = NEW.invoice_id) THEN
        RAISE EXCEPTION 'instalments of invoice % are not its gross', NEW.invoice_id USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER instalment_adds_up AFTER INSERT ON instalment
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION instalments_add_up();

-- What was agreed by a day, with the days on which each instalment was due as it stood then.
CREATE FUNCTION due_parts(as_of date) RETURNS TABLE (invoice_id uuid, number int, due_on date, amount numeric, later numeric)
LANGUAGE sql STABLE AS $$
    SELECT i.invoice_id, i.number, CASE WHEN p.called_in_on <= $1 THEN least(i.due_on, p.called_in_on) ELSE i.due_on END, i.amount, i.later
    FROM instalment_plan p JOIN instalment i ON i.invoice_id = p.invoice_id WHERE p.agreed_on <= $1
$$;

-- Null: not in instalments. It follows whatever is paid, taken back or given up, by whatever code. A first instalment may be due before
-- the invoice was.
ALTER TABLE invoice ADD COLUMN next_due_on date, DROP CONSTRAINT invoice_check1,
                    ADD CONSTRAINT invoice_called_overdue CHECK (called_overdue_on > issued_on);
DROP INDEX invoice_falls_overdue;
CREATE INDEX invoice_falls_overdue ON invoice (coalesce(next_due_on, due_on))
    WHERE state = 'final' AND paid + credited + written_off < gross AND called_overdue_on IS NULL AND NOT disputed;
CREATE INDEX invoice_in_instalments ON invoice (next_due_on) WHERE next_due_on IS NOT NULL;

CREATE FUNCTION instalment_follows_invoice() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    SELECT coalesce(min(least(i.due_on, p.called_in_on)) FILTER (WHERE NEW.gross - NEW.paid - NEW.credited - NEW.written_off > i.later),
                    max(least(i.due_on, p.called_in_on)))
    INTO NEW.next_due_on
    FROM instalment_plan p JOIN instalment i ON i.invoice_id = p.invoice_id WHERE p.invoice_id = NEW.id;
    RETURN NEW;
END $$;
CREATE TRIGGER invoice_instalments BEFORE UPDATE ON invoice
    FOR EACH ROW WHEN (NEW.next_due_on IS NOT NULL) EXECUTE FUNCTION instalment_follows_invoice();

-- Each instalment is reminded of by itself; 0 is the invoice as a whole. A letter says the day that it said.
ALTER TABLE dunning ADD COLUMN instalment int NOT NULL DEFAULT 0;
ALTER TABLE dunning_step DISABLE TRIGGER dunning_step_kept;
ALTER TABLE dunning_step ADD COLUMN instalment int NOT NULL DEFAULT 0, ADD COLUMN due_on date,
                         DROP CONSTRAINT dunning_step_pkey, ADD PRIMARY KEY (invoice_id, instalment, step);
UPDATE dunning_step s SET due_on = i.due_on FROM invoice i WHERE i.id = s.invoice_id;
ALTER TABLE dunning_step ALTER COLUMN due_on SET NOT NULL;
ALTER TABLE dunning_step ENABLE TRIGGER dunning_step_kept;
