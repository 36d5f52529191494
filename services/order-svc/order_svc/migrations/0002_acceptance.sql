-- Orders without a signed contract, holds, credit and stock.

ALTER TABLE sales_order
    ADD COLUMN source              text NOT NULL DEFAULT 'contract' CHECK (source IN ('contract', 'checkout', 'erp', 'subscription')),
    ADD COLUMN external_ref        text,
    ADD COLUMN fingerprint         text,
    ADD COLUMN invoicing           text NOT NULL DEFAULT 'on_delivery' CHECK (invoicing IN ('on_delivery', 'on_confirmation')),
    ADD COLUMN ship_complete       boolean NOT NULL DEFAULT false,
    ADD COLUMN subscription_id     uuid,
    ADD COLUMN period_from         date,
    ADD COLUMN period_until        date,
    ADD COLUMN gross_amount        numeric,
    ADD COLUMN invoiced_amount     numeric NOT NULL DEFAULT 0,
    ADD COLUMN invoiced_net_amount numeric NOT NULL DEFAULT 0,
    ADD COLUMN credited_amount     numeric NOT NULL DEFAULT 0,
    ADD COLUMN hold_reasons        text[],
    ADD COLUMN hold_detail         text,
    ADD COLUMN hold_wish           text,
    ADD COLUMN held_by             text,
    ADD COLUMN held_since          timestamptz,
    ADD COLUMN waived              text[] NOT NULL DEFAULT '{}',
    ADD COLUMN confirmed_at        timestamptz,
    ADD COLUMN told_promise_at     timestamptz,
    ADD COLUMN delivered_at        timestamptz,
    ADD COLUMN invoiced_at         timestamptz,
    ADD COLUMN paid_at             timestamptz,
    ADD COLUMN cancelled_at        timestamptz;

-- What earlier orders know already. Their tax is that of their lines, rounded per category and rate.
UPDATE sales_order o SET gross_amount = o.net_amount + (
        SELECT coalesce(sum(t.tax), 0) FROM (
            SELECT round(sum(l.net_amount) * l.tax_rate / 100,
                         CASE WHEN o.currency IN ('BIF', 'CLP', 'DJF', 'GNF', 'ISK', 'JPY', 'KMF', 'KRW', 'PYG', 'RWF', 'UGX', 'UYI',
                                                  'VND', 'VUV', 'XAF', 'XOF', 'XPF') THEN 0
                              WHEN o.currency IN ('BHD', 'IQD', 'JOD', 'KWD', 'LYD', 'OMR', 'TND') THEN 3 ELSE 2 END) AS tax
            FROM order_line l
            WHERE l.order_id = o.id GROUP BY l.tax_category, l.tax_rate) t),
    confirmed_at = (SELECT min(c.changed_at) FROM state_change c WHERE c.order_id = o.id AND c.to_state = 'confirmed'),
    delivered_at = (SELECT min(c.changed_at) FROM state_change c WHERE c.order_id = o.id AND c.to_state = 'fulfilled'),
    cancelled_at = (SELECT min(c.changed_at) FROM state_change c WHERE c.order_id = o.id AND c.to_state = 'cancelled'),
    paid_at = (SELECT min(p.paid_on)::timestamptz FROM paid_invoice p WHERE p.order_id = o.id);
ALTER TABLE sales_order ALTER COLUMN gross_amount SET NOT NULL;

ALTER TABLE sales_order DROP CONSTRAINT sales_order_state_check,
    ADD CONSTRAINT sales_order_state_check CHECK (state IN ('received', 'held', 'confirmed', 'in_progress', 'cancelling',
                                                            'fulfilled', 'closed', 'cancelled')),
    DROP CONSTRAINT sales_order_cancellation_return_to_check,
    ADD CONSTRAINT sales_order_cancellation_return_to_check CHECK (cancellation_return_to IN ('held', 'confirmed', 'in_progress')),
    DROP CONSTRAINT sales_order_check,
    -- A day is promised when we bind ourselves; what was never confirmed has none.
    ADD CONSTRAINT sales_order_promise CHECK (promised_on IS NOT NULL OR state IN ('received', 'held', 'cancelled')),
    ADD CONSTRAINT sales_order_hold CHECK ((state = 'held') = (hold_reasons IS NOT NULL)),
    ADD CONSTRAINT sales_order_held_since CHECK ((hold_reasons IS NULL) = (held_since IS NULL)),
    ADD CONSTRAINT sales_order_hold_reasons CHECK (hold_reasons <@ ARRAY['validation', 'credit', 'stock', 'manual']
                                                   AND cardinality(hold_reasons) > 0);

-- What another system calls the order: the same name is the same order.
CREATE UNIQUE INDEX sales_order_external_ref ON sales_order (source, external_ref) WHERE external_ref IS NOT NULL;
CREATE INDEX sales_order_held ON sales_order (customer_id, id) WHERE state = 'held';
-- What weighs on a customer's credit and is not claimed by an invoice yet.
CREATE INDEX sales_order_uninvoiced ON sales_order (customer_id, currency)
    WHERE state IN ('confirmed', 'in_progress', 'cancelling', 'fulfilled') AND invoiced_net_amount < net_amount;

ALTER TABLE state_change ADD COLUMN changed_by text;

-- What is agreed with a customer. Its row is locked by whoever decides whether an order fits.
CREATE TABLE credit_account (
    customer_id        uuid PRIMARY KEY,
    version            integer NOT NULL CHECK (version >= 1),
    blocked            boolean NOT NULL,
    limits             jsonb NOT NULL,
    payment_terms_days integer CHECK (payment_terms_days BETWEEN 0 AND 365),
    changed_at         timestamptz NOT NULL
);
-- Append-only: every version, who made it and why. `told_at` is when the system that told it says it happened.
CREATE TABLE credit_account_version (
    customer_id        uuid NOT NULL REFERENCES credit_account,
    version            integer NOT NULL,
    blocked            boolean NOT NULL,
    limits             jsonb NOT NULL,
    payment_terms_days integer,
    changed_by         text NOT NULL,
    reason             text,
    told_at            timestamptz,
    changed_at         timestamptz NOT NULL,
    PRIMARY KEY (customer_id, version)
);

-- What an invoice claims, as the sum of what was told of it, whatever came first. It is nobody's until it is known as issued.
CREATE TABLE receivable (
    invoice_id  uuid PRIMARY KEY,
    order_id    uuid NOT NULL,
    customer_id uuid,
    currency    char(3) NOT NULL,
    issued      numeric NOT NULL DEFAULT 0,
    allocated   numeric NOT NULL DEFAULT 0,
    credited    numeric NOT NULL DEFAULT 0,
    refunded    numeric NOT NULL DEFAULT 0,
    open        numeric NOT NULL GENERATED ALWAYS AS (issued - allocated - credited + refunded) STORED
);
CREATE INDEX receivable_open ON receivable (customer_id, currency) WHERE open > 0;
CREATE INDEX receivable_order ON receivable (order_id);
-- Append-only: each fact once, also without the inbox. `fact_id` is the invoice, the credit note, the refund or the event.
CREATE TABLE receivable_entry (
    invoice_id uuid NOT NULL REFERENCES receivable,
    kind       text NOT NULL CHECK (kind IN ('issued', 'allocated', 'credited', 'refunded')),
    fact_id    uuid NOT NULL,
    amount     numeric NOT NULL,
    told_at    timestamptz NOT NULL,
    PRIMARY KEY (invoice_id, kind, fact_id)
);

-- What the ERP counted last, less what left since; `reserved` is the sum of the reservations that stand.
CREATE TABLE stock (
    sku      text NOT NULL,
    site     text NOT NULL,
    on_hand  numeric NOT NULL,
    as_of    timestamptz NOT NULL,
    reserved numeric NOT NULL DEFAULT 0 CHECK (reserved >= 0),
    PRIMARY KEY (sku, site)
);
CREATE TABLE reservation (
    order_id uuid NOT NULL REFERENCES sales_order,
    line_id  uuid NOT NULL,
    sku      text NOT NULL,
    site     text NOT NULL,
    quantity numeric NOT NULL CHECK (quantity > 0),
    state    text NOT NULL CHECK (state IN ('reserved', 'consumed', 'released')),
    ended_at timestamptz,
    PRIMARY KEY (order_id, line_id, site),
    FOREIGN KEY (sku, site) REFERENCES stock,
    CHECK ((state = 'reserved') = (ended_at IS NULL))
);
CREATE INDEX reservation_left ON reservation (sku, site, ended_at) WHERE state = 'consumed';

-- Work for the timer: held orders of a customer, or of a SKU, may fit now. Rows are only added; the timer walks and removes them.
-- Whoever holds an order adds one too: what changed while it was being held is seen by the walk that follows.
CREATE TABLE recheck (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer_id  uuid,
    sku          text,
    after_order  uuid,
    CHECK (num_nonnulls(customer_id, sku) = 1)
);
