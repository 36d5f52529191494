-- Deliveries, their lines as ordered, and every version of the promise.

CREATE TABLE delivery (
    id                        uuid PRIMARY KEY,
    flow_id                   uuid NOT NULL,
    version                   integer NOT NULL CHECK (version >= 1),
    order_id                  uuid NOT NULL UNIQUE,
    order_number              text NOT NULL,
    state                     text NOT NULL CHECK (state IN ('planned', 'in_progress', 'completed', 'cancelled')),
    customer_id               uuid NOT NULL,
    customer_name             text NOT NULL,
    customer_country          char(2) NOT NULL,
    customer_vat_id           text,
    customer_email            text,
    net_amount                numeric NOT NULL,
    currency                  char(3) NOT NULL,
    payment_terms_days        integer NOT NULL CHECK (payment_terms_days BETWEEN 0 AND 365),
    promised_on               date NOT NULL,
    promise_version           integer NOT NULL CHECK (promise_version >= 1),
    percent                   numeric NOT NULL CHECK (percent BETWEEN 0 AND 100),
    note                      text,
    completed_at              timestamptz,
    on_time                   boolean,
    cancellation_state        text CHECK (cancellation_state IN ('granted', 'refused')),
    cancellation_reason       text,
    cancellation_requested_at timestamptz,
    cancellation_decided_at   timestamptz,
    created_at                timestamptz NOT NULL,
    updated_at                timestamptz NOT NULL,
    CHECK ((completed_at IS NOT NULL) = (state = 'completed')),
    CHECK ((on_time IS NOT NULL) = (state = 'completed')),
    CHECK (state <> 'completed' OR percent = 100),
    CHECK (state NOT IN ('planned', 'cancelled') OR percent = 0),
    CHECK ((state = 'cancelled') = (cancellation_state IS NOT DISTINCT FROM 'granted')),
    CHECK ((cancellation_state IS NULL) = (cancellation_reason IS NULL)),
    CHECK ((cancellation_state IS NULL) = (cancellation_requested_at IS NULL)),
    CHECK ((cancellation_state IS NULL) = (cancellation_decided_at IS NULL))
);
CREATE INDEX delivery_flow ON delivery (flow_id, id);
CREATE INDEX delivery_state ON delivery (state, id);

CREATE TABLE delivery_line (
    delivery_id      uuid NOT NULL REFERENCES delivery,
    position         integer NOT NULL CHECK (position >= 1),
    line_id          uuid NOT NULL,
    sku              text NOT NULL,
    description      text NOT NULL,
    quantity         numeric NOT NULL CHECK (quantity > 0),
    unit_price       numeric NOT NULL,
    price_currency   char(3) NOT NULL,
    base_quantity    numeric NOT NULL CHECK (base_quantity > 0),
    discount_percent numeric NOT NULL CHECK (discount_percent BETWEEN 0 AND 100),
    tax_category     text NOT NULL,
    tax_rate         numeric NOT NULL CHECK (tax_rate BETWEEN 0 AND 100),
    net_amount       numeric NOT NULL,
    net_currency     char(3) NOT NULL,
    PRIMARY KEY (delivery_id, position)
);

-- Append-only: a later version replaces an earlier one for the customer, never in this table.
CREATE TABLE promise (
    delivery_id uuid NOT NULL REFERENCES delivery,
    version     integer NOT NULL CHECK (version >= 1),
    promised_on date NOT NULL,
    promised_at timestamptz NOT NULL,
    PRIMARY KEY (delivery_id, version)
);
