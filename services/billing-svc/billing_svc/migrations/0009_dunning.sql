-- Dunning: policies as data, who is treated otherwise, what was promised, and which steps were taken. Versions are added, never edited.
CREATE TABLE dunning_policy (
    name             text NOT NULL,
    version          int NOT NULL CHECK (version > 0),
    steps            jsonb NOT NULL,
    interest_percent numeric NOT NULL CHECK (interest_percent BETWEEN 0 AND 100),
    reason           text NOT NULL,
    changed_by       text NOT NULL,
    changed_at       timestamptz NOT NULL,
    PRIMARY KEY (name, version)
);

CREATE TABLE dunning_customer (
    customer_id    uuid NOT NULL,
    version        int NOT NULL CHECK (version > 0),
    policy         text NOT NULL,
    excluded       boolean NOT NULL,
    excluded_until date CHECK (excluded OR excluded_until IS NULL),
    reason         text NOT NULL,
    changed_by     text NOT NULL,
    changed_at     timestamptz NOT NULL,
    PRIMARY KEY (customer_id, version)
);

-- A row per final invoice: the day on which it is looked at next. Null: not before something happens to it.
CREATE TABLE dunning (
    invoice_id uuid PRIMARY KEY REFERENCES invoice,
    look_on    date,
    ended      boolean NOT NULL DEFAULT false
);
CREATE INDEX dunning_look ON dunning (look_on) WHERE look_on IS NOT NULL;

-- The primary key is the promise that no step is taken twice, whatever comes again and whoever dies.
CREATE TABLE dunning_step (
    invoice_id     uuid NOT NULL REFERENCES dunning,
    step           text NOT NULL,
    id             uuid NOT NULL UNIQUE,
    days           int NOT NULL,
    kind           text NOT NULL CHECK (kind IN ('reminder', 'formal', 'final', 'agency')),
    policy         text NOT NULL,
    policy_version int NOT NULL,
    currency       char(3) NOT NULL,
    open           numeric NOT NULL CHECK (open > 0),
    fee            numeric NOT NULL CHECK (fee >= 0),
    interest       numeric NOT NULL CHECK (interest >= 0),
    letter         boolean NOT NULL,
    hold_orders    boolean NOT NULL,
    mailed         boolean NOT NULL,
    taken_on       date NOT NULL,
    created_at     timestamptz NOT NULL,
    PRIMARY KEY (invoice_id, step)
);
CREATE TRIGGER dunning_step_kept BEFORE UPDATE OR DELETE ON dunning_step FOR EACH ROW EXECUTE FUNCTION kept_for_ever();

CREATE TABLE payment_promise (
    id          uuid PRIMARY KEY,
    invoice_id  uuid NOT NULL REFERENCES invoice,
    promised_on date NOT NULL,
    state       text NOT NULL CHECK (state IN ('open', 'kept', 'broken')),
    note        text NOT NULL,
    noted_by    text NOT NULL,
    noted_at    timestamptz NOT NULL
);
CREATE UNIQUE INDEX payment_promise_open ON payment_promise (invoice_id) WHERE state = 'open';
CREATE INDEX payment_promise_invoice ON payment_promise (invoice_id);


-- Whatever is paid, taken back, given up or disputed, by whatever code, has the invoice looked at again, and a letter that has not left
-- stays here when nothing is to be reminded of any more: nobody can forget it.
CREATE FUNCTION dunning_follows_invoice() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO dunning (invoice_id, look_on) VALUES (NEW.id, (NEW.updated_at AT TIME ZONE 'UTC')::date)
    ON CONFLICT (invoice_id) DO UPDATE SET look_on = excluded.look_on;
    IF NEW.state = 'void' OR NEW.disputed OR NEW.paid + NEW.credited + NEW.written_off = NEW.gross THEN
        UPDATE mail SET state = 'discarded', reason = 'nothing is to be reminded of any more'
        WHERE about = 'dunning/' || NEW.id AND state = 'waiting';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER dunning_of_new AFTER INSERT ON invoice FOR EACH ROW WHEN (NEW.state = 'final') EXECUTE FUNCTION dunning_follows_invoice();
CREATE TRIGGER dunning_of_changed AFTER UPDATE OF paid, credited, written_off, disputed, state ON invoice
    FOR EACH ROW WHEN ((OLD.paid, OLD.credited, OLD.written_off, OLD.disputed, OLD.state)
                       IS DISTINCT FROM (NEW.paid, NEW.credited, NEW.written_off, NEW.disputed, NEW.state))
    EXECUTE FUNCTION dunning_follows_invoice();
INSERT INTO dunning (invoice_id, look_on)
    SELECT id, (updated_at AT TIME ZONE 'UTC')::date FROM invoice WHERE state = 'final' AND paid + credited + written_off < gross;
