-- The process of each order as a row, what it went through, and how long a step may take.

-- Rows are never changed: the policy of a step is the one with the highest version, first for the way of invoicing, then for `any`.
CREATE TABLE process_policy (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    step       text NOT NULL CHECK (step IN ('validate', 'credit', 'stock', 'review', 'confirm', 'promise', 'deliver', 'invoice',
                                             'collect', 'stop_delivery', 'credit_note')),
    invoicing  text NOT NULL CHECK (invoicing IN ('any', 'on_delivery', 'on_confirmation')),
    version    integer NOT NULL CHECK (version >= 1),
    timeout    interval CHECK (timeout > interval '0'),
    attempts   integer NOT NULL CHECK (attempts BETWEEN 1 AND 20),
    action     text NOT NULL CHECK (action IN ('tell', 'cancel')),
    changed_by text NOT NULL,
    reason     text,
    created_at timestamptz NOT NULL,
    UNIQUE (step, invoicing, version),
    CHECK (action = 'tell' OR timeout IS NOT NULL)
);
INSERT INTO process_policy (step, invoicing, version, timeout, attempts, action, changed_by, created_at) VALUES
    ('validate', 'any', 1, interval '168 hours', 3, 'tell', 'default', '2000-01-01'),
    ('credit', 'any', 1, interval '168 hours', 4, 'tell', 'default', '2000-01-01'),
    ('stock', 'any', 1, interval '168 hours', 4, 'tell', 'default', '2000-01-01'),
    ('review', 'any', 1, interval '72 hours', 3, 'tell', 'default', '2000-01-01'),
    ('promise', 'any', 1, interval '72 hours', 3, 'tell', 'default', '2000-01-01'),
    ('deliver', 'any', 1, interval '2160 hours', 3, 'tell', 'default', '2000-01-01'),
    ('invoice', 'any', 1, interval '72 hours', 3, 'tell', 'default', '2000-01-01'),
    ('collect', 'any', 1, interval '2160 hours', 3, 'tell', 'default', '2000-01-01'),
    ('collect', 'on_confirmation', 1, interval '336 hours', 1, 'cancel', 'default', '2000-01-01'),
    ('stop_delivery', 'any', 1, interval '72 hours', 3, 'tell', 'default', '2000-01-01'),
    ('credit_note', 'any', 1, interval '72 hours', 3, 'tell', 'default', '2000-01-01');

CREATE TABLE order_process (
    order_id     uuid PRIMARY KEY REFERENCES sales_order,
    step         text NOT NULL,
    waiting_for  text,
    since        timestamptz NOT NULL,
    deadline     timestamptz,
    attempt      integer NOT NULL DEFAULT 0,
    compensating boolean NOT NULL,
    policy_id    bigint REFERENCES process_policy
);
CREATE INDEX order_process_deadline ON order_process (deadline) WHERE deadline IS NOT NULL;

-- Append-only: each step that is over, how it came out, and the event that ended it.
CREATE TABLE order_process_step (
    order_id   uuid NOT NULL,
    id         bigint GENERATED ALWAYS AS IDENTITY,
    step       text NOT NULL,
    started_at timestamptz NOT NULL,
    ended_at   timestamptz NOT NULL,
    outcome    text NOT NULL CHECK (outcome IN ('done', 'held', 'compensated', 'refused', 'late')),
    cause      uuid,
    PRIMARY KEY (order_id, id)
);

-- Orders that were there before: where they stand by what is known of them.
INSERT INTO order_process (order_id, step, waiting_for, since, compensating)
SELECT id,
       CASE state WHEN 'cancelled' THEN 'cancelled' WHEN 'closed' THEN 'closed' WHEN 'cancelling' THEN 'stop_delivery'
                  WHEN 'fulfilled' THEN 'invoice' WHEN 'in_progress' THEN 'deliver' ELSE 'promise' END,
       CASE state WHEN 'cancelled' THEN NULL WHEN 'closed' THEN NULL WHEN 'cancelling' THEN 'delivery.cancelled'
                  WHEN 'fulfilled' THEN 'invoice.issued' WHEN 'in_progress' THEN 'delivery.completed' ELSE 'delivery.promised' END,
       updated_at, state IN ('cancelled', 'cancelling')
FROM sales_order;
