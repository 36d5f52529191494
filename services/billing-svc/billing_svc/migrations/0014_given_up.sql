-- Claims given up within authority, documents that never counted, and money that goes back.
CREATE TABLE write_off_policy (
    version    int PRIMARY KEY CHECK (version >= 1),
    limits     jsonb NOT NULL,
    -- Countries of customers whose tax on bad debts is given back.
    tax_relief jsonb NOT NULL,
    set_by     text NOT NULL,
    set_at     timestamptz NOT NULL
);
CREATE TRIGGER write_off_policy_kept BEFORE UPDATE OR DELETE ON write_off_policy FOR EACH ROW EXECUTE FUNCTION kept_for_ever();

CREATE TABLE write_off (
    id             uuid PRIMARY KEY,
    flow_id        uuid NOT NULL,
    invoice_id     uuid NOT NULL REFERENCES invoice,
    number         text NOT NULL,
    order_id       uuid NOT NULL,
    currency       char(3) NOT NULL,
    amount         numeric NOT NULL CHECK (amount > 0),
    tax            numeric NOT NULL CHECK (tax >= 0 AND tax <= amount),
    cause          text NOT NULL CHECK (cause IN ('bad_debt', 'tolerance')),
    reason         text NOT NULL,
    state          text NOT NULL CHECK (state IN ('requested', 'granted', 'refused')),
    policy_version int NOT NULL,
    requested_by   text NOT NULL,
    requested_on   date NOT NULL,
    decided_by     text,
    decision       text,
    decided_on     date,
    created_at     timestamptz NOT NULL,
    updated_at     timestamptz NOT NULL,
    CHECK ((state = 'requested') = (decided_by IS NULL) AND (state = 'requested') = (decided_on IS NULL))
);
CREATE UNIQUE INDEX write_off_waits ON write_off (invoice_id) WHERE state = 'requested';
CREATE INDEX write_off_invoice ON write_off (invoice_id);

-- Append-only: above zero what was given up, below what is claimed after all, since it was paid or credited.
CREATE TABLE write_off_movement (
    id           uuid PRIMARY KEY,
    invoice_id   uuid NOT NULL REFERENCES invoice,
    write_off_id uuid REFERENCES write_off,
    cause        text NOT NULL CHECK (cause IN ('bad_debt', 'tolerance', 'payment', 'credit')),
    amount       numeric NOT NULL CHECK (amount <> 0),
    tax          numeric NOT NULL CHECK (tax * amount >= 0 AND abs(tax) <= abs(amount)),
    booked_on    date NOT NULL,
    created_at   timestamptz NOT NULL,
    CHECK ((amount > 0) = (cause IN ('bad_debt', 'tolerance')))
);
CREATE INDEX write_off_movement_invoice ON write_off_movement (invoice_id);
CREATE TRIGGER write_off_movement_kept BEFORE UPDATE OR DELETE ON write_off_movement FOR EACH ROW EXECUTE FUNCTION kept_for_ever();
CREATE TRIGGER write_off_movement_not_emptied BEFORE TRUNCATE ON write_off_movement EXECUTE FUNCTION kept_for_ever();

-- By which ways a document has left the house: from then on it can be credited, not voided.
CREATE TABLE invoice_sending (
    id         uuid PRIMARY KEY,
    invoice_id uuid NOT NULL REFERENCES invoice,
    channel    text NOT NULL,
    sent_on    date NOT NULL,
    told_by    text NOT NULL,
    created_at timestamptz NOT NULL
);
CREATE INDEX invoice_sending_invoice ON invoice_sending (invoice_id);
CREATE TRIGGER invoice_sending_kept BEFORE UPDATE OR DELETE ON invoice_sending FOR EACH ROW EXECUTE FUNCTION kept_for_ever();

-- Money that goes back: set aside when asked for.
CREATE TABLE refund (
    id           uuid PRIMARY KEY,
    payment_id   uuid NOT NULL REFERENCES payment,
    currency     char(3) NOT NULL,
    amount       numeric NOT NULL CHECK (amount > 0),
    invoice_id   uuid REFERENCES invoice,
    number       text,
    order_id     uuid,
    flow_id      uuid,
    reason       text NOT NULL,
    state        text NOT NULL CHECK (state IN ('requested', 'executed', 'withdrawn')),
    requested_by text NOT NULL,
    requested_on date NOT NULL,
    -- Of the bank or the provider: one transfer executes one refund.
    reference    text UNIQUE,
    executed_by  text,
    executed_on  date,
    version      int NOT NULL,
    created_at   timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL,
    CHECK ((state = 'executed') = (reference IS NOT NULL) AND (state = 'executed') = (executed_on IS NOT NULL))
);
CREATE INDEX refund_payment ON refund (payment_id);

-- Below zero: released by a credit note, or taken off the invoice by a person, who says why.
ALTER TABLE allocation DROP CONSTRAINT allocation_amount_check,
                       ADD COLUMN reason text,
                       ADD COLUMN made_by text,
                       ADD CONSTRAINT allocation_amount_check
                           CHECK (amount <> 0 AND (amount < 0) = (credit_id IS NOT NULL OR reason IS NOT NULL)
                                  AND (reason IS NULL) = (made_by IS NULL) AND (reason IS NULL OR credit_id IS NULL));

-- A rest up to so much per currency is given up when a payment leaves it; by itself none is.
ALTER TABLE cash_setting ADD COLUMN tolerances jsonb NOT NULL DEFAULT '[]';

ALTER TABLE ledger_entry DROP CONSTRAINT ledger_entry_kind_check,
                         ADD CONSTRAINT ledger_entry_kind_check
                             CHECK (kind IN ('invoice', 'payment', 'allocation', 'credit', 'release', 'write_off', 'recovery', 'unapply',
                                             'refund', 'void', 'manual', 'reversal'));

-- What is set aside to go back is kept by refunds from now on, so nobody books on it by hand.
ALTER TABLE ledger_account DISABLE TRIGGER ledger_account_kept;
UPDATE ledger_account SET control = true WHERE code = 'refund';
ALTER TABLE ledger_account ENABLE TRIGGER ledger_account_kept;

-- The audit knows what moves the accounts that documents keep, what is kept beside its facts, and what must be booked.
CREATE OR REPLACE VIEW subledger_movement AS
SELECT 'receivable' AS account, currency, issued_on AS counts_on, gross AS amount FROM invoice WHERE state <> 'draft'
UNION ALL
SELECT 'receivable', currency, voided_on, -gross FROM invoice WHERE state = 'void'
UNION ALL
SELECT 'receivable', c.currency, greatest(c.credited_on, i.issued_on), -c.gross FROM credit_note c JOIN invoice i ON i.id = c.invoice_id
UNION ALL
SELECT 'receivable', i.currency, a.allocated_on, -a.amount FROM allocation a JOIN invoice i ON i.id = a.invoice_id
UNION ALL
SELECT 'receivable', i.currency, w.booked_on, -w.amount FROM write_off_movement w JOIN invoice i ON i.id = w.invoice_id
UNION ALL
SELECT 'unapplied_cash', currency, received_on, -amount FROM payment
UNION ALL
SELECT 'unapplied_cash', p.currency, a.allocated_on, a.amount FROM allocation a JOIN payment p ON p.id = a.payment_id
UNION ALL
SELECT 'unapplied_cash', r.currency, greatest(r.requested_on, p.received_on), r.amount FROM refund r JOIN payment p ON p.id = r.payment_id
UNION ALL
SELECT 'unapplied_cash', currency, (updated_at AT TIME ZONE 'UTC')::date, -amount FROM refund WHERE state = 'withdrawn'
UNION ALL
SELECT 'refund', r.currency, greatest(r.requested_on, p.received_on), -r.amount FROM refund r JOIN payment p ON p.id = r.payment_id
UNION ALL
SELECT 'refund', currency, (updated_at AT TIME ZONE 'UTC')::date, amount FROM refund WHERE state = 'withdrawn'
UNION ALL
SELECT 'refund', currency, greatest(executed_on, requested_on), amount FROM refund WHERE state = 'executed';

CREATE OR REPLACE VIEW kept_amount AS
SELECT 'invoice' AS kind, i.id, i.number, 'paid' AS what, i.currency, i.paid AS kept,
       coalesce((SELECT sum(a.amount) FROM allocation a WHERE a.invoice_id = i.id), 0) AS facts
FROM invoice i
UNION ALL
SELECT 'invoice', i.id, i.number, 'credited', i.currency, i.credited,
       coalesce((SELECT sum(c.gross) FROM credit_note c WHERE c.invoice_id = i.id), 0)
FROM invoice i
UNION ALL
SELECT 'invoice', i.id, i.number, 'written_off', i.currency, i.written_off,
       coalesce((SELECT sum(w.amount) FROM write_off_movement w WHERE w.invoice_id = i.id), 0)
FROM invoice i
UNION ALL
SELECT 'payment', p.id, NULL, 'applied', p.currency, p.applied,
       coalesce((SELECT sum(a.amount) FROM allocation a WHERE a.payment_id = p.id), 0)
FROM payment p
UNION ALL
SELECT 'payment', p.id, NULL, 'refunded', p.currency, p.refunded,
       coalesce((SELECT sum(r.amount) FROM refund r WHERE r.payment_id = p.id AND r.state <> 'withdrawn'), 0)
FROM payment p;
