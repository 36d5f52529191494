-- The chart of accounts as data, months that close, entries by hand and their reversal.

-- `code` is what the program books on; which number and name that is in the company's own chart is dated data.
CREATE TABLE ledger_account (
    code       text PRIMARY KEY CHECK (code ~ '^[a-z][a-z0-9_]{0,39}$'),
    type       text NOT NULL CHECK (type IN ('asset', 'liability', 'equity', 'income', 'expense')),
    -- Kept by documents and payments: whoever booked on it by hand would make it differ from what they add up to.
    control    boolean NOT NULL,
    made_by    text NOT NULL,
    created_at timestamptz NOT NULL
);
CREATE TABLE account_name (
    seq        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account    text NOT NULL REFERENCES ledger_account,
    -- Without one it holds wherever no other does.
    country    char(2) CHECK (country ~ '^[A-Z]{2}$'),
    number     text NOT NULL,
    name       text NOT NULL,
    valid_from date NOT NULL,
    made_by    text NOT NULL,
    created_at timestamptz NOT NULL
);
CREATE INDEX account_name_account ON account_name (account, valid_from);
INSERT INTO ledger_account (code, type, control, made_by, created_at)
SELECT code, type, control, 'billing-svc', '1970-01-01T00:00:00Z'
FROM (VALUES ('cash', 'asset', false), ('receivable', 'asset', true), ('unapplied_cash', 'liability', true), ('tax', 'liability', false),
             ('refund', 'liability', false), ('revenue', 'income', false), ('bad_debt', 'expense', false)) AS plain (code, type, control);
INSERT INTO account_name (account, number, name, valid_from, made_by, created_at)
SELECT code, number, name, '1970-01-01', 'billing-svc', '1970-01-01T00:00:00Z'
FROM (VALUES ('cash', '1000', 'Bank'), ('receivable', '1200', 'Trade receivables'), ('unapplied_cash', '2100', 'Customers'' credit on account'),
             ('tax', '2200', 'Tax on sales'), ('refund', '2300', 'Refunds'), ('revenue', '4000', 'Revenue'),
             ('bad_debt', '6300', 'Bad debt')) AS plain (code, number, name);

CREATE TRIGGER ledger_account_kept BEFORE UPDATE OR DELETE ON ledger_account FOR EACH ROW EXECUTE FUNCTION kept_for_ever();
CREATE TRIGGER account_name_kept BEFORE UPDATE OR DELETE ON account_name FOR EACH ROW EXECUTE FUNCTION kept_for_ever();

-- Accounts are never deleted, so this needs none of the locks that a foreign key takes on a few rows that everybody books on.
ALTER TABLE ledger_line DROP CONSTRAINT ledger_line_account_check;
CREATE FUNCTION ledger_lines_are_on_accounts() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE unknown text;
BEGIN
    SELECT account INTO unknown FROM written WHERE account NOT IN (SELECT code FROM ledger_account) LIMIT 1;
    IF unknown IS NOT NULL THEN
        RAISE EXCEPTION 'there is no account %', unknown USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER ledger_line_account AFTER INSERT ON ledger_line REFERENCING NEW TABLE AS written
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_lines_are_on_accounts();

-- `booked_on` lies in the month whose books it is in; `occurred_on` is the day it counts for, earlier where that month was closed.
-- `lines` is how many lines it was written with: none is added or lost later.
ALTER TABLE ledger_entry DISABLE TRIGGER ledger_entry_kept;
ALTER TABLE ledger_entry
    ADD COLUMN occurred_on date,
    ADD COLUMN lines int,
    ADD COLUMN reason text,
    ADD COLUMN made_by text,
    ADD COLUMN reverses uuid UNIQUE REFERENCES ledger_entry;
UPDATE ledger_entry e
SET occurred_on = e.booked_on, lines = (SELECT count(*) FROM ledger_line l WHERE l.entry_id = e.id);
ALTER TABLE ledger_entry ENABLE TRIGGER ledger_entry_kept;
ALTER TABLE ledger_entry
    ALTER COLUMN occurred_on SET NOT NULL,
    ALTER COLUMN lines SET NOT NULL,
    ADD CONSTRAINT ledger_entry_not_before CHECK (booked_on >= occurred_on),
    DROP CONSTRAINT ledger_entry_kind_check,
    ADD CONSTRAINT ledger_entry_kind_check
        CHECK (kind IN ('invoice', 'payment', 'allocation', 'credit', 'release', 'manual', 'reversal')),
    ADD CONSTRAINT ledger_entry_by_hand
        CHECK ((kind IN ('manual', 'reversal')) = (made_by IS NOT NULL) AND (made_by IS NULL) = (reason IS NULL)),
    ADD CONSTRAINT ledger_entry_reversal CHECK ((kind = 'reversal') = (reverses IS NOT NULL));
CREATE INDEX ledger_entry_booked ON ledger_entry (booked_on);
CREATE INDEX ledger_entry_moved ON ledger_entry (occurred_on) WHERE booked_on <> occurred_on;

CREATE OR REPLACE FUNCTION ledger_entry_balances() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM ledger_line WHERE entry_id = NEW.entry_id GROUP BY currency HAVING sum(debit) <> sum(credit)) THEN
        RAISE EXCEPTION 'ledger entry % does not balance', NEW.entry_id USING ERRCODE = 'check_violation';
    END IF;
    IF (SELECT count(*) FROM ledger_line WHERE entry_id = NEW.entry_id)
       <> (SELECT lines FROM ledger_entry WHERE id = NEW.entry_id) THEN
        RAISE EXCEPTION 'ledger entry % has other lines than it was written with', NEW.entry_id USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;

-- A month without a row is open, or closed where a later one is. Months close in their order, and open again from the last.
CREATE TABLE accounting_period (
    month      date PRIMARY KEY CHECK (extract(day FROM month) = 1),
    state      text NOT NULL CHECK (state IN ('open', 'closing', 'closed')),
    updated_at timestamptz NOT NULL
);
CREATE TABLE period_change (
    seq          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    month        date NOT NULL REFERENCES accounting_period,
    state_before text NOT NULL,
    state        text NOT NULL,
    reason       text NOT NULL,
    made_by      text NOT NULL,
    created_at   timestamptz NOT NULL
);
CREATE INDEX period_change_month ON period_change (month);
CREATE TRIGGER accounting_period_kept BEFORE DELETE ON accounting_period FOR EACH ROW EXECUTE FUNCTION kept_for_ever();
CREATE TRIGGER period_change_kept BEFORE UPDATE OR DELETE ON period_change FOR EACH ROW EXECUTE FUNCTION kept_for_ever();

-- Whoever books holds this lock together with all others who book; who closes or opens a month holds it alone. So no entry slips
-- into a month while it is closed, and nobody who books waits for anybody else who does.
CREATE FUNCTION hold_periods() RETURNS void LANGUAGE sql AS $$
    SELECT pg_advisory_xact_lock_shared(hashtextextended('accounting_period', 0));
$$;
CREATE FUNCTION hold_periods_alone() RETURNS void LANGUAGE sql AS $$
    SELECT pg_advisory_xact_lock(hashtextextended('accounting_period', 0));
$$;

-- The day itself, or the first one after the months that are closed or closing.
CREATE FUNCTION first_open_day(wanted date) RETURNS date LANGUAGE plpgsql AS $$
BEGIN
    PERFORM hold_periods();
    RETURN greatest(wanted, (SELECT (max(month) + interval '1 month')::date FROM accounting_period WHERE state <> 'open'));
END $$;

-- Into a closing month only accountants book, by hand; into a closed one nobody does.
CREATE FUNCTION ledger_month_is_open() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM hold_periods();
    IF EXISTS (SELECT 1 FROM accounting_period
               WHERE month >= date_trunc('month', NEW.booked_on)::date
                 AND (state = 'closed' OR (state = 'closing' AND NEW.made_by IS NULL))) THEN
        RAISE EXCEPTION 'the month of % is closed', NEW.booked_on USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER ledger_entry_month BEFORE INSERT ON ledger_entry FOR EACH ROW EXECUTE FUNCTION ledger_month_is_open();
