-- Orders, their lines as signed, the invoices paid on them, their history, and the rule that dates the promise.

-- Numbers are drawn without a lock and without a promise of no gaps (unlike invoice numbers); they do not restart with the year.
CREATE SEQUENCE order_number AS bigint;

CREATE TABLE sales_order (
    id                        uuid PRIMARY KEY,
    flow_id                   uuid NOT NULL,
    version                   integer NOT NULL CHECK (version >= 1),
    number                    text NOT NULL UNIQUE,
    state                     text NOT NULL CHECK (state IN ('received', 'confirmed', 'in_progress', 'cancelling', 'fulfilled',
                                                             'closed', 'cancelled')),
    contract_id               uuid NOT NULL UNIQUE,
    customer_id               uuid NOT NULL,
    customer_name             text NOT NULL,
    customer_country          char(2) NOT NULL,
    customer_vat_id           text,
    customer_email            text,
    net_amount                numeric NOT NULL,
    currency                  char(3) NOT NULL,
    payment_terms_days        integer NOT NULL CHECK (payment_terms_days BETWEEN 0 AND 365),
    requested_on              date,
    promised_on               date,
    percent_delivered         numeric NOT NULL CHECK (percent_delivered BETWEEN 0 AND 100),
    delivery_id               uuid,
    collected_amount          numeric,
    cancellation_state        text CHECK (cancellation_state IN ('requested', 'granted', 'refused')),
    cancellation_reason       text,
    cancellation_requested_at timestamptz,
    cancellation_decided_at   timestamptz,
    cancellation_return_to    text CHECK (cancellation_return_to IN ('confirmed', 'in_progress')),
    created_at                timestamptz NOT NULL,
    updated_at                timestamptz NOT NULL,
    CHECK (promised_on IS NOT NULL OR state = 'received'),
    CHECK ((cancellation_state IS NULL) = (cancellation_reason IS NULL)),
    CHECK ((cancellation_state IS NULL) = (cancellation_requested_at IS NULL)),
    CHECK ((cancellation_state IS NULL) = (cancellation_return_to IS NULL)),
    CHECK ((cancellation_decided_at IS NULL) = (cancellation_state IS NULL OR cancellation_state = 'requested')),
    CHECK ((state = 'cancelling') = (cancellation_state IS NOT DISTINCT FROM 'requested')),
    CHECK (state NOT IN ('fulfilled', 'closed') OR (delivery_id IS NOT NULL AND percent_delivered = 100)),
    CHECK (state <> 'closed' OR collected_amount IS NOT NULL)
);
CREATE INDEX sales_order_flow ON sales_order (flow_id, id);
CREATE INDEX sales_order_state ON sales_order (state, id);

CREATE TABLE order_line (
    order_id         uuid NOT NULL REFERENCES sales_order,
    position         integer NOT NULL CHECK (position >= 1),
    line_id          uuid NOT NULL,
    sku              text NOT NULL,
    description      text NOT NULL,
    quantity         numeric NOT NULL CHECK (quantity > 0),
    unit_price       numeric NOT NULL,
    base_quantity    numeric NOT NULL CHECK (base_quantity > 0),
    discount_percent numeric NOT NULL CHECK (discount_percent BETWEEN 0 AND 100),
    tax_category     text NOT NULL,
    tax_rate         numeric NOT NULL CHECK (tax_rate BETWEEN 0 AND 100),
    net_amount       numeric NOT NULL,
    price_currency   char(3) NOT NULL,
    net_currency     char(3) NOT NULL,
    PRIMARY KEY (order_id, position)
);

-- One row per invoice that was paid: the same payment told twice is counted once, also without the inbox.
CREATE TABLE paid_invoice (
    invoice_id   uuid PRIMARY KEY,
    order_id     uuid NOT NULL REFERENCES sales_order,
    gross_amount numeric NOT NULL,
    currency     char(3) NOT NULL,
    paid_on      date NOT NULL
);
CREATE INDEX paid_invoice_order ON paid_invoice (order_id);

-- Append-only: every change of state, under the version it made.
CREATE TABLE state_change (
    order_id   uuid NOT NULL REFERENCES sales_order,
    version    integer NOT NULL,
    from_state text,
    to_state   text NOT NULL,
    reason     text,
    changed_at timestamptz NOT NULL,
    PRIMARY KEY (order_id, version)
);

-- The rule in force on a day is the row with the latest `valid_from` up to it.
CREATE TABLE promise_rule (
    valid_from date PRIMARY KEY,
    lead_days  integer NOT NULL CHECK (lead_days BETWEEN 0 AND 3650)
);
INSERT INTO promise_rule (valid_from, lead_days) VALUES ('2000-01-01', 14);
