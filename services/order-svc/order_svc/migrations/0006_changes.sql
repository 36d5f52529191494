-- Orders change: what was assessed, asked of delivery and decided; what is delivered of each line; the lines have versions.

ALTER TABLE sales_order
    ADD COLUMN reduced_amount      numeric NOT NULL DEFAULT 0,
    ADD COLUMN reduced_net_amount  numeric NOT NULL DEFAULT 0,
    ADD COLUMN lines_version       integer NOT NULL DEFAULT 1 CHECK (lines_version >= 1),
    ADD COLUMN lines_changed_at    timestamptz,
    ADD COLUMN change_id           uuid,
    ADD COLUMN change_requested_at timestamptz,
    ADD COLUMN change_reason       text,
    ADD COLUMN change_net_amount   numeric,
    ADD COLUMN change_gross_amount numeric,
    ADD CONSTRAINT sales_order_change CHECK (
        num_nonnulls(change_id, change_requested_at, change_reason, change_net_amount, change_gross_amount) IN (0, 5)),
    -- Nothing is asked of delivery that does not know the order, nor while it decides on a cancellation.
    ADD CONSTRAINT sales_order_changing CHECK (change_id IS NULL OR state IN ('confirmed', 'in_progress', 'fulfilled', 'closed'));

DROP INDEX sales_order_uninvoiced;
CREATE INDEX sales_order_uninvoiced ON sales_order (customer_id, currency)
    WHERE state IN ('confirmed', 'in_progress', 'cancelling', 'fulfilled') AND invoiced_net_amount - reduced_net_amount < net_amount;
CREATE INDEX sales_order_changing ON sales_order (customer_id, currency) WHERE change_id IS NOT NULL;

-- An assessment and what became of it. `effects` is what was shown; `lines` is what the order became.
CREATE TABLE order_change (
    id            uuid PRIMARY KEY,
    order_id      uuid NOT NULL REFERENCES sales_order,
    order_version integer NOT NULL,
    state         text NOT NULL CHECK (state IN ('assessed', 'requested', 'granted', 'refused')),
    path          text NOT NULL CHECK (path IN ('at_once', 'change', 'cancellation')),
    wish          jsonb NOT NULL,
    effects       jsonb NOT NULL,
    reason        text NOT NULL,
    assessed_by   text NOT NULL,
    assessed_at   timestamptz NOT NULL,
    expires_at    timestamptz NOT NULL,
    confirmed_by  text,
    requested_at  timestamptz,
    decided_at    timestamptz,
    decision      text,
    lines         jsonb,
    lines_version integer,
    CHECK ((state IN ('granted', 'refused')) = (decided_at IS NOT NULL)),
    CHECK (state = 'assessed' OR confirmed_by IS NOT NULL),
    CHECK ((lines IS NULL) = (lines_version IS NULL)),
    UNIQUE (order_id, lines_version)
);
CREATE INDEX order_change_order ON order_change (order_id, id);
-- One at a time.
CREATE UNIQUE INDEX order_change_requested ON order_change (order_id) WHERE state = 'requested';

-- Append-only: what was handed over of a line, and (below zero) what came back of it; each fact once, also without the inbox.
CREATE TABLE line_delivery (
    fact_id  uuid NOT NULL,
    line_id  uuid NOT NULL,
    order_id uuid NOT NULL REFERENCES sales_order,
    quantity numeric NOT NULL,
    told_at  timestamptz NOT NULL,
    PRIMARY KEY (fact_id, line_id)
);
CREATE INDEX line_delivery_order ON line_delivery (order_id, line_id);

ALTER TABLE process_policy DROP CONSTRAINT process_policy_step_check,
    ADD CONSTRAINT process_policy_step_check CHECK (
        step IN ('validate', 'credit', 'stock', 'review', 'confirm', 'promise', 'deliver', 'invoice', 'collect', 'change',
                 'stop_delivery', 'credit_note'));
INSERT INTO process_policy (step, invoicing, version, timeout, attempts, action, changed_by, created_at) VALUES
    ('change', 'any', 1, interval '72 hours', 3, 'tell', 'default', '2000-01-01');
