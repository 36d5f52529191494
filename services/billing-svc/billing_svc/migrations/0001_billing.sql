CREATE TABLE number_series (
    name text PRIMARY KEY,
    last bigint NOT NULL
);

CREATE TABLE invoice (
    id               uuid PRIMARY KEY,
    flow_id          uuid NOT NULL,
    number           text NOT NULL UNIQUE,
    state            text NOT NULL CHECK (state IN ('final', 'void')),
    order_id         uuid NOT NULL,
    delivery_id      uuid NOT NULL UNIQUE,
    customer         jsonb NOT NULL,
    lines            jsonb NOT NULL,
    taxes            jsonb NOT NULL,
    currency         char(3) NOT NULL,
    net              numeric NOT NULL,
    tax              numeric NOT NULL,
    gross            numeric NOT NULL,
    rounding         text NOT NULL DEFAULT 'line-half-up',
    issued_on        date NOT NULL,
    due_on           date NOT NULL CHECK (due_on >= issued_on),
    paid             numeric NOT NULL DEFAULT 0,
    paid_on          date,
    overdue_since    date,
    version          integer NOT NULL,
    created_at       timestamptz NOT NULL,
    updated_at       timestamptz NOT NULL,
    CHECK (net + tax = gross),
    CHECK (paid >= 0 AND paid <= gross),
    CHECK ((paid = gross) = (paid_on IS NOT NULL))
);
CREATE INDEX invoice_flow ON invoice (flow_id);
CREATE INDEX invoice_order ON invoice (order_id);
CREATE INDEX invoice_due ON invoice (due_on) WHERE paid < gross AND overdue_since IS NULL;

-- A final document never changes; what is paid and overdue is not part of the document.
CREATE FUNCTION invoice_is_final() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR (NEW.flow_id, NEW.number, NEW.order_id, NEW.delivery_id, NEW.customer, NEW.lines, NEW.taxes, NEW.currency,
        NEW.net, NEW.tax, NEW.gross, NEW.rounding, NEW.issued_on, NEW.due_on, NEW.created_at)
       IS DISTINCT FROM (OLD.flow_id, OLD.number, OLD.order_id, OLD.delivery_id, OLD.customer, OLD.lines, OLD.taxes, OLD.currency,
        OLD.net, OLD.tax, OLD.gross, OLD.rounding, OLD.issued_on, OLD.due_on, OLD.created_at) THEN
        RAISE EXCEPTION 'invoice % is final: correct it by a credit note', OLD.number USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER invoice_final BEFORE UPDATE OR DELETE ON invoice FOR EACH ROW EXECUTE FUNCTION invoice_is_final();

CREATE TABLE payment (
    id          uuid PRIMARY KEY,
    currency    char(3) NOT NULL,
    amount      numeric NOT NULL CHECK (amount > 0),
    applied     numeric NOT NULL DEFAULT 0 CHECK (applied >= 0),
    unapplied   numeric NOT NULL CHECK (unapplied >= 0),
    method      text NOT NULL CHECK (method IN ('bank_transfer', 'card', 'cash', 'other')),
    reference   text NOT NULL,
    received_on date NOT NULL,
    version     integer NOT NULL,
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
    id          uuid PRIMARY KEY,
    booked_on   date NOT NULL,
    kind        text NOT NULL CHECK (kind IN ('invoice', 'payment', 'allocation')),
    flow_id     uuid,
    invoice_id  uuid,
    payment_id  uuid,
    created_at  timestamptz NOT NULL
);
CREATE INDEX ledger_entry_flow ON ledger_entry (flow_id);
CREATE INDEX ledger_entry_invoice ON ledger_entry (invoice_id);
CREATE INDEX ledger_entry_payment ON ledger_entry (payment_id);

CREATE TABLE ledger_line (
    entry_id uuid NOT NULL REFERENCES ledger_entry,
    position integer NOT NULL,
    account  text NOT NULL CHECK (account IN ('receivable', 'revenue', 'tax', 'cash', 'unapplied_cash', 'bad_debt', 'refund')),
    currency char(3) NOT NULL,
    debit    numeric NOT NULL CHECK (debit >= 0),
    credit   numeric NOT NULL CHECK (credit >= 0),
    PRIMARY KEY (entry_id, position),
    CHECK ((debit = 0) <> (credit = 0))
);

CREATE FUNCTION ledger_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the ledger is append-only: book a correcting entry' USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER ledger_entry_kept BEFORE UPDATE OR DELETE ON ledger_entry FOR EACH ROW EXECUTE FUNCTION ledger_is_append_only();
CREATE TRIGGER ledger_line_kept BEFORE UPDATE OR DELETE ON ledger_line FOR EACH ROW EXECUTE FUNCTION ledger_is_append_only();

CREATE FUNCTION ledger_entry_balances() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM ledger_line WHERE entry_id = NEW.entry_id GROUP BY currency HAVING sum(debit) <> sum(credit)) THEN
        RAISE EXCEPTION 'ledger entry % does not balance', NEW.entry_id USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER ledger_line_balances AFTER INSERT ON ledger_line
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ledger_entry_balances();
