-- Documents, cash and the ledger. What must never be wrong is a constraint here, not only a rule in the code.

-- A row per series and year. Drawing a number locks the row until the transaction ends, so a rollback leaves no gap.
CREATE TABLE number_series (
    series text   NOT NULL,
    year   int    NOT NULL,
    last   bigint NOT NULL CHECK (last >= 0),
    PRIMARY KEY (series, year)
);

CREATE TABLE invoice (
    id                uuid PRIMARY KEY,
    flow_id           uuid NOT NULL,
    number            text NOT NULL UNIQUE,
    state             text NOT NULL CHECK (state IN ('draft', 'final', 'void')),
    order_id          uuid NOT NULL,
    delivery_id       uuid NOT NULL UNIQUE,
    customer          jsonb NOT NULL,
    lines             jsonb NOT NULL,
    taxes             jsonb NOT NULL,
    currency          char(3) NOT NULL,
    net               numeric NOT NULL,
    tax               numeric NOT NULL,
    gross             numeric NOT NULL,
    -- The method is frozen on the document: lines half up to the minor unit, then tax per category and rate.
    rounding          text NOT NULL DEFAULT 'line-half-up',
    issued_on         date NOT NULL,
    due_on            date NOT NULL CHECK (due_on >= issued_on),
    paid              numeric NOT NULL DEFAULT 0,
    last_received_on  date,
    called_overdue_on date CHECK (called_overdue_on > due_on),
    version           int NOT NULL,
    created_at        timestamptz NOT NULL,
    updated_at        timestamptz NOT NULL,
    CHECK (net + tax = gross),
    CHECK (paid >= 0 AND paid <= gross),
    CHECK ((paid = 0) = (last_received_on IS NULL))
);
CREATE INDEX invoice_flow ON invoice (flow_id);
CREATE INDEX invoice_order ON invoice (order_id);
CREATE INDEX invoice_falls_overdue ON invoice (due_on) WHERE state = 'final' AND paid < gross AND called_overdue_on IS NULL;

CREATE TABLE payment (
    id          uuid PRIMARY KEY,
    currency    char(3) NOT NULL,
    amount      numeric NOT NULL CHECK (amount > 0),
    applied     numeric NOT NULL CHECK (applied >= 0),
    unapplied   numeric NOT NULL CHECK (unapplied >= 0),
    method      text NOT NULL CHECK (method IN ('bank_transfer', 'card', 'cash', 'other')),
    reference   text NOT NULL,
    received_on date NOT NULL,
    version     int NOT NULL,
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL,
    CHECK (applied + unapplied = amount)
);

CREATE TABLE allocation (
    id           uuid PRIMARY KEY,
    payment_id   uuid NOT NULL REFERENCES payment,
    invoice_id   uuid NOT NULL REFERENCES invoice,
    amount       numeric NOT NULL CHECK (amount > 0),
    allocated_on date NOT NULL,
    created_at   timestamptz NOT NULL
);
CREATE INDEX allocation_payment ON allocation (payment_id);
CREATE INDEX allocation_invoice ON allocation (invoice_id);

CREATE TABLE ledger_entry (
    id         uuid PRIMARY KEY,
    booked_on  date NOT NULL,
    kind       text NOT NULL CHECK (kind IN ('invoice', 'payment', 'allocation')),
    flow_id    uuid,
    invoice_id uuid REFERENCES invoice,
    payment_id uuid REFERENCES payment,
    created_at timestamptz NOT NULL
);
CREATE INDEX ledger_entry_flow ON ledger_entry (flow_id);
CREATE INDEX ledger_entry_invoice ON ledger_entry (invoice_id);
CREATE INDEX ledger_entry_payment ON ledger_entry (payment_id);

CREATE TABLE ledger_line (
    entry_id uuid NOT NULL REFERENCES ledger_entry,
    position int NOT NULL,
    account  text NOT NULL CHECK (account IN ('receivable', 'revenue', 'tax', 'cash', 'unapplied_cash', 'bad_debt', 'refund')),
    currency char(3) NOT NULL,
    debit    numeric NOT NULL CHECK (debit >= 0),
    credit   numeric NOT NULL CHECK (credit >= 0),
    PRIMARY KEY (entry_id, position),
    CHECK ((debit = 0) <> (credit = 0))
);

-- A final document never changes; what is paid and overdue is not part of the document.
CREATE FUNCTION invoice_is_final() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.id, NEW.flow_id, NEW.number, NEW.order_id, NEW.delivery_id, NEW.customer, NEW.lines, NEW.taxes, NEW.currency, NEW.net,
        NEW.tax, NEW.gross, NEW.rounding, NEW.issued_on, NEW.due_on, NEW.created_at)
       IS DISTINCT FROM
       (OLD.id, OLD.flow_id, OLD.number, OLD.order_id, OLD.delivery_id, OLD.customer, OLD.lines, OLD.taxes, OLD.currency, OLD.net,
        OLD.tax, OLD.gross, OLD.rounding, OLD.issued_on, OLD.due_on, OLD.created_at)
       OR (NEW.state <> OLD.state AND (OLD.state, NEW.state) <> ('final', 'void'))
    THEN
        RAISE EXCEPTION 'invoice % is %: correct it by a credit note', OLD.number, OLD.state USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER invoice_final BEFORE UPDATE ON invoice FOR EACH ROW WHEN (OLD.state <> 'draft') EXECUTE FUNCTION invoice_is_final();

CREATE FUNCTION kept_for_ever() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: book a correction', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER invoice_kept BEFORE DELETE ON invoice FOR EACH ROW WHEN (OLD.state <> 'draft') EXECUTE FUNCTION kept_for_ever();
CREATE TRIGGER invoice_not_emptied BEFORE TRUNCATE ON invoice EXECUTE FUNCTION kept_for_ever();
CREATE TRIGGER allocation_kept BEFORE UPDATE OR DELETE ON allocation FOR EACH ROW EXECUTE FUNCTION kept_for_ever();
CREATE TRIGGER allocation_not_emptied BEFORE TRUNCATE ON allocation EXECUTE FUNCTION kept_for_ever();
CREATE TRIGGER ledger_entry_kept BEFORE UPDATE OR DELETE ON ledger_entry FOR EACH ROW EXECUTE FUNCTION kept_for_ever();
CREATE TRIGGER ledger_entry_not_emptied BEFORE TRUNCATE ON ledger_entry EXECUTE FUNCTION kept_for_ever();
CREATE TRIGGER ledger_line_kept BEFORE UPDATE OR DELETE ON ledger_line FOR EACH ROW EXECUTE FUNCTION kept_for_ever();
CREATE TRIGGER ledger_line_not_emptied BEFORE TRUNCATE ON ledger_line EXECUTE FUNCTION kept_for_ever();

-- At commit every entry balances in every currency, whoever wrote it.
CREATE FUNCTION ledger_entry_balances() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM ledger_line WHERE entry_id = NEW.entry_id GROUP BY currency HAVING sum(debit) <> sum(credit)) THEN
        RAISE EXCEPTION 'ledger entry % does not balance', NEW.entry_id USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER ledger_line_balances AFTER INSERT ON ledger_line
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ledger_entry_balances();
