-- Dated rates, the currency in which the books are reported, and what every entry in another currency is worth in it.

-- One `base` is `rate` of `quote` from its day on until the next. A correction is a further row, and the last one counts.
CREATE TABLE exchange_rate (
    id         uuid PRIMARY KEY,
    source     text NOT NULL,
    base       char(3) NOT NULL CHECK (base ~ '^[A-Z]{3}$'),
    quote      char(3) NOT NULL CHECK (quote ~ '^[A-Z]{3}$' AND quote <> base),
    valid_on   date NOT NULL,
    rate       numeric NOT NULL CHECK (rate > 0),
    made_by    text NOT NULL,
    created_at timestamptz NOT NULL
);
CREATE INDEX exchange_rate_day ON exchange_rate (source, base, quote, valid_on, id);
CREATE TRIGGER exchange_rate_kept BEFORE UPDATE OR DELETE ON exchange_rate FOR EACH ROW EXECUTE FUNCTION kept_for_ever();

-- At most one row. `places` are those of its currency, for what is rounded here.
CREATE TABLE reporting_currency (
    single   boolean PRIMARY KEY DEFAULT true CHECK (single),
    currency char(3) NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    places int NOT NULL,
    source text NOT NULL,
    set_by text NOT NULL,
    set_at timestamptz NOT NULL
);

-- Frozen as a document is booked first.
CREATE TABLE document_rate (
    document_id uuid PRIMARY KEY,
    kind        text NOT NULL CHECK (kind IN ('invoice', 'payment')),
    currency    char(3) NOT NULL,
    reporting   char(3) NOT NULL,
    places      int NOT NULL,
    rate        numeric NOT NULL CHECK (rate > 0),
    source      text NOT NULL,
    valid_on    date NOT NULL
);
CREATE TRIGGER document_rate_kept BEFORE UPDATE OR DELETE ON document_rate FOR EACH ROW EXECUTE FUNCTION kept_for_ever();

CREATE TABLE ledger_valuation (
    entry_id uuid PRIMARY KEY REFERENCES ledger_entry,
    currency char(3) NOT NULL,
    lines    int NOT NULL
);
-- What differs because of the rates is on accounts of its own, without a rate.
CREATE TABLE ledger_value (
    entry_id uuid NOT NULL REFERENCES ledger_valuation,
    position int NOT NULL,
    account  text NOT NULL,
    currency char(3) NOT NULL,
    debit    numeric NOT NULL CHECK (debit >= 0),
    credit   numeric NOT NULL CHECK (credit >= 0),
    rate     numeric CHECK (rate > 0),
    PRIMARY KEY (entry_id, position),
    CHECK ((debit = 0) <> (credit = 0))
);
CREATE TRIGGER ledger_valuation_kept BEFORE UPDATE OR DELETE ON ledger_valuation FOR EACH ROW EXECUTE FUNCTION kept_for_ever();
CREATE TRIGGER ledger_value_kept BEFORE UPDATE OR DELETE ON ledger_value FOR EACH ROW EXECUTE FUNCTION kept_for_ever();
CREATE TRIGGER ledger_value_not_emptied BEFORE TRUNCATE ON ledger_value EXECUTE FUNCTION kept_for_ever();
CREATE TRIGGER ledger_value_account AFTER INSERT ON ledger_value REFERENCING NEW TABLE AS written
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_lines_are_on_accounts();

CREATE FUNCTION ledger_valuation_balances() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (SELECT coalesce(sum(debit - credit), 0) <> 0 OR count(*) <> (SELECT lines FROM ledger_valuation WHERE entry_id = NEW.entry_id)
               OR count(*) FILTER (WHERE currency <> (SELECT currency FROM ledger_valuation WHERE entry_id = NEW.entry_id)) > 0
        FROM ledger_value WHERE entry_id = NEW.entry_id) THEN
        RAISE EXCEPTION 'the value of ledger entry % does not balance', NEW.entry_id USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER ledger_valuation_balances AFTER INSERT ON ledger_valuation
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ledger_valuation_balances();
CREATE CONSTRAINT TRIGGER ledger_value_balances AFTER INSERT ON ledger_value
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ledger_valuation_balances();

CREATE OR REPLACE FUNCTION ledger_entry_balances() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM ledger_line WHERE entry_id = NEW.entry_id GROUP BY currency HAVING sum(debit) <> sum(credit)) THEN
        RAISE EXCEPTION 'ledger entry % does not balance', NEW.entry_id USING ERRCODE = 'check_violation';
    END IF;
    IF (SELECT count(*) FROM ledger_line WHERE entry_id = NEW.entry_id)
       <> (SELECT lines FROM ledger_entry WHERE id = NEW.entry_id) THEN
        RAISE EXCEPTION 'ledger entry % has other lines than it was written with', NEW.entry_id USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.currency <> (SELECT currency FROM reporting_currency)
       AND NOT EXISTS (SELECT 1 FROM ledger_valuation WHERE entry_id = NEW.entry_id) THEN
        RAISE EXCEPTION 'ledger entry % has no value in the reporting currency', NEW.entry_id USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;

INSERT INTO ledger_account (code, type, control, made_by, created_at)
SELECT code, type, false, 'billing-svc', '1970-01-01T00:00:00Z'
FROM (VALUES ('fx_gain', 'income'), ('fx_loss', 'expense'), ('rounding', 'expense')) AS plain (code, type);
INSERT INTO account_name (account, number, name, valid_from, made_by, created_at)
SELECT code, number, name, '1970-01-01', 'billing-svc', '1970-01-01T00:00:00Z'
FROM (VALUES ('fx_gain', '4950', 'Realised gains on exchange'), ('fx_loss', '6950', 'Realised losses on exchange'),
             ('rounding', '6960', 'Rounding of currencies')) AS plain (code, number, name);

-- What is open of a document is carried at its frozen rate.
CREATE VIEW carried_amount AS
SELECT 'invoice' AS kind, i.id, i.number, 'carried' AS what, r.reporting AS currency,
       coalesce((SELECT sum(v.debit - v.credit) FROM ledger_entry e JOIN ledger_value v ON v.entry_id = e.id
                 WHERE e.invoice_id = i.id AND v.account = 'receivable'), 0) AS kept,
       round(CASE WHEN i.state = 'void' THEN 0 ELSE i.gross - i.paid - i.credited - i.written_off END * r.rate, r.places) AS facts
FROM document_rate r JOIN invoice i ON i.id = r.document_id
UNION ALL
SELECT 'payment', p.id, NULL, 'carried', r.reporting,
       coalesce((SELECT sum(v.credit - v.debit) FROM ledger_entry e JOIN ledger_value v ON v.entry_id = e.id
                 WHERE e.payment_id = p.id AND v.account = 'unapplied_cash'), 0),
       round((p.amount - p.applied - p.refunded) * r.rate, r.places)
FROM document_rate r JOIN payment p ON p.id = r.document_id;
