-- How payments are applied: versions, the latest counts.
CREATE TABLE cash_setting (
    version    int PRIMARY KEY,
    automatic  numeric NOT NULL CHECK (automatic BETWEEN 0 AND 1),
    policy     text NOT NULL CHECK (policy IN ('oldest_due_first', 'cost_interest_principal', 'proportional')),
    changed_by text NOT NULL,
    changed_at timestamptz NOT NULL
);
INSERT INTO cash_setting VALUES (1, 0.90, 'oldest_due_first', 'suite', '1970-01-01T00:00Z');

-- Where a payment came from; an item of a statement becomes one payment at most.
CREATE TABLE payment_origin (
    payment_id    uuid PRIMARY KEY REFERENCES payment,
    item_id       uuid UNIQUE REFERENCES bank_item,
    party         text NOT NULL,
    party_account text NOT NULL,
    end_to_end_id text NOT NULL
);

-- From which account who paid before.
CREATE TABLE payer_account (
    account     text NOT NULL,
    customer_id uuid NOT NULL,
    times       int NOT NULL,
    last_at     timestamptz NOT NULL,
    PRIMARY KEY (account, customer_id)
);

-- What a person looks at: a payment whose suggestion is not certain enough, or an item of a statement that is no payment.
CREATE TABLE payment_review (
    id         uuid PRIMARY KEY,
    payment_id uuid UNIQUE REFERENCES payment,
    item_id    uuid UNIQUE REFERENCES bank_item,
    confidence numeric NOT NULL,
    reasons    jsonb NOT NULL,
    parts      jsonb NOT NULL,
    state      text NOT NULL CHECK (state IN ('waiting', 'accepted', 'corrected', 'rejected')),
    decided_by text,
    decided_at timestamptz,
    why        text,
    version    int NOT NULL,
    created_at timestamptz NOT NULL,
    CHECK (payment_id IS NOT NULL OR item_id IS NOT NULL),
    CHECK ((state = 'waiting') = (decided_at IS NULL)),
    CHECK ((decided_at IS NULL) = (decided_by IS NULL))
);
CREATE INDEX payment_review_waits ON payment_review (id) WHERE state = 'waiting';
CREATE INDEX invoice_open_of_customer ON invoice ((customer ->> 'customer_id')) WHERE state = 'final' AND paid + credited + written_off < gross;
CREATE INDEX invoice_open_amount ON invoice (currency, (gross - paid - credited - written_off)) WHERE state = 'final' AND paid + credited + written_off < gross;
